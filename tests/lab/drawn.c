// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a workload whose hot pages are scattered (zipf) draws, of which its log does not tell how often, and how much of it
 * samples can show.
 *
 * usage: drawn truth DRAWS OPTION…
 *        drawn found HOT SAMPLES EPOCHS OPTION…
 *
 * The options are kx-workload's; the draws are those that the workload makes.
 *
 * truth: prints "PAGE TIMES", the hottest first.
 *
 * found: in each of EPOCHS epochs the range classifier (kvm-ext/common/ranges.c, with ranges of a page) gets SAMPLES of the draws,
 * and then names HOT pages. Prints "MEAN DEVIATION COUNTERS", in parts per thousand of the draws that the HOT hottest pages
 * get: the mean over RUNS such runs of what the named pages get, its standard deviation, and the mean of what those pages get
 * that counters of every page would name, with the same samples and the same ageing.
 *
 * What it cannot show: other memory of the process, which has ranges of its own.
 */
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "pattern.h"
#include "ranges.h"

#define BATCH	    256
#define RUNS	    30
#define TRUTH_DRAWS 2000000
#define PAGE_SHIFT  12
#define MAX_RANGES  500		 /* as the module has it, unless it is told otherwise */
#define SPACE_BYTES (1ull << 47) /* of a process */
#define BASE	    0x7f0000000000ull

struct page {
	uint32_t page;
	double times;
};

static struct wl_pattern pattern;
static struct wl_cursor cursor;
static uint32_t n_pages;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "drawn: %s\n", what);
	exit(1);
}

static void *zeroed(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		fail("out of memory");
	return p;
}

static uint32_t draw(void)
{
	static wl_pick picks[BATCH];
	static unsigned int left;

	if (!left) {
		wl_cursor_fill(&cursor, &pattern, picks, BATCH);
		left = BATCH;
	}
	return wl_pick_page(picks[--left]);
}

static struct page *new_pages(void)
{
	struct page *pages = zeroed(n_pages * sizeof(*pages));

	for (uint32_t i = 0; i < n_pages; i++)
		pages[i].page = i;
	return pages;
}

static int hottest_first(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	if (x->times != y->times)
		return x->times < y->times ? 1 : -1;
	return x->page < y->page ? -1 : x->page > y->page;
}

/* By page. */
static struct page *draw_pages(uint64_t draws)
{
	struct page *pages = new_pages();

	while (draws--)
		pages[draw()].times++;
	return pages;
}

static void print_truth(uint64_t draws)
{
	struct page *pages = draw_pages(draws);

	qsort(pages, n_pages, sizeof(*pages), hottest_first);
	for (uint32_t i = 0; i < n_pages && pages[i].times > 0; i++)
		printf("%" PRIu32 " %.0f\n", pages[i].page, pages[i].times);
	free(pages);
}

/* --- what samples show ------------------------------------------------------------- */

/* Both get the same samples: the classifier, and a counter for each page. */
static void sample_epoch(struct kx_ranges *ranges, struct page *counters, uint64_t samples)
{
	for (uint32_t i = 0; i < n_pages; i++)
		counters[i].times /= 2;
	while (samples--) {
		uint32_t page = draw();

		counters[page].times++;
		kx_ranges_add(ranges, BASE + ((uint64_t)page << PAGE_SHIFT), 1);
	}
	kx_ranges_epoch(ranges);
}

/* What the @hot pages on top of the classifier's ranges get by @truth. */
static double named_by_ranges(struct kx_ranges *ranges, const struct page *truth, uint32_t hot)
{
	uint64_t arena_end = BASE + ((uint64_t)n_pages << PAGE_SHIFT);
	uint32_t ranked = kx_ranges_rank(ranges), named = 0;
	struct kx_range range;
	double got = 0;

	for (uint32_t rank = 0; rank < ranked && named < hot; rank++) {
		uint64_t at, end;

		kx_ranges_ranked(ranges, rank, &range);
		at = max_t(uint64_t, range.start, BASE);
		end = min_t(uint64_t, range.start + range.size, arena_end);
		for (; range.accesses && at < end && named < hot; at += 1 << PAGE_SHIFT, named++)
			got += truth[(at - BASE) >> PAGE_SHIFT].times;
	}
	return got;
}

static double named_by_counters(struct page *counters, const struct page *truth, uint32_t hot)
{
	double got = 0;

	qsort(counters, n_pages, sizeof(*counters), hottest_first);
	for (uint32_t i = 0; i < hot; i++)
		got += truth[counters[i].page].times;
	return got;
}

static double of_hottest(const struct page *truth, uint32_t hot)
{
	struct page *sorted = new_pages();
	double sum = 0;

	memcpy(sorted, truth, n_pages * sizeof(*sorted));
	qsort(sorted, n_pages, sizeof(*sorted), hottest_first);
	for (uint32_t i = 0; i < hot; i++)
		sum += sorted[i].times;
	free(sorted);
	return sum;
}

static void print_found(uint32_t hot, uint64_t samples, uint32_t epochs)
{
	struct kx_ranges_config config = { .last = SPACE_BYTES - 1,
					   .granularity = PAGE_SHIFT,
					   .max = MAX_RANGES };
	struct page *truth = draw_pages(TRUTH_DRAWS);
	double best = of_hottest(truth, hot), sum = 0, sum2 = 0, counted = 0;
	void *memory = zeroed(kx_ranges_bytes(MAX_RANGES));
	struct kx_ranges ranges;

	for (unsigned int run = 0; run < RUNS; run++) {
		struct page *counters = new_pages();
		double got;

		if (kx_ranges_init(&ranges, memory, &config))
			fail("the classifier refuses");
		for (uint32_t i = 0; i < epochs; i++)
			sample_epoch(&ranges, counters, samples);
		got = 1000 * named_by_ranges(&ranges, truth, hot) / best;
		sum += got;
		sum2 += got * got;
		counted += 1000 * named_by_counters(counters, truth, hot) / best;
		free(counters);
	}
	printf("%.0f %.0f %.0f\n", sum / RUNS,
	       sqrt(fmax(0, (sum2 - sum * sum / RUNS) / (RUNS - 1))), counted / RUNS);
	free(memory);
	free(truth);
}

static int prepare(int argc, char **argv)
{
	struct wl_pattern_params params;
	struct wl_options options;

	if (argc < 1 || wl_options_parse(&options, argc, argv) != WL_OPTIONS_RUN ||
	    options.pattern == WL_IDLE)
		return -1;
	params = wl_options_pattern(&options);
	n_pages = params.ws_pages;
	if (wl_pattern_init(&pattern, &params))
		fail("out of memory");
	wl_cursor_init(&cursor, &pattern, 0);
	wl_cursor_start_epoch(&cursor, &pattern, 0, 1);
	return 0;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "truth") && !prepare(argc - 2, argv + 2)) {
		print_truth(number(argv[2]));
	} else if (argc > 4 && !strcmp(argv[1], "found") && !prepare(argc - 4, argv + 4) &&
		   number(argv[2]) <= n_pages) {
		print_found((uint32_t)number(argv[2]), number(argv[3]), (uint32_t)number(argv[4]));
	} else {
		fputs("usage: drawn truth DRAWS OPTION..., or drawn found HOT SAMPLES EPOCHS "
		      "OPTION...\n",
		      stderr);
		return 2;
	}
	wl_pattern_destroy(&pattern);
	return 0;
}
