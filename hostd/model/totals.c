// SPDX-License-Identifier: GPL-2.0-or-later
#include "totals.h"

#include <math.h>

/* One function for each counter: total_passes, … */
#define TOTAL(name, unit, needs, value, help)         \
	static double total_##name(const KxWindow *w) \
	{                                             \
		return value;                         \
	}
#include "model/window.def"

const KxTotalSpec kx_totals[KX_TOTALS] = {
#define TOTAL(name, unit, needs, value, help) \
	[KX_TOTAL_OF_##name] = { #name, unit, help, KX_TOTAL_##needs },
#include "model/window.def"
};

#define PART_OF_(id) KX_PART_##id
#define PART_OF(id)  PART_OF_(id)

static const struct {
	double (*value)(const KxWindow *w);
	KxPart part; /* windows without it do not have the counter */
} read_total[KX_TOTALS] = {
#define TOTAL(name, unit, needs, value, help) \
	[KX_TOTAL_OF_##name] = { total_##name, PART_OF(PART_NOW) },
#include "model/window.def"
};

/* Offsets of the gboolean in KxWindow. */
static const gsize has_part[KX_PARTS] = {
#define PART(id, name, has, none, heading, manual) [KX_PART_##id] = G_STRUCT_OFFSET(KxWindow, has),
#include "model/window.def"
};

static void totals_free(gpointer data)
{
	KxTotals *t = data;

	g_free(t->label);
	g_free(t->tracker);
	g_free(t);
}

GPtrArray *kx_totals_new(void)
{
	return g_ptr_array_new_with_free_func(totals_free);
}

static KxTotals *find(const GPtrArray *list, const char *label)
{
	for (guint i = 0; i < list->len; i++) {
		KxTotals *t = list->pdata[i];

		if (g_str_equal(t->label, label))
			return t;
	}
	return NULL;
}

static KxTotals *add_totals(GPtrArray *list, char *label, const char *tracker, gboolean event)
{
	KxTotals *t = g_new0(KxTotals, 1);

	t->label = label;
	t->tracker = g_strdup(tracker);
	t->event = event;
	for (guint i = 0; i < KX_TOTALS; i++)
		t->values[i] = NAN;
	g_ptr_array_add(list, t);
	return t;
}

GPtrArray *kx_totals_copy(const GPtrArray *list)
{
	GPtrArray *copy = kx_totals_new();

	for (guint i = 0; i < list->len; i++) {
		const KxTotals *t = list->pdata[i];
		KxTotals *c = add_totals(copy, g_strdup(t->label), t->tracker, t->event);

		for (guint k = 0; k < KX_TOTALS; k++)
			c->values[k] = t->values[k];
	}
	return copy;
}

static gboolean is_in(const KxWindow *w, KxPart part)
{
	return part == KX_PART_ANY || *(const gboolean *)((const char *)w + has_part[part]);
}

void kx_totals_add(GPtrArray *list, const KxWindow *w)
{
	const char *mechanism = kx_window_mechanism(w);
	g_autofree char *tracker = kx_tracker_label(w->tracker, mechanism);
	g_autofree char *label =
		g_strconcat(tracker, w->has_staleness ? " staleness=yes" : "", NULL);
	KxTotals *t = find(list, label);

	if (!t)
		t = add_totals(list, g_steal_pointer(&label), w->tracker, mechanism != NULL);
	for (guint i = 0; i < KX_TOTALS; i++) {
		double value = is_in(w, read_total[i].part) ? read_total[i].value(w) : NAN;

		if (!isnan(value))
			t->values[i] = (isnan(t->values[i]) ? 0 : t->values[i]) + value;
	}
}

void kx_totals_not_below(GPtrArray *list, const GPtrArray *before)
{
	for (guint i = 0; i < list->len; i++) {
		KxTotals *t = list->pdata[i];
		const KxTotals *b = find(before, t->label);

		for (guint k = 0; b && k < KX_TOTALS; k++)
			t->values[k] = fmax(t->values[k],
					    b->values[k]); /* of NAN and a number: the number */
	}
}
