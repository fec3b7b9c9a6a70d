/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which page is touched next. Pure: no memory of the arena, no clock, no I/O.
 *
 * A pattern is shared and read only once made; a cursor is one thread's place in it. With the
 * same parameters, thread and epoch the picks are the same on every machine.
 */
#ifndef WL_PATTERN_H
#define WL_PATTERN_H

#include <stddef.h>
#include <stdint.h>

enum wl_pattern_kind {
	WL_UNIFORM,
	WL_ZIPF,
	WL_HOTCOLD,
	WL_STAIRS,
	WL_SEQ,
	WL_IDLE,
	WL_PATTERN_KINDS,
};

extern const char *const wl_pattern_names[WL_PATTERN_KINDS];

struct wl_pattern_params {
	enum wl_pattern_kind kind;
	uint64_t seed;
	uint32_t ws_pages;    /* working set: arena pages 0 … ws_pages - 1 */
	uint32_t hot_pages;   /* hotcold, stairs: size of the hot window */
	double hot_share;     /* hotcold, stairs: share of the touches that go to the window */
	double theta;	      /* zipf: the page of rank r weighs 1 / r^theta */
	uint32_t step_epochs; /* stairs: epochs between two steps */
	double read_share;    /* share of the touches that are reads */
	unsigned int threads;
};

/*
 * One touch, in one word so that a batch of them stays in the L1 cache:
 * bits 63-32 arena page, bit 6 set for a write, bits 5-0 cache line in the page.
 */
typedef uint64_t wl_pick;

static inline uint32_t wl_pick_page(wl_pick p)
{
	return p >> 32;
}

static inline unsigned int wl_pick_line(wl_pick p)
{
	return p & 63;
}

static inline int wl_pick_is_write(wl_pick p)
{
	return p >> 6 & 1;
}

struct wl_zipf_slot {
	uint32_t below; /* page when the draw is below the threshold */
	uint32_t above; /* page otherwise */
	uint32_t threshold;
};

struct wl_pattern {
	struct wl_pattern_params params;
	uint64_t hot_below;	    /* of 2^32 */
	uint32_t read_below;	    /* of 2^16 */
	struct wl_zipf_slot *slots; /* zipf only: Walker's alias table */
};

struct wl_cursor {
	uint64_t rng;
	uint32_t hot_first, hot_pages;	/* this epoch's window */
	uint32_t next, first, past_end; /* seq: this thread's part of the working set */
};

/* 0 or -ENOMEM. The parameters must have been checked. */
int wl_pattern_init(struct wl_pattern *pattern, const struct wl_pattern_params *params);
void wl_pattern_destroy(struct wl_pattern *pattern);

void wl_cursor_init(struct wl_cursor *cursor, const struct wl_pattern *pattern,
		    unsigned int thread);

/* Epochs count from 1. Only seq carries anything over from the epoch before: its place. */
void wl_cursor_start_epoch(struct wl_cursor *cursor, const struct wl_pattern *pattern,
			   unsigned int thread, uint64_t epoch);

/* Writes the next @n picks; returns how many: @n, or 0 for a pattern that touches nothing. */
size_t wl_cursor_fill(struct wl_cursor *cursor, const struct wl_pattern *pattern, wl_pick *picks,
		      size_t n);

#endif
