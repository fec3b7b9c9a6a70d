// SPDX-License-Identifier: GPL-2.0-or-later
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "touch.h"
#include "truth.h"

#define BATCH		 256 /* touches between two looks at the stop flag; 2 KiB of picks */
#define SLICES_PER_S	 100 /* the rate limiter sleeps at most this often per second */
#define CACHE_LINE_BYTES 64

struct worker {
	_Alignas(CACHE_LINE_BYTES) _Atomic uint64_t work; /* written by its thread alone */
	struct wl_workers *all;
	unsigned int index;
	struct wl_cursor cursor;
	uint64_t *touched, *written;
	uint64_t debt_ns; /* rate: how much later than an epoch's start its first slice is due */
	wl_pick picks[BATCH];
};

struct wl_workers {
	pthread_mutex_t lock; /* guards epoch, running and the three conditions */
	pthread_cond_t begun, ended, stopped;
	uint64_t epoch;
	unsigned int running;
	atomic_bool stop;

	const struct wl_options *options;
	struct wl_pattern pattern;
	unsigned char *arena;
	size_t words; /* of a bitmap */
	unsigned int n;
	struct worker worker[];
};

/* False once the epoch is over. */
static bool sleep_until(struct wl_workers *all, uint64_t due_ns)
{
	pthread_mutex_lock(&all->lock);
	while (!all->stop && wl_cond_wait_until(&all->stopped, &all->lock, due_ns) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&all->lock);
	return !all->stop;
}

/* Up to @n touches; returns how many before the epoch was stopped. */
static uint64_t touch_some(struct worker *worker, uint64_t n)
{
	struct wl_workers *all = worker->all;
	uint64_t done = 0;

	while (done < n && !atomic_load_explicit(&all->stop, memory_order_relaxed)) {
		uint64_t left = n - done;
		size_t batch = wl_cursor_fill(&worker->cursor, &all->pattern, worker->picks,
					      left < BATCH ? left : BATCH);

		if (all->options->faults)
			madvise(all->arena, all->options->ws_bytes, MADV_DONTNEED);
		wl_touch(all->arena, worker->picks, batch, all->epoch, worker->touched,
			 worker->written);
		done += batch;
		atomic_store_explicit(&worker->work,
				      atomic_load_explicit(&worker->work, memory_order_relaxed) +
					      batch,
				      memory_order_relaxed);
	}
	return done;
}

/*
 * Slices at absolute times, so that the mean rate is right whatever a sleep takes; time still
 * owed at the end of an epoch is carried over, so that rates far below one touch an epoch hold.
 */
static void touch_at_rate(struct worker *worker, uint64_t left)
{
	struct wl_workers *all = worker->all;
	double interval_ns = (double)WL_NS_PER_S * all->n / all->options->rate;
	uint64_t slice = (uint64_t)(WL_NS_PER_S / SLICES_PER_S / interval_ns);
	uint64_t start = wl_now_monotonic();
	double due = worker->debt_ns;
	uint64_t now;

	if (!slice)
		slice = 1;
	while (left && sleep_until(all, start + (uint64_t)due)) {
		uint64_t done = touch_some(worker, left < slice ? left : slice);

		left -= done;
		due += done * interval_ns;
	}
	now = wl_now_monotonic() - start;
	worker->debt_ns = due > now ? (uint64_t)(due - now) : 0;
}

static void run_epoch(struct worker *worker, uint64_t epoch)
{
	struct wl_workers *all = worker->all;
	uint64_t touches = all->options->epoch_touches, left = UINT64_MAX;

	if (touches)
		left = touches * (worker->index + 1) / all->n - touches * worker->index / all->n;
	wl_cursor_start_epoch(&worker->cursor, &all->pattern, worker->index, epoch);
	if (all->options->rate)
		touch_at_rate(worker, left);
	else
		touch_some(worker, left);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct wl_workers *all = worker->all;
	uint64_t seen = 0;

	pthread_mutex_lock(&all->lock);
	for (;;) {
		while (all->epoch == seen)
			pthread_cond_wait(&all->begun, &all->lock);
		seen = all->epoch;
		pthread_mutex_unlock(&all->lock);
		run_epoch(worker, seen);
		pthread_mutex_lock(&all->lock);
		if (!--all->running)
			pthread_cond_signal(&all->ended);
	}
	return NULL;
}

