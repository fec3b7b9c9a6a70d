// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's DAMON on the VMM's process, as an outside baseline that needs no module. The VM's memory is monitored at its
 * addresses in the VMM ("fvaddr"), and nothing else of the process. DAMON tests and clears the accessed bits of the VMM's page
 * tables, and through the MMU notifier those of KVM's, without a flush.
 *
 * A pass is one aggregation, whose regions the kernel reports (damon-events.h). The kernel sets the pace: an aggregation is a
 * number of sampling intervals, each of which is as long as asked for plus the kdamond's own work.
 *
 *  - In each sampling interval DAMON checks one page of each region. A sample is a check that found its page accessed, as DAMON
 *    reports it: before the report DAMON merges regions, and the number of accesses of a merged region is the mean of its parts.
 *    So there are at most as many samples as such checks. How many checks were made is not reported.
 *  - One page stands for its region: where the account asks which pages were found, it is all pages of a region with accesses.
 *  - The cost is the kdamond's CPU time, and that of the thread here, which reads the regions.
 */
#include "passthread.h"

#include "base/error.h"
#include "damon-events.h"
#include "damon-setup.h"
#include "vm/procstat.h"

#define PAGE_SHIFT 12u
/* How long the thread sleeps at most before it looks whether it is to end. */
#define SLICE_MS 50u

typedef struct {
	char *proc_root;
	pid_t vmm;
	GArray *parts;	/* KxLayoutPart, ascending by address in the VMM */
	GArray *ranges; /* KxDamonRange */
	guint64 pages;
	guint32 checks; /* of each region in an aggregation */
	guint slice_ms;
	KxDamon *damon;
	KxDamonEvents *events;
	const GArray *regions; /* KxDamonRegion, of the next pass's aggregation; owned by @events */
	GArray *pieces;	       /* struct kvm_ext_region */
	guint64 cpu_ns;	       /* CPU time of the kdamond at the end of the previous pass */
	guint64 dropped;       /* number of aggregations that were lost until then */
} Damon;

/* --- the memory --------------------------------------------------------------------------------------------------------- */

static gint by_address(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const KxLayoutPart *)a)->hva, y = ((const KxLayoutPart *)b)->hva;

	return x < y ? -1 : x > y;
}

static void take_parts(Damon *d, const KxLayout *layout, const KxOptions *o)
{
	guint64 first = o->range.first_gfn;
	guint64 end = o->range.npages ? first + o->range.npages : G_MAXUINT64;

	for (guint i = 0; i < layout->parts->len; i++) {
		KxLayoutPart part = g_array_index(layout->parts, KxLayoutPart, i);
		guint64 from = MAX(part.gfn, first), to = MIN(part.gfn + part.npages, end);

		if (from >= to)
			continue;
		part.hva += (from - part.gfn) << PAGE_SHIFT;
		part.gfn = from;
		part.npages = to - from;
		d->pages += part.npages;
		g_array_append_val(d->parts, part);
	}
	g_array_sort(d->parts, by_address);
}

/* Parts that follow each other in the VMM are one range: DAMON would merge them in any case. */
static void make_ranges(Damon *d)
{
	for (guint i = 0; i < d->parts->len; i++) {
		const KxLayoutPart *part = &g_array_index(d->parts, KxLayoutPart, i);
		KxDamonRange r = { part->hva, part->hva + (part->npages << PAGE_SHIFT) };
		KxDamonRange *last =
			d->ranges->len ? &g_array_index(d->ranges, KxDamonRange, d->ranges->len - 1)
				       : NULL;

		if (last && last->end == r.start)
			last->end = r.end;
		else
			g_array_append_val(d->ranges, r);
	}
}

