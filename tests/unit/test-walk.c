// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over synthetic tables: against a page-by-page reference, entry for entry; against a
 * CPU that caches what CPUs cache, access for access; and with threads that set bits meanwhile.
 *
 * What it cannot show: what a real CPU's memory ordering and page walker do beyond the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <glib.h>
#include <sched.h>

#include "tables.h"

static u64 seed;

static u64 draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static u64 below(u64 n)
{
	return (draw() >> 16) % n;
}

static bool chance(unsigned int percent)
{
	return below(100) < percent;
}

static const struct shape {
	const struct tables_format *format;
	int level;
} shapes[] = {
	{ &tables_ept, 4 },
	{ &tables_npt, 4 },
	{ &tables_ept, 5 },
	{ &tables_npt, 5 },
};

static u64 pages_of(int level)
{
	return 1ull << 9 * (level - 1);
}

/* --- random tables ---------------------------------------------------------------------- */

/* Any entry: one that maps something, with its bits in all combinations, or one that maps nothing. */
static u64 random_leaf(const struct tables *t, u64 gfn, int level, unsigned int young)
{
	u64 entry = tables_leaf(t, gfn, level);

	if (chance(10))
		return level == KX_LEVEL_4K ? tables_nothing(t, draw()) : 0;
	if (chance(young))
		entry |= t->format->accessed;
	if (chance(70))
		entry |= t->format->dirty;
	if (chance(15))
		entry &= ~KX_ENTRY_WRITE;
	return entry;
}

/* Runs of equal entries, as in real tables: the walk handles groups of them at once. */
static void fill_table(struct tables *t, u64 *table, u64 gfn)
{
	unsigned int i = 0, young = below(3) * 50;

	while (i < KX_ENTRIES) {
		unsigned int end = MIN(KX_ENTRIES, i + 1 + below(chance(50) ? 4 : 200));
		bool settled = chance(60);

		for (; i < end; i++) {
			table[i] = random_leaf(t, gfn + i, KX_LEVEL_4K, young);
			if (settled)
				table[i] = tables_leaf(t, gfn + i, KX_LEVEL_4K) |
					   t->format->accessed | t->format->dirty;
		}
	}
}

static void fill_gib(struct tables *t, u64 gib, unsigned int blocks)
{
	u64 gfn;

	if (chance(5)) {
		*tables_entry(t, gib, KX_LEVEL_1G) = random_leaf(t, gib, KX_LEVEL_1G, 50);
		return;
	}
	for (unsigned int i = 0; i < blocks; i++) {
		gfn = gib + below(KX_ENTRIES) * KX_BLOCK_PAGES;
		if (chance(25)) {
			u64 *entry = tables_entry(t, gfn, KX_LEVEL_2M);

			if (!*entry)
				*entry = random_leaf(t, gfn, KX_LEVEL_2M, 50);
		} else if (!*tables_entry(t, gfn, KX_LEVEL_2M)) {
			fill_table(t, tables_entry(t, gfn, KX_LEVEL_4K), gfn);
			if (chance(20)) /* above the last level, A may be clear */
				*tables_entry(t, gfn, KX_LEVEL_2M) &= ~t->format->accessed;
		} else if (chance(5)) {
			*tables_entry(t, gfn, KX_LEVEL_2M) = tables_nothing(t, 1ull << 62);
		}
	}
}

/* --- the reference ---------------------------------------------------------------------- */

/* The leaf that maps @gfn in @memory, which has the layout of the tables; NULL: none. */
static u64 *leaf_of(struct tables *t, u64 *memory, u64 gfn, int *level)
{
	u64 *table = memory, *entry, *at;

	for (*level = t->level;; --*level) {
		entry = &table[kx_index_of(gfn, *level)];
		if (!tables_present(*entry))
			return NULL;
		if (tables_is_leaf(*entry, *level))
			return entry;
		at = tables_at(t, *entry & t->walk.address);
		if (!at)
			return NULL;
		table = memory + (at - t->memory);
	}
}

struct expected {
	u64 *memory; /* what the tables should be after */
	struct kx_window window;
	u64 leaves, found;
};

static void expect(struct tables *t, struct expected *x, u64 gfn, u64 end)
{
	u64 accessed = t->format->accessed, step;
	unsigned int block;
	int level;

	memcpy(x->memory, t->memory, t->nr * 4096ul);
	memset(&x->window, 0, sizeof(x->window));
	x->leaves = x->found = 0;
	for (; gfn < end; gfn += step) {
		u64 *entry = leaf_of(t, x->memory, gfn, &level);

		step = entry ? pages_of(level) - (gfn & (pages_of(level) - 1)) : 1;
		if (!entry)
			continue;
		x->leaves++;
		if (!(*entry & accessed))
			continue;
		x->found++;
		*entry &= ~accessed;
		block = kx_index_of(gfn, KX_LEVEL_2M);
		if (level == KX_LEVEL_1G) {
			x->window.whole = true;
		} else if (level == KX_LEVEL_2M) {
			x->window.leaves[block / 64] |= 1ull << block % 64;
		} else {
			x->window.blocks[block / 64] |= 1ull << block % 64;
			x->window.pages[block][gfn % 512 / 64] |= 1ull << gfn % 64;
		}
	}
}

