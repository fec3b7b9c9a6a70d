// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the range classifier costs and finds, compared with two simple ways to count pages: a GHashTable
 * of pages, and a plain array with a counter for each 4 KiB page.
 *
 * All three get the same samples, in batches as they come out of the sample ring, in epochs after which
 * all counts are halved. The space is 64 GiB. The speed is that of one core: samples per second while
 * samples are added, and with the ends of epochs included. Figures are medians over rounds; in each round
 * all three run in turn. The classifier is compiled as in the kernel, without vector registers; the
 * others are compiled as user space.
 *
 * Which pages are hot is known, because the samples are drawn. Each of the three names as many pages as
 * are hot, its hottest first, so precision and recall are the same number, which is F1. This number is
 * printed with the memory that each needs, and again with the other two limited to the classifier's
 * memory: then the table accepts no new page while it is full, and drops pages whose count has fallen
 * to 0; and each counter of the array is for several pages.
 *
 * What it cannot show: how evenly the pages of a real program's 2 MiB are used. In the stream "pages" hot
 * pages are single and scattered, so ranges of 2 MiB cannot distinguish them from their neighbours.
 */
#include <glib.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "args.h"
#include "ranges.h"

#define PAGES	   (16u << 20) /* of 4 KiB */
#define BLOCK	   512u	       /* pages of 2 MiB */
#define EPOCHS	   40u
#define SAMPLES	   100000u /* an epoch */
#define BATCH	   64u
#define ROUNDS	   3
#define MAX_RANGES 500u
#define HOT_PAGES  16384u

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "classifier: %s\n", what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static u64 draw(void)
{
	static u64 state;
	u64 z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static u32 below(u32 n)
{
	return (draw() >> 32) * n >> 32;
}

/* --- streams ------------------------------------------------------------------------------ */

struct stream {
	const char *name, *what;
	u32 (*page)(u32 epoch);
	u32 (*rank)(u32 page, u32 epoch); /* less than @hot if the page is hot */
	u32 hot;
};

/* A permutation of 0 to 2^n - 1, and back: an odd factor and its inverse. */
static u32 strew(u32 i, u32 n)
{
	return i * 2654435769u & (n - 1);
}

static u32 gather(u32 i, u32 n)
{
	return i * 340573321u & (n - 1);
}

static u32 zipf(u32 n)
{
	return exp2((draw() >> 11) * 0x1p-53 * log2(n)) - 1;
}

static u32 heap_page(u32 epoch)
{
	return zipf(PAGES);
}

static u32 heap_rank(u32 page, u32 epoch)
{
	return page;
}

static u32 blocks_page(u32 epoch)
{
	u32 page = zipf(PAGES);

	return strew(page / BLOCK, PAGES / BLOCK) * BLOCK + page % BLOCK;
}

static u32 blocks_rank(u32 page, u32 epoch)
{
	return gather(page / BLOCK, PAGES / BLOCK) * BLOCK + page % BLOCK;
}

static u32 pages_page(u32 epoch)
{
	return strew(zipf(PAGES), PAGES);
}

static u32 pages_rank(u32 page, u32 epoch)
{
	return gather(page, PAGES);
}

#define STAIRS_TOP (PAGES / 64)

static u32 stairs_page(u32 epoch)
{
	switch (below(4)) {
	case 0:
		return below(PAGES);
	case 1:
		return PAGES / 3 + below(PAGES / 16);
	default:
		return PAGES / 7 * 5 + below(STAIRS_TOP);
	}
}

static u32 stairs_rank(u32 page, u32 epoch)
{
	return page - PAGES / 7 * 5;
}

/* Where the hot pages are in the epoch; the last move is 15 epochs before the end. */
static u32 window(u32 epoch)
{
	return (epoch + 15) / 20 * 5555555 % (PAGES - HOT_PAGES);
}

static u32 phases_page(u32 epoch)
{
	return below(10) ? window(epoch) + below(HOT_PAGES) : below(PAGES);
}

static u32 phases_rank(u32 page, u32 epoch)
{
	return page - window(epoch);
}

static const struct stream streams[] = {
	{ "heap", "zipf, hottest pages first", heap_page, heap_rank, HOT_PAGES },
	{ "blocks", "zipf, blocks of 2 MiB strewn", blocks_page, blocks_rank, HOT_PAGES },
	{ "stairs", "half to 1/64, a quarter to 1/16", stairs_page, stairs_rank, STAIRS_TOP },
	{ "phases", "90 % to 64 MiB, which move", phases_page, phases_rank, HOT_PAGES },
	{ "pages", "zipf, pages strewn", pages_page, pages_rank, HOT_PAGES },
};

static struct kx_sample *samples;

static void generate(const struct stream *stream)
{
	for (u32 e = 0; e < EPOCHS; e++)
		for (u32 i = 0; i < SAMPLES; i++)
			samples[e * SAMPLES + i] = (struct kx_sample){
				.address = (u64)stream->page(e) << 12 | (draw() & 0xfff),
				.weight = 1,
			};
}

/* --- counters ----------------------------------------------------------------------------- */

/* @bytes: the memory limit; 0: none. found(): how many of the @n hottest pages are hot. */
struct counter {
	const char *name;
	void (*make)(size_t bytes);
	void (*destroy)(void);
	void (*add)(const struct kx_sample *batch, u32 n);
	void (*epoch)(void);
	double (*found)(const struct stream *stream, u32 n);
	size_t (*bytes)(void);
};

static u32 hot_in(const struct stream *stream, u32 page, u32 n)
{
	u32 found = 0;

	for (; n; n--, page++)
		found += stream->rank(page, EPOCHS - 1) < stream->hot;
	return found;
}

static struct kx_ranges ranges;
static void *ranges_memory;

static void ranges_make(size_t bytes)
{
	struct kx_ranges_config config = { .last = (u64)PAGES * 4096 - 1,
					   .max = MAX_RANGES,
					   .vcpus = 4 };

	ranges_memory = malloc(kx_ranges_bytes(MAX_RANGES));
	if (!ranges_memory || kx_ranges_init(&ranges, ranges_memory, &config))
		die("no ranges");
}

static void ranges_destroy(void)
{
	free(ranges_memory);
}

static void ranges_add(const struct kx_sample *batch, u32 n)
{
	kx_ranges_add_batch(&ranges, batch, n);
}

static void ranges_epoch(void)
{
	kx_ranges_epoch(&ranges);
}

static size_t ranges_bytes(void)
{
	return sizeof(ranges) + kx_ranges_bytes(MAX_RANGES);
}

static double ranges_found(const struct stream *stream, u32 n)
{
	double found = 0;
	struct kx_range r;

	kx_ranges_rank(&ranges);
	for (u32 rank = 0; n; rank++) {
		u32 pages, taken;

		kx_ranges_ranked(&ranges, rank, &r);
		pages = r.size >> 12;
		taken = pages < n ? pages : n;
		found += (double)hot_in(stream, r.start >> 12, pages) * taken / pages;
		n -= taken;
	}
	return found;
}

/* A page, or a group of pages, with its count; equal counts may be in any order. */
struct counted {
	u32 count, at;
};

static int by_count(const void *a, const void *b)
{
	u32 x = ((const struct counted *)a)->count, y = ((const struct counted *)b)->count;

	return (x < y) - (x > y);
}

static double hottest_found(const struct stream *stream, struct counted *counted, u32 nr, u32 group,
			    u32 n)
{
	double found = 0;

	qsort(counted, nr, sizeof(*counted), by_count);
	for (u32 i = 0; i < nr && n; i++) {
		u32 taken = group < n ? group : n;

		if (!counted[i].count)
			break;
		found += (double)hot_in(stream, counted[i].at * group, group) * taken / group;
		n -= taken;
	}
	return found;
}

/*
 * The table holds an index into the counts, from 1: one look-up a sample, and numbers small enough
 * for GLib to store them in 4 bytes.
 */
static struct {
	GHashTable *index;
	u32 *count, *page, *unused;
	u32 nr, nr_unused, max, room;
	size_t before;
	bool bounded;
} table;

/* Exact only if the allocator caches no memory: bench/common.mk sets this. */
static size_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static size_t table_bytes(void)
{
	return allocated() - table.before;
}

/* How many pages the table can have in @bytes. */
static u32 table_most(size_t bytes)
{
	u32 n = 1;

	for (size_t before = allocated();; n++) {
		g_hash_table_insert(table.index, GUINT_TO_POINTER(PAGES - n), GUINT_TO_POINTER(n));
		if (allocated() - before + (size_t)n * 2 * sizeof(u32) > bytes)
			break;
	}
	g_hash_table_destroy(table.index);
	table.index = g_hash_table_new(NULL, NULL);
	return n - 1;
}

static void table_make(size_t bytes)
{
	memset(&table, 0, sizeof(table));
	table.before = allocated();
	table.index = g_hash_table_new(NULL, NULL);
	table.bounded = bytes;
	table.max = bytes ? table_most(bytes) : PAGES;
	table.room = bytes ? table.max + 1 : 1024;
	table.count = g_new0(u32, table.room);
	if (bytes)
		table.unused = g_new0(u32, table.room);
}

static void table_destroy(void)
{
	g_hash_table_destroy(table.index);
	g_free(table.count);
	g_free(table.unused);
}

static u32 table_new_index(void)
{
	if (table.nr_unused)
		return table.unused[--table.nr_unused];
	if (table.nr == table.max)
		return 0;
	if (++table.nr == table.room) {
		table.room *= 2;
		table.count = g_renew(u32, table.count, table.room);
	}
	return table.nr;
}

static void table_add(const struct kx_sample *batch, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		gpointer page = GUINT_TO_POINTER(batch[i].address >> 12);
		u32 at = GPOINTER_TO_UINT(g_hash_table_lookup(table.index, page));

		if (!at) {
			at = table_new_index();
			if (!at)
				continue;
			table.count[at] = 0;
			g_hash_table_insert(table.index, page, GUINT_TO_POINTER(at));
		}
		table.count[at] += batch[i].weight;
	}
}

