/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the page tables of a process without a lock, as get_user_pages_fast() does. A page is given
 * by its number, counted from address 0 (vpn). Only the half of the tables for user memory is read.
 */
#ifndef KVM_EXT_TABLES_H
#define KVM_EXT_TABLES_H

#include <linux/types.h>

struct mm_struct;

/*
 * While a CPU has interrupts off, no table of any process is freed. The kernel frees an unlinked
 * table only after an RCU grace period, which waits for this CPU (code with interrupts off is a
 * read-side section); or after an interrupt to every CPU that may read the table, which this CPU
 * has to take (tlb_remove_table_sync_one(), and the TLB flush in kernels that do not use RCU for
 * tables).
 *
 * This does not keep the mm, which the caller holds with mmget_not_zero().
 *
 * KX_TABLES_HOLD_NS: after this time, walks switch interrupts on for a moment.
 */
#define KX_TABLES_HOLD_NS	(20 * NSEC_PER_USEC)

struct kx_tables {
	u64 *root;
	int level;			/* of the root: 4 or 5 */
	u64 end;			/* the vpn behind the half for user memory */
};

/**
 * kx_tables_of() - the page tables of a process
 * @mm: the memory of the process, which the caller holds with mmget_not_zero()
 *
 * Context: any.
 */
struct kx_tables kx_tables_of(struct mm_struct *mm);

/**
 * kx_tables_at() - the table that an entry points to
 * @entry: an entry of a table
 *
 * Return: the table; NULL: there is no memory at the address in the entry.
 */
u64 *kx_tables_at(u64 entry);

/**
 * kx_tables_next() - find the next page for which there is a table of level 2 or a leaf of 1 GiB
 * @t: the tables
 * @vpn: the page to start from
 * @end: the page behind the last one
 *
 * Context: may sleep.
 * Return: the page; @end: there is no such page.
 */
u64 kx_tables_next(const struct kx_tables *t, u64 vpn, u64 end);

struct kx_tables_visit {
	/* @npages pages from @vpn on are mapped to guest pages from @gfn on. False: stop. */
	bool (*leaf)(struct kx_tables_visit *v, u64 vpn, u64 npages, u64 gfn);
	u64 budget;			/* number of entries that may be read */
};

/**
 * kx_tables_visit() - visit the leaves that map some pages
 * @t: the tables
 * @vpn: the first page
 * @end: the page behind the last one
 * @v: the visit; @leaf is called with interrupts off, @budget is reduced
 *
 * Context: may sleep.
 */
void kx_tables_visit(const struct kx_tables *t, u64 vpn, u64 end, struct kx_tables_visit *v);

#endif /* KVM_EXT_TABLES_H */
