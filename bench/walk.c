// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the walk of a nested page table costs by itself: nanoseconds per page that is mapped and
 * per page that was touched, without and with skipping, beside memcpy() of the same tables.
 *
 * The tables are like those that KVM makes for a VM of 4 KiB pages: entries are writable and dirty;
 * tables lie where an allocator would put them, here at random places in memory that is mapped by
 * huge pages, like the kernel's own memory. Before each measurement pages are touched as by a CPU,
 * which sets the A bit on every level. With skipping, other pages were touched and a pass ran before,
 * so that the measured pass also pays for tables that are no longer used. The recheck after a flush
 * is measured, the flush is not. Every pass must find exactly as many pages as were touched, or the
 * program ends.
 *
 * memcpy() gets the tables one by one in the order of the walk, with all pages touched: "read" copies
 * into one page, which is the least that reading can cost; "copy" copies to as much memory elsewhere.
 * In a round all are measured in turn, in the same state of the caches: the tables were just touched.
 * Figures are medians over rounds. The walk is compiled as in the kernel, without vector registers.
 *
 * What it cannot show: locks; the cost to fetch the tables' cache lines from a CPU that has just
 * written to them; flushes.
 *
 * usage: walk [MIB…]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "args.h"
#include "tables.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SIZES_MAX    16
#define USAGE	     "walk [MIB]…"
#define MIB_PAGES    256ull
#define ROUNDS_MAX   201

struct bench {
	struct tables t;
	u64 pages, blocks;
	u64 *order; /* table of each block */
	u64 *copy;
	u64 random;
	u32 rounds;
};

enum way {
	READ_ALL,
	SKIP,
	MEMCPY_READ,
	MEMCPY_COPY,
	WAYS
};

