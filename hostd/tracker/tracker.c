// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracker.h"

static const KxTrackerOps *const implementations[] = {
	&kx_tracker_module,
	&kx_tracker_guest,
	&kx_tracker_off,
};

const KxTrackerOps *kx_tracker_ops(const KxTrackerRow *row, gboolean module)
{
	guint i;

	for (i = 0; i < G_N_ELEMENTS(implementations); i++) {
		if (implementations[i]->serves(row, module))
			return implementations[i];
	}
	return NULL;
}

/* The module would be here after 50 days of a switch each millisecond. */
#define EPOCH_FIRST (1ull << 32)

guint64 kx_tracker_new_epoch(void)
{
	static gsize given;

	return EPOCH_FIRST + g_atomic_pointer_add(&given, 1);
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