static void check_window(const struct kx_window *got, const struct kx_window *want)
{
	assert_int_equal(got->whole, want->whole);
	assert_memory_equal(got->leaves, want->leaves, sizeof(got->leaves));
	assert_memory_equal(got->blocks, want->blocks, sizeof(got->blocks));
	for (unsigned int i = 0; i < KX_ENTRIES; i++) {
		if (want->blocks[i / 64] >> i % 64 & 1)
			assert_memory_equal(got->pages[i], want->pages[i], sizeof(got->pages[i]));
	}
}

static bool stopped; /* the walk was told to stop, and has not come back */

/* Walks from @gfn to @end, and continues where the walk has stopped. */
static void walk_all(struct tables *t, u64 gfn, u64 end)
{
	u64 at;

	kx_window_clear(&t->window, gfn & ~(KX_GIB_PAGES - 1));
	while (gfn < end) {
		stopped = false;
		at = kx_walk(&t->walk, t->memory, t->level, gfn, end);
		assert_true(at > gfn && at <= end);
		assert_true(at == end || at % 512 == 0);
		gfn = at;
	}
}

static bool stop_at_random(struct tables *t)
{
	assert_false(stopped);
	stopped = chance(30);
	return stopped;
}

/* A GiB somewhere in what the guest can address. */
static u64 random_gib(const struct tables *t)
{
	u64 gibs = pages_of(t->level + 1) >> KX_GIB_ORDER;

	return (chance(30) ? gibs - 1 : below(MIN(gibs, 1ull << (1 + below(20))))) << KX_GIB_ORDER;
}

static void random_range(u64 gib, u64 *gfn, u64 *end)
{
	*gfn = gib;
	*end = gib + KX_GIB_PAGES;
	if (chance(50)) {
		*gfn += below(KX_GIB_PAGES);
		*end = *gfn + 1 + below(MIN(*end - *gfn, 1ull << below(19)));
	}
}

static void finds_what_the_reference_finds(void **state)
{
	for (int round = 0; round < 400; round++) {
		const struct shape *s = &shapes[round % 4];
		struct expected x;
		struct tables t;
		u64 gib, gfn, end;

		seed = round + 1;
		tables_init(&t, s->format, s->level, 1100);
		gib = random_gib(&t);
		fill_gib(&t, gib, 1 + below(60));
		if (gib && chance(50)) /* a neighbour that must not change */
			fill_gib(&t, gib - KX_GIB_PAGES, 10);
		random_range(gib, &gfn, &end);
		t.on_stop = chance(50) ? stop_at_random : NULL;
		x.memory = malloc(t.nr * 4096ul);
		expect(&t, &x, gfn, end);
		walk_all(&t, gfn, end);
		check_window(&t.window, &x.window);
		assert_memory_equal(t.memory, x.memory, t.nr * 4096ul);
		assert_int_equal(t.walk.sums.found, x.found);
		if (!t.on_stop) /* a large leaf that is cut is met twice */
			assert_int_equal(t.walk.sums.leaves, x.leaves);
		assert_int_equal(t.walk.nr_idle, 0);

		/* And nothing again. */
		expect(&t, &x, gfn, end);
		assert_int_equal(x.found, 0);
		walk_all(&t, gfn, end);
		check_window(&t.window, &x.window);
		assert_memory_equal(t.memory, x.memory, t.nr * 4096ul);
		free(x.memory);
		tables_destroy(&t);
	}
}

static void tests_single_pages(void **state)
{
	for (int round = 0; round < 100; round++) {
		const struct shape *s = &shapes[round % 4];
		g_autofree u64 *want = NULL;
		struct tables t;
		u64 gib;

		seed = round + 1000;
		tables_init(&t, s->format, s->level, 1100);
		gib = random_gib(&t);
		fill_gib(&t, gib, 1 + below(30));
		want = g_memdup2(t.memory, t.nr * 4096ul);
		for (int i = 0; i < 3000; i++) {
			u64 gfn = gib + below(KX_GIB_PAGES);
			bool clear = chance(50), young;
			int level;
			u64 *entry;

			if (chance(50) && t.nr > 4) /* where something is mapped, more often */
				gfn = gib + (below(KX_ENTRIES) << KX_BLOCK_ORDER) + below(512);
			entry = leaf_of(&t, want, gfn, &level);
			young = entry && (*entry & s->format->accessed);
			if (young && clear)
				*entry &= ~s->format->accessed;
			assert_int_equal(kx_walk_page(&t.walk, t.memory, t.level, gfn, clear),
					 young);
		}
		assert_memory_equal(t.memory, want, t.nr * 4096ul);
		tables_destroy(&t);
	}
}

