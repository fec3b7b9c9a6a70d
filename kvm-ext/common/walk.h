/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads and clears accessed bits directly in a nested page table: one table of 512
 * entries at a time; each entry is read once and written only if its A bit is set.
 *
 * Formats: Intel SDM volume 3, "EPT paging-structure entries" and "Accessed and
 * dirty flags for EPT"; AMD APM volume 2, "Nested paging" (the format of ordinary
 * long-mode tables). In both formats, bit 0 means that the guest can read, bit 1
 * that it can write, and bit 7 above the last level marks a leaf. Only the positions of
 * A and D differ. Memory that KVM maps is readable. In NPT, KVM's entries for MMIO have
 * bit 0 set as well (but also a reserved bit); a generation number occupies their A, D and
 * bit 7. So bit 0 does not identify a mapping. Bit 11, which both formats ignore, is KVM's
 * mark of entries that are neither empty, nor for MMIO, nor being removed. Ordinary page
 * tables of processes are walked as well; their mark is bit 0 (@maps).
 *
 * The CPU sets A on every level of its walk. If the A bit of an entry above the last level
 * is clear, nothing below the entry was accessed since the bit was cleared, provided that
 * no CPU had the entry cached at that time: see kx_walk_recheck().
 *
 * The caller guarantees that the tables are not freed or moved; that during the walk only
 * CPUs change entries, and others only by compare-and-exchange; and that in an entry that
 * is readable, writable, accessed and dirty nobody changes more than the accessed bit.
 */
#ifndef KVM_EXT_WALK_H
#define KVM_EXT_WALK_H

#include "port.h"

#define KX_ENTRIES	512u			/* in a table of any level */
#define KX_ENTRY_PRESENT	BIT_ULL(0)	/* of ordinary tables */
#define KX_ENTRY_WRITE	BIT_ULL(1)
#define KX_ENTRY_LARGE	BIT_ULL(7)
#define KX_ENTRY_MAPS	BIT_ULL(11)		/* of nested ones, by KVM */

#define KX_LEVEL_4K	1
#define KX_LEVEL_2M	2
#define KX_LEVEL_1G	3
#define KX_LEVEL_MAX	5

#define KX_BLOCK_ORDER	9			/* a block: the pages of a 2M leaf */
#define KX_BLOCK_PAGES	(1ull << KX_BLOCK_ORDER)
#define KX_GIB_ORDER	18
#define KX_GIB_PAGES	(1ull << KX_GIB_ORDER)

/* The index of the entry for @gfn in a table of @level. */
static inline unsigned int kx_index_of(u64 gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & (KX_ENTRIES - 1);
}

/* Pages found accessed in one GiB of guest memory. Words of 64 bits, lowest bit first. */
struct kx_window {
	u64 gfn;				/* of its first page */
	bool whole;				/* accessed through a leaf of 1 GiB */
	u64 leaves[KX_ENTRIES / 64];		/* blocks accessed through leaves of 2 MiB */
	u64 blocks[KX_ENTRIES / 64];		/* blocks with single pages in @pages */
	u64 pages[KX_ENTRIES][KX_ENTRIES / 64];	/* valid if the bit in @blocks is set */
};

/* An entry above the last level whose A bit was cleared. */
struct kx_idle {
	u64 gfn;				/* of the first page below it */
	u8 level;				/* of the table to which the entry points */
};

#define KX_IDLE_MAX	1024u

struct kx_walk_sums {
	u64 leaves;				/* present entries that map memory */
	u64 found;				/* leaves found accessed */
	u64 tables;				/* tables read */
	u64 skipped, skipped_pages;		/* entries, and pages that they could map */
	u64 cleared, restored;			/* entries above the last level */
};

struct kx_walk {
	/* the format */
	u64 maps;				/* the bit of entries that map memory: KX_ENTRY_* */
	u64 accessed;				/* the A bit */
	/*
	 * The D bit; or bits that are never all set: then every entry is written only by
	 * compare-and-exchange, because others may change any entry at any time.
	 */
	u64 dirty;
	u64 address;				/* bits of an entry that hold an address */

	/* The mapping of the table at @address; NULL: there is none. */
	u64 *(*table)(struct kx_walk *w, u64 address);
	/* Called after each table: true stops the walk. */
	bool (*stop)(struct kx_walk *w);

	bool skip;				/* skip tables below an entry whose A is clear */
	bool retire;				/* clear A above the last level, too */
	struct kx_window *window;

	/* Entries cleared above the last level, not yet rechecked. kx_walk() ends when full. */
	struct kx_idle idle[KX_IDLE_MAX];
	u32 nr_idle;

	struct kx_walk_sums sums;
};

void kx_window_clear(struct kx_window *window, u64 gfn);

/*
 * Reads and clears the accessed bits of entries that map pages @gfn to @end, all in
 * @w->window, below the table @root of level @level, and adds the pages to the window. A
 * leaf that reaches beyond the range is added whole. Returns the page where the walk
 * stopped: @end, or a multiple of 512 pages.
 */
u64 kx_walk(struct kx_walk *w, u64 *root, int level, u64 gfn, u64 end);

/*
 * Call this after every CPU has left the guest and flushed its cached entries of these
 * tables since @idle's bit was cleared. An access at the time of clearing went through a
 * cached entry: the access shows below the entry but not in the entry itself. In this case
 * the entry's bit is set again, so that the next walk reads the table. The entry may be gone.
 */
void kx_walk_recheck(struct kx_walk *w, u64 *root, int level, const struct kx_idle *idle);

/* Tests, and with @clear clears, the A bit of the leaf that maps @gfn. Changes no other entry. */
bool kx_walk_page(struct kx_walk *w, u64 *root, int level, u64 gfn, bool clear);

#endif /* KVM_EXT_WALK_H */
