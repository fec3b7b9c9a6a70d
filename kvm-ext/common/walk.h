/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accessed bits, taken from a nested page table directly: a table of 512 entries
 * at a time, each entry read once and written only if its bit is set.
 *
 * Formats: Intel SDM volume 3, "EPT paging-structure entries" and "Accessed and
 * dirty flags for EPT"; AMD APM volume 2, "Nested paging" (the format of ordinary
 * long-mode tables). In both, bit 0 set means that the guest can read there, bit 1
 * that it can write; bit 7 above the last level makes a leaf. Only the places of A
 * and D differ. What KVM maps can be read; so can, in NPT, its entries for MMIO, but
 * for a reserved bit: they have a generation where A, D and bit 7 are. Bit 11, which
 * both formats ignore, is KVM's mark of entries that are neither empty, nor for MMIO,
 * nor being removed. Ordinary tables, of processes, are walked as well; there bit 0 is
 * the mark (@maps).
 *
 * A is set on every level of a walk. An entry above the last level whose A bit is
 * clear says that nothing below it was accessed since it was cleared, if no CPU had
 * the entry cached at that time: see kx_walk_recheck().
 *
 * The caller sees to it that the tables stay where they are, that nobody changes an
 * entry meanwhile but the CPUs, and others by compare-and-exchange; and nobody, but
 * for the accessed bit, one that is readable, writable, accessed and dirty.
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

/* The entry for @gfn in a table of @level. */
static inline unsigned int kx_index_of(u64 gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & (KX_ENTRIES - 1);
}

/* What was found accessed in one GiB of guest memory. Words of 64, lowest bit first. */
struct kx_window {
	u64 gfn;				/* of its first page */
	bool whole;				/* through a leaf of 1 GiB */
	u64 leaves[KX_ENTRIES / 64];		/* blocks, through leaves of 2 MiB */
	u64 blocks[KX_ENTRIES / 64];		/* blocks of which single pages are in @pages */
	u64 pages[KX_ENTRIES][KX_ENTRIES / 64];	/* valid where @blocks says so */
};

/* An entry above the last level whose A bit was cleared. */
struct kx_idle {
	u64 gfn;				/* of the first page below it */
	u8 level;				/* of the table that it points to */
};

#define KX_IDLE_MAX	1024u

struct kx_walk_sums {
	u64 leaves;				/* present entries that map memory */
	u64 found;				/* of these, accessed */
	u64 tables;				/* looked into */
	u64 skipped, skipped_pages;		/* entries, and what they could map */
	u64 cleared, restored;			/* entries above the last level */
};

struct kx_walk {
	/* the format */
	u64 maps;				/* the bit of what maps something: KX_ENTRY_* */
	u64 accessed;				/* the bit */
	/*
	 * The bit; or bits that are never all set: then no entry is written but by
	 * compare-and-exchange, as others may change any entry at any time.
	 */
	u64 dirty;
	u64 address;				/* bits of an entry that are one */

	/* Where the table at @address is; NULL: nowhere. */
	u64 *(*table)(struct kx_walk *w, u64 address);
	/* Asked after each table: stop here? */
	bool (*stop)(struct kx_walk *w);

	bool skip;				/* what lies below an entry whose A is clear */
	bool retire;				/* clear A above the last level, too */
	struct kx_window *window;

	/* Cleared above the last level and not rechecked. kx_walk() ends when it is full. */
	struct kx_idle idle[KX_IDLE_MAX];
	u32 nr_idle;

	struct kx_walk_sums sums;
};

void kx_window_clear(struct kx_window *window, u64 gfn);

/*
 * Takes the accessed bits of what maps pages @gfn to @end, all in @w->window, below
 * the table @root of level @level, and adds them to the window. A leaf that reaches
 * beyond is taken whole. Returns where it stopped: @end, or a multiple of 512 pages.
 */
u64 kx_walk(struct kx_walk *w, u64 *root, int level, u64 gfn, u64 end);

/*
 * To be called when, since @idle's bit was cleared, every CPU has left the guest and
 * forgotten what it had cached of these tables. An access that met the clearing went
 * through a cached entry: it shows below but not in the entry itself. Then the
 * entry's bit is set again, so that the next walk looks. The entry may be gone.
 */
void kx_walk_recheck(struct kx_walk *w, u64 *root, int level, const struct kx_idle *idle);

/* What maps one page: tests, and if told clears, its accessed bit. No other entry is changed. */
bool kx_walk_page(struct kx_walk *w, u64 *root, int level, u64 gfn, bool clear);

#endif /* KVM_EXT_WALK_H */
