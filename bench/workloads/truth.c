// SPDX-License-Identifier: GPL-2.0-or-later
#include "truth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Long enough to be worth a write, short enough for a reader's line buffer. */
#define LINE_BYTES    4000
#define LONGEST_RUN   32 /* ",fffffffffffffff+4294967295" */
#define LONGEST_WORDS 64

static int by_frame(const void *a, const void *b, void *ctx)
{
	const uint64_t *frame = ctx;
	uint64_t fa = frame[*(const uint32_t *)a], fb = frame[*(const uint32_t *)b];

	return (fa > fb) - (fa < fb);
}

int wl_frames_sort(struct wl_frames *frames)
{
	for (uint32_t i = 0; i < frames->pages; i++)
		frames->order[i] = i;
	qsort_r(frames->order, frames->pages, sizeof(*frames->order), by_frame, frames->frame);
	for (uint32_t i = 1; i < frames->pages; i++)
		if (frames->frame[frames->order[i]] == frames->frame[frames->order[i - 1]])
			return -EEXIST;
	return 0;
}

struct line {
	const char *prefix;
	wl_line_fn emit;
	void *ctx;
	int len;
	bool has_runs;
	char text[LINE_BYTES + LONGEST_WORDS + LONGEST_RUN];
};

static void line_begin(struct line *line)
{
	line->len = snprintf(line->text, LONGEST_WORDS, "%s ", line->prefix);
	line->has_runs = false;
}

static int line_add(struct line *line, uint64_t gfn, uint64_t count)
{
	line->len += snprintf(line->text + line->len, LONGEST_RUN, "%s%" PRIx64 "+%" PRIu64,
			      line->has_runs ? "," : "", gfn, count);
	line->has_runs = true;
	if (line->len < LINE_BYTES)
		return 1;
	if (!line->emit(line->ctx, line->text))
		return 0;
	line_begin(line);
	return 1;
}

int wl_truth_emit(const struct wl_frames *frames, const uint64_t *bitmap, const char *prefix,
		  wl_line_fn emit, void *ctx)
{
	struct line line = { .prefix = prefix, .emit = emit, .ctx = ctx };
	uint64_t first = 0, count = 0;

	line_begin(&line);
	for (uint32_t i = 0; i < frames->pages; i++) {
		uint32_t page = frames->order[i];
		uint64_t gfn = frames->frame[page];

		if (bitmap && !wl_bitmap_test(bitmap, page))
			continue;
		if (count && gfn == first + count) {
			count++;
			continue;
		}
		if (count && !line_add(&line, first, count))
			return 0;
		first = gfn;
		count = 1;
	}
	if (count && !line_add(&line, first, count))
		return 0;
	return !line.has_runs || emit(ctx, line.text);
}
