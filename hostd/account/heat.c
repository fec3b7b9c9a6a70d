// SPDX-License-Identifier: GPL-2.0-or-later
#include "heat-internal.h"

#include <string.h>

#include "model/window.h"
#include "rangemap.h"
#include "timemap.h"

/* 512 KiB to 8 MiB; so much is needed only if accessed memory is scattered in so many pieces. */
#define STEPS_MIN (1u << 16)
#define STEPS_MAX (1u << 20)

/* Leaves of 4K, 2M and 1G. */
#define LEAF_SIZES 3u
#define LEAF_STEP  9u

/*
 * What one tracker has found, in all of its windows. A tracker with regions, where one page stands for its region, has another
 * finder than the same tracker without regions.
 */
typedef struct _KxFinder {
	const KxTrackerRow *row;
	gboolean regions;
	guint64 epoch; /* of the tracker's last window */
	guint64 lost;  /* samples that did not fit in the ring */
	/* pages found through leaves of each size: in the current pass; in earlier passes, where older passes weigh less */
	guint64 in_pass[LEAF_SIZES], found[LEAF_SIZES];
	char *options, *mechanism;
	const char *partial;
	KxRangeMap *map;
	KxTimeMap *over_time;
	GPtrArray *processes; /* KxHeatMap, one for each guest process; NULL: none */
} Finder;

static void finder_free(gpointer data)
{
	Finder *f = data;

	kx_rangemap_free(f->map);
	kx_timemap_free(f->over_time);
	g_clear_pointer(&f->processes, g_ptr_array_unref);
	g_free(f->options);
	g_free(f->mechanism);
	g_free(f);
}

KxHeat *kx_heat_new(guint64 last_gfn, guint vcpus)
{
	KxHeat *h = g_new0(KxHeat, 1);

	h->last_gfn = last_gfn;
	h->vcpus = vcpus;
	h->finders = g_ptr_array_new_with_free_func(finder_free);
	h->pages = kx_stepmap_new((guint)CLAMP(last_gfn, STEPS_MIN, STEPS_MAX));
	return h;
}

void kx_heat_grow(KxHeat *h, guint64 last_gfn)
{
	if (last_gfn <= h->last_gfn)
		return;
	h->last_gfn = last_gfn;
	for (guint i = 0; i < h->finders->len; i++) {
		const Finder *f = h->finders->pdata[i];

		kx_rangemap_grow(f->map, last_gfn);
		if (f->over_time)
			kx_timemap_grow(f->over_time, last_gfn);
	}
}

void kx_heat_free(KxHeat *h)
{
	if (!h)
		return;
	kx_stepmap_free(h->pages);
	g_ptr_array_unref(h->finders);
	g_free(h);
}

/* --- finders ------------------------------------------------------------------------------------------------------- */

/* Removes the finder from the list, because the caller appends it at the end; makes a new finder if there is none. */
static Finder *take_finder(KxHeat *h, const KxTrackerRow *row, gboolean regions)
{
	Finder *f;

	for (guint i = 0; i < h->finders->len; i++) {
		f = h->finders->pdata[i];
		if (f->row == row && f->regions == regions)
			return g_ptr_array_steal_index(h->finders, i);
	}
	f = g_new0(Finder, 1);
	f->row = row;
	f->regions = regions;
	return f;
}

static Finder *finder_of(const KxHeat *h, guint64 epoch)
{
	for (guint i = h->finders->len; i-- > 0;) {
		Finder *f = h->finders->pdata[i];

		if (f->epoch == epoch)
			return f;
	}
	return NULL;
}

/* Why the finder's map does not describe all memory; NULL: it does. */
static const char *partial(const KxOptions *o)
{
	if (o->range.npages)
		return "it looked at a part of the memory";
	if (o->tracker->can & KX_CAN_TRAP && o->pages.kind != KX_PAGES_ALL &&
	    o->pages.kind != KX_PAGES_RANDOM)
		return "it watched pages that were chosen";
	return NULL;
}

/* The finder's next pass does not follow its last one: the two are not compared. */
static void rest(const Finder *f)
{
	if (f->over_time)
		kx_timemap_rest(f->over_time);
}

static void drop_leaves(Finder *f)
{
	memset(f->in_pass, 0, sizeof(f->in_pass));
}

/* The pass does not count: its pages and their leaves are forgotten. */
static void drop_pass(Finder *f)
{
	kx_rangemap_drop_pass(f->map);
	if (f->over_time)
		kx_timemap_drop_pass(f->over_time);
	drop_leaves(f);
}