static bool init_worker(struct wl_workers *all, unsigned int index)
{
	struct worker *worker = &all->worker[index];

	*worker = (struct worker){
		.all = all,
		.index = index,
		.touched = calloc(all->words, sizeof(uint64_t)),
		.written = calloc(all->words, sizeof(uint64_t)),
	};
	wl_cursor_init(&worker->cursor, &all->pattern, index);
	return worker->touched && worker->written;
}

struct wl_workers *wl_workers_start(const struct wl_options *options, unsigned char *arena)
{
	struct wl_pattern_params params = wl_options_pattern(options);
	struct wl_workers *all = aligned_alloc(
		CACHE_LINE_BYTES, sizeof(*all) + options->threads * sizeof(struct worker));
	pthread_t thread;

	if (!all)
		return NULL;
	*all = (struct wl_workers){
		.options = options,
		.arena = arena,
		.words = wl_bitmap_words(options->mem_bytes / WL_PAGE_BYTES),
		.n = options->threads,
	};
	pthread_mutex_init(&all->lock, NULL);
	wl_cond_init(&all->begun);
	wl_cond_init(&all->ended);
	wl_cond_init(&all->stopped);
	if (wl_pattern_init(&all->pattern, &params))
		return NULL;
	for (unsigned int i = 0; i < all->n; i++)
		if (!init_worker(all, i))
			return NULL;
	if (options->pattern == WL_IDLE)
		return all;
	for (unsigned int i = 0; i < all->n; i++) {
		if (pthread_create(&thread, NULL, work, &all->worker[i]))
			return NULL;
		pthread_detach(thread);
	}
	return all;
}

void wl_workers_begin(struct wl_workers *all, uint64_t epoch)
{
	/* No thread touches now, and the lock below publishes this. */
	for (unsigned int i = 0; i < all->n; i++) {
		memset(all->worker[i].touched, 0, all->words * sizeof(uint64_t));
		memset(all->worker[i].written, 0, all->words * sizeof(uint64_t));
	}
	pthread_mutex_lock(&all->lock);
	all->epoch = epoch;
	all->stop = false;
	all->running = all->options->pattern == WL_IDLE ? 0 : all->n;
	pthread_cond_broadcast(&all->begun);
	pthread_mutex_unlock(&all->lock);
}

bool wl_workers_wait(struct wl_workers *all, uint64_t until_ns)
{
	bool idle = all->options->pattern == WL_IDLE, ended;
	int err = 0;

	pthread_mutex_lock(&all->lock);
	while ((idle || all->running) && err != ETIMEDOUT)
		err = wl_cond_wait_until(&all->ended, &all->lock, until_ns);
	ended = !idle && !all->running;
	pthread_mutex_unlock(&all->lock);
	return ended;
}

void wl_workers_end(struct wl_workers *all)
{
	pthread_mutex_lock(&all->lock);
	all->stop = true;
	pthread_cond_broadcast(&all->stopped);
	while (all->running)
		pthread_cond_wait(&all->ended, &all->lock);
	pthread_mutex_unlock(&all->lock);
}

uint64_t wl_workers_work(struct wl_workers *all)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < all->n; i++)
		sum += atomic_load_explicit(&all->worker[i].work, memory_order_relaxed);
	return sum;
}

static const uint64_t *merge(struct wl_workers *all, uint64_t *into, size_t member)
{
	for (unsigned int i = 1; i < all->n; i++) {
		const uint64_t *from = *(uint64_t **)((char *)&all->worker[i] + member);

		for (size_t w = 0; w < all->words; w++)
			into[w] |= from[w];
	}
	return into;
}

const uint64_t *wl_workers_touched(struct wl_workers *all)
{
	return merge(all, all->worker[0].touched, offsetof(struct worker, touched));
}

const uint64_t *wl_workers_written(struct wl_workers *all)
{
	return merge(all, all->worker[0].written, offsetof(struct worker, written));
}
