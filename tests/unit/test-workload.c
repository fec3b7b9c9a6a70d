// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The workload's pure parts: do the patterns match their names, is the bitmap exactly what
 * was touched, do the log's runs hold exactly the bitmap. Reads cannot be seen in memory, so that
 * test takes the pages away and counts the faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "options.h"
#include "pattern.h"
#include "touch.h"
#include "truth.h"

static struct wl_pattern_params defaults(enum wl_pattern_kind kind, uint32_t ws_pages)
{
	return (struct wl_pattern_params){
		.kind = kind,
		.seed = 42,
		.ws_pages = ws_pages,
		.hot_pages = ws_pages / 10 + 1,
		.hot_share = 0.9,
		.theta = 0.99,
		.step_epochs = 2,
		.read_share = 0.5,
		.threads = 1,
	};
}

static void draw(const struct wl_pattern_params *params, unsigned int thread, uint64_t epoch,
		 wl_pick *picks, size_t n)
{
	struct wl_pattern pattern;
	struct wl_cursor cursor;

	assert_int_equal(wl_pattern_init(&pattern, params), 0);
	wl_cursor_init(&cursor, &pattern, thread);
	wl_cursor_start_epoch(&cursor, &pattern, thread, epoch);
	assert_int_equal(wl_cursor_fill(&cursor, &pattern, picks, n), n);
	wl_pattern_destroy(&pattern);
}

#define PICKS 200000
static wl_pick picks[PICKS], others[PICKS];

static double share_in(const wl_pick *from, uint32_t first, uint32_t pages)
{
	size_t in = 0;

	for (size_t i = 0; i < PICKS; i++)
		in += wl_pick_page(from[i]) - first < pages;
	return (double)in / PICKS;
}

static void assert_near(double got, double want, double tolerance)
{
	if (fabs(got - want) > tolerance)
		fail_msg("got %g, want %g ± %g", got, want, tolerance);
}

static void test_stays_in_working_set(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 63, 1000, 4096 };

	(void)state;
	for (int kind = 0; kind < WL_IDLE; kind++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			struct wl_pattern_params params = defaults(kind, sizes[s]);

			for (uint64_t epoch = 1; epoch < 12; epoch += 5) {
				draw(&params, 0, epoch, picks, 20000);
				for (size_t i = 0; i < 20000; i++)
					assert_in_range(wl_pick_page(picks[i]), 0, sizes[s] - 1);
			}
		}
	}
}

static void test_idle_touches_nothing(void **state)
{
	struct wl_pattern_params params = defaults(WL_IDLE, 100);
	struct wl_pattern pattern;
	struct wl_cursor cursor;

	(void)state;
	assert_int_equal(wl_pattern_init(&pattern, &params), 0);
	wl_cursor_init(&cursor, &pattern, 0);
	wl_cursor_start_epoch(&cursor, &pattern, 0, 1);
	assert_int_equal(wl_cursor_fill(&cursor, &pattern, picks, 100), 0);
}

static void test_read_share(void **state)
{
	static const double shares[] = { 0, 0.25, 0.9, 1 };

	(void)state;
	for (size_t s = 0; s < 4; s++) {
		struct wl_pattern_params params = defaults(WL_UNIFORM, 1000);
		size_t reads = 0;

		params.read_share = shares[s];
		draw(&params, 0, 1, picks, PICKS);
		for (size_t i = 0; i < PICKS; i++)
			reads += !wl_pick_is_write(picks[i]);
		if (shares[s] == 0 || shares[s] == 1)
			assert_int_equal(reads, shares[s] * PICKS);
		else
			assert_near((double)reads / PICKS, shares[s], 0.01);
	}
}

static void count_pages(uint32_t *counts, uint32_t pages)
{
	memset(counts, 0, pages * sizeof(*counts));
	for (size_t i = 0; i < PICKS; i++)
		counts[wl_pick_page(picks[i])]++;
}

static void test_uniform_is_even(void **state)
{
	struct wl_pattern_params params = defaults(WL_UNIFORM, 100);
	uint32_t counts[100];
	double chi2 = 0;

	(void)state;
	draw(&params, 0, 1, picks, PICKS);
	count_pages(counts, 100);
	for (int i = 0; i < 100; i++)
		chi2 += pow(counts[i] - PICKS / 100.0, 2) / (PICKS / 100.0);
	/* 99 degrees of freedom: mean 99, deviation 14. */
	assert_true(chi2 > 40 && chi2 < 170);
}