/* If there is no table where an entry points to, it is left out; everything beside it is found. */
static void passes_by_tables_that_are_not_there(void **state)
{
	struct tables t;
	struct kx_idle idle = { .gfn = 512, .level = 1 };

	for (int skip = 0; skip < 2; skip++) {
		tables_init(&t, &tables_ept, 4, 10);
		t.walk.skip = t.walk.retire = skip;
		*tables_entry(&t, 512, KX_LEVEL_2M) =
			tables_address(10) | t.format->upper | t.format->accessed;
		*tables_entry(&t, 1025, KX_LEVEL_4K) =
			tables_leaf(&t, 1025, 1) | t.format->accessed;
		walk_all(&t, 0, KX_GIB_PAGES);
		assert_int_equal(t.walk.sums.found, 1);
		assert_true(*tables_entry(&t, 512, KX_LEVEL_2M) & t.format->accessed);
		assert_false(kx_walk_page(&t.walk, t.memory, 4, 513, true));
		*tables_entry(&t, 512, KX_LEVEL_2M) &= ~t.format->accessed;
		kx_walk_recheck(&t.walk, t.memory, 4, &idle);
		assert_false(*tables_entry(&t, 512, KX_LEVEL_2M) & t.format->accessed);
		tables_destroy(&t);
	}
}

/* --- skipping --------------------------------------------------------------------------- */

/* Tables become idle one level after the other, and then a pass reads almost nothing. */
static void reads_less_and_less(void **state)
{
	static const u64 tables[] = { 8, 8, 3, 2, 2 }, cleared[] = { 0, 5, 1, 0, 0 };
	struct tables t;

	tables_init(&t, &tables_npt, 4, 20);
	for (u64 gfn = 0; gfn < 5 * 512; gfn++)
		*tables_entry(&t, gfn, KX_LEVEL_4K) = tables_leaf(&t, gfn, 1) | t.format->accessed;
	t.walk.skip = t.walk.retire = true;
	for (unsigned int pass = 0; pass < G_N_ELEMENTS(tables); pass++) {
		t.walk.sums = (struct kx_walk_sums){ 0 };
		t.walk.nr_idle = 0;
		walk_all(&t, 0, KX_GIB_PAGES);
		assert_int_equal(t.walk.sums.found, pass ? 0 : 5 * 512);
		assert_int_equal(t.walk.sums.tables, tables[pass]);
		assert_int_equal(t.walk.sums.cleared, cleared[pass]);
		assert_int_equal(t.walk.nr_idle, cleared[pass]);
		for (u32 i = 0; i < t.walk.nr_idle; i++)
			kx_walk_recheck(&t.walk, t.memory, 4, &t.walk.idle[i]);
		assert_int_equal(t.walk.sums.restored, 0);
	}
	assert_int_equal(t.walk.sums.skipped, 1);
	assert_int_equal(t.walk.sums.skipped_pages, KX_GIB_PAGES);
	tables_destroy(&t);
}

/* Not if the range has only a part of what a table maps: accesses to the rest would be lost with its A bit. */
static void retires_only_what_is_quiet(void **state)
{
	struct tables t;

	tables_init(&t, &tables_ept, 4, 20);
	for (u64 gfn = 0; gfn < 2 * 512; gfn++)
		*tables_entry(&t, gfn, KX_LEVEL_4K) = tables_leaf(&t, gfn, 1);
	t.walk.skip = t.walk.retire = true;
	walk_all(&t, 1, 1024);
	assert_int_equal(t.walk.nr_idle, 1);
	assert_int_equal(t.walk.idle[0].gfn, 512);
	assert_int_equal(t.walk.idle[0].level, 1);
	t.walk.nr_idle = 0;
	walk_all(&t, 0, 1023);
	assert_int_equal(t.walk.nr_idle, 1);
	assert_int_equal(t.walk.idle[0].gfn, 0);
	tables_destroy(&t);

	for (u64 page = 0; page < 512;
	     page += 73) { /* nor tables in which something was just found */
		tables_init(&t, &tables_ept, 4, 20);
		*tables_entry(&t, page, KX_LEVEL_4K) =
			tables_leaf(&t, page, 1) | t.format->accessed;
		t.walk.skip = t.walk.retire = true;
		walk_all(&t, 0, KX_GIB_PAGES);
		assert_int_equal(t.walk.nr_idle, 0);
		walk_all(&t, 0, KX_GIB_PAGES);
		assert_int_equal(t.walk.nr_idle, 1);
		tables_destroy(&t);
	}
}

