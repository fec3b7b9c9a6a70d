// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over tables that no KVM would make: entries of any bits, that point to any table, to
 * none, or in a circle. Whatever they are: it stays within them, it comes to an end, it changes no
 * bit but A, and that only in entries that map something, and what it says it did is what it did.
 *
 * The input is a header, entries, operations; see struct header and the tables of either.
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
	u8 dense;  /* bits: which tables begin filled with leaves, settled ones */
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
	fprintf(stderr, "fuzz-walk: not so: %s\n", what);
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
	case TABLE: /* now and then one beyond the last */
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

/* How many A bits went from set to clear or, @set, the other way; nothing else changed. */
static u64 changes(struct fuzz *f, bool set)
{
	u64 n = 0;

	for (u32 i = 0; i < WORDS; i++) {
		u64 was = f->before[i], is = f->t.memory[i];

		if (was == is)
			continue;
		check((was ^ is) == f->t.format->accessed, "no bit but A changes");
		check(tables_present(was), "only what maps something changes");
		check(!(is & f->t.format->accessed) == !set, "A changes the right way");
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
		check(at > gfn && at <= end, "a walk goes on");
		check(at == end || at % KX_BLOCK_PAGES == 0, "a walk stops between blocks");
		gfn = at;
	}
	check(f->t.walk.nr_idle <= KX_IDLE_MAX, "idle has room");
	check(changes(f, false) == sums->found - before.found + sums->cleared - before.cleared,
	      "as many bits are cleared as were found");
	check(sums->leaves - before.leaves >= sums->found - before.found,
	      "what was found was seen");
	for (unsigned int i = 0; i < KX_ENTRIES; i++) {
		if (w->blocks[i / 64] >> i % 64 & 1)
			in_window += bits_in(w->pages[i], KX_ENTRIES / 64);
	}
	in_window += bits_in(w->leaves, KX_ENTRIES / 64) + w->whole;
	check(in_window <= sums->found - before.found, "the window has only what was found");
	check(!in_window == (sums->found == before.found), "what was found is in the window");
}

static void recheck(struct fuzz *f)
{
	u64 restored = f->t.walk.sums.restored;

	for (u32 i = 0; i < f->t.walk.nr_idle; i++)
		kx_walk_recheck(&f->t.walk, f->t.memory, f->t.level, &f->t.walk.idle[i]);
	f->t.walk.nr_idle = 0;
	check(changes(f, true) == f->t.walk.sums.restored - restored,
	      "as many bits are set as were restored");
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
		check(changes(f, false) == (young && (op->npages & 1)), "one page, one bit");
		break;
	case RECHECK:
		recheck(f);
		break;
	case ACCESS: /* somebody else changes an entry: a CPU, or KVM */
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
	if (h.format & 4) /* bits of which an entry has one at most */
		f.t.walk.dirty = BIT_ULL(61) | BIT_ULL(62);
	fill(&f, &h, &in);
	memcpy(f.before, f.t.memory, sizeof(f.before));
	for (int i = 0; i < 64 && take_bytes(&in, &op, sizeof(op)); i++)
		operate(&f, &op);
	tables_destroy(&f.t);
	return 0;
}