void kx_heat_open(KxHeat *h, guint64 epoch, const KxOptions *o, const char *mechanism)
{
	Finder *f;

	if (!(o->tracker->can & KX_CAN_FIND))
		return;
	f = take_finder(h, o->tracker, o->regions.max != 0);
	if (h->now == f) {
		/* The end of the previous setting's last pass was lost: its pages do not count. */
		drop_pass(f);
		kx_stepmap_drop(h->pages);
		h->now = NULL;
		h->counts = FALSE;
	}
	for (guint i = 0; i < h->finders->len; i++)
		rest(h->finders->pdata[i]);
	rest(f);
	g_ptr_array_add(h->finders, f);
	if (f->over_time && f->partial != partial(o))
		g_clear_pointer(&f->over_time, kx_timemap_free);
	if (f->map &&
	    (!kx_rangemap_is(f->map, o->epoch_ns, o->range_order) || f->partial != partial(o)))
		g_clear_pointer(&f->map, kx_rangemap_free);
	if (!f->map) {
		f->lost = 0;
		memset(f->found, 0, sizeof(f->found));
		f->map = kx_rangemap_new(h->last_gfn, h->vcpus, o->epoch_ns, o->range_order);
	}
	f->partial = partial(o);
	f->epoch = epoch;
	g_free(f->options);
	f->options = kx_options_to_string(o);
	g_free(f->mechanism);
	f->mechanism = g_strdup(f->regions ? "regions" : mechanism);
}

gsize kx_heat_bytes(const KxHeat *h, guint64 epoch)
{
	const Finder *f = finder_of(h, epoch);

	return f ? kx_stepmap_bytes(h->pages) + kx_rangemap_bytes(f->map) +
			       (f->over_time ? kx_timemap_bytes(f->over_time) : 0)
		 : 0;
}

/* --- leaf sizes of found pages ------------------------------------------------------------------------------------ */

static void take_leaves(Finder *f)
{
	for (guint i = 0; i < LEAF_SIZES; i++)
		f->found[i] = f->found[i] * 7 / 8 + f->in_pass[i];
	drop_leaves(f);
}

/* Leaves of this size and larger contain at least half of the found pages. 0: no page's leaf size is known. */
static guint64 leaf_bytes(const Finder *f)
{
	guint64 all = 0, larger = 0;

	for (guint i = 0; i < LEAF_SIZES; i++)
		all += f->found[i];
	if (!all)
		return 0;
	for (guint i = LEAF_SIZES; i > 0; i--) {
		larger += f->found[i - 1];
		if (larger >= all - larger)
			return G_GUINT64_CONSTANT(4096) << ((i - 1) * LEAF_STEP);
	}
	return 0;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static KxTimeMapKind kind_of(const Finder *f)
{
	if (f->row->can & (KX_CAN_GUEST | KX_CAN_TRAP))
		return KX_TIMEMAP_EVENTS;
	if (f->row->can & KX_CAN_AGGREGATE)
		return KX_TIMEMAP_AGGREGATES;
	return f->regions ? KX_TIMEMAP_REGIONS : KX_TIMEMAP_PAGES;
}

static void begin_over_time(KxHeat *h, const struct kvm_ext_rec_pass_begin *r)
{
	Finder *f = h->now;

	if (!h->origin_ns)
		h->origin_ns = r->time_ns;
	if (f && !f->over_time)
		f->over_time = kx_timemap_new(kind_of(f), (f->row->can & KX_CAN_TRAP) != 0,
					      h->last_gfn, h->origin_ns);
}

static void on_pass_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	KxHeat *h = data;

	kx_stepmap_drop(h->pages); /* pages of an earlier pass, if its end was lost */
	if (h->now)
		drop_pass(h->now);
	h->counts = !(r->h.flags & KVM_EXT_PASS_PRIME);
	h->now = finder_of(h, r->epoch);
	if (!h->counts && h->now)
		rest(h->now);
	if (!h->counts)
		h->now = NULL;
	begin_over_time(h, r);
}

/* Whether on_ranked() or on_regions() gets the heat of ranges; runs then only name the hottest memory. */
static gboolean ranks_itself(const Finder *f)
{
	return f->row->can & (KX_CAN_GUEST | KX_CAN_AGGREGATE);
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	KxHeat *h = data;

	if (h->counts)
		kx_stepmap_add(h->pages, r->gfn, r->npages, 1);
	if (!h->now || ranks_itself(h->now))
		return;
	kx_rangemap_add(h->now->map, r->gfn, r->npages, r->npages);
	if (kx_timemap_kind(h->now->over_time) == KX_TIMEMAP_PAGES)
		kx_timemap_add(h->now->over_time, r->gfn, r->npages);
	h->now->in_pass[MIN(r->leaf_order / LEAF_STEP, LEAF_SIZES - 1)] += r->npages;
}

