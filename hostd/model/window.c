// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows and their regions: allocation, and simple properties. */
#include "window.h"

#include <math.h>

#include "fields.h"

KxRegions *kx_regions_new(void)
{
	KxRegions *r = g_new0(KxRegions, 1);

	r->list = g_array_new(FALSE, TRUE, sizeof(KxRegion));
	return r;
}

KxRegions *kx_regions_copy(const KxRegions *r)
{
	KxRegions *c = r ? g_new(KxRegions, 1) : NULL;

	if (!r)
		return NULL;
	*c = *r;
	c->list = g_array_copy(r->list);
	return c;
}

void kx_regions_free(KxRegions *r)
{
	if (!r)
		return;
	g_array_unref(r->list);
	g_free(r);
}

static gint hotter_first(gconstpointer a, gconstpointer b)
{
	const KxRegion *x = a, *y = b;

	if (x->accesses != y->accesses)
		return x->accesses > y->accesses ? -1 : 1;
	if (x->npages != y->npages)
		return x->npages > y->npages ? -1 : 1;
	if (x->age != y->age)
		return x->age > y->age ? -1 : 1;
	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

GArray *kx_regions_ranked(const KxRegions *r)
{
	GArray *list = g_array_copy(r->list);

	g_array_sort(list, hotter_first);
	return list;
}

static gint lower_first(gconstpointer a, gconstpointer b)
{
	const KxRegion *x = a, *y = b;

	if (x->as_id != y->as_id)
		return x->as_id < y->as_id ? -1 : 1;
	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

void kx_regions_sort(KxRegions *r)
{
	g_array_sort(r->list, lower_first);
}

KxWindow *kx_window_new(void)
{
	KxWindow *w = g_new0(KxWindow, 1);

	/* Only the workload's log has these values; joining a log clears the reasons. */
	w->work_na = g_strdup("no workload log was given");
	w->truth_na = g_strdup("no workload log was given");
	w->written_na = g_strdup("no workload log was given");
	return w;
}

KxWindow *kx_window_copy(const KxWindow *w)
{
	KxWindow *c = g_new(KxWindow, 1);

	*c = *w;
	kx_copy_strings(kx_window_fields, c);
	c->regions = w->regions ? kx_regions_copy(w->regions) : NULL;
	c->pauses = w->pauses ? g_array_copy(w->pauses) : NULL;
	return c;
}

void kx_window_free(KxWindow *w)
{
	if (!w)
		return;
	kx_free_strings(kx_window_fields, w);
	kx_regions_free(w->regions);
	g_clear_pointer(&w->pauses, g_array_unref);
	g_free(w);
}

void kx_set_text(char **to, const char *from)
{
	g_free(*to);
	*to = g_strdup(from);
}

double kx_window_run_ns(const KxWindow *w)
{
	return (double)(w->duration_ns - MIN(w->paused_ns, w->duration_ns));
}

double kx_window_tracked_ns(const KxWindow *w)
{
	guint64 yielded_ns = w->has_log ? w->log_yielded_ns : 0;

	yielded_ns -= MIN(yielded_ns, w->paused_yielded_ns);
	return fmax(0, kx_window_run_ns(w) - (double)yielded_ns);
}

gboolean kx_window_was_yielded(const KxWindow *w)
{
	return w->has_log && (w->log_yielded_ns || w->log_yielded_passes);
}

const char *kx_window_mechanism(const KxWindow *w)
{
	if (w->has_log)
		return w->log_backend ? w->log_backend : w->log_mechanism;
	return w->has_guest ? w->guest_event : NULL;
}

char *kx_tracker_label(const char *tracker, const char *mechanism)
{
	if (!mechanism || g_str_equal(mechanism, "unknown"))
		return g_strdup(tracker);
	return g_strdup_printf("%s (%s)", tracker, mechanism);
}