static int descending(const void *a, const void *b)
{
	uint32_t ca = *(const uint32_t *)a, cb = *(const uint32_t *)b;

	return (ca < cb) - (ca > cb);
}

static void check_zipf(double theta)
{
	enum {
		PAGES = 1000
	};
	struct wl_pattern_params params = defaults(WL_ZIPF, PAGES);
	uint32_t counts[PAGES];
	double sum = 0, top10 = 0;
	size_t got = 0;

	params.theta = theta;
	draw(&params, 0, 1, picks, PICKS);
	count_pages(counts, PAGES);
	qsort(counts, PAGES, sizeof(counts[0]), descending);
	for (int rank = 1; rank <= PAGES; rank++) {
		sum += pow(rank, -theta);
		if (rank == 10)
			top10 = sum;
	}
	for (int rank = 0; rank < 10; rank++)
		got += counts[rank];
	assert_near((double)counts[0] / PICKS, 1 / sum, 0.01);
	assert_near((double)got / PICKS, top10 / sum, 0.01);
}

static void test_zipf_has_its_skew(void **state)
{
	(void)state;
	check_zipf(0);
	check_zipf(0.5);
	check_zipf(0.99);
	check_zipf(1);
	check_zipf(2.5);
}

/* The hottest tenth of the pages must not sit in one corner of the working set. */
static void test_zipf_scatters_its_ranks(void **state)
{
	struct wl_pattern_params params = defaults(WL_ZIPF, 1000);
	uint32_t counts[1000], sorted[1000];
	int halves[2] = { 0, 0 };

	(void)state;
	draw(&params, 0, 1, picks, PICKS);
	count_pages(counts, 1000);
	memcpy(sorted, counts, sizeof(counts));
	qsort(sorted, 1000, sizeof(sorted[0]), descending);
	for (int i = 0; i < 1000; i++)
		if (counts[i] >= sorted[100])
			halves[i / 500]++;
	assert_true(halves[0] > 25 && halves[1] > 25);
}

static void test_hotcold_shares(void **state)
{
	struct wl_pattern_params params = defaults(WL_HOTCOLD, 1000);

	(void)state;
	params.hot_pages = 100;
	params.hot_share = 0.8;
	draw(&params, 0, 7, picks, PICKS);
	assert_near(share_in(picks, 0, 100), 0.8, 0.01);
	/* The rest goes evenly to the 900 others. */
	assert_near(share_in(picks, 100, 450), 0.1, 0.01);

	params.hot_share = 1;
	draw(&params, 0, 7, picks, PICKS);
	assert_near(share_in(picks, 0, 100), 1, 0);
	params.hot_share = 0;
	draw(&params, 0, 7, picks, PICKS);
	assert_near(share_in(picks, 0, 100), 0, 0);
}

static void test_stairs_moves(void **state)
{
	struct wl_pattern_params params = defaults(WL_STAIRS, 1000);

	(void)state;
	params.hot_pages = 300; /* windows of 300, 300, 300 and 100 pages */
	for (uint64_t epoch = 1; epoch <= 20; epoch++) {
		uint32_t first = (epoch - 1) / 2 % 4 * 300;
		uint32_t pages = first == 900 ? 100 : 300;

		draw(&params, 0, epoch, picks, PICKS);
		assert_near(share_in(picks, first, pages), 0.9, 0.01);
		/* Both ends of the window belong to it. */
		assert_true(share_in(picks, first, 10) > 0.9 * 5 / pages);
		assert_true(share_in(picks, first + pages - 10, 10) > 0.9 * 5 / pages);
	}
}

static void test_seq_sweeps_on(void **state)
{
	struct wl_pattern_params params = defaults(WL_SEQ, 100);
	struct wl_pattern pattern;
	struct wl_cursor cursor;
	uint32_t next = 0;

	(void)state;
	assert_int_equal(wl_pattern_init(&pattern, &params), 0);
	wl_cursor_init(&cursor, &pattern, 0);
	for (uint64_t epoch = 1; epoch < 10; epoch++) {
		wl_cursor_start_epoch(&cursor, &pattern, 0, epoch);
		wl_cursor_fill(&cursor, &pattern, picks, 33);
		for (int i = 0; i < 33; i++, next = (next + 1) % 100)
			assert_int_equal(wl_pick_page(picks[i]), next);
	}
}

