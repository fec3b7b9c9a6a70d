/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nested page tables in ordinary memory, as KVM builds them, for the walk's tests: at "physical"
 * addresses of their own. Some entries map nothing.
 */
#ifndef TABLES_H
#define TABLES_H

#include "walk.h"

struct tables_format {
	const char *name;
	u64 accessed, dirty;
	u64 leaf;  /* further bits of a writable leaf, including KVM's own bits */
	u64 upper; /* further bits of an entry that points to a table */
};

/* Intel's and AMD's. */
extern const struct tables_format tables_ept, tables_npt;

struct tables {
	struct kx_walk walk;
	struct kx_window window;
	const struct tables_format *format;
	int level;
	u64 *memory; /* table after table, the root first */
	u32 nr, max;
	/* Called before a table is looked up; whether the walk must stop. NULL: nothing is called; it never stops. */
	void (*on_table)(struct tables *t);
	bool (*on_stop)(struct tables *t);
	void *data;
};

/* At most @max tables; the first one is the root, of @level. */
void tables_init(struct tables *t, const struct tables_format *format, int level, u32 max);
void tables_destroy(struct tables *t);

/* The table at this address; NULL: there is none. */
u64 *tables_at(struct tables *t, u64 address);
u64 tables_address(u32 table);

/* The entry for @gfn in a table of @level; tables that are missing above it are made, young. */
u64 *tables_entry(struct tables *t, u64 gfn, int level);

/* The value of an entry that maps @gfn: readable, writable, executable, neither young nor dirty. */
u64 tables_leaf(const struct tables *t, u64 gfn, int level);

/* Values of entries that map nothing, by @random: empty, being removed, MMIO. */
u64 tables_nothing(const struct tables *t, u64 random);

/* Whether an entry maps memory or points to a table, by KVM's own mark. */
static inline bool tables_present(u64 entry)
{
	return entry >> 11 & 1;
}

static inline bool tables_is_leaf(u64 entry, int level)
{
	return level == KX_LEVEL_4K || (level <= KX_LEVEL_1G && (entry & KX_ENTRY_LARGE));
}

#endif
