// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracker.h"

static const KxTrackerOps *const implementations[] = {
	&kx_tracker_module,
	&kx_tracker_guest,
};

const KxTrackerOps *kx_tracker_ops(const KxTrackerRow *row)
{
	guint i;

	for (i = 0; i < G_N_ELEMENTS(implementations); i++) {
		if (implementations[i]->serves(row))
			return implementations[i];
	}
	return NULL;
}

KxTracker *kx_tracker_open(const KxTrackerOps *ops, const KxTrackerVm *vm, GError **error)
{
	KxTracker *t = g_new0(KxTracker, 1);

	t->ops = ops;
	t->vm = *vm;
	if (ops->open(t, error))
		return t;
	g_free(t);
	return NULL;
}

void kx_tracker_free(KxTracker *t)
{
	if (!t)
		return;
	t->ops->close(t);
	g_free(t);
}