static void on_ranked(void *data, guint64 gfn, guint64 npages, guint64 accesses)
{
	const KxHeat *h = data;

	if (!h->now)
		return;
	kx_rangemap_add(h->now->map, gfn, npages, accesses);
	if (kx_timemap_kind(h->now->over_time) == KX_TIMEMAP_EVENTS)
		kx_timemap_add_events(h->now->over_time, gfn, npages, accesses, FALSE);
}

/* Adds the runs of ones in @word. */
static void add_word(KxStepMap *pages, guint64 gfn, guint64 word)
{
	while (word) {
		guint skip = (guint)__builtin_ctzll(word);
		guint n = ~(word >> skip) ? (guint)__builtin_ctzll(~(word >> skip)) : 64;

		kx_stepmap_add(pages, gfn + skip, n, 1);
		word = skip + n < 64 ? word >> (skip + n) << (skip + n) : 0;
	}
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	KxHeat *h = data;

	if (h->now)
		kx_rangemap_add_bits(h->now->map, r->gfn, bits, nwords);
	if (h->now && kx_timemap_kind(h->now->over_time) == KX_TIMEMAP_PAGES)
		kx_timemap_add_bits(h->now->over_time, r->gfn, bits, nwords);
	for (gsize i = 0; h->counts && i < nwords; i++) {
		add_word(h->pages, r->gfn + i * 64, bits[i]);
		if (h->now)
			h->now->in_pass[0] += (guint)__builtin_popcountll(bits[i]);
	}
}

/* One page stands for its region: all pages of the region count as found as often as this page. */
static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	KxHeat *h = data;

	for (guint32 i = 0; i < r->nr; i++) {
		const struct kvm_ext_region *g = &regions[i];

		if (!g->accesses)
			continue;
		/* A page counts once: pages of a tracker that ranks itself were counted by on_run(). */
		if (h->counts && !(h->now && ranks_itself(h->now)))
			kx_stepmap_add(h->pages, g->gfn, g->npages, g->accesses);
		if (h->now)
			kx_rangemap_add(h->now->map, g->gfn, g->npages, g->accesses * g->npages);
	}
	if (h->now && (kx_timemap_kind(h->now->over_time) == KX_TIMEMAP_REGIONS ||
		       kx_timemap_kind(h->now->over_time) == KX_TIMEMAP_AGGREGATES))
		kx_timemap_add_regions(h->now->over_time, r, regions);
}

/* Traps say nothing about pages without a trap: so a fault does not make a page hotter, but counts only in the tracker's map. */
static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	const KxHeat *h = data;

	for (guint32 i = 0; h->now && i < r->nr; i++) {
		kx_rangemap_add(h->now->map, faults[i].gfn, 1, 1);
		if (kx_timemap_kind(h->now->over_time) == KX_TIMEMAP_EVENTS)
			kx_timemap_add_events(h->now->over_time, faults[i].gfn, 1, 1,
					      faults[i].access == KVM_EXT_ACCESS_WRITE);
	}
}

/* A pass of traps looks for no pages: a page that it did not find is not colder because of this pass. */
static gboolean looks_for_pages(const Finder *f)
{
	return !f || !(f->row->can & KX_CAN_TRAP);
}

/* The same passes count as in the account: samples of passes that prime, were cut, or yielded do not count. */
static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	const guint not_counted = KVM_EXT_PASS_PRIME | KVM_EXT_PASS_CUT | KVM_EXT_PASS_YIELDED;
	KxHeat *h = data;

	if (!h->counts || r->h.flags & not_counted) {
		kx_stepmap_drop(h->pages);
		if (h->now)
			drop_pass(h->now);
	} else {
		kx_stepmap_take(h->pages);
		if (looks_for_pages(h->now) && ++h->passes % KX_HEAT_PASSES == 0)
			kx_stepmap_halve(h->pages);
		if (h->now) {
			kx_rangemap_end_pass(h->now->map, r->time_ns);
			kx_timemap_end_pass(h->now->over_time, r);
			take_leaves(h->now);
			h->now->lost += r->lost_samples;
		}
	}
	h->counts = FALSE;
	h->now = NULL;
}

const KxStreamOps kx_heat_sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.faults = on_faults,
	.regions = on_regions,
	.ranked = on_ranked,
};