static void test_seq_threads_share_the_sweep(void **state)
{
	struct wl_pattern_params params = defaults(WL_SEQ, 100);
	int seen[100] = { 0 };

	(void)state;
	params.threads = 3;
	for (unsigned int thread = 0; thread < 3; thread++) {
		size_t n = 100 * (thread + 1) / 3 - 100 * thread / 3;

		draw(&params, thread, 1, picks, n);
		for (size_t i = 0; i < n; i++)
			seen[wl_pick_page(picks[i])]++;
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(seen[i], 1);
}

static void test_deterministic(void **state)
{
	(void)state;
	for (int kind = 0; kind < WL_IDLE; kind++) {
		struct wl_pattern_params params = defaults(kind, 5000);
		bool differs = kind == WL_SEQ; /* whose pages no seed changes */

		draw(&params, 0, 3, picks, PICKS);
		draw(&params, 0, 3, others, PICKS);
		assert_memory_equal(picks, others, sizeof(picks));

		params.seed++;
		draw(&params, 0, 3, others, PICKS);
		for (size_t i = 0; i < PICKS && !differs; i++)
			differs = wl_pick_page(picks[i]) != wl_pick_page(others[i]);
		assert_true(differs);

		params.seed--;
		draw(&params, 0, 4, others, PICKS);
		assert_memory_not_equal(picks, others, sizeof(picks));
		if (kind != WL_SEQ) {
			params.threads = 2;
			draw(&params, 1, 3, others, PICKS);
			assert_memory_not_equal(picks, others, sizeof(picks));
		}
	}
}

/* --- the touch loop ---------------------------------------------------------- */

#define ARENA_PAGES 512u

static unsigned char *arena;
static unsigned char read_fault[ARENA_PAGES], write_fault[ARENA_PAGES];

/* First access to a page: none is allowed. A write after a read: only reads are. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	uintptr_t page = ((uintptr_t)info->si_addr - (uintptr_t)arena) / WL_PAGE_BYTES;

	(void)signal;
	(void)context;
	if (page >= ARENA_PAGES || write_fault[page])
		_exit(99);
	if (!read_fault[page]) {
		read_fault[page] = 1;
		mprotect(arena + page * WL_PAGE_BYTES, WL_PAGE_BYTES, PROT_READ);
	} else {
		write_fault[page] = 1;
		mprotect(arena + page * WL_PAGE_BYTES, WL_PAGE_BYTES, PROT_READ | PROT_WRITE);
	}
}

static void test_bitmaps_are_what_was_touched(void **state)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, before;
	const size_t bytes = ARENA_PAGES * WL_PAGE_BYTES;

	(void)state;
	arena = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(arena, MAP_FAILED);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	for (int kind = 0; kind < WL_IDLE; kind++) {
		uint64_t touched[ARENA_PAGES / 64] = { 0 }, written[ARENA_PAGES / 64] = { 0 };
		struct wl_pattern_params params = defaults(kind, ARENA_PAGES - 12);
		size_t n_touched = 0, n_written = 0;

		memset(read_fault, 0, sizeof(read_fault));
		memset(write_fault, 0, sizeof(write_fault));
		assert_int_equal(mprotect(arena, bytes, PROT_NONE), 0);
		draw(&params, 0, 1, picks, 300);
		wl_touch(arena, picks, 300, 1, touched, written);
		for (uint32_t page = 0; page < ARENA_PAGES; page++) {
			assert_int_equal(wl_bitmap_test(touched, page), read_fault[page]);
			assert_int_equal(wl_bitmap_test(written, page), write_fault[page]);
			n_touched += read_fault[page];
			n_written += write_fault[page];
		}
		assert_true(n_written > 0 && n_touched > n_written && n_touched <= 300);
	}
	sigaction(SIGSEGV, &before, NULL);
	munmap(arena, bytes);
}

static void test_writes_leave_the_epoch_and_keep_the_stamp(void **state)
{
	static _Alignas(4096) unsigned char pages[4][WL_PAGE_BYTES];
	uint64_t touched[1] = { 0 }, written[1] = { 0 };
	wl_pick write = 2ull << 32 | 1 << 6 | 5, read = 1ull << 32 | 63;

	(void)state;
	for (int i = 0; i < 4; i++)
		*(uint64_t *)pages[i] = WL_STAMP | i;
	wl_touch(pages[0], &write, 1, 77, touched, written);
	wl_touch(pages[0], &read, 1, 78, touched, written);
	assert_int_equal(touched[0], 6);
	assert_int_equal(written[0], 4);
	for (size_t i = 0; i < 4; i++) {
		for (size_t word = 0; word < 512; word++) {
			uint64_t want = !word ? WL_STAMP | i : 0;

			if (i == 2 && word == 5 * 8 + 1)
				want = 77;
			assert_int_equal(((uint64_t *)pages[i])[word], want);
		}
	}
}

/* --- runs -------------------------------------------------------------------- */

#define MAX_FRAME 400000u

struct seen {
	unsigned char frame[MAX_FRAME];
	uint64_t last_end; /* one past the last run of the line before */
	size_t lines, runs, frames;
};

/* Reads a line as docs/workload-log.md describes it, strictly. */
static int take_line(void *ctx, const char *line)
{
	struct seen *seen = ctx;
	const char *text = line + strlen("touch 9 ");

	assert_memory_equal(line, "touch 9 ", strlen("touch 9 "));
	assert_true(strlen(line) < 4096);
	seen->lines++;
	for (;;) {
		uint64_t first, count;
		int used;

		assert_int_equal(sscanf(text, "%" SCNx64 "+%" SCNu64 "%n", &first, &count, &used),
				 2);
		assert_true(count > 0 && first + count <= MAX_FRAME);
		/* Ascending, and adjacent frames in one run. */
		assert_true(!seen->runs || first > seen->last_end);
		memset(seen->frame + first, 1, count);
		seen->last_end = first + count;
		seen->runs++;
		seen->frames += count;
		text += used;
		if (!*text)
			return 1;
		assert_int_equal(*text++, ',');
	}
}

static struct wl_frames make_frames(uint32_t pages)
{
	return (struct wl_frames){
		.frame = calloc(pages, sizeof(uint64_t)),
		.order = calloc(pages, sizeof(uint32_t)),
		.pages = pages,
	};
}

static void free_frames(struct wl_frames *frames)
{
	free(frames->frame);
	free(frames->order);
}

static struct seen *round_trip(struct wl_frames *frames, const uint64_t *bitmap)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	size_t want = 0;

	assert_int_equal(wl_frames_sort(frames), 0);
	assert_true(wl_truth_emit(frames, bitmap, "touch 9", take_line, seen));
	for (uint32_t page = 0; page < frames->pages; page++) {
		bool set = !bitmap || wl_bitmap_test(bitmap, page);

		assert_int_equal(seen->frame[frames->frame[page]], set);
		want += set;
	}
	assert_int_equal(seen->frames, want);
	return seen;
}

