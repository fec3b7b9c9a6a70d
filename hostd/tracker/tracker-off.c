// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracker `off` if the module is not loaded. Nothing is tracked; the window records what the VM does without tracking, for
 * comparison with other windows.
 */
#include "tracker.h"

#include "base/error.h"

typedef struct {
	guint64 epoch, start_ns;
} Off;

static guint64 monotonic_ns(void)
{
	return (guint64)g_get_monotonic_time() * 1000;
}

static gboolean off_serves(const KxTrackerRow *row, guint backends)
{
	return !(backends & KX_BACKEND_MODULE) && row->module_id == KVM_EXT_TRACKER_OFF;
}

static gboolean off_open(KxTracker *t, GError **error)
{
	t->priv = g_new0(Off, 1);
	return TRUE;
}

static void off_close(KxTracker *t)
{
	g_free(t->priv);
}

static gboolean off_start(KxTracker *t, const KxOptions *o, GError **error)
{
	*(Off *)t->priv = (Off){ kx_tracker_new_epoch(), monotonic_ns() };
	return TRUE;
}

static void off_stop(KxTracker *t)
{
}

static gboolean off_stats(KxTracker *t, struct kvm_ext_stats *st, GError **error)
{
	const Off *off = t->priv;

	*st = (struct kvm_ext_stats){ .size = sizeof(*st),
				      .tracker = KVM_EXT_TRACKER_OFF,
				      .epoch = off->epoch,
				      .start_ns = off->start_ns,
				      .now_ns = monotonic_ns(),
				      .memory_bytes = sizeof(*off) };
	return TRUE;
}

static gpointer off_pass_handle(KxTracker *t)
{
	return NULL;
}

static gboolean off_run_pass(gpointer handle, guint64 *pass, GError **error)
{
	g_set_error_literal(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			    "the tracker is off: there is no pass to run");
	return FALSE;
}

static void off_pass_handle_free(gpointer handle)
{
}

static int off_poll_fd(KxTracker *t)
{
	return -1;
}

static gboolean off_drain(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error)
{
	return TRUE;
}

const KxTrackerOps kx_tracker_off = {
	.name = "off",
	.serves = off_serves,
	.open = off_open,
	.close = off_close,
	.start = off_start,
	.stop = off_stop,
	.stats = off_stats,
	.run_pass = off_run_pass,
	.pass_handle = off_pass_handle,
	.pass_handle_free = off_pass_handle_free,
	.poll_fd = off_poll_fd,
	.drain = off_drain,
};