/* The first part that ends behind @address. */
static guint part_behind(const Damon *d, guint64 address)
{
	guint low = 0, high = d->parts->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const KxLayoutPart *p = &g_array_index(d->parts, KxLayoutPart, middle);

		if (p->hva + (p->npages << PAGE_SHIFT) > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* --- a pass ------------------------------------------------------------------------------------------------------------- */

/*
 * Takes the pieces of a region that lie in guest memory: a region may reach over several parts of it. The region's samples are
 * counted with the first piece.
 */
static void take_region(Damon *d, KxPass *p, const KxDamonRegion *r)
{
	guint64 samples = MIN(r->accesses, d->checks);

	for (guint i = part_behind(d, r->start); i < d->parts->len; i++) {
		const KxLayoutPart *part = &g_array_index(d->parts, KxLayoutPart, i);
		guint64 end = part->hva + (part->npages << PAGE_SHIFT);
		guint64 from = MAX(r->start, part->hva), to = MIN(r->end, end);
		struct kvm_ext_region piece = { .accesses = (guint32)MIN(r->accesses, d->checks),
						.age = r->age };

		if (part->hva >= r->end)
			break;
		piece.gfn = part->gfn + ((from - part->hva) >> PAGE_SHIFT);
		piece.npages = (to - from) >> PAGE_SHIFT;
		if (!piece.npages)
			continue;
		g_array_append_val(d->pieces, piece);
		if (piece.accesses)
			kx_pass_found_range(p, piece.gfn, piece.npages, samples);
		samples = 0;
	}
}

static gint by_gfn(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const struct kvm_ext_region *)a)->gfn;
	guint64 y = ((const struct kvm_ext_region *)b)->gfn;

	return x < y ? -1 : x > y;
}

/* The first number in /proc/PID/schedstat is the time on a CPU. A kdamond that has ended uses no more time. */
static guint64 kdamond_cpu_ns(const Damon *d)
{
	g_autofree char *path =
		g_strdup_printf("%s/%d/schedstat", d->proc_root, kx_damon_pid(d->damon));
	g_autofree char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10)
							    : d->cpu_ns;
}

/*
 * Aggregations whose events were lost are taken to have cost as much CPU time as this one: their share of the time is not a cost of
 * this aggregation's samples.
 */
static void add_kdamond_cpu(Damon *d, KxPass *p)
{
	guint64 ns = kdamond_cpu_ns(d), used = ns > d->cpu_ns ? ns - d->cpu_ns : 0;
	guint64 dropped = kx_damon_events_dropped(d->events), lost = dropped - d->dropped;
	guint64 own = used / (lost + 1);

	kx_pass_add_cpu(p, own);
	if (lost)
		kx_pass_lost(p, lost, used - own);
	d->cpu_ns = MAX(ns, d->cpu_ns);
	d->dropped = dropped;
}

static gboolean damon_pass(gpointer work, KxPass *p, GError **error)
{
	Damon *d = work;

	g_array_set_size(d->pieces, 0);
	for (guint i = 0; i < d->regions->len; i++)
		take_region(d, p, &g_array_index(d->regions, KxDamonRegion, i));
	g_array_sort(d->pieces, by_gfn);
	kx_pass_regions(p, (const struct kvm_ext_region *)d->pieces->data, d->pieces->len,
			d->checks);
	add_kdamond_cpu(d, p);
	return TRUE;
}

/* The kdamond ends by itself when the VM does. */
static gboolean ended(const Damon *d, GError **error)
{
	gboolean over = kx_procstat_is_over(d->proc_root, d->vmm);

	g_set_error(error, KX_ERROR, over ? KX_ERROR_VM_GONE : KX_ERROR_FAILED,
		    over ? "tracker damon: process %d has ended"
			 : "tracker damon: DAMON's thread for process %d was stopped by another "
			   "user",
		    d->vmm);
	return FALSE;
}

static gboolean damon_await(gpointer work, KxPass *p, GError **error)
{
	Damon *d = work;
	gboolean runs = TRUE;

	/* First takes an aggregation that is already in the buffer: else a reader that is late would always stay late. */
	while (!kx_pass_is_cut(p)) {
		d->regions = kx_damon_events_next(d->events);
		if (d->regions)
			return TRUE;
		if (!runs)
			return ended(d, error);
		runs = kx_damon_events_wait(d->events, d->slice_ms);
	}
	return TRUE;
}

