/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's types and macros in user space, as far as the code in this directory uses them. */
#ifndef KVM_EXT_PORT_USER_H
#define KVM_EXT_PORT_USER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

typedef struct {
	s64 counter;
} atomic64_t;

#define ____cacheline_aligned __attribute__((aligned(64)))

#define READ_ONCE(x)	     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define try_cmpxchg64(p, old, new) \
	__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define smp_load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define atomic64_read(v)	    __atomic_load_n(&(v)->counter, __ATOMIC_RELAXED)
#define atomic64_inc(v)		    ((void)__atomic_fetch_add(&(v)->counter, 1, __ATOMIC_RELAXED))
#define port_rest()		    ((void)0)
#define BIT_ULL(n)		    (1ull << (n))
#define hweight64(x)		    __builtin_popcountll(x)
#define likely(x)		    __builtin_expect(!!(x), 1)
#define unlikely(x)		    __builtin_expect(!!(x), 0)
#define min_t(type, a, b)	    ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)	    ((type)(a) > (type)(b) ? (type)(a) : (type)(b))

static inline u64 div64_u64(u64 dividend, u64 divisor)
{
	return dividend / divisor;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 divisor)
{
	return (u64)((unsigned __int128)a * b / divisor);
}

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (u64)((unsigned __int128)a * b >> shift);
}

#endif /* KVM_EXT_PORT_USER_H */