/* --- maps ------------------------------------------------------------------------------------------------------------ */

static KxHeatMap *map_of_process(const KxGuestProcess *p)
{
	KxHeatMap *m = kx_heat_map_new();

	m->process = g_strdup(p->name);
	m->pid = (guint32)p->pid;
	m->ranges_total = p->total;
	for (guint i = 0; i < p->ranges->len; i++) {
		const struct kvm_ext_channel_range *g =
			&g_array_index(p->ranges, struct kvm_ext_channel_range, i);
		KxHeatRange r = { g->start, g->size, g->accesses, g->age, 0 };

		if (g->accesses)
			g_array_append_val(m->ranges, r);
	}
	return m;
}

void kx_heat_take_processes(KxHeat *h, guint64 epoch, const GPtrArray *processes)
{
	Finder *f = finder_of(h, epoch);

	if (!f)
		return;
	g_clear_pointer(&f->processes, g_ptr_array_unref);
	f->processes = g_ptr_array_new_with_free_func((GDestroyNotify)kx_heat_map_free);
	for (guint i = 0; i < processes->len; i++)
		g_ptr_array_add(f->processes, map_of_process(processes->pdata[i]));
}

static void identify(const Finder *f, KxHeatMap *m, guint64 running)
{
	m->tracker = g_strdup(f->row->name);
	m->options = g_strdup(f->options);
	m->mechanism = g_strdup(f->mechanism);
	m->running = running && f->epoch == running;
}

KxHeatReport *kx_heat_report(KxHeat *h, guint64 running, guint64 ram_pages)
{
	KxHeatReport *r = kx_heat_report_new();

	for (guint i = 0; i < h->finders->len; i++) {
		const Finder *f = h->finders->pdata[i];
		KxHeatMap *m = kx_rangemap_report(f->map);

		identify(f, m, running);
		m->partial = g_strdup(f->partial);
		m->lost = f->lost;
		m->leaf_bytes = leaf_bytes(f);
		g_ptr_array_add(r->maps, m);
	}
	/* Processes follow all trackers, so that a tracker's index in the list is the number of its bit in seen_by. */
	for (guint i = 0; i < h->finders->len; i++) {
		const Finder *f = h->finders->pdata[i];

		for (guint k = 0; f->processes && k < f->processes->len; k++) {
			KxHeatMap *m = kx_heat_map_copy(f->processes->pdata[k]);

			identify(f, m, running);
			g_ptr_array_add(r->maps, m);
		}
	}
	kx_heat_compare(r, ram_pages << 12);
	return r;
}

static const char *kind_name(const Finder *f)
{
	return f->row->can & KX_CAN_TRAP	      ? "apart"
	       : f->row->sees.says == KX_SEEN_WRITTEN ? "written"
						      : "touched";
}

KxOverTime *kx_heat_over_time(const KxHeat *h, guint64 running, gint64 realtime_ns)
{
	KxOverTime *t = kx_over_time_new();

	for (guint i = 0; i < h->finders->len; i++) {
		const Finder *f = h->finders->pdata[i];
		KxAccessMap *m;

		if (!f->over_time)
			continue;
		m = kx_timemap_report(f->over_time, realtime_ns);
		m->tracker = g_strdup(f->row->name);
		m->options = g_strdup(f->options);
		m->mechanism = g_strdup(f->mechanism);
		m->running = running && f->epoch == running;
		m->partial = g_strdup(f->partial);
		m->kind = g_strdup(kind_name(f));
		m->leaf_bytes = leaf_bytes(f);
		g_ptr_array_add(t->maps, m);
	}
	return t;
}

static const char nested_unseen[] = "NESTED GUESTS WERE SEEN: pages that these map in tables of "
				    "their own (L2) are missing here";

void kx_heat_note_nested_over_time(KxOverTime *t)
{
	for (guint i = 0; i < t->maps->len; i++) {
		KxAccessMap *m = t->maps->pdata[i];
		const KxTrackerRow *row = kx_tracker_by_name(m->tracker);

		if (row && row->blind & KX_BLIND_NESTED)
			kx_set_text(&m->unseen, nested_unseen);
	}
}

void kx_heat_note_nested(KxHeatReport *r)
{
	for (guint i = 0; i < r->maps->len; i++) {
		KxHeatMap *m = r->maps->pdata[i];
		const KxTrackerRow *row = kx_tracker_by_name(m->tracker);

		if (!row || !(row->blind & KX_BLIND_NESTED))
			continue;
		kx_set_text(&m->unseen, nested_unseen);
	}
}
