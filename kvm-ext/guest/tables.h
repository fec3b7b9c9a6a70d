/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page tables of a process, read without a lock, as get_user_pages_fast() does. Pages are
 * counted from address 0 on (vpn); only the half for user memory is read.
 */
#ifndef KVM_EXT_TABLES_H
#define KVM_EXT_TABLES_H

#include <linux/types.h>

struct mm_struct;

/*
 * While a CPU has interrupts off, no table of any process is freed or used for something else.
 * Before this, an unlinked table waits for one of two things, and both wait for this CPU: an RCU
 * grace period (code with interrupts off is a read-side section), or an interrupt to every CPU that
 * may be walking (tlb_remove_table_sync_one(), and the flush before a table is freed in kernels
 * that do not use RCU for tables).
 *
 * This does not keep the mm: the caller has it from mmget_not_zero().
 */
#define KX_TABLES_HOLD_NS	(20 * NSEC_PER_USEC)

struct kx_tables {
	u64 *root;
	int level;			/* of the root: 4 or 5 */
	u64 end;			/* vpn behind the half for user memory */
};

/**
 * kx_tables_of() - the page tables of a process
 * @mm: its memory, which the caller has from mmget_not_zero()
 */
struct kx_tables kx_tables_of(struct mm_struct *mm);

/**
 * kx_tables_at() - the table that an entry points to
 * @entry: an entry of a table
 *
 * Return: the table; NULL: the address cannot be read.
 */
u64 *kx_tables_at(u64 entry);

/**
 * kx_tables_next() - find the first page whose entries lead to a table of level 2 or a leaf
 * @t: the tables
 * @vpn: the page to start from
 * @end: the page behind the last one
 *
 * Context: may sleep.
 * Return: the page; @end: there is none.
 */
u64 kx_tables_next(const struct kx_tables *t, u64 vpn, u64 end);

struct kx_tables_visit {
	/* @gfn and what follows map @npages pages from @vpn on. False: stop. */
	bool (*leaf)(struct kx_tables_visit *v, u64 vpn, u64 npages, u64 gfn);
	u64 budget;			/* number of entries that may be read */
};

/**
 * kx_tables_visit() - visit the leaves that map some pages
 * @t: the tables
 * @vpn: the first page
 * @end: the page behind the last one
 * @v: its @leaf is called with interrupts off; its @budget is reduced
 *
 * Context: may sleep.
 */
void kx_tables_visit(const struct kx_tables *t, u64 vpn, u64 end, struct kx_tables_visit *v);

#endif /* KVM_EXT_TABLES_H */
