/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracker options on the command line: those of attach and set, made from kx_option_keys. */
#ifndef KX_TRACKER_OPTIONS_H
#define KX_TRACKER_OPTIONS_H

#include "cli.h"
#include "tracker/options.h"

#define KEYS_MAX    32
#define ENTRIES_OWN 10 /* the targets, a command's own options, and the end */

/* One value and one help text for each key of kx_option_keys, in the same order. */
typedef struct {
	char *values[KEYS_MAX], *helps[KEYS_MAX];
	GOptionEntry entries[KEYS_MAX + ENTRIES_OWN];
	guint n; /* number of entries, the end not counted: a command may add its own */
	Targets targets;
} TrackerOptions;

/* @attach FALSE: the help hides the options that only attach can set; if they are given, the daemon's error says what to do. */
void tracker_options_fill(TrackerOptions *a, gboolean attach);
/* "--staleness" alone means "--staleness=yes"; the word after it may be a domain. New texts are added to @owned. */
void tracker_options_complete(int argc, char **argv, GPtrArray *owned);
/* @whole: options that are not given have their defaults, so that all options can be checked together. */
gboolean tracker_options_check(const TrackerOptions *a, gboolean whole, GError **error);
GVariant *tracker_options_given(const TrackerOptions *a); /* a{sv}, floating */
gboolean tracker_options_any(const TrackerOptions *a);	  /* at least one is given */
/*
 * For a command that tracks only while it runs: sets the tracker of an attached VM, or attaches the VM. The tracker is abit if none is
 * given; options that are not given get their defaults.
 */
gboolean tracker_options_switch(const TrackerOptions *a, Cli *cli, const char *target,
				gboolean attached, GError **error);
void tracker_options_clear(TrackerOptions *a);

#endif /* KX_TRACKER_OPTIONS_H */
