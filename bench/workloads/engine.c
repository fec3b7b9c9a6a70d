// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "workers.h"

#define TICK_NS (100 * WL_NS_PER_MS) /* the log's readers expect work lines every 250 ms */

struct engine {
	const struct wl_options *options;
	struct wl_arena *arena;
	struct wl_log *log;
	struct wl_control *control;
	struct wl_workers *workers;
	uint64_t epochs;
	uint64_t lost;	   /* lines already reported as lost */
	bool arena_logged; /* the log knows where the arena's pages are now */
	bool idle;	   /* the log knows that nothing is being touched */
};

static int emit(void *ctx, const char *line)
{
	return wl_log_line(ctx, line);
}

static void fail(struct engine *engine, const char *why)
{
	fprintf(stderr, "kx-workload: %s\n", why);
	wl_log_printf(engine->log, "error %s", why);
	wl_log_flush(engine->log);
}

static void log_work(struct engine *engine)
{
	uint64_t work = wl_workers_work(engine->workers);

	wl_log_try_printf(engine->log, "work %" PRIu64 " %" PRIu64, wl_now_realtime(), work);
}

static void log_losses(struct engine *engine)
{
	uint64_t lost = wl_log_lost(engine->log);

	if (lost == engine->lost)
		return;
	if (wl_log_printf(engine->log, "log wait_ns=%" PRIu64 " lost=%" PRIu64,
			  wl_log_waited_ns(engine->log), lost))
		engine->lost = lost;
}

/* Sleeps through the epoch, with a work line at every tick. */
static void attend(struct engine *engine, uint64_t began_ns)
{
	uint64_t tick, end = UINT64_MAX;

	if (!engine->options->epoch_touches)
		end = began_ns + engine->options->epoch_ms * WL_NS_PER_MS;
	do {
		tick = wl_now_monotonic() + TICK_NS;
		if (wl_workers_wait(engine->workers, tick < end ? tick : end))
			return;
		log_work(engine);
	} while (tick < end && !wl_control_cuts_epoch(engine->control));
}

static void log_arena(struct engine *engine)
{
	engine->arena_logged =
		wl_truth_emit(&engine->arena->frames, NULL, "arena", emit, engine->log);
}

/* Sets @moved if the arena's frames are not those of the last look; then logs where they are. */
static bool look_at_frames(struct engine *engine, bool *moved)
{
	int got = wl_arena_check_frames(engine->arena);

	if (got < 0) {
		fail(engine, engine->arena->why);
		return false;
	}
	*moved = got;
	if (*moved)
		wl_log_printf(engine->log, "moved %" PRIu64, wl_now_realtime());
	if (*moved || !engine->arena_logged)
		log_arena(engine);
	return true;
}

static bool log_truth(struct engine *engine)
{
	const struct {
		const char *word;
		const uint64_t *bitmap;
	} lists[] = {
		{ "touch", wl_workers_touched(engine->workers) },
		{ "write", wl_workers_written(engine->workers) },
	};
	bool whole = true;

	for (size_t i = 0; i < 2; i++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "%s %" PRIu64, lists[i].word, engine->epochs);
		whole &= wl_truth_emit(&engine->arena->frames, lists[i].bitmap, prefix, emit,
				       engine->log);
	}
	return whole;
}

/* Returns when it ended; nothing is touched after that. */
static uint64_t touch_for_an_epoch(struct engine *engine)
{
	wl_workers_begin(engine->workers, engine->epochs);
	attend(engine, wl_now_monotonic());
	wl_workers_end(engine->workers);
	return wl_now_realtime();
}

/* All logging but the work lines is between epochs, not within. */
static bool run_epoch(struct engine *engine)
{
	uint64_t epoch = ++engine->epochs, ended;
	bool moved, known, valid;

	engine->idle = false;
	if (!look_at_frames(engine, &moved))
		return false;
	wl_log_flush(engine->log);

	known = wl_log_printf(engine->log, "epoch %" PRIu64 " begin %" PRIu64 " work=%" PRIu64,
			      epoch, wl_now_realtime(), wl_workers_work(engine->workers));
	ended = touch_for_an_epoch(engine);
	if (!look_at_frames(engine, &moved))
		return false;
	/* Without its first line an epoch means nothing to a reader. */
	if (known) {
		valid = log_truth(engine) && engine->arena_logged && !moved;
		wl_log_printf(engine->log,
			      "epoch %" PRIu64 " end %" PRIu64 " work=%" PRIu64 " valid=%d", epoch,
			      ended, wl_workers_work(engine->workers), valid);
	}
	log_losses(engine);
	return true;
}

static void log_idle(struct engine *engine)
{
	if (!engine->idle)
		wl_log_printf(engine->log, "idle %" PRIu64, wl_now_realtime());
	engine->idle = true;
}

static bool log_is_usable(const struct engine *engine)
{
	int error = wl_log_error(engine->log);

	if (error)
		fprintf(stderr, "kx-workload: cannot write the log: %s\n", strerror(error));
	return !error;
}

static bool run_epochs(struct engine *engine)
{
	uint64_t epochs = engine->options->epochs;
	enum wl_order order;

	while ((order = wl_control_next(engine->control)) != WL_ORDER_QUIT) {
		if (order == WL_ORDER_NONE) {
			log_idle(engine);
			wl_control_wait(engine->control);
			continue;
		}
		if (!run_epoch(engine))
			return false;
		if (order == WL_ORDER_EPOCH)
			log_idle(engine);
		if (!log_is_usable(engine))
			return false;
		if (epochs && engine->epochs == epochs)
			break;
	}
	return true;
}

static void say_goodbye(struct engine *engine)
{
	log_idle(engine);
	wl_log_printf(engine->log, "log wait_ns=%" PRIu64 " lost=%" PRIu64,
		      wl_log_waited_ns(engine->log), wl_log_lost(engine->log));
	wl_log_printf(engine->log, "bye %" PRIu64 " work=%" PRIu64, wl_now_realtime(),
		      wl_workers_work(engine->workers));
	wl_log_flush(engine->log);
}

bool wl_engine_run(const struct wl_options *options, struct wl_arena *arena, struct wl_log *log,
		   struct wl_control *control)
{
	struct engine engine = {
		.options = options,
		.arena = arena,
		.log = log,
		.control = control,
		.workers = wl_workers_start(options, arena->base),
	};

	if (!engine.workers) {
		fail(&engine, "out of memory, or cannot start the touching threads");
		return false;
	}
	log_arena(&engine);
	wl_log_printf(log, "ready %" PRIu64, wl_now_realtime());
	engine.idle = options->wait;
	if (options->pattern == WL_IDLE)
		log_idle(&engine);
	if (!run_epochs(&engine))
		return false;
	say_goodbye(&engine);
	return log_is_usable(&engine);
}