static const double shares[] = { 0.001, 0.01, 0.1, 1 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "walk: %s\n", what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static u64 draw(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

static void *huge_memory(size_t bytes)
{
	void *p = aligned_alloc(2ul << 20, (bytes + (2ul << 20) - 1) & ~((2ul << 20) - 1));

	if (!p)
		die("no memory");
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 1, bytes);
	return p;
}

/* --- the VM ------------------------------------------------------------------------------ */

static void build(struct bench *b, u64 mib)
{
	u64 i, j, gfn;

	b->pages = mib * MIB_PAGES;
	b->blocks = b->pages / KX_BLOCK_PAGES;
	b->random = 88172645463325252ull;
	tables_init(&b->t, &tables_ept, 4, b->blocks + b->blocks / 512 + 8);
	madvise(b->t.memory, b->t.max * 4096ul, MADV_HUGEPAGE);
	b->order = malloc(b->blocks * sizeof(*b->order));
	b->copy = huge_memory(b->blocks * 4096);
	if (!b->order)
		die("no memory");
	for (i = 0; i < b->blocks; i++) {
		j = draw(b) % (i + 1);
		b->order[i] = b->order[j];
		b->order[j] = i;
	}
	for (i = 0; i < b->blocks; i++) /* tables are allocated in this order */
		tables_entry(&b->t, b->order[i] * KX_BLOCK_PAGES, KX_LEVEL_4K);
	for (i = 0; i < b->blocks; i++) {
		u64 *table = tables_entry(&b->t, i * KX_BLOCK_PAGES, KX_LEVEL_4K);

		b->order[i] = (table - b->t.memory) / KX_ENTRIES;
		for (j = 0; j < KX_ENTRIES; j++) {
			gfn = i * KX_BLOCK_PAGES + j;
			table[j] = tables_leaf(&b->t, gfn, KX_LEVEL_4K) | b->t.format->dirty;
		}
	}
	b->rounds = b->pages > 4096 * MIB_PAGES ? 5 : b->pages > 512 * MIB_PAGES ? 21 : ROUNDS_MAX;
}

static void destroy(struct bench *b)
{
	tables_destroy(&b->t);
	free(b->order);
	free(b->copy);
}

/* True if it was not accessed before. */
static bool touch(struct bench *b, u64 gfn)
{
	u64 a = b->t.format->accessed, *table = b->t.memory, *entry, old;
	int level;

	for (level = 4;; level--) {
		entry = &table[kx_index_of(gfn, level)];
		old = *entry;
		if (!(old & a))
			*entry = old | a;
		if (level == KX_LEVEL_4K)
			return !(old & a);
		table = tables_at(&b->t, old & b->t.walk.address);
	}
}

static u64 touch_some(struct bench *b, double share)
{
	u64 n = share * b->pages, i = 0;

	if (share == 1) {
		for (; i < n; i++)
			touch(b, i);
	} else {
		while (i < n)
			i += touch(b, draw(b) % b->pages);
	}
	return n;
}

/* --- what is measured -------------------------------------------------------------------- */

static void recheck(struct bench *b)
{
	struct kx_walk *w = &b->t.walk;

	for (u32 i = 0; i < w->nr_idle; i++)
		kx_walk_recheck(w, b->t.memory, 4, &w->idle[i]);
	w->nr_idle = 0;
}

static void pass(struct bench *b)
{
	u64 gfn = 0, end;

	while (gfn < b->pages) {
		end = (gfn | (KX_GIB_PAGES - 1)) + 1;
		if (end > b->pages)
			end = b->pages;
		kx_window_clear(&b->t.window, gfn & ~(KX_GIB_PAGES - 1));
		while (gfn < end) {
			gfn = kx_walk(&b->t.walk, b->t.memory, 4, gfn, end);
			if (b->t.walk.nr_idle == KX_IDLE_MAX)
				recheck(b);
		}
	}
	recheck(b);
}

static void copy_tables(struct bench *b, bool one_page)
{
	for (u64 i = 0; i < b->blocks; i++) {
		u64 *to = b->copy + (one_page ? 0 : b->order[i] * KX_ENTRIES);

		memcpy(to, b->t.memory + b->order[i] * KX_ENTRIES, 4096);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
}

static double measure(struct bench *b, enum way way, double share)
{
	double start;
	u64 touched;

	b->t.walk.skip = b->t.walk.retire = way == SKIP;
	if (way == SKIP) {
		touch_some(b, share);
		pass(b);
	}
	touched = touch_some(b, share);
	b->t.walk.sums.found = 0;
	start = now_ns();
	if (way == MEMCPY_READ || way == MEMCPY_COPY)
		copy_tables(b, way == MEMCPY_READ);
	else
		pass(b);
	start = now_ns() - start;
	if (way != READ_ALL && way != SKIP)
		pass(b);
	if (b->t.walk.sums.found != touched) {
		fprintf(stderr, "walk: %llu pages touched, %llu found\n",
			(unsigned long long)touched, (unsigned long long)b->t.walk.sums.found);
		exit(1);
	}
	return start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Medians, for all the ways up to @ways. */
static void measure_all(struct bench *b, double share, int ways, double *ns)
{
	static double all[WAYS][ROUNDS_MAX];

	for (u32 round = 0; round < b->rounds; round++) {
		for (int i = 0; i < ways; i++) {
			int way = (i + round) % ways;

			all[way][round] = measure(b, way, share);
		}
	}
	for (int way = 0; way < ways; way++) {
		qsort(all[way], b->rounds, sizeof(all[way][0]), compare);
		ns[way] = all[way][b->rounds / 2];
	}
}

/* Returns the ratio to the "copy" by memcpy(). */
static double bench_size(u64 mib, double *read_ratio)
{
	static struct bench b;
	double ns[WAYS];

	build(&b, mib);
	measure_all(&b, 1, WAYS, ns); /* warms up */
	for (size_t i = 0; i < COUNT(shares); i++) {
		double touched = shares[i] * b.pages;

		measure_all(&b, shares[i], shares[i] == 1 ? WAYS : MEMCPY_READ, ns);
		printf("%7llu  %7.1f %%  %6u  %8.3f %8.3f  %9.2f %9.2f", (unsigned long long)mib,
		       100 * shares[i], b.rounds, ns[READ_ALL] / b.pages, ns[SKIP] / b.pages,
		       ns[READ_ALL] / touched, ns[SKIP] / touched);
		if (shares[i] == 1)
			printf("  %8.3f %8.3f  %6.2f %6.2f", ns[MEMCPY_READ] / b.pages,
			       ns[MEMCPY_COPY] / b.pages, ns[READ_ALL] / ns[MEMCPY_READ],
			       ns[READ_ALL] / ns[MEMCPY_COPY]);
		putchar('\n');
		fflush(stdout);
	}
	*read_ratio = ns[READ_ALL] / ns[MEMCPY_READ];
	destroy(&b);
	return ns[READ_ALL] / ns[MEMCPY_COPY];
}

int main(int argc, char **argv)
{
	static const u64 sizes[] = { 64, 512, 2048, 8192 };
	int n = argc > 1 ? argc - 1 : (int)COUNT(sizes);
	double worst = 0, worst_read = 0;
	u64 mib[SIZES_MAX];

	if (n > SIZES_MAX)
		args_refuse(USAGE, NULL);
	for (int i = 0; i < n; i++)
		mib[i] = argc > 1 ? args_number(argv[i + 1], 2, 1 << 20, USAGE) : sizes[i];
	printf("medians     touched          ns per mapped page  ns per touched page  memcpy, ns "
	       "per "
	       "page  walk / memcpy\n"
	       "    MiB    of pages  rounds  read all     skip   read all      skip      read     "
	       "copy    read   copy\n");
	for (int i = 0; i < n; i++) {
		double read, copy = bench_size(mib[i], &read);

		worst = copy > worst ? copy : worst;
		worst_read = read > worst_read ? read : worst_read;
	}
	printf("headline: all pages touched, the walk takes at most %.2f times as long as copying "
	       "the same "
	       "tables with memcpy, %.2f times as long as reading them with it\n",
	       worst, worst_read);
	return 0;
}
