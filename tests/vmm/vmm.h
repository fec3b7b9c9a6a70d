/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM of a few instructions, whose guest touches exactly the pages it is told
 * to. No devices, no firmware; a virtual CPU in 32-bit protected mode without
 * paging reads a list of addresses and accesses each.
 *
 * The guest is spoken to through its memory. While it loops over its list it
 * makes no VM exit; with nothing to do it halts, and its thread waits outside
 * the guest. What it touches besides the pages of its list lies in the first
 * VMM_LOW_SIZE bytes: code, control blocks, lists.
 *
 * What it cannot show: guest page tables, interrupts, and anything that needs
 * more than the 4 GiB that 32 bits reach.
 */
#ifndef VMM_H
#define VMM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VMM_PAGE      4096ul
#define VMM_2M	      (2ul << 20)
#define VMM_LOW_SIZE  (8ul << 20)
#define VMM_MAX_VCPUS 4
#define VMM_LIST_MAX  262144u
#define VMM_DATA_GPA  (64ul << 20) /* where tests put their memory */

enum vmm_backing {
	VMM_SMALL,   /* anonymous memory, never huge pages */
	VMM_THP,     /* transparent huge pages */
	VMM_HUGETLB, /* 2 MiB pages of hugetlbfs */
};

/* The guest's side of the conversation; offsets are known to the guest code. */
struct vmm_ctl {
	uint32_t seq;	/* changed by us: start over */
	uint32_t done;	/* the seq that the guest is done with */
	uint32_t loop;	/* run the list until seq changes */
	uint32_t count; /* of addresses in the list */
	uint32_t list;	/* gpa of it */
	uint32_t iters; /* times the guest has come to the list's end */
};

struct vmm_vcpu {
	struct vmm *vm;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	volatile struct vmm_ctl *ctl;
	uint32_t *list;
	uint32_t halted; /* the seq after which it has left the guest */
	unsigned long exits;
};

struct vmm {
	int kvm, fd;
	int nr_vcpus;
	struct vmm_vcpu vcpu[VMM_MAX_VCPUS];
	uint8_t *low; /* guest memory from address 0 */
	volatile bool stop;
};

/* Creates a VM with its low memory and starts its vCPUs. @first_cpu: vCPU i runs on CPU (@first_cpu + i); -1: anywhere. */
void vmm_create(struct vmm *vm, int nr_vcpus, int first_cpu);
void vmm_destroy(struct vmm *vm);

/* Memory of the given backing, aligned to 2 MiB, zeroed and present. NULL: the host has none such. */
void *vmm_memory(size_t size, enum vmm_backing backing);
void vmm_free(void *memory, size_t size);

/* KVM_SET_USER_MEMORY_REGION; slot 0 is the low memory. @slot | 1 << 16: SMM's. Returns 0 or -1 with errno. */
int vmm_map(struct vmm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *memory,
	    uint32_t flags);

/* Binds the calling thread. */
void vmm_stay_on(int cpu);

/* One address of a list. */
static inline uint32_t vmm_read(uint64_t gfn)
{
	return (uint32_t)(gfn * VMM_PAGE);
}

static inline uint32_t vmm_write(uint64_t gfn)
{
	return (uint32_t)(gfn * VMM_PAGE) | 1;
}

/* Touches the pages once and returns when the guest has halted again. */
void vmm_touch(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);

/* Touches them over and over, without VM exits, until vmm_halt(). */
void vmm_loop(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
void vmm_halt(struct vmm *vm, int vcpu);
/* Returns when the looping guest has gone through its whole list @n more times. */
void vmm_wait_iters(struct vmm *vm, int vcpu, uint32_t n);

#endif /* VMM_H */
