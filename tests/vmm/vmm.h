/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM of a few instructions, whose guest touches exactly the pages it is told
 * to. No devices, no firmware; a virtual CPU reads a list of pages and accesses
 * each, in 32-bit protected mode without paging or in 64-bit mode with page tables
 * that map VMM_GPA_END bytes one to one. A 32-bit guest has 4 GiB.
 *
 * The guest is spoken to through its memory. While it loops over its list it
 * makes no VM exit; with nothing to do it leaves the guest, and its thread waits
 * outside. What it touches besides the pages of its list lies in the first
 * VMM_LOW_SIZE bytes: code, control blocks, stacks, lists, page tables. It reads and
 * writes the first bytes of a page and calls what vmm_put_code() has put there.
 *
 * Large memory: a list has VMM_LIST_MAX pages, so more are touched in parts. Memory
 * of vmm_fresh_memory() takes room only where the guest writes: what it only reads is
 * the host's zero page (VMM_THP: its huge one). At VMM_HIGH_GPA a memslot may have any
 * size; one that reaches over the last 20 MiB below 4 GiB meets KVM's own.
 *
 * What it cannot show: interrupts.
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
#define VMM_HIGH_GPA  (4ul << 30)  /* and 64-bit guests' large memory */
#define VMM_GPA_END   (32ul << 30)

enum vmm_backing {
	VMM_SMALL,	/* anonymous memory, never huge pages */
	VMM_THP,	/* transparent huge pages */
	VMM_HUGETLB,	/* 2 MiB pages of hugetlbfs */
	VMM_HUGETLB_1G, /* 1 GiB pages of hugetlbfs, mapped as such where gpa and size are multiples */
};

/* How the guest's CPU translates. */
enum vmm_mode {
	VMM_32,	   /* 32-bit, no paging */
	VMM_64,	   /* 64-bit, pages of 2 MiB */
	VMM_64_4K, /* 64-bit, pages of 4 KiB below 1 GiB */
};

/* How the VMM sets its log up when it creates the VM. */
enum vmm_log {
	VMM_LOG_PLAIN,
	VMM_LOG_MANUAL,
	VMM_LOG_ALL_SET,
	VMM_LOG_RING,
};

/* All zero is a 32-bit guest that halts, without interrupt controllers, with a plain log. */
struct vmm_config {
	enum vmm_mode mode;
	enum vmm_log log;
	bool io_exit; /* a guest with nothing to do leaves by an I/O instruction instead of HLT */
	bool irqchip; /* KVM's own interrupt controllers; then HLT would not come out: implies io_exit */
	bool hosts_guests; /* its CPUs have virtualisation switched on */
};

/* The guest's side of the conversation; offsets are known to the guest code. */
struct vmm_ctl {
	uint32_t seq;	/* changed by us: start over */
	uint32_t done;	/* the seq that the guest is done with */
	uint32_t loop;	/* run the list until seq changes */
	uint32_t count; /* of pages in the list */
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
	struct vmm_config config;
	int nr_vcpus;
	struct vmm_vcpu vcpu[VMM_MAX_VCPUS];
	uint8_t *low; /* guest memory from address 0 */
	volatile bool stop;
};

/* Creates a VM with its low memory and starts its vCPUs. @first_cpu: vCPU i runs on CPU (@first_cpu + i); -1: anywhere. */
void vmm_create(struct vmm *vm, int nr_vcpus, int first_cpu);
void vmm_create_as(struct vmm *vm, const struct vmm_config *config, int nr_vcpus, int first_cpu);
void vmm_destroy(struct vmm *vm);

/* Memory of the given backing, aligned to 2 MiB, zeroed and present. NULL: the host has none such. */
void *vmm_memory(size_t size, enum vmm_backing backing);
/* The same, never touched. */
void *vmm_fresh_memory(size_t size, enum vmm_backing backing);
void vmm_free(void *memory, size_t size);

/* KVM_SET_USER_MEMORY_REGION; slot 0 is the low memory. @slot | 1 << 16: SMM's. Returns 0 or -1 with errno. */
int vmm_map(struct vmm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *memory,
	    uint32_t flags);

/* The VMM's own use of the dirty log. Return 0 or -1 with errno. A bitmap has a bit a page, whole words. */
int vmm_get_log(struct vmm *vm, uint32_t slot, uint64_t *bitmap);
int vmm_clear_log(struct vmm *vm, uint32_t slot, uint64_t first_page, uint32_t npages,
		  uint64_t *bitmap);

/* Binds the calling thread, and the threads that it starts; -1: anywhere. */
void vmm_stay_on(int cpu);

/* What the guest does with a page of its list. */
enum vmm_access {
	VMM_READ,
	VMM_WRITE,
	VMM_EXEC,
};

/* One entry of a list. The guest's code knows the format. */
static inline uint32_t vmm_entry(uint64_t gfn, enum vmm_access access)
{
	return (uint32_t)gfn << 2 | access;
}

static inline uint32_t vmm_read(uint64_t gfn)
{
	return vmm_entry(gfn, VMM_READ);
}

static inline uint32_t vmm_write(uint64_t gfn)
{
	return vmm_entry(gfn, VMM_WRITE);
}

/* A page of a list with VMM_EXEC, of which nothing is read or written. */
static inline uint32_t vmm_exec(uint64_t gfn)
{
	return vmm_entry(gfn, VMM_EXEC);
}

static inline uint64_t vmm_entry_gfn(uint32_t entry)
{
	return entry >> 2;
}

static inline enum vmm_access vmm_entry_access(uint32_t entry)
{
	return entry & 3;
}

/* Gives the page at @page of our memory something to be called for: it returns at once. */
void vmm_put_code(void *page);

/* Touches the pages once and returns when the guest has nothing to do again. */
void vmm_touch(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
/* All vCPUs at a time, each with its share. */
void vmm_touch_shared(struct vmm *vm, const uint32_t *list, uint32_t count);
/* One vCPU's in two steps. */
void vmm_begin(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
void vmm_finish(struct vmm *vm, int vcpu);

/*
 * Clears the accessed and dirty bits of a 64-bit guest's page tables, and what
 * its CPUs have cached of them. Its CPUs set them anew, which are writes.
 */
void vmm_age_page_tables(struct vmm *vm);

/* Touches them over and over, without VM exits, until vmm_halt(). */
void vmm_loop(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
void vmm_halt(struct vmm *vm, int vcpu);
/* Returns when the looping guest has gone through its whole list @n more times. */
void vmm_wait_iters(struct vmm *vm, int vcpu, uint32_t n);

#endif /* VMM_H */
