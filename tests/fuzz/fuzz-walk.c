// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the walk over nested page tables with tables that KVM does not create: entries with any
 * bits, which point to any table, to none, or in a circle. For all tables: the walk stays within
 * them and ends, it changes no bit but A, and A only in present entries, and its counters agree
 * with its changes.
 *
 * The input is a struct header, the struct entry of header.nr entries, and struct operation up to
 * the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tables.h"

#define TABLES 8u
#define WORDS  (TABLES * KX_ENTRIES)

struct header {
	u8 format; /* bit 0: NPT; bit 1: 5 levels; bit 2: no entry is settled */
	u8 nr;	   /* entries */
	u8 dense;  /* bit map of tables that are filled with settled leaves first */
} __attribute__((packed));

struct entry {
	u8 table;
	u16 index;
	u8 kind; /* bits 0-1: enum kind; bits 2-4: table pointed to; bits 5-7: flips of A, D, W */
	u16 raw;
} __attribute__((packed));

enum kind {
	LEAF,
	LARGE,
	TABLE,
	NOTHING
};

struct operation {
	u8 what; /* bits 0-1: enum what; bit 2: skip; bit 3: retire; bits 4-7: stop at every n-th */
	u32 gfn;
	u32 npages;
} __attribute__((packed));

enum what {
	WALK,
	PAGE,
	RECHECK,
	ACCESS
};

struct input {
	const u8 *data;
	size_t size;
};

struct fuzz {
	struct tables t;
	u64 before[WORDS];
	unsigned int stop_at, asked;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz-walk: this does not hold: %s\n", what);
	abort();
}

static bool take_bytes(struct input *in, void *to, size_t size)
{
	if (in->size < size)
		return false;
	memcpy(to, in->data, size);
	in->data += size;
	in->size -= size;
	return true;
}

static bool stop(struct tables *t)
{
	struct fuzz *f = t->data;

	return f->stop_at && ++f->asked % f->stop_at == 0;
}

static u64 value_of(const struct fuzz *f, const struct entry *e)
{
	u64 flips = (e->kind >> 5 & 1 ? f->t.format->accessed : 0) |
		    (e->kind >> 6 & 1 ? f->t.format->dirty : 0) |
		    (e->kind >> 7 & 1 ? KX_ENTRY_WRITE : 0);

	switch ((enum kind)(e->kind & 3)) {
	case LEAF:
		return tables_leaf(&f->t, e->raw, KX_LEVEL_4K) ^ flips;
	case LARGE:
		return tables_leaf(&f->t, e->raw, KX_LEVEL_2M) ^ flips;
	case TABLE: /* with raw 0xffff, a table beyond the last one */
		return (tables_address(e->kind >> 2 & 7) | f->t.format->upper) ^ flips ^
		       (e->raw == 0xffff ? BIT_ULL(40) : 0);
	default:
		return tables_nothing(&f->t, (u64)e->raw << 48 | (u64)e->raw * 0x9e3779b97f4aull);
	}
}

static void fill(struct fuzz *f, const struct header *h, struct input *in)
{
	struct entry e;

	for (u32 i = 0; i < WORDS; i++) {
		if (h->dense >> i / KX_ENTRIES & 1)
			f->t.memory[i] = tables_leaf(&f->t, i, KX_LEVEL_4K) |
					 f->t.format->accessed | f->t.format->dirty;
	}
	for (u32 i = 0; i < h->nr && take_bytes(in, &e, sizeof(e)); i++)
		f->t.memory[e.table % TABLES * KX_ENTRIES + e.index % KX_ENTRIES] = value_of(f, &e);
}

/*
 * Returns the number of A bits that were cleared (or set, if @set), and checks that no other bit
 * changed.
 */
static u64 changes(struct fuzz *f, bool set)
{
	u64 n = 0;

	for (u32 i = 0; i < WORDS; i++) {
		u64 was = f->before[i], is = f->t.memory[i];

		if (was == is)
			continue;
		check((was ^ is) == f->t.format->accessed, "no bit but A changes");
		check(tables_present(was), "only present entries change");
		check(!(is & f->t.format->accessed) == !set, "A changes in the right direction");
		n++;
	}
	memcpy(f->before, f->t.memory, sizeof(f->before));
	return n;
}