static void test_runs_hold_the_bitmap(void **state)
{
	enum {
		PAGES = 100000
	};
	struct wl_frames frames = make_frames(PAGES);
	uint64_t *bitmap = calloc(wl_bitmap_words(PAGES), sizeof(*bitmap));
	struct seen *seen;

	(void)state;
	/* Frames descend, with a gap after each third: page order is not frame order. */
	for (uint32_t i = 0; i < PAGES; i++)
		frames.frame[i] = (PAGES - 1 - i) * 4 / 3 + 5;
	srand(7);
	for (uint32_t i = 0; i < PAGES; i++)
		if (rand() % 3)
			wl_bitmap_set(bitmap, i);
	seen = round_trip(&frames, bitmap);
	assert_true(seen->lines > 10);
	free(seen);
	seen = round_trip(&frames, NULL);
	assert_int_equal(seen->runs, (PAGES + 2) / 3);
	free(seen);
	free(bitmap);
	free_frames(&frames);
}

static void test_runs_at_the_edges(void **state)
{
	struct wl_frames frames = make_frames(65);
	uint64_t bitmap[2] = { 0, 0 };
	struct seen *seen;

	(void)state;
	for (uint32_t i = 0; i < 65; i++)
		frames.frame[i] = 0x1000 + i;
	seen = round_trip(&frames, bitmap);
	assert_int_equal(seen->lines, 0); /* nothing set: no line, not an empty one */
	free(seen);
	wl_bitmap_set(bitmap, 0);
	wl_bitmap_set(bitmap, 63);
	wl_bitmap_set(bitmap, 64);
	seen = round_trip(&frames, bitmap);
	assert_int_equal(seen->runs, 2);
	free(seen);
	seen = round_trip(&frames, NULL);
	assert_int_equal(seen->runs, 1);
	free(seen);
	frames.frame[64] = 0x1000;
	assert_int_equal(wl_frames_sort(&frames), -EEXIST);
	free_frames(&frames);
}

