// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The trackers of kvm_ext.ko. All of them use the session's descriptor, so that the kernel switches from one tracker to another;
 * if the kernel refuses the new tracker, the old tracker continues.
 */
#include "tracker.h"

#include "base/error.h"

static gboolean module_serves(const KxTrackerRow *row, guint backends)
{
	return backends & KX_BACKEND_MODULE && row->module_id >= 0;
}

static gboolean module_open(KxTracker *t, GError **error)
{
	gsize len;
	void *ring = kx_module_ring(t->vm.module, &len);

	t->priv = kx_stream_new(ring, len, error);
	return t->priv != NULL;
}

static void module_close(KxTracker *t)
{
	kx_stream_free(t->priv);
}

/* Chooses pages by heat, and passes them to the module as ranges. */
static gboolean pick_pages(const KxTracker *t, const KxOptions *o, KxPick *pick,
			   struct kvm_ext_tracker *m, GError **error)
{
	gboolean hottest = o->pages.kind == KX_PAGES_HOTTEST;
	guint64 pages = m->npages ? m->npages : t->vm.vm->ram_pages;
	guint64 last = m->npages ? m->npages : t->vm.vm->last_gfn + 1;
	guint64 want = (guint64)((double)pages * o->pages.share_ppm / 1e6);

	if (!t->vm.pick(t->vm.heat, hottest, m->first_gfn, last, want, KVM_EXT_RANGES_MAX, pick)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			    "pages %s: the VM's trackers have found no page accessed since it was "
			    "attached, or not for long; run a tracker of accessed bits first "
			    "(abit, abit-flush or ept-walk, some passes of it), or take pages "
			    "random",
			    hottest ? "hottest" : "coldest");
		return FALSE;
	}
	m->ranges = (guint64)(guintptr)pick->ranges->data;
	m->nr_ranges = pick->ranges->len;
	m->trap_share_ppm = pick->share_ppm;
	return TRUE;
}

static gboolean module_start(KxTracker *t, const KxOptions *o, GError **error)
{
	g_auto(KxPick) pick = { 0 };
	struct kvm_ext_tracker m = { 0 };

	kx_options_to_uapi(o, &m);
	if ((o->pages.kind == KX_PAGES_HOTTEST || o->pages.kind == KX_PAGES_COLDEST) &&
	    !pick_pages(t, o, &pick, &m, error))
		return FALSE;
	return kx_module_set(t->vm.module, &m, error);
}

static void module_stop(KxTracker *t)
{
	struct kvm_ext_tracker off = { .tracker = KVM_EXT_TRACKER_OFF, .cpu = -1 };

	/* Fails only if the VM is gone, and then no tracker runs. */
	kx_module_set(t->vm.module, &off, NULL);
}

static gboolean module_stats(KxTracker *t, struct kvm_ext_stats *st, GError **error)
{
	return kx_module_stats(t->vm.module, st, error);
}

static gboolean module_run_pass(gpointer handle, guint64 *pass, GError **error)
{
	return kx_module_run_pass(handle, pass, error);
}

static gpointer module_pass_handle(KxTracker *t)
{
	return kx_module_ref(t->vm.module);
}

static void module_pass_handle_free(gpointer handle)
{
	kx_module_unref(handle);
}

static int module_poll_fd(KxTracker *t)
{
	return kx_module_fd(t->vm.module);
}

static gboolean module_drain(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error)
{
	return kx_stream_drain(t->priv, sink, data, NULL, error);
}

const KxTrackerOps kx_tracker_module = {
	.name = "module",
	.serves = module_serves,
	.open = module_open,
	.close = module_close,
	.start = module_start,
	.stop = module_stop,
	.stats = module_stats,
	.run_pass = module_run_pass,
	.pass_handle = module_pass_handle,
	.pass_handle_free = module_pass_handle_free,
	.poll_fd = module_poll_fd,
	.drain = module_drain,
};
