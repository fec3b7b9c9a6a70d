/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads that touch the arena. Between the start and the end of an epoch they make no
 * system call except the rate limiter's sleep, and read no clock without a rate limit: where the
 * guest's clock is not the TSC, reading it leaves the guest.
 */
#ifndef WL_WORKERS_H
#define WL_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct wl_workers;

/* NULL on failure. */
struct wl_workers *wl_workers_start(const struct wl_options *options, unsigned char *arena);

/* Starts an epoch; every thread begins with empty bitmaps. */
void wl_workers_begin(struct wl_workers *workers, uint64_t epoch);

/* Waits until all have done their touches or @until_ns; true if they have. */
bool wl_workers_wait(struct wl_workers *workers, uint64_t until_ns);

/* Ends the epoch: no touch happens after this returns. */
void wl_workers_end(struct wl_workers *workers);

/* Touches since the start; while an epoch runs, at most some thousand behind. */
uint64_t wl_workers_work(struct wl_workers *workers);

/* After wl_workers_end(): the union of all threads' bitmaps of the epoch. */
const uint64_t *wl_workers_touched(struct wl_workers *workers);
const uint64_t *wl_workers_written(struct wl_workers *workers);

#endif