static int refuse(void *ctx, const char *line)
{
	(void)line;
	++*(int *)ctx;
	return 0;
}

static void test_runs_stop_when_refused(void **state)
{
	struct wl_frames frames = make_frames(5000);
	int lines = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		frames.frame[i] = i * 2;
	assert_int_equal(wl_frames_sort(&frames), 0);
	assert_false(wl_truth_emit(&frames, NULL, "touch 1", refuse, &lines));
	assert_int_equal(lines, 1);
	free_frames(&frames);
}

/* --- options ----------------------------------------------------------------- */

/* Splits @text at spaces; standard error is muted because refusals explain themselves there. */
static enum wl_options_result parse(struct wl_options *options, const char *text)
{
	static char copy[256]; /* options keep pointers into it */
	char *argv[32] = { (char *)"kx-workload" }, *save;
	int argc = 1, stderr_copy = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	enum wl_options_result result;

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	for (char *word = strtok_r(copy, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		argv[argc++] = word;
	dup2(null, STDERR_FILENO);
	result = wl_options_parse(options, argc, argv);
	dup2(stderr_copy, STDERR_FILENO);
	close(stderr_copy);
	close(null);
	return result;
}

static void test_options(void **state)
{
	static const char *const bad[] = {
		"--mem 0",
		"--mem 5",
		"--mem 5000",
		"--mem 1X",
		"--mem -4K",
		"--mem 4KK",
		"--mem",
		"--mem 17T",
		"--mem 99999999999999999999",
		"--ws 128M",
		"--pattern x",
		"--pattern",
		"--read-share 1.1",
		"--read-share -0.1",
		"--read-share nan",
		"--read-share 0.5x",
		"--rate -1",
		"--rate x",
		"--thp yes",
		"--epoch-ms 0",
		"--threads 0",
		"--theta -1",
		"--step-epochs 0",
		"--pattern hotcold --hot-bytes 65M",
		"--mem 8K --threads 3",
		"--pattern idle --epoch-touches 5",
		"--nonsense",
		"stray",
		"--mem 16T",
	};
	struct wl_options options;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(&options, bad[i]) != WL_OPTIONS_BAD)
			fail_msg("accepted %s", bad[i]);

	assert_int_equal(parse(&options, ""), WL_OPTIONS_RUN);
	assert_int_equal(options.mem_bytes, 64 << 20);
	assert_int_equal(options.ws_bytes, 64 << 20);
	assert_int_equal(parse(&options, "--pattern stairs --mem 1g --ws=512M --window 4M --thp on "
					 "--seed 9 --rate 0 --read-share 0.25 --wait --log /x"),
			 WL_OPTIONS_RUN);
	assert_int_equal(options.pattern, WL_STAIRS);
	assert_int_equal(options.mem_bytes, 1 << 30);
	assert_int_equal(options.ws_bytes, 512 << 20);
	assert_int_equal(options.hot_bytes, 4 << 20);
	assert_int_equal(options.thp, 1);
	assert_int_equal(options.seed, 9);
	assert_true(options.read_share == 0.25 && options.wait && !options.virtual);
	assert_string_equal(options.log_path, "/x");
}

static void test_profiles_are_valid(void **state)
{
	FILE *file = fopen(WL_PROFILES, "re");
	char line[256];
	int profiles = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		struct wl_options options;

		if (line[0] == '#')
			continue;
		profiles++;
		if (parse(&options, strchr(line, ' ')) != WL_OPTIONS_RUN)
			fail_msg("not valid: %s", line);
	}
	fclose(file);
	assert_true(profiles >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stays_in_working_set),
		cmocka_unit_test(test_idle_touches_nothing),
		cmocka_unit_test(test_read_share),
		cmocka_unit_test(test_uniform_is_even),
		cmocka_unit_test(test_zipf_has_its_skew),
		cmocka_unit_test(test_zipf_scatters_its_ranks),
		cmocka_unit_test(test_hotcold_shares),
		cmocka_unit_test(test_stairs_moves),
		cmocka_unit_test(test_seq_sweeps_on),
		cmocka_unit_test(test_seq_threads_share_the_sweep),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_bitmaps_are_what_was_touched),
		cmocka_unit_test(test_writes_leave_the_epoch_and_keep_the_stamp),
		cmocka_unit_test(test_runs_hold_the_bitmap),
		cmocka_unit_test(test_runs_at_the_edges),
		cmocka_unit_test(test_runs_stop_when_refused),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_profiles_are_valid),
	};

	return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
