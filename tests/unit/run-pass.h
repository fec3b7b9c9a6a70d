/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass on request, as for a call of RunPass. */
#ifndef KX_TESTS_RUN_PASS_H
#define KX_TESTS_RUN_PASS_H

#include "tracker/tracker.h"

static gboolean run_pass(KxTracker *t, GError **error)
{
	gpointer handle = t->ops->pass_handle(t);
	guint64 pass;
	gboolean ok = t->ops->run_pass(handle, &pass, error);

	t->ops->pass_handle_free(handle);
	return ok;
}

#endif /* KX_TESTS_RUN_PASS_H */
