/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM whose guest consists of some instructions and accesses exactly the pages of a list. There
 * are no devices and no firmware. Each vCPU goes through a list of pages and accesses each page, in
 * 32-bit protected mode without paging, or in 64-bit mode with page tables that map VMM_GPA_END
 * bytes one to one. A 32-bit guest has 4 GiB.
 *
 * Tests control the guest through its memory. While a vCPU goes through its list again and again,
 * it has no VM exit. A vCPU that has nothing to do leaves the guest, and its thread waits. All
 * other memory that the guest accesses is in the first VMM_LOW_SIZE bytes: code, control blocks,
 * stacks, lists, page tables. The guest reads or writes the first bytes of a page, or calls the
 * code that vmm_put_code() has written to the page.
 *
 * Large memory: a list has up to VMM_LIST_MAX pages; more pages are accessed in several lists.
 * Memory of vmm_fresh_memory() needs host memory only where the guest writes: pages that the guest
 * only reads are the host's zero page (VMM_THP: the huge zero page). At VMM_HIGH_GPA a memslot may
 * have any size; a memslot that contains the last 20 MiB below 4 GiB overlaps KVM's own memslots.
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
#define VMM_HIGH_GPA  (4ul << 30)  /* where tests put large memory of 64-bit guests */
#define VMM_GPA_END   (32ul << 30)

enum vmm_backing {
	VMM_SMALL,	/* anonymous memory, never huge pages */
	VMM_THP,	/* transparent huge pages */
	VMM_HUGETLB,	/* 2 MiB pages of hugetlbfs */
	VMM_HUGETLB_1G, /* 1 GiB pages of hugetlbfs; gpa and size should be multiples of 1 GiB */
};

/* The mode and the page tables of the guest's CPUs. */
enum vmm_mode {
	VMM_32,	   /* 32-bit, no paging */
	VMM_64,	   /* 64-bit, pages of 2 MiB */
	VMM_64_4K, /* 64-bit, pages of 4 KiB below 1 GiB */
};

/* How the VMM configures the dirty log when it creates the VM. */
enum vmm_log {
	VMM_LOG_PLAIN,
	VMM_LOG_MANUAL,
	VMM_LOG_ALL_SET,
	VMM_LOG_RING,
};

/* All zero: a 32-bit guest that halts, without interrupt controllers, with a plain log. */
struct vmm_config {
	enum vmm_mode mode;
	enum vmm_log log;
	bool io_exit; /* a vCPU with nothing to do exits by an I/O instruction instead of HLT */
	/* KVM's own interrupt controllers. Implies io_exit: HLT would not exit to the VMM. */
	bool irqchip;
	bool hosts_guests; /* the guest's CPUs have virtualisation enabled */
};

/* The control block of a vCPU. The guest's code contains the offsets of the members. */
struct vmm_ctl {
	uint32_t seq;	/* written by the test; a change: go through the list */
	uint32_t done;	/* written by the guest: the last seq that was carried out */
	uint32_t loop;	/* go through the list again until seq changes */
	uint32_t count; /* number of entries of the list */
	uint32_t list;	/* gpa of the list */
	uint32_t iters; /* how often the guest has come to the end of the list */
};

struct vmm_vcpu {
	struct vmm *vm;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	volatile struct vmm_ctl *ctl;
	uint32_t *list;
	uint32_t halted; /* the last seq after which the vCPU has left the guest */
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

/*
 * Creates a VM with its low memory and starts its vCPUs. vCPU i runs on CPU @first_cpu + i; -1: on
 * any CPU.
 */
void vmm_create(struct vmm *vm, int nr_vcpus, int first_cpu);
void vmm_create_as(struct vmm *vm, const struct vmm_config *config, int nr_vcpus, int first_cpu);
void vmm_destroy(struct vmm *vm);

/* Memory of a kind, aligned to 2 MiB, zeroed and present. NULL: the host has no such memory. */
void *vmm_memory(size_t size, enum vmm_backing backing);
/* The same, but no page was accessed yet. */
void *vmm_fresh_memory(size_t size, enum vmm_backing backing);
void vmm_free(void *memory, size_t size);

/*
 * KVM_SET_USER_MEMORY_REGION. Slot 0 is the low memory; SMM's slots have bit 16 set. Returns 0, or
 * -1 with errno.
 */
int vmm_map(struct vmm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *memory,
	    uint32_t flags);

/*
 * The VMM's own use of the dirty log. A bitmap has one bit for each page, and consists of whole
 * words. Both return 0, or -1 with errno.
 */
int vmm_get_log(struct vmm *vm, uint32_t slot, uint64_t *bitmap);
int vmm_clear_log(struct vmm *vm, uint32_t slot, uint64_t first_page, uint32_t npages,
		  uint64_t *bitmap);

/* Binds the calling thread, and the threads that it will start, to a CPU; -1: to no CPU. */
void vmm_stay_on(int cpu);

/* How the guest accesses a page of its list. */
enum vmm_access {
	VMM_READ,
	VMM_WRITE,
	VMM_EXEC,
};

/* An entry of a list. The guest's code depends on this format. */
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

/* The guest only executes code in this page. */
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

/* Writes code for VMM_EXEC to the page at @page in the VMM's memory: it returns at once. */
void vmm_put_code(void *page);

/* The vCPU accesses the pages of @list once. Returns when the vCPU has left the guest. */
void vmm_touch(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
/* The same with all vCPUs at the same time, each with a part of the list. */
void vmm_touch_shared(struct vmm *vm, const uint32_t *list, uint32_t count);
/* vmm_touch() in two steps. */
void vmm_begin(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
void vmm_finish(struct vmm *vm, int vcpu);

/*
 * Clears the accessed and dirty bits in the page tables of a 64-bit guest, and flushes its vCPUs'
 * TLBs. Its vCPUs then set these bits again, which is a write to the page tables.
 */
void vmm_age_page_tables(struct vmm *vm);

/* The vCPU accesses the pages of @list again and again, without VM exits, until vmm_halt(). */
void vmm_loop(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count);
void vmm_halt(struct vmm *vm, int vcpu);
/* Returns when the vCPU, in vmm_loop(), has gone through its whole list @n more times. */
void vmm_wait_iters(struct vmm *vm, int vcpu, uint32_t n);

#endif /* VMM_H */
