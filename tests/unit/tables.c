// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bits are those of KVM's spte.h: bit 11 marks what maps something, in both formats. An MMIO
 * entry has a generation in bits 3 to 10 and 52 to 62, among them where NPT has A, D and the
 * large page's bit, and where EPT has memory type, A and D.
 */
#include "tables.h"

#include <stdlib.h>
#include <sys/mman.h>

#define BASE	      0x42000000000ull
#define RWX	      7ull
#define KVM_PRESENT   BIT_ULL(11)
#define GENERATION    (0x7f8ull | 0x7ffull << 52)
#define FROZEN	      0x5a0ull
#define SUPPRESS_VE   BIT_ULL(63)
#define ADDRESS	      (BIT_ULL(52) - BIT_ULL(12))
#define EPT_WRITEBACK (6ull << 3)
#define EPT_MMIO      6ull
#define NPT_MMIO      (BIT_ULL(51) | 1)

const struct tables_format tables_ept = {
	.name = "EPT",
	.accessed = BIT_ULL(8),
	.dirty = BIT_ULL(9),
	.leaf = RWX | EPT_WRITEBACK | KVM_PRESENT | BIT_ULL(57) | BIT_ULL(58),
	.upper = RWX | KVM_PRESENT,
};

const struct tables_format tables_npt = {
	.name = "NPT",
	.accessed = BIT_ULL(5),
	.dirty = BIT_ULL(6),
	.leaf = RWX | KVM_PRESENT | BIT_ULL(9) | BIT_ULL(10),
	.upper = RWX | KVM_PRESENT,
};

static u64 *lookup(struct kx_walk *w, u64 address)
{
	struct tables *t = (struct tables *)((char *)w - offsetof(struct tables, walk));

	if (t->on_table)
		t->on_table(t);
	return tables_at(t, address);
}

static bool stop(struct kx_walk *w)
{
	struct tables *t = (struct tables *)((char *)w - offsetof(struct tables, walk));

	return t->on_stop && t->on_stop(t);
}

void tables_init(struct tables *t, const struct tables_format *format, int level, u32 max)
{
	memset(t, 0, sizeof(*t));
	t->format = format;
	t->level = level;
	t->max = max;
	t->nr = 1;
	/* Untouched tables cost nothing. */
	t->memory = mmap(NULL, max * 4096ul, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->memory == MAP_FAILED)
		abort();
	t->walk.maps = KX_ENTRY_MAPS;
	t->walk.accessed = format->accessed;
	t->walk.dirty = format->dirty;
	t->walk.address = ADDRESS;
	t->walk.table = lookup;
	t->walk.stop = stop;
	t->walk.window = &t->window;
}

void tables_destroy(struct tables *t)
{
	munmap(t->memory, t->max * 4096ul);
}

u64 *tables_at(struct tables *t, u64 address)
{
	if (address < BASE || address % 4096 || (address - BASE) / 4096 >= t->nr)
		return NULL;
	return t->memory + (address - BASE) / sizeof(u64);
}

u64 tables_address(u32 table)
{
	return BASE + table * 4096ull;
}

u64 *tables_entry(struct tables *t, u64 gfn, int level)
{
	u64 *table = t->memory, *entry;
	int l;

	for (l = t->level;; l--) {
		entry = &table[kx_index_of(gfn, l)];
		if (l == level)
			return entry;
		if (!tables_present(*entry)) {
			if (t->nr == t->max)
				abort();
			*entry = tables_address(t->nr++) | t->format->upper | t->format->accessed;
		}
		if (tables_is_leaf(*entry, l))
			abort();
		table = tables_at(t, *entry & t->walk.address);
	}
}

u64 tables_leaf(const struct tables *t, u64 gfn, int level)
{
	u64 address = (gfn << 12 & (BIT_ULL(46) - 1)) | t->format->leaf;

	return level > KX_LEVEL_4K ? address | KX_ENTRY_LARGE : address;
}

u64 tables_nothing(const struct tables *t, u64 random)
{
	u64 mmio = random & (GENERATION | (BIT_ULL(46) - BIT_ULL(12)));

	switch (random >> 62) {
	case 0:
		return random & SUPPRESS_VE >> 2 ? SUPPRESS_VE : 0;
	case 1:
		return FROZEN | (random & SUPPRESS_VE >> 2 ? SUPPRESS_VE : 0);
	default:
		if (t->format == &tables_ept)
			return mmio | EPT_MMIO;
		return mmio | NPT_MMIO | (random & 6);
	}
}
