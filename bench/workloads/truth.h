/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From "which arena pages" to "which guest-physical pages", as lines of the log. Pure.
 */
#ifndef WL_TRUTH_H
#define WL_TRUTH_H

#include <stddef.h>
#include <stdint.h>

/* Where the arena's pages lie: frame[i] of arena page i, and the pages in ascending frame order. */
struct wl_frames {
	uint64_t *frame;
	uint32_t *order;
	uint32_t pages;
};

/* Bitmaps have one bit for each arena page. */
static inline size_t wl_bitmap_words(uint32_t pages)
{
	return (pages + 63ul) / 64;
}

static inline void wl_bitmap_set(uint64_t *bitmap, uint32_t page)
{
	bitmap[page / 64] |= 1ull << page % 64;
}

static inline int wl_bitmap_test(const uint64_t *bitmap, uint32_t page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

/*
 * Sorts @frames->order by @frames->frame. Returns 0, or -EEXIST if two pages share a frame (then
 * nothing that is observed about that frame says which page it was).
 */
int wl_frames_sort(struct wl_frames *frames);

/* Takes one line without newline; false stops the formatting. */
typedef int (*wl_line_fn)(void *ctx, const char *line);

/*
 * Emits "@prefix gfn+count,gfn+count,…" for the pages set in @bitmap (NULL: all), in ascending
 * order, in as many lines as it takes; none when no page is set. Returns 0 if @emit stopped it.
 */
int wl_truth_emit(const struct wl_frames *frames, const uint64_t *bitmap, const char *prefix,
		  wl_line_fn emit, void *ctx);

#endif
