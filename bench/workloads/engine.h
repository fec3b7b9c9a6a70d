/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Epochs: threads that touch, and the one that starts and ends them and writes down the truth.
 */
#ifndef WL_ENGINE_H
#define WL_ENGINE_H

#include "arena.h"
#include "control.h"
#include "log.h"
#include "options.h"

/* Logs where the arena is, then runs until told to quit. False after a failure, which is printed. */
bool wl_engine_run(const struct wl_options *options, struct wl_arena *arena, struct wl_log *log,
		   struct wl_control *control);

#endif
