// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kx-workload: touches guest memory in a known pattern and logs exactly which pages it touched.
 *
 * What it measures: the work it gets done (touches), and the truth that a tracker's samples are
 * compared with. How: every access to the arena goes through one loop that sets the page's bit in
 * a bitmap; at the end of an epoch the bits become runs of guest-physical page numbers. What it
 * cannot show: accesses that are not its own (guest kernel, page tables, its own stack and
 * bitmaps), and what a CPU reads ahead or on a wrong path. docs/workload-log.md has the format.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "arena.h"
#include "control.h"
#include "endpoint.h"
#include "engine.h"
#include "log.h"
#include "options.h"
#include "touch.h"

enum {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_NO_GFNS
};

#define QUEUE_BASE_BYTES     (1ull << 20)
#define QUEUE_BYTES_PER_PAGE 16

static void log_first_line(const struct wl_options *o, const char *addr,
			   const struct wl_arena *arena, long long huge_bytes, struct wl_log *log)
{
	char huge[32] = "n/a";

	if (huge_bytes >= 0)
		snprintf(huge, sizeof(huge), "%lld", huge_bytes);
	wl_log_printf(log,
		      "kx-workload 1 pattern=%s seed=%" PRIu64 " arena_pages=%" PRIu64
		      " ws_pages=%" PRIu64 " page_bytes=%lu read_share=%g rate=%" PRIu64
		      " thp=%s epoch_ms=%" PRIu64 " threads=%" PRIu64
		      " addr=%s epoch_touches=%" PRIu64 " hot_pages=%" PRIu64
		      " hot_share=%g theta=%g step_epochs=%" PRIu64 " huge_bytes=%s faults=%s"
		      " base=%" PRIxPTR,
		      wl_pattern_names[o->pattern], o->seed, o->mem_bytes / WL_PAGE_BYTES,
		      o->ws_bytes / WL_PAGE_BYTES, WL_PAGE_BYTES, o->read_share, o->rate,
		      o->thp ? "on" : "off", o->epoch_ms, o->threads, addr, o->epoch_touches,
		      o->hot_bytes / WL_PAGE_BYTES, o->hot_share, o->theta, o->step_epochs, huge,
		      o->faults ? "on" : "off", (uintptr_t)arena->base);
}

/* Logs the failure, because otherwise a host that waits for "ready" would wait for ever. */
static int give_up(const struct wl_arena *arena, struct wl_log *log, int status)
{
	fprintf(stderr, "kx-workload: %s\n", arena->why);
	wl_log_printf(log, "error %s", arena->why);
	wl_log_flush(log);
	return status;
}

static int run(const struct wl_options *options, struct wl_log *log, struct wl_control *control)
{
	struct wl_arena arena;
	int err = wl_arena_create(&arena, options->mem_bytes / WL_PAGE_BYTES, options->thp,
				  options->faults);

	if (!err)
		err = options->virtual ? wl_arena_use_virtual(&arena) : wl_arena_use_gfns(&arena);
	if (err) {
		log_first_line(options, "none", &arena, -1, log);
		return give_up(&arena, log, err == -ENXIO ? EXIT_NO_GFNS : EXIT_FAILED);
	}
	log_first_line(options, options->virtual ? "virtual" : "gfn", &arena,
		       wl_arena_huge_bytes(&arena), log);
	return wl_engine_run(options, &arena, log, control) ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct wl_options options;
	struct wl_control *control;
	struct wl_log *log;
	int log_fd, control_fd, status;

	switch (wl_options_parse(&options, argc, argv)) {
	case WL_OPTIONS_DONE:
		return EXIT_OK;
	case WL_OPTIONS_BAD:
		return EXIT_USAGE;
	case WL_OPTIONS_RUN:
		break;
	}
	if (wl_endpoints_open(options.log_path, options.control_path, &log_fd, &control_fd))
		return EXIT_FAILED;
	/* A log without a reader is an error that is reported, and must not end the program by a signal. */
	signal(SIGPIPE, SIG_IGN);
	wl_control_block_signals();
	log = wl_log_start(log_fd, QUEUE_BASE_BYTES + options.mem_bytes / WL_PAGE_BYTES *
							      QUEUE_BYTES_PER_PAGE);
	control =
		log ? wl_control_start(control_fd, !options.wait, log, control_fd == log_fd) : NULL;
	if (!control) {
		fprintf(stderr, "kx-workload: out of memory, or cannot start a thread\n");
		return EXIT_FAILED;
	}
	wl_arena_forbid_compaction();
	status = run(&options, log, control);
	wl_arena_allow_compaction();
	return status;
}
