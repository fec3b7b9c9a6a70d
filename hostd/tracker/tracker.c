// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracker.h"

static const KxTrackerOps *const implementations[] = {
	&kx_tracker_dirty_tap,	&kx_tracker_module,    &kx_tracker_guest,
	&kx_tracker_soft_dirty, &kx_tracker_idle_page, &kx_tracker_damon,
	&kx_tracker_dirty_rate, &kx_tracker_mglru,     &kx_tracker_off,
};

static gboolean serves(const KxTrackerOps *ops, const KxTrackerRow *row, guint backends)
{
	return ops->serves ? ops->serves(row, backends) : g_str_equal(row->name, ops->name);
}

const KxTrackerOps *kx_tracker_ops(const KxTrackerRow *row, guint backends)
{
	guint i;

	for (i = 0; i < G_N_ELEMENTS(implementations); i++) {
		if (serves(implementations[i], row, backends))
			return implementations[i];
	}
	return NULL;
}

void kx_trackers_recover(const char *root, const char *proc_root)
{
	for (guint i = 0; i < G_N_ELEMENTS(implementations); i++) {
		if (implementations[i]->recover)
			implementations[i]->recover(root, proc_root);
	}
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
