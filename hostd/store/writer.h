/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that measures a comparison, in a form that no later process has: its number, its start time, the host's boot. */
#ifndef KX_STORE_WRITER_H
#define KX_STORE_WRITER_H

#include <glib.h>

typedef struct {
	gint64 pid, started;
	char *boot;
} KxWriter;

/* This process. */
void kx_writer_self(KxWriter *w);
void kx_writer_clear(KxWriter *w);
/* Whether the process lives. @pid 0: FALSE. */
gboolean kx_writer_lives(gint64 pid, gint64 started, const char *boot);

#endif /* KX_STORE_WRITER_H */
