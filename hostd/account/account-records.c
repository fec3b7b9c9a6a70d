// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of the stream: to which window each belongs, and what the window keeps of it. */
#include "account-internal.h"

static void on_pass_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	KxAccount *a = data;
	guint i;

	a->in_pass = TRUE;
	a->current = NULL;
	a->current_pass = r->pass;
	a->current_prime = r->h.flags & KVM_EXT_PASS_PRIME;
	for (i = a->windows->len; i-- > 0;) {
		KxAccountWindow *win = a->windows->pdata[i];

		if (win->w->open && win->epoch == r->epoch) {
			a->current = win;
			win->drained_bytes += r->h.size;
			return;
		}
	}
}

/*
 * The window to which a record of @pass belongs. If the pass's PASS_BEGIN was lost, the window is known only if a single
 * window is open. Pass 0 is taken as a priming pass then, whose samples do not count.
 */
static KxAccountWindow *window_of(KxAccount *a, guint64 pass)
{
	KxAccountWindow *only;

	if (a->in_pass && a->current_pass == pass)
		return a->current;
	only = kx_account_last_window(a);
	if (!only || !only->w->open)
		return NULL;
	if (a->windows->len > 1 &&
	    ((KxAccountWindow *)a->windows->pdata[a->windows->len - 2])->w->open)
		return NULL;
	a->in_pass = TRUE;
	a->current = only;
	a->current_pass = pass;
	a->current_prime = pass == 0;
	return only;
}

static KxAccountWindow *sample_window(KxAccount *a, guint64 pass, const struct kvm_ext_record *h)
{
	KxAccountWindow *win = window_of(a, pass);

	if (win)
		win->drained_bytes += h->size;
	else
		a->stray++;
	return win && !a->current_prime ? win : NULL;
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	KxAccountWindow *win = sample_window(data, r->pass, &r->h);

	if (win)
		kx_gfnset_add(win->found, r->gfn, r->npages);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	KxAccountWindow *win = sample_window(data, r->pass, &r->h);

	if (win)
		kx_gfnset_add_bits(win->found, r->gfn, bits, nwords);
}

static void count_access(KxWindow *w, const struct kvm_ext_fault *f)
{
	guint64 *const of_access[] = {
		[KVM_EXT_ACCESS_READ] = &w->trap_reads,
		[KVM_EXT_ACCESS_WRITE] = &w->trap_writes,
		[KVM_EXT_ACCESS_EXEC] = &w->trap_execs,
	};

	++*of_access[f->access];
	w->trap_page_walks += (f->flags & KVM_EXT_FAULT_PAGE_WALK) != 0;
}

/* Of a larger mapping only the accessed page is known, so only this page counts as found. */
static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	KxAccountWindow *win = sample_window(data, r->pass, &r->h);

	for (guint32 i = 0; win && i < r->nr; i++) {
		kx_gfnset_add(win->found, faults[i].gfn, 1);
		count_access(win->w, &faults[i]);
	}
}

/* If one window alone has more regions than all windows may keep, it keeps the hottest. */
static void trim_regions(KxRegions *r)
{
	GArray *ranked;

	if (r->list->len <= KX_ACCOUNT_REGIONS_MAX)
		return;
	ranked = kx_regions_ranked(r);
	g_array_set_size(ranked, KX_ACCOUNT_REGIONS_MAX);
	g_array_unref(r->list);
	r->list = ranked;
	kx_regions_sort(r);
}

static void finish_regions(KxAccount *a, KxAccountWindow *win)
{
	trim_regions(win->coming);
	kx_account_forget_regions(a, win, NULL);
	win->w->regions = g_steal_pointer(&win->coming);
	kx_set_text(&win->w->regions_na, NULL);
	a->regions_kept += win->w->regions->list->len;
	kx_account_stay_bounded(a);
}

/*
 * Whether the VM was paused for more than a tenth of the aggregation: then its regions say less about the memory than those of
 * the aggregation before it.
 */
static gboolean was_paused(const KxAccount *a, const KxAccountWindow *win, guint64 until_ns)
{
	guint64 from_ns = MAX(win->aggregated_ns, win->start_monotonic_ns);

	return until_ns > from_ns &&
	       kx_account_paused_in(a, from_ns, until_ns) * 10 > until_ns - from_ns;
}

/* If a record of an aggregation was lost, the aggregation does not describe the whole memory, and is dropped. */
static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	KxAccount *a = data;
	KxAccountWindow *win = sample_window(a, r->pass, &r->h);

	if (!win)
		return;
	if (!r->first) {
		kx_regions_free(win->coming);
		win->coming = kx_regions_new();
		win->coming->aggregation = r->aggregation;
		win->coming->checks = r->checks;
		win->coming->total = r->total;
	}
	if (!win->coming || win->coming->aggregation != r->aggregation ||
	    win->coming->total != r->total || win->coming->list->len != r->first) {
		g_clear_pointer(&win->coming, kx_regions_free);
		return;
	}
	for (guint32 i = 0; i < r->nr; i++) {
		KxRegion g = { regions[i].gfn, regions[i].npages, regions[i].as_id,
			       regions[i].accesses, regions[i].age };

		g_array_append_val(win->coming->list, g);
	}
	if (win->coming->list->len != r->total)
		return;
	if (was_paused(a, win, r->time_ns))
		g_clear_pointer(&win->coming, kx_regions_free);
	else
		finish_regions(a, win);
	win->aggregated_ns = r->time_ns;
}

static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	KxAccount *a = data;
	KxAccountWindow *win = window_of(a, r->pass);

	a->in_pass = FALSE;
	a->current = NULL;
	if (!win)
		return;
	win->drained_bytes += r->h.size;
	kx_account_pass_ended(a, win, r);
}

const KxStreamOps kx_account_sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.faults = on_faults,
	.regions = on_regions,
};
