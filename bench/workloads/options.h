/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WL_OPTIONS_H
#define WL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "pattern.h"

struct wl_options {
	uint64_t pattern; /* enum wl_pattern_kind */
	uint64_t mem_bytes;
	uint64_t ws_bytes;
	uint64_t hot_bytes;
	uint64_t seed;
	uint64_t rate; /* touches a second of all threads together, 0: no limit */
	uint64_t thp;
	uint64_t epoch_ms;
	uint64_t epoch_touches; /* an epoch is so many touches instead of a time; 0: by time */
	uint64_t epochs;	/* 0: no end */
	uint64_t step_epochs;
	uint64_t threads;
	double read_share;
	double hot_share;
	double theta;
	const char *log_path;	  /* NULL: standard output */
	const char *control_path; /* NULL: standard input */
	bool faults;
	bool wait;
	bool virtual;
};

enum wl_options_result {
	WL_OPTIONS_RUN,
	WL_OPTIONS_DONE, /* --help or --version has been answered */
	WL_OPTIONS_BAD,	 /* an error has been printed to standard error */
};

enum wl_options_result wl_options_parse(struct wl_options *options, int argc, char **argv);

struct wl_pattern_params wl_options_pattern(const struct wl_options *options);

#endif
