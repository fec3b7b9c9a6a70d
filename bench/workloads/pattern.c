// SPDX-License-Identifier: GPL-2.0-or-later
#include "pattern.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const wl_pattern_names[WL_PATTERN_KINDS] = {
	[WL_UNIFORM] = "uniform", [WL_ZIPF] = "zipf", [WL_HOTCOLD] = "hotcold",
	[WL_STAIRS] = "stairs",	  [WL_SEQ] = "seq",   [WL_IDLE] = "idle",
};

/* SplitMix64: a counter and a mixer. Any seed is good, and so is any neighbour of a seed. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline uint64_t draw(uint64_t *rng)
{
	return mix(*rng += 0x9e3779b97f4a7c15);
}

/* 0 … n - 1 from the upper half of a draw, without a division. */
static inline uint32_t scale(uint64_t random, uint32_t n)
{
	return (random >> 32) * n >> 32;
}

/* Line and direction come from the lower half of the draw that chose the page. */
static inline wl_pick make_pick(const struct wl_pattern *pattern, uint32_t page, uint64_t random)
{
	uint64_t write = (random >> 6 & 0xffff) >= pattern->read_below;

	return (uint64_t)page << 32 | write << 6 | (random & 63);
}

static void fill_uniform(struct wl_cursor *cursor, const struct wl_pattern *pattern, wl_pick *picks,
			 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t random = draw(&cursor->rng);

		picks[i] = make_pick(pattern, scale(random, pattern->params.ws_pages), random);
	}
}

static void fill_zipf(struct wl_cursor *cursor, const struct wl_pattern *pattern, wl_pick *picks,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t random = draw(&cursor->rng);
		uint32_t coin = draw(&cursor->rng) >> 32;
		const struct wl_zipf_slot *slot =
			&pattern->slots[scale(random, pattern->params.ws_pages)];

		picks[i] = make_pick(pattern, coin < slot->threshold ? slot->below : slot->above,
				     random);
	}
}

static void fill_window(struct wl_cursor *cursor, const struct wl_pattern *pattern, wl_pick *picks,
			size_t n)
{
	uint32_t cold_pages = pattern->params.ws_pages - cursor->hot_pages;

	for (size_t i = 0; i < n; i++) {
		uint64_t random = draw(&cursor->rng);
		uint64_t coin = draw(&cursor->rng) >> 32;
		uint32_t page;

		if (coin < pattern->hot_below || !cold_pages) {
			page = cursor->hot_first + scale(random, cursor->hot_pages);
		} else {
			page = scale(random, cold_pages);
			if (page >= cursor->hot_first)
				page += cursor->hot_pages;
		}
		picks[i] = make_pick(pattern, page, random);
	}
}

static void fill_seq(struct wl_cursor *cursor, const struct wl_pattern *pattern, wl_pick *picks,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		picks[i] = make_pick(pattern, cursor->next, draw(&cursor->rng));
		if (++cursor->next == cursor->past_end)
			cursor->next = cursor->first;
	}
}

typedef void (*fill_fn)(struct wl_cursor *, const struct wl_pattern *, wl_pick *, size_t);

static const fill_fn fills[WL_PATTERN_KINDS] = {
	[WL_UNIFORM] = fill_uniform, [WL_ZIPF] = fill_zipf, [WL_HOTCOLD] = fill_window,
	[WL_STAIRS] = fill_window,   [WL_SEQ] = fill_seq,   [WL_IDLE] = NULL,
};

/* Rank r sits on a page chosen by the seed, so that hot pages are not neighbours. */
static void shuffle(uint32_t *pages, uint32_t n, uint64_t seed)
{
	uint64_t rng = mix(seed ^ 0x7a697066);

	for (uint32_t i = 0; i < n; i++)
		pages[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = scale(draw(&rng), i + 1);
		uint32_t page = pages[i];

		pages[i] = pages[j];
		pages[j] = page;
	}
}

/*
 * Walker's alias method as Vose builds it: every slot holds one page's own weight up to the mean
 * and is filled up from one heavier page. A draw then costs one look-up for any theta, with no
 * pow() in the touch loop. @work holds the light ranks from below and the heavy ones from above.
 */
