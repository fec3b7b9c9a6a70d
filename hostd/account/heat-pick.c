// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages chosen by their heat. */
#include "heat-internal.h"

#define HEAT_CLASSES (KX_STEPMAP_TOP + 1)

guint kx_heat_of(const KxHeat *h, guint64 gfn)
{
	return kx_stepmap_at(h->pages, gfn);
}

/* A run of chosen pages. */
typedef struct {
	guint64 gfn, npages;
	guint64 weight; /* the sum of its pages' worth: the heat, or 1 if the coldest are chosen */
} Range;

/* The state of choosing, while it goes through the memory. */
typedef struct {
	gboolean hottest;
	guint64 classes[HEAT_CLASSES]; /* number of pages with each heat */
	guint edge;		       /* the last class of which pages are taken */
	guint64 of_edge;	       /* number of its pages that are taken */
	guint max_ranges;
	GArray *ranges; /* Range */
} Choice;

static void count_class(gpointer data, guint64 gfn, guint64 npages, guint heat)
{
	((Choice *)data)->classes[heat] += npages;
}

static gint heavier_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Range *)a)->weight, y = ((const Range *)b)->weight;

	return x > y ? -1 : x < y;
}

static gint lower_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Range *)a)->gfn, y = ((const Range *)b)->gfn;

	return x < y ? -1 : x > y;
}

/* All ranges are complete here: a page that comes later is adjacent to none of them. */
static void keep_best(Choice *c)
{
	g_array_sort(c->ranges, heavier_first);
	g_array_set_size(c->ranges, c->max_ranges);
}

static void take(Choice *c, guint64 gfn, guint64 npages, guint64 worth)
{
	Range *last = c->ranges->len ? &g_array_index(c->ranges, Range, c->ranges->len - 1) : NULL;
	Range r = { gfn, npages, npages * worth };

	if (last && last->gfn + last->npages == gfn) {
		last->npages += npages;
		last->weight += r.weight;
		return;
	}
	if (c->ranges->len >= 4 * c->max_ranges)
		keep_best(c);
	g_array_append_val(c->ranges, r);
}

static void take_if_chosen(gpointer data, guint64 gfn, guint64 npages, guint heat)
{
	Choice *c = data;
	gboolean better = c->hottest ? heat > c->edge : heat < c->edge;

	if (!better) {
		if (heat != c->edge)
			return;
		npages = MIN(npages, c->of_edge);
		c->of_edge -= npages;
	}
	if (npages)
		take(c, gfn, npages, c->hottest ? heat : 1);
}

/* Sets the edge. Returns how many pages are taken: all pages of the classes before the edge, and of_edge pages of its class. */
static guint64 find_edge(Choice *c, guint64 want)
{
	guint64 taken = 0;

	for (guint i = 0; i < HEAT_CLASSES; i++) {
		guint class = c->hottest ? HEAT_CLASSES - 1 - i : i;

		if (!c->classes[class] || (c->hottest && !class))
			continue;
		c->edge = class;
		/* the first class is taken whole */
		c->of_edge = taken ? MIN(c->classes[class], want - taken) : c->classes[class];
		taken += c->of_edge;
		if (taken >= want)
			break;
	}
	return taken;
}

gboolean kx_heat_pick(gconstpointer heat, gboolean hottest, guint64 first_gfn, guint64 npages,
		      guint64 want, guint max_ranges, KxPick *pick)
{
	const KxHeat *h = heat;
	Choice c = { .hottest = hottest, .max_ranges = max_ranges };
	guint64 found, end = first_gfn + npages;

	want = MAX(want, 1);
	kx_stepmap_each(h->pages, first_gfn, end, count_class, &c);
	if (c.classes[0] == npages && (hottest || !h->passes))
		return FALSE;
	found = find_edge(&c, want);
	c.ranges = g_array_new(FALSE, FALSE, sizeof(Range));
	kx_stepmap_each(h->pages, first_gfn, end, take_if_chosen, &c);
	if (c.ranges->len > max_ranges)
		keep_best(&c);
	g_array_sort(c.ranges, lower_first);
	pick->share_ppm = (guint32)(found > want ? MAX(want * 1000000 / found, 1) : 1000000);
	pick->pages = 0;
	pick->ranges = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_range));
	for (guint i = 0; i < c.ranges->len; i++) {
		const Range *r = &g_array_index(c.ranges, Range, i);
		struct kvm_ext_range out = { r->gfn, r->npages };

		pick->pages += r->npages;
		g_array_append_val(pick->ranges, out);
	}
	g_array_unref(c.ranges);
	return TRUE;
}
