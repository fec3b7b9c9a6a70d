/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a CPU's buffer of records is emptied next.
 *
 * Perf empties the buffer at context switches, and in an interrupt when the buffer is full. A
 * thread that never switches would cause one interrupt for each full buffer. So the agent
 * empties the buffer earlier, at a rate that follows the number of records since the last time.
 */
#ifndef KVM_EXT_PACE_H
#define KVM_EXT_PACE_H

#include "port.h"

/*
 * The intended number of records between two times. Perf's buffer is 64 KiB: about 1000
 * records with addresses from Ice Lake on, about 300 before; the rest is for changing rates.
 */
#define KX_PACE_RECORDS	128u
#define KX_PACE_MIN_NS	1000000ull
#define KX_PACE_MAX_NS	100000000ull

struct kx_pace {
	u64 seen;		/* records of this CPU, counted since the start */
	u64 last_ns, due_ns;
};

static inline bool kx_pace_is_due(const struct kx_pace *p, u64 now_ns)
{
	return now_ns >= p->due_ns;
}

/* The buffer was emptied at @now_ns; the CPU has had @records in total so far. */
static inline void kx_pace_emptied(struct kx_pace *p, u64 records, u64 now_ns)
{
	u64 since_ns = now_ns - p->last_ns, new = records - p->seen, next_ns = KX_PACE_MAX_NS;

	/* A time longer than the longest interval says nothing more about the rate. */
	if (since_ns > KX_PACE_MAX_NS)
		since_ns = KX_PACE_MAX_NS;
	if (new)
		next_ns = since_ns * KX_PACE_RECORDS / new;
	if (next_ns > KX_PACE_MAX_NS)
		next_ns = KX_PACE_MAX_NS;
	if (next_ns < KX_PACE_MIN_NS)
		next_ns = KX_PACE_MIN_NS;
	p->seen = records;
	p->last_ns = now_ns;
	p->due_ns = now_ns + next_ns;
}

#endif /* KVM_EXT_PACE_H */