static gboolean is_zero(gpointer page, gpointer index, gpointer data)
{
	if (table.count[GPOINTER_TO_UINT(index)])
		return FALSE;
	table.unused[table.nr_unused++] = GPOINTER_TO_UINT(index);
	return TRUE;
}

static void table_epoch(void)
{
	for (u32 i = 1; i <= table.nr; i++)
		table.count[i] /= 2;
	if (table.bounded)
		g_hash_table_foreach_remove(table.index, is_zero, NULL);
}

static double table_found(const struct stream *stream, u32 n)
{
	u32 nr = g_hash_table_size(table.index), i = 0;
	struct counted *counted = g_new(struct counted, nr);
	gpointer page, index;
	GHashTableIter iter;
	double found;

	g_hash_table_iter_init(&iter, table.index);
	while (g_hash_table_iter_next(&iter, &page, &index))
		counted[i++] = (struct counted){ table.count[GPOINTER_TO_UINT(index)],
						 GPOINTER_TO_UINT(page) };
	found = hottest_found(stream, counted, nr, 1, n);
	g_free(counted);
	return found;
}

static struct {
	u32 *count;
	u32 nr, shift; /* of an address */
} array;

static void array_make(size_t bytes)
{
	array.shift = 12;
	array.nr = PAGES;
	while (bytes && array.nr * sizeof(u32) > bytes) {
		array.shift++;
		array.nr /= 2;
	}
	array.count = calloc(array.nr, sizeof(u32));
	if (!array.count)
		die("no memory");
}

