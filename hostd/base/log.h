/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structured log lines: what happened (EVENT), to which VM, under which tracker, and a sentence. The writer that the
 * program has set (g_log_set_writer_func) writes these lines.
 */
#ifndef KX_LOG_H
#define KX_LOG_H

#include <glib.h>

/* @vm, @tracker: NULL if there is none. */
void kx_log(GLogLevelFlags level, const char *event, const char *vm, const char *tracker,
	    const char *format, ...) G_GNUC_PRINTF(5, 6);

#endif /* KX_LOG_H */