static void build_alias(struct wl_zipf_slot *slots, const uint32_t *pages, double *weight,
			uint32_t *work, uint32_t n)
{
	uint32_t lights = 0, heavy_at = n;

	for (uint32_t rank = n; rank-- > 0;) {
		if (weight[rank] < 1.0)
			work[lights++] = rank;
		else
			work[--heavy_at] = rank;
	}
	while (lights && heavy_at < n) {
		uint32_t light = work[--lights], heavy = work[heavy_at];

		slots[light].below = pages[light];
		slots[light].above = pages[heavy];
		slots[light].threshold = (uint32_t)(weight[light] * 4294967296.0);
		weight[heavy] -= 1.0 - weight[light];
		if (weight[heavy] < 1.0) {
			heavy_at++;
			work[lights++] = heavy;
		}
	}
	/* What is left weighs the mean, but for rounding. */
	while (heavy_at < n)
		work[lights++] = work[heavy_at++];
	while (lights) {
		uint32_t rank = work[--lights];

		slots[rank] = (struct wl_zipf_slot){ pages[rank], pages[rank], 0 };
	}
}

static int init_zipf(struct wl_pattern *pattern)
{
	uint32_t n = pattern->params.ws_pages;
	uint32_t *pages = malloc(n * sizeof(*pages));
	uint32_t *work = malloc(n * sizeof(*work));
	double *weight = malloc(n * sizeof(*weight));
	double sum = 0;
	int err = -ENOMEM;

	pattern->slots = malloc(n * sizeof(*pattern->slots));
	if (!pages || !work || !weight || !pattern->slots)
		goto out;

	shuffle(pages, n, pattern->params.seed);
	for (uint32_t i = 0; i < n; i++) {
		weight[i] = pow(i + 1.0, -pattern->params.theta);
		sum += weight[i];
	}
	for (uint32_t i = 0; i < n; i++)
		weight[i] *= n / sum;
	build_alias(pattern->slots, pages, weight, work, n);
	err = 0;
out:
	free(pages);
	free(work);
	free(weight);
	return err;
}

int wl_pattern_init(struct wl_pattern *pattern, const struct wl_pattern_params *params)
{
	*pattern = (struct wl_pattern){
		.params = *params,
		.hot_below = (uint64_t)(params->hot_share * 4294967296.0),
		.read_below = (uint32_t)(params->read_share * 65536.0),
	};
	return params->kind == WL_ZIPF ? init_zipf(pattern) : 0;
}

void wl_pattern_destroy(struct wl_pattern *pattern)
{
	free(pattern->slots);
	pattern->slots = NULL;
}

void wl_cursor_init(struct wl_cursor *cursor, const struct wl_pattern *pattern, unsigned int thread)
{
	const struct wl_pattern_params *params = &pattern->params;
	uint64_t pages = params->ws_pages;

	*cursor = (struct wl_cursor){
		.first = pages * thread / params->threads,
		.past_end = pages * (thread + 1) / params->threads,
	};
	cursor->next = cursor->first;
}

/* The last window is cut short where the window does not divide the working set. */
static void place_window(struct wl_cursor *cursor, const struct wl_pattern_params *params,
			 uint64_t epoch)
{
	uint32_t windows, left;

	cursor->hot_first = 0;
	cursor->hot_pages = params->hot_pages;
	if (params->kind != WL_STAIRS)
		return;

	windows = (params->ws_pages + (uint64_t)params->hot_pages - 1) / params->hot_pages;
	cursor->hot_first = (epoch - 1) / params->step_epochs % windows * params->hot_pages;
	left = params->ws_pages - cursor->hot_first;
	if (cursor->hot_pages > left)
		cursor->hot_pages = left;
}

void wl_cursor_start_epoch(struct wl_cursor *cursor, const struct wl_pattern *pattern,
			   unsigned int thread, uint64_t epoch)
{
	cursor->rng = mix(mix(mix(pattern->params.seed) + epoch) + thread);
	place_window(cursor, &pattern->params, epoch);
}

size_t wl_cursor_fill(struct wl_cursor *cursor, const struct wl_pattern *pattern, wl_pick *picks,
		      size_t n)
{
	fill_fn fill = fills[pattern->params.kind];

	if (!fill)
		return 0;
	fill(cursor, pattern, picks, n);
	return n;
}