static void array_destroy(void)
{
	free(array.count);
}

static void array_add(const struct kx_sample *batch, u32 n)
{
	for (u32 i = 0; i < n; i++)
		array.count[batch[i].address >> array.shift] += batch[i].weight;
}

static void array_epoch(void)
{
	for (u32 i = 0; i < array.nr; i++)
		array.count[i] /= 2;
}

static size_t array_bytes(void)
{
	return array.nr * sizeof(u32);
}

static double array_found(const struct stream *stream, u32 n)
{
	struct counted *counted = g_new(struct counted, array.nr);
	double found;

	for (u32 i = 0; i < array.nr; i++)
		counted[i] = (struct counted){ array.count[i], i };
	found = hottest_found(stream, counted, array.nr, 1u << (array.shift - 12), n);
	g_free(counted);
	return found;
}

enum {
	RANGES,
	TABLE,
	ARRAY,
	COUNTERS
};

static const struct counter counters[COUNTERS] = {
	[RANGES] = { "ranges", ranges_make, ranges_destroy, ranges_add, ranges_epoch, ranges_found,
		     ranges_bytes },
	[TABLE] = { "GHashTable", table_make, table_destroy, table_add, table_epoch, table_found,
		    table_bytes },
	[ARRAY] = { "array", array_make, array_destroy, array_add, array_epoch, array_found,
		    array_bytes },
};

/* --- measuring ---------------------------------------------------------------------------- */

struct result {
	double add_ns[ROUNDS], all_ns[ROUNDS]; /* per sample */
	double f1, f1_bounded;
	size_t bytes, bytes_bounded;
};

static void feed(const struct counter *c, double *add_ns, double *all_ns)
{
	double add = 0, all = 0;

	for (u32 e = 0; e < EPOCHS; e++) {
		const struct kx_sample *epoch = samples + e * SAMPLES;
		double start = now_ns(), added;

		for (u32 i = 0; i < SAMPLES; i += BATCH)
			c->add(epoch + i, SAMPLES - i < BATCH ? SAMPLES - i : BATCH);
		added = now_ns();
		c->epoch();
		add += added - start;
		all += now_ns() - start;
	}
	*add_ns = add / EPOCHS / SAMPLES;
	*all_ns = all / EPOCHS / SAMPLES;
}