/* --- start and end -------------------------------------------------------------------------------------------------------- */

static void damon_leave(gpointer work)
{
	Damon *d = work;

	g_clear_pointer(&d->damon, kx_damon_stop);
}

static void damon_free(gpointer work)
{
	Damon *d = work;

	damon_leave(d);
	kx_damon_events_close(d->events);
	g_array_unref(d->parts);
	g_array_unref(d->ranges);
	g_array_unref(d->pieces);
	g_free(d->proc_root);
	g_free(d);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Damon, damon_free)

static gboolean invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean invalid(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error)
		*error = g_error_new_valist(KX_ERROR, KX_ERROR_INVALID_OPTION, format, args);
	va_end(args);
	return FALSE;
}

static gboolean check_memory(const Damon *d, const KxOptions *o, GError **error)
{
	if (!d->parts->len)
		return invalid(error, "tracker damon: the range holds none of the VM's RAM");
	if (o->regions.max < d->ranges->len)
		return invalid(
			error,
			"tracker damon: regions %u:%u are less than the %u separate parts of "
			"the VM's memory; give regions MIN:MAX with a larger MAX",
			o->regions.min, o->regions.max, d->ranges->len);
	return TRUE;
}

static guint64 aggregation_ns(const KxOptions *o)
{
	return o->aggregation_ns ? o->aggregation_ns
				 : o->interval_ns * KVM_EXT_AGGREGATION_PASSES_DEFAULT;
}

static gboolean turn_on(Damon *d, const char *root, const KxOptions *o, GError **error)
{
	const KxDamonTarget target = {
		.pid = d->vmm,
		.sample_us = o->interval_ns / 1000,
		.aggregation_us = aggregation_ns(o) / 1000,
		.regions_min = o->regions.min,
		.regions_max = o->regions.max,
		.ranges = d->ranges,
	};

	d->damon = kx_damon_start(root, d->proc_root, &target, error);
	if (!d->damon)
		return FALSE;
	d->events = kx_damon_events_open(root, kx_damon_pid(d->damon), o->regions.max, error);
	return d->events != NULL;
}

static gsize damon_bytes(gconstpointer work)
{
	const Damon *d = work;

	return sizeof(*d) + kx_damon_events_bytes(d->events) +
	       d->parts->len * sizeof(KxLayoutPart) + d->ranges->len * sizeof(KxDamonRange);
}

static gboolean damon_start(KxTracker *t, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = { "kx-damon",  damon_pass,	 damon_free,
				       damon_await, damon_leave, damon_bytes };
	g_autoptr(Damon) d = g_new0(Damon, 1);
	const char *root = t->vm.root ? t->vm.root : "/";
	KxOptions paced = *o;

	d->proc_root = g_strdup(t->vm.proc_root);
	d->vmm = t->vm.pid;
	d->parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	d->ranges = g_array_new(FALSE, FALSE, sizeof(KxDamonRange));
	d->pieces = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_region));
	take_parts(d, *t->vm.layout, o);
	make_ranges(d);
	paced.interval_ns = aggregation_ns(o);
	d->checks = (guint32)(paced.interval_ns / o->interval_ns);
	d->slice_ms = (guint)CLAMP(paced.interval_ns / 8000000, 1, SLICE_MS);
	if (!check_memory(d, o, error) || !turn_on(d, root, o, error))
		return FALSE;
	return kx_passes_start(t, &paced, &ops, g_steal_pointer(&d), error);
}

static void damon_recover(const char *root, const char *proc_root)
{
	kx_damon_recover(root ? root : "/", proc_root);
}

const KxTrackerOps kx_tracker_damon = {
	.name = "damon",
	.start = damon_start,
	.recover = damon_recover,
	KX_PASSES_OPS,
};
