/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page tables of a process, looked at without a lock, as get_user_pages_fast()
 * does. Pages are counted from address 0 on (vpn); only the user's half is looked at.
 */
#ifndef KVM_EXT_TABLES_H
#define KVM_EXT_TABLES_H

#include <linux/types.h>

struct mm_struct;

/*
 * While interrupts are off here, no table of any process is freed or put to another
 * use. A table that was unlinked waits for one of two things before that, and both wait
 * for us: an RCU grace period (interrupts off is a read-side section), or an interrupt
 * to every CPU that may be walking (tlb_remove_table_sync_one(), and the flush
 * before a table is freed where the kernel does not use RCU for them).
 *
 * It does not keep the mm: the caller has it from mmget_not_zero().
 */
#define KX_TABLES_HOLD_NS	(20 * NSEC_PER_USEC)

struct kx_tables {
	u64 *root;
	int level;			/* of the root: 4 or 5 */
	u64 end;			/* vpn behind the user's half */
};

/**
 * kx_tables_of() - the page tables of a process
 * @mm: its memory, which the caller has from mmget_not_zero()
 */
struct kx_tables kx_tables_of(struct mm_struct *mm);

/**
 * kx_tables_at() - the table that an entry points to
 * @entry: of a table
 *
 * Return: the table; NULL: nowhere that we can read.
 */
u64 *kx_tables_at(u64 entry);

/**
 * kx_tables_next() - the first page below whose entries there is a table of level 2
 * @t: the tables
 * @vpn: from here on
 * @end: up to here
 *
 * Context: may sleep.
 * Return: the page; @end: there is none.
 */
u64 kx_tables_next(const struct kx_tables *t, u64 vpn, u64 end);

struct kx_tables_visit {
	/* What maps @npages pages from @vpn on. False: enough. */
	bool (*leaf)(struct kx_tables_visit *v, u64 vpn, u64 npages, u64 gfn);
	u64 budget;			/* entries to look at */
};

/**
 * kx_tables_visit() - visit what maps some pages
 * @t: the tables
 * @vpn: from this page on
 * @end: up to here
 * @v: whose @leaf is called, with interrupts off, and whose budget is used up
 *
 * Context: may sleep.
 */
void kx_tables_visit(const struct kx_tables *t, u64 vpn, u64 end, struct kx_tables_visit *v);

#endif /* KVM_EXT_TABLES_H */