static void measure_quality(const struct counter *c, const struct stream *stream, size_t bytes,
			    struct result *result)
{
	double ns;

	c->make(bytes);
	feed(c, &ns, &ns);
	*(bytes ? &result->f1_bounded : &result->f1) = c->found(stream, stream->hot) / stream->hot;
	*(bytes ? &result->bytes_bounded : &result->bytes) = c->bytes();
	c->destroy();
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *all)
{
	double sorted[ROUNDS];

	memcpy(sorted, all, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), compare);
	return sorted[ROUNDS / 2];
}

/* Each round uses the same stream; a first round, which is not counted, has made the ranges. */
static void measure_speed(struct result *results)
{
	double ns;

	for (u32 c = 0; c < COUNTERS; c++) {
		counters[c].make(0);
		feed(&counters[c], &ns, &ns);
	}
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 k = 0; k < COUNTERS; k++) {
			u32 c = (k + round) % COUNTERS;

			feed(&counters[c], &results[c].add_ns[round], &results[c].all_ns[round]);
		}
	}
	for (u32 c = 0; c < COUNTERS; c++)
		counters[c].destroy();
}

static struct result results[G_N_ELEMENTS(streams)][COUNTERS];
static u32 nr_ranges[G_N_ELEMENTS(streams)];

static void print_speed(void)
{
	printf("M samples/s, one core, medians of %d rounds\n"
	       "                             adding                          with the ends of "
	       "epochs\n"
	       "stream  ranges    ranges  GHashTable     array    ranges  GHashTable     array   "
	       "ranges / others\n",
	       ROUNDS);
	for (u32 i = 0; i < G_N_ELEMENTS(streams); i++) {
		double all[COUNTERS];

		printf("%-7s %6u", streams[i].name, nr_ranges[i]);
		for (u32 c = 0; c < COUNTERS; c++)
			printf("  %*.1f", c == TABLE ? 10 : 8, 1e3 / median(results[i][c].add_ns));
		for (u32 c = 0; c < COUNTERS; c++) {
			all[c] = 1e3 / median(results[i][c].all_ns);
			printf("  %*.1f", c == TABLE ? 10 : 8, all[c]);
		}
		printf("  %6.2f  %6.2f\n", all[RANGES] / all[TABLE], all[RANGES] / all[ARRAY]);
	}
}

static void print_quality(void)
{
	printf("\nF1 of the hot pages                  with all the memory they take          "
	       "with the ranges' memory\n"
	       "stream  hot pages   ranges    KiB   GHashTable    KiB    array    KiB   "
	       "GHashTable   KiB  array   KiB\n");
	for (u32 i = 0; i < G_N_ELEMENTS(streams); i++) {
		const struct result *r = results[i];

		printf("%-7s %9u    %5.3f  %5.1f        %5.3f %6zu    %5.3f  %5zu        %5.3f  "
		       "%4.1f  %5.3f  %4.1f   %s\n",
		       streams[i].name, streams[i].hot, r[RANGES].f1, r[RANGES].bytes / 1024.0,
		       r[TABLE].f1, r[TABLE].bytes >> 10, r[ARRAY].f1, r[ARRAY].bytes >> 10,
		       r[TABLE].f1_bounded, r[TABLE].bytes_bounded / 1024.0, r[ARRAY].f1_bounded,
		       r[ARRAY].bytes_bounded / 1024.0, streams[i].what);
	}
}

static void print_headline(void)
{
	double worst = 1e9, ratio = 1e9;

	for (u32 i = 0; i < G_N_ELEMENTS(streams); i++) {
		double all = median(results[i][RANGES].all_ns);

		worst = MIN(worst, 1e3 / all);
		ratio = MIN(ratio, median(results[i][TABLE].all_ns) / all);
	}
	printf("headline: at least %.0f M samples/s on one core with at most %u ranges, epochs "
	       "included (target: 30); at least "
	       "%.1f times GHashTable\n",
	       worst, MAX_RANGES, ratio);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		args_refuse("classifier", argv[1]);
	samples = malloc(sizeof(*samples) * EPOCHS * SAMPLES);
	if (!samples)
		die("no memory");
	for (u32 i = 0; i < G_N_ELEMENTS(streams); i++) {
		generate(&streams[i]);
		for (u32 c = 0; c < COUNTERS; c++) {
			measure_quality(&counters[c], &streams[i], 0, &results[i][c]);
			measure_quality(&counters[c], &streams[i], ranges_bytes(), &results[i][c]);
		}
		measure_speed(results[i]);
		nr_ranges[i] = ranges.nr;
	}
	print_speed();
	print_quality();
	print_headline();
	free(samples);
	return 0;
}
