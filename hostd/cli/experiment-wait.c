// SPDX-License-Identifier: GPL-2.0-or-later
#include "experiment-internal.h"

static gboolean on_time(gpointer data)
{
	*(gboolean *)data = TRUE;
	return G_SOURCE_REMOVE;
}

gboolean experiment_wait(Experiment *x, guint ms)
{
	gboolean over = FALSE;
	guint timer = g_timeout_add(ms, on_time, &over);

	/* One event is enough: it may be the end of a command. */
	g_main_context_iteration(NULL, TRUE);
	if (!over)
		g_source_remove(timer);
	return x->interrupts < 2;
}