static u64 bits_in(const u64 *words, unsigned int n)
{
	u64 bits = 0;

	while (n--)
		bits += __builtin_popcountll(words[n]);
	return bits;
}

static void walk(struct fuzz *f, const struct operation *op)
{
	u64 gib = (u64)(op->gfn >> KX_GIB_ORDER) << KX_GIB_ORDER, gfn = op->gfn, end, at;
	struct kx_window *w = &f->t.window;
	struct kx_walk_sums before = f->t.walk.sums, *sums = &f->t.walk.sums;
	u64 in_window = 0;

	end = gfn + 1 + op->npages % KX_GIB_PAGES;
	end = end > gib + KX_GIB_PAGES ? gib + KX_GIB_PAGES : end;
	kx_window_clear(w, gib);
	while (gfn < end) {
		at = kx_walk(&f->t.walk, f->t.memory, f->t.level, gfn, end);
		check(at > gfn && at <= end, "a walk makes progress");
		check(at == end || at % KX_BLOCK_PAGES == 0, "a walk stops at the end of a block");
		gfn = at;
	}
	check(f->t.walk.nr_idle <= KX_IDLE_MAX, "the array idle has space");
	check(changes(f, false) == sums->found - before.found + sums->cleared - before.cleared,
	      "found and cleared entries count the cleared bits");
	check(sums->leaves - before.leaves >= sums->found - before.found,
	      "found leaves are counted as leaves");
	for (unsigned int i = 0; i < KX_ENTRIES; i++) {
		if (w->blocks[i / 64] >> i % 64 & 1)
			in_window += bits_in(w->pages[i], KX_ENTRIES / 64);
	}
	in_window += bits_in(w->leaves, KX_ENTRIES / 64) + w->whole;
	check(in_window <= sums->found - before.found,
	      "the window has no more pages than were found");
	check(!in_window == (sums->found == before.found),
	      "the window is empty only if no page was found");
}

static void recheck(struct fuzz *f)
{
	u64 restored = f->t.walk.sums.restored;

	for (u32 i = 0; i < f->t.walk.nr_idle; i++)
		kx_walk_recheck(&f->t.walk, f->t.memory, f->t.level, &f->t.walk.idle[i]);
	f->t.walk.nr_idle = 0;
	check(changes(f, true) == f->t.walk.sums.restored - restored,
	      "restored counts the bits that were set");
}

static void operate(struct fuzz *f, const struct operation *op)
{
	bool young;

	f->t.walk.skip = op->what >> 2 & 1;
	f->t.walk.retire = op->what >> 3 & 1;
	f->stop_at = op->what >> 4;
	switch ((enum what)(op->what & 3)) {
	case WALK:
		walk(f, op);
		break;
	case PAGE:
		young = kx_walk_page(&f->t.walk, f->t.memory, f->t.level, op->gfn, op->npages & 1);
		check(changes(f, false) == (young && (op->npages & 1)),
		      "a walk of one page clears at most its bit");
		break;
	case RECHECK:
		recheck(f);
		break;
	case ACCESS: /* a CPU or KVM changes an entry */
		f->t.memory[op->gfn % WORDS] ^= op->npages & 1 ? f->t.format->accessed : ~0ull;
		f->before[op->gfn % WORDS] = f->t.memory[op->gfn % WORDS];
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static struct fuzz f;
	struct operation op;
	struct header h;

	if (!take_bytes(&in, &h, sizeof(h)))
		return 0;
	tables_init(&f.t, h.format & 1 ? &tables_npt : &tables_ept, h.format & 2 ? 5 : 4, TABLES);
	f.t.nr = TABLES;
	f.t.on_stop = stop;
	f.t.data = &f;
	f.asked = 0;
	if (h.format & 4) /* two bits, of which an entry has at most one */
		f.t.walk.dirty = BIT_ULL(61) | BIT_ULL(62);
	fill(&f, &h, &in);
	memcpy(f.before, f.t.memory, sizeof(f.before));
	for (int i = 0; i < 64 && take_bytes(&in, &op, sizeof(op)); i++)
		operate(&f, &op);
	tables_destroy(&f.t);
	return 0;
}