/* The walk returns with as many tables as fit, and with no more if it is called again without space. */
static void stops_when_idle_is_full(void **state)
{
	const u64 first = 100 * 512, end = first + 1500 * 512;
	struct tables t;
	u64 gfn;

	tables_init(&t, &tables_npt, 4, 1600);
	for (gfn = first; gfn < end; gfn += 512)
		*tables_entry(&t, gfn, KX_LEVEL_4K) = tables_leaf(&t, gfn, 1);
	t.walk.retire = true;
	for (gfn = first; t.walk.nr_idle < KX_IDLE_MAX;) {
		kx_window_clear(&t.window, gfn & ~(KX_GIB_PAGES - 1));
		gfn = kx_walk(&t.walk, t.memory, 4, gfn, (gfn | (KX_GIB_PAGES - 1)) + 1);
	}
	assert_int_equal(gfn, first + KX_IDLE_MAX * 512);
	assert_int_equal(kx_walk(&t.walk, t.memory, 4, gfn, end), gfn + 512);
	assert_int_equal(t.walk.nr_idle, KX_IDLE_MAX);
	assert_int_equal(t.walk.sums.cleared, KX_IDLE_MAX);
	t.walk.nr_idle = 0;
	walk_all(&t, gfn, end);
	assert_int_equal(t.walk.sums.cleared, 1500);
	for (gfn = first; gfn < end; gfn += 512)
		assert_false(*tables_entry(&t, gfn, KX_LEVEL_2M) & t.format->accessed);
	tables_destroy(&t);
}

/* By then the entry may have any value; only an entry that still points to a young table changes. */
static void rechecks_what_is_there(void **state)
{
	const struct kx_idle idle = { .gfn = 512, .level = 1 };

	for (int i = 0; i < 4; i++) {
		const struct tables_format *f = shapes[i].format;
		u64 *entry, *leaf, table;
		struct tables t;

		tables_init(&t, f, shapes[i].level, 10);
		leaf = tables_entry(&t, 900, KX_LEVEL_4K);
		entry = tables_entry(&t, 900, KX_LEVEL_2M);
		*leaf = tables_leaf(&t, 900, 1);
		*entry &= ~f->accessed;
		table = *entry;
		kx_walk_recheck(&t.walk, t.memory, t.level, &idle);
		assert_int_equal(*entry, table); /* nothing below */
		*leaf |= f->accessed;
		kx_walk_recheck(&t.walk, t.memory, t.level, &idle);
		assert_int_equal(*entry, table | f->accessed);
		assert_int_equal(t.walk.sums.restored, 1);
		kx_walk_recheck(&t.walk, t.memory, t.level, &idle);
		assert_int_equal(t.walk.sums.restored, 1); /* was set already */
		for (int n = 0; n < 50; n++) {
			u64 other = n ? tables_nothing(&t, draw()) : tables_leaf(&t, 512, 2);

			*entry = other;
			kx_walk_recheck(&t.walk, t.memory, t.level, &idle);
			assert_int_equal(*entry, other);
		}
		*entry = 0;
		*tables_entry(&t, 0, KX_LEVEL_1G) = tables_leaf(&t, 0, 3);
		kx_walk_recheck(&t.walk, t.memory, t.level, &idle);
		assert_int_equal(*tables_entry(&t, 0, KX_LEVEL_1G), tables_leaf(&t, 0, 3));
		assert_int_equal(t.walk.sums.restored, 1);
		tables_destroy(&t);
	}
}

/* --- a CPU ------------------------------------------------------------------------------ */

/*
 * It keeps translations, and where tables are, until it is flushed or needs the place. What it
 * has it uses without looking at the entries, and so without setting their bits; what it reads
 * it sets A in (and D in a leaf it writes to), with locked instructions, as Intel's and AMD's
 * manuals have it.
 */
#define TLB_SIZE   64
#define CACHE_SIZE 8

struct cpu {
	struct {
		u64 gfn; /* of the leaf, + 1; 0: none */
		int level;
		bool dirty;
	} tlb[TLB_SIZE];
	struct {
		u64 gfn; /* of what the table maps, + 1 */
		u64 *table;
	} cache[KX_LEVEL_MAX + 1][CACHE_SIZE];
	u64 seed;
};

static u64 cpu_draw(struct cpu *c)
{
	c->seed = c->seed * 6364136223846793005ull + 1442695040888963407ull;
	return c->seed >> 33;
}

static void cpu_flush(struct cpu *c)
{
	memset(c->tlb, 0, sizeof(c->tlb));
	memset(c->cache, 0, sizeof(c->cache));
}

static u64 first_of(u64 gfn, int level)
{
	return gfn & ~(pages_of(level) - 1);
}

/* The place of @gfn in the TLB; TLB_SIZE: it has none. */
static int tlb_find(const struct cpu *c, u64 gfn)
{
	int i;

	for (i = 0; i < TLB_SIZE; i++) {
		if (c->tlb[i].gfn && c->tlb[i].gfn == first_of(gfn, c->tlb[i].level) + 1)
			break;
	}
	return i;
}

static bool tlb_hit(const struct cpu *c, u64 gfn, bool write)
{
	int i = tlb_find(c, gfn);

	return i < TLB_SIZE && (c->tlb[i].dirty || !write);
}

static void tlb_fill(struct cpu *c, u64 gfn, int level, bool dirty)
{
	int i = tlb_find(c, gfn);

	if (i == TLB_SIZE)
		i = cpu_draw(c) % TLB_SIZE;
	c->tlb[i].gfn = first_of(gfn, level) + 1;
	c->tlb[i].level = level;
	c->tlb[i].dirty = dirty;
}

/* The lowest table on the way to @gfn that the CPU knows of. */
static u64 *cpu_start(struct cpu *c, struct tables *t, u64 gfn, int *level)
{
	int l, i;

	for (l = KX_LEVEL_4K; l < t->level; l++) {
		for (i = 0; i < CACHE_SIZE; i++) {
			if (c->cache[l][i].gfn == first_of(gfn, l + 1) + 1) {
				*level = l;
				return c->cache[l][i].table;
			}
		}
	}
	*level = t->level;
	return t->memory;
}

/* False: the entry maps nothing, or not for this access: the CPU would fault. */
static bool cpu_set_bits(struct tables *t, u64 *entry, int level, bool write, u64 *value)
{
	u64 bits = t->format->accessed;

	*value = __atomic_load_n(entry, __ATOMIC_SEQ_CST);
	do {
		if (!tables_present(*value) || (write && !(*value & KX_ENTRY_WRITE)))
			return false;
		if (write && tables_is_leaf(*value, level))
			bits |= t->format->dirty;
		if ((*value & bits) == bits)
			return true;
	} while (!__atomic_compare_exchange_n(entry, value, *value | bits, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	*value |= bits;
	return true;
}

/*
 * True: the page was accessed. Down to the tables of level @last only: a speculative walk that
 * comes to nothing, which leaves no trace but the tables that the CPU now knows of.
 */
static bool cpu_walk(struct cpu *c, struct tables *t, u64 gfn, bool write, int last)
{
	u64 value, *table;
	int level, slot;

	if (tlb_hit(c, gfn, write))
		return true;
	table = cpu_start(c, t, gfn, &level);
	for (; level > last; level--) {
		if (!cpu_set_bits(t, &table[kx_index_of(gfn, level)], level, write, &value))
			return false;
		if (tables_is_leaf(value, level)) {
			tlb_fill(c, gfn, level, value & t->format->dirty);
			return true;
		}
		table = tables_at(t, value & t->walk.address);
		slot = cpu_draw(c) % CACHE_SIZE;
		c->cache[level - 1][slot].gfn = first_of(gfn, level) + 1;
		c->cache[level - 1][slot].table = table;
	}
	return false;
}

static bool cpu_access(struct cpu *c, struct tables *t, u64 gfn, bool write)
{
	return cpu_walk(c, t, gfn, write, 0);
}

static void cpu_speculate(struct cpu *c, struct tables *t, u64 gfn, int leaf_level)
{
	cpu_walk(c, t, gfn, false, leaf_level + cpu_draw(c) % 3);
}

/* --- no access is lost ------------------------------------------------------------------ */

#define GIBS	  3u
#define UNITS_MAX 20000u

/* A leaf, and what happened to it. */
struct unit {
	u64 gfn;
	int level;
	bool between; /* accessed after the pass before was over */
	bool during;  /* in this pass */
	bool before;  /* in the pass before */
	bool due;     /* in the pass before, which did not report it */
	bool found;
};

struct world {
	struct tables t;
	struct cpu cpu[2];
	struct unit unit[UNITS_MAX];
	u32 nr;
	u64 gib[GIBS];
	bool in_pass;
	unsigned int busy; /* accesses, in percent, wherever they can happen */
};

static void add_unit(struct world *w, u64 gfn, int level)
{
	*tables_entry(&w->t, gfn, level) =
		tables_leaf(&w->t, gfn, level) | (chance(80) ? w->t.format->dirty : 0);
	w->unit[w->nr++] = (struct unit){ .gfn = gfn, .level = level };
}

static void populate(struct world *w)
{
	for (u32 g = 0; g < GIBS; g++) {
		w->gib[g] = (g * 7 + below(7)) << KX_GIB_ORDER;
		for (int i = 0; i < 12; i++) {
			u64 gfn = w->gib[g] + ((i * 40 + below(40)) << KX_BLOCK_ORDER);

			if (i == 5) {
				add_unit(w, gfn, KX_LEVEL_2M);
				continue;
			}
			for (int j = 0; j < 40; j++)
				add_unit(w, gfn + j * 12 + below(12), KX_LEVEL_4K);
		}
	}
}

static void access_unit(struct world *w, struct unit *u)
{
	struct cpu *c = &w->cpu[below(2)];

	assert_true(cpu_access(c, &w->t, u->gfn + below(pages_of(u->level)), chance(30)));
	if (w->in_pass)
		u->during = true;
	else
		u->between = true;
}

/* Mostly to a few places, so that other places become idle. */
static void some_accesses(struct world *w, u32 n)
{
	u32 part = 1 + below(w->nr), i;

	for (; n; n--) {
		struct unit *u;

		i = chance(70) ? below(part) * 31 % w->nr : below(w->nr);
		access_unit(w, &w->unit[i]);
		u = &w->unit[below(w->nr)];
		cpu_speculate(&w->cpu[below(2)], &w->t, u->gfn, u->level);
	}
}

static void while_walking(struct tables *t)
{
	struct world *w = t->data;

	if (chance(w->busy))
		some_accesses(w, 1 + below(3));
}

static bool stop_while_walking(struct tables *t)
{
	while_walking(t);
	return chance(10);
}

static void flush_and_recheck(struct world *w)
{
	cpu_flush(&w->cpu[0]);
	while_walking(&w->t); /* what one CPU does while the other is interrupted */
	cpu_flush(&w->cpu[1]);
	for (u32 i = 0; i < w->t.walk.nr_idle; i++) {
		while_walking(&w->t);
		kx_walk_recheck(&w->t.walk, w->t.memory, w->t.level, &w->t.walk.idle[i]);
	}
	w->t.walk.nr_idle = 0;
}

static bool in_window(const struct kx_window *win, const struct unit *u)
{
	unsigned int block = kx_index_of(u->gfn, KX_LEVEL_2M);

	if (u->level == KX_LEVEL_2M)
		return win->leaves[block / 64] >> block % 64 & 1;
	return (win->blocks[block / 64] >> block % 64 & 1) &&
	       (win->pages[block][u->gfn % 512 / 64] >> u->gfn % 64 & 1);
}

static u64 pages_found(const struct kx_window *win)
{
	u64 n = 0;

	for (unsigned int i = 0; i < KX_ENTRIES; i++) {
		n += win->leaves[i / 64] >> i % 64 & 1;
		for (int j = 0; (win->blocks[i / 64] >> i % 64 & 1) && j < 8; j++)
			n += __builtin_popcountll(win->pages[i][j]);
	}
	return n;
}

static void a_pass(struct world *w, bool skip)
{
	u64 all = 0, mine = 0;

	w->t.walk.skip = skip;
	w->t.walk.retire = true;
	w->in_pass = true;
	for (u32 g = 0; g < GIBS; g++) {
		walk_all(&w->t, w->gib[g], w->gib[g] + KX_GIB_PAGES);
		all += pages_found(&w->t.window);
		for (u32 i = 0; i < w->nr; i++) {
			if (w->unit[i].gfn >> KX_GIB_ORDER != w->gib[g] >> KX_GIB_ORDER)
				continue;
			w->unit[i].found = in_window(&w->t.window, &w->unit[i]);
			mine += w->unit[i].found;
		}
	}
	assert_int_equal(all, mine); /* nothing else was found */
	flush_and_recheck(w);
	w->in_pass = false;
}

/*
 * What was accessed between passes is found by the next. What was accessed during one is found
 * by it or the next: a translation that is used without A being set was made with A set, and
 * that was found. Nothing is found that was not accessed since the pass before began.
 */
static void check_pass(struct world *w, bool priming)
{
	for (u32 i = 0; i < w->nr; i++) {
		struct unit *u = &w->unit[i];

		if (!priming) {
			if ((u->between || u->due) && !u->found)
				fail_msg("lost: page %#llx of level %d", (unsigned long long)u->gfn,
					 u->level);
			if (u->found && !u->between && !u->before && !u->during)
				fail_msg("invented: page %#llx", (unsigned long long)u->gfn);
		}
		u->before = u->during;
		u->due = u->during && !u->found;
		u->between = u->during = false;
	}
}

static void loses_no_access_when_it_skips(void **state)
{
	g_autofree struct world *w = g_new0(struct world, 1);
	u64 skipped = 0, restored = 0, rounds = 0;

	for (int trial = 0; trial < 40; trial++) {
		seed = trial + 77;
		memset(w, 0, sizeof(*w));
		tables_init(&w->t, shapes[trial % 4].format, shapes[trial % 4].level, 200);
		w->t.data = w;
		w->t.on_table = while_walking;
		w->t.on_stop = stop_while_walking;
		populate(w);
		for (int round = 0; round < 200; round++, rounds++) {
			w->busy = round % 3 ? 15 : 0;
			a_pass(w, round > 0);
			check_pass(w, !round);
			some_accesses(w, chance(50) ? below(4) : below(200));
		}
		skipped += w->t.walk.sums.skipped;
		restored += w->t.walk.sums.restored;
		tables_destroy(&w->t);
	}
	print_message("    %llu passes: %llu times skipped, %llu times taken back\n",
		      (unsigned long long)rounds, (unsigned long long)skipped,
		      (unsigned long long)restored);
	assert_true(skipped > rounds && restored > 100);
}

/* --- and none when CPUs run at the same time -------------------------------------------------- */

#define CPUS   2
#define ROUNDS 300
#define HITS   40 /* accesses of a CPU in a round */

/*
 * In each round CPUs make accesses of their own while one pass runs, which also makes entries
 * writable as KVM's fast page fault does; then they rest while another runs. What the two find is
 * what was accessed, nothing else; a page that was written to is dirty.
 */
struct race {
	struct world *w;
	struct race_cpu {
		struct race *race;
		struct cpu cpu;
		u32 id, round_done, flush_done;
		bool touched[UNITS_MAX], written[UNITS_MAX];
	} cpu[CPUS];
	u32 round, flush;
	bool stop;
};

static u32 load(u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store(u32 *p, u32 value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static void answer_flush(struct race_cpu *c)
{
	u32 flush = load(&c->race->flush);

	if (c->flush_done == flush)
		return;
	cpu_flush(&c->cpu);
	store(&c->flush_done, flush);
}

static gpointer run_cpu(gpointer data)
{
	struct race_cpu *c = data;
	struct world *w = c->race->w;

	for (u32 round = 1; round <= ROUNDS; round++) {
		while (load(&c->race->round) < round) {
			answer_flush(c);
			sched_yield();
		}
		for (int i = 0; i < HITS; i++) {
			u32 n = cpu_draw(&c->cpu) % (i % 2 ? w->nr : 100);
			bool write = cpu_draw(&c->cpu) % 2;

			answer_flush(c);
			if (i % 4 == 0) { /* and the walk may come in between */
				cpu_speculate(&c->cpu, &w->t, w->unit[n].gfn, w->unit[n].level);
				sched_yield();
			}
			if (!cpu_access(&c->cpu, &w->t, w->unit[n].gfn, write))
				continue; /* not writable yet, and so not accessed */
			c->touched[n] = true;
			c->written[n] |= write;
		}
		store(&c->round_done, round);
	}
	while (!__atomic_load_n(&c->race->stop, __ATOMIC_SEQ_CST)) {
		answer_flush(c);
		sched_yield();
	}
	return NULL;
}

static void flush_all(struct race *r)
{
	u32 flush = load(&r->flush) + 1;

	store(&r->flush, flush);
	for (int i = 0; i < CPUS; i++) {
		while (load(&r->cpu[i].flush_done) != flush)
			sched_yield();
	}
}

static void race_pass(struct race *r)
{
	struct world *w = r->w;

	for (u32 g = 0; g < GIBS; g++) {
		walk_all(&w->t, w->gib[g], w->gib[g] + KX_GIB_PAGES);
		for (u32 i = 0; i < w->nr; i++) {
			if (w->unit[i].gfn >> KX_GIB_ORDER == w->gib[g] >> KX_GIB_ORDER)
				w->unit[i].found |= in_window(&w->t.window, &w->unit[i]);
		}
	}
	flush_all(r);
	for (u32 i = 0; i < w->t.walk.nr_idle; i++)
		kx_walk_recheck(&w->t.walk, w->t.memory, w->t.level, &w->t.walk.idle[i]);
	w->t.walk.nr_idle = 0;
}

static void check_round(struct race *r)
{
	struct world *w = r->w;

	for (u32 i = 0; i < w->nr; i++) {
		struct unit *u = &w->unit[i];
		u64 entry = *tables_entry(&w->t, u->gfn, u->level), want;
		bool touched = false, written = false;

		for (int c = 0; c < CPUS; c++) {
			touched |= r->cpu[c].touched[i];
			written |= r->cpu[c].written[i];
			r->cpu[c].touched[i] = r->cpu[c].written[i] = false;
		}
		assert_int_equal(u->found, touched);
		assert_true(!written || (entry & w->t.format->dirty));
		want = tables_leaf(&w->t, u->gfn, u->level);
		assert_int_equal(entry & ~(w->t.format->dirty | KX_ENTRY_WRITE),
				 want & ~KX_ENTRY_WRITE);
		u->found = false;
		/* For the next round: some are clean, some cannot be written to. */
		entry = want | (i % 4 ? w->t.format->dirty : 0);
		if (i % 8 == 1)
			entry &= ~KX_ENTRY_WRITE;
		*tables_entry(&w->t, u->gfn, u->level) = entry;
	}
}

/* As the fast page fault does. */
static void make_writable(struct race *r, u32 n)
{
	struct unit *u = &r->w->unit[n];
	u64 *entry = tables_entry(&r->w->t, u->gfn, u->level);
	u64 old = __atomic_load_n(entry, __ATOMIC_SEQ_CST);

	while (!(old & KX_ENTRY_WRITE) &&
	       !__atomic_compare_exchange_n(entry, &old, old | KX_ENTRY_WRITE, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static bool make_some_writable(struct tables *t)
{
	struct race *r = t->data;

	for (int i = 0; i < 4; i++)
		make_writable(r, below(r->w->nr));
	return chance(10);
}

static void loses_nothing_to_threads(void **state)
{
	g_autofree struct world *w = g_new0(struct world, 1);
	g_autofree struct race *r = g_new0(struct race, 1);
	GThread *thread[CPUS];

	seed = 5;
	r->w = w;
	tables_init(&w->t, &tables_npt, 4, 200);
	populate(w);
	w->t.walk.retire = true;
	w->t.data = r;
	w->t.on_stop = make_some_writable;
	for (int i = 0; i < CPUS; i++) {
		r->cpu[i].race = r;
		r->cpu[i].cpu.seed = i + 1;
		thread[i] = g_thread_new("cpu", run_cpu, &r->cpu[i]);
	}
	for (u32 round = 1; round <= ROUNDS; round++) {
		w->t.walk.skip = round > 1;
		store(&r->round, round);
		race_pass(r);
		for (int i = 0; i < CPUS; i++) {
			while (load(&r->cpu[i].round_done) < round)
				sched_yield();
		}
		race_pass(r);
		check_round(r);
		flush_all(r); /* because entries were changed by hand */
	}
	__atomic_store_n(&r->stop, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < CPUS; i++)
		g_thread_join(thread[i]);
	print_message("    %d rounds: %llu times skipped, %llu times taken back\n", ROUNDS,
		      (unsigned long long)w->t.walk.sums.skipped,
		      (unsigned long long)w->t.walk.sums.restored);
	tables_destroy(&w->t);
}

/* --- one table, walked without end, beside those who change its entries ------------------------- */

struct duel {
	struct tables t;
	u64 *table, start[KX_ENTRIES];
	u64 done, wrong;
	bool stop;
};

#define FROZEN 0x5a0ull

static bool replace(u64 *entry, u64 old, u64 new)
{
	return __atomic_compare_exchange_n(entry, &old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static u64 look(u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_SEQ_CST);
}

/*
 * A bit that a CPU (D) or the fast page fault (W) has set in an entry that is young stays set, and
 * an entry that was removed stays removed until it is put back. Who changes them keeps off
 * settled entries (walk.h).
 */
static void change(struct duel *d, u64 gfn, unsigned int wait, bool *set)
{
	u64 *entry = &d->table[gfn], accessed = d->t.format->accessed, old = look(entry);
	u64 bit = gfn % 3 ? KX_ENTRY_WRITE : d->t.format->dirty;

	if (gfn % 3 == 2) {
		if (old == FROZEN)
			d->wrong += !replace(entry, FROZEN, d->start[gfn] | accessed);
		else
			replace(entry, old, FROZEN);
	} else if (!(old & bit)) {
		d->wrong += *set;
		__atomic_fetch_or(entry, accessed, __ATOMIC_SEQ_CST);
		for (unsigned int i = 0; i < wait; i++) /* for the walk to come by */
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_fetch_or(entry, bit, __ATOMIC_SEQ_CST);
		*set = true;
	} else if (!(old & accessed)) { /* the walk was there since */
		d->wrong += !replace(entry, old, old & ~bit);
		*set = false;
	}
}

static gpointer run_changes(gpointer data)
{
	struct duel *d = data;
	bool set[KX_ENTRIES] = { false };
	u64 random = 9, gfn;

	for (; !__atomic_load_n(&d->stop, __ATOMIC_SEQ_CST); d->done++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		gfn = (random >> 40) % KX_ENTRIES;
		change(d, gfn, random >> 30 & 511, &set[gfn]);
	}
	return NULL;
}

static void changes_nothing_but_its_bit(void **state)
{
	g_autofree struct duel *d = g_new0(struct duel, 1);
	gint64 until = g_get_monotonic_time() + G_USEC_PER_SEC / 2;
	gint64 late = until + 60 * G_USEC_PER_SEC;
	GThread *thread;

	tables_init(&d->t, &tables_npt, 4, 10);
	d->table = tables_entry(&d->t, 0, KX_LEVEL_4K);
	for (u64 gfn = 0; gfn < KX_ENTRIES; gfn++) {
		d->start[gfn] = tables_leaf(&d->t, gfn, 1);
		if (gfn % 3)
			d->start[gfn] &= ~KX_ENTRY_WRITE;
		if (gfn % 3 == 1)
			d->start[gfn] |= d->t.format->dirty;
		d->table[gfn] = d->start[gfn];
	}
	thread = g_thread_new("changes", run_changes, d);
	/* On a busy machine the other thread may get no CPU at first. */
	while (g_get_monotonic_time() < until ||
	       (__atomic_load_n(&d->done, __ATOMIC_SEQ_CST) <= 10000 &&
		g_get_monotonic_time() < late)) {
		for (int i = 0; i < 100; i++) /* in words, and entry by entry */
			kx_walk(&d->t.walk, d->t.memory, 4, i % 2 * 40, 512 - i % 2 * 40);
	}
	__atomic_store_n(&d->stop, true, __ATOMIC_SEQ_CST);
	g_thread_join(thread);
	for (u64 gfn = 0; gfn < KX_ENTRIES; gfn++) {
		u64 its = d->t.format->accessed | (gfn % 3 ? KX_ENTRY_WRITE : d->t.format->dirty);

		if (d->table[gfn] != FROZEN)
			assert_int_equal(d->table[gfn] & ~its, d->start[gfn] & ~its);
	}
	print_message("    %llu changes\n", (unsigned long long)d->done);
	assert_true(d->done > 10000);
	assert_int_equal(d->wrong, 0);
	tables_destroy(&d->t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_the_reference_finds),
		cmocka_unit_test(tests_single_pages),
		cmocka_unit_test(passes_by_tables_that_are_not_there),
		cmocka_unit_test(reads_less_and_less),
		cmocka_unit_test(retires_only_what_is_quiet),
		cmocka_unit_test(stops_when_idle_is_full),
		cmocka_unit_test(rechecks_what_is_there),
		cmocka_unit_test(loses_no_access_when_it_skips),
		cmocka_unit_test(loses_nothing_to_threads),
		cmocka_unit_test(changes_nothing_but_its_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
