// SPDX-License-Identifier: GPL-2.0-or-later
#include "difference.h"

#include <math.h>

#include "compare/estimate-internal.h"
#include "compare/sameness.h"
#include "model/hardware.h"
#include "base/error.h"
#include "report/figure.h"

#define EMULATED_TIMES                                                                           \
	"a host is emulated: its times are valid only as ratios within one run, so this figure " \
	"cannot be compared between runs"
#define OTHER_PROGRESS "the two comparisons measured guest progress in different ways"
#define NO_INTERVAL    "the scatter between rounds is not known in both comparisons"

/* --- one change --------------------------------------------------------------------------------------------------- */

KxFigure kx_change_of(const KxFigure *a, const KxFigure *b, gboolean is_ratio)
{
	double va = a->se * a->se, vb = b->se * b->se, half = 0;
	KxFigure f;

	if (!(a->degrees > 0) || !(b->degrees > 0))
		return kx_unavailable(NO_INTERVAL);
	f = kx_figure(is_ratio ? b->value / a->value : b->value - a->value, a->n + b->n);
	f.se = sqrt(va + vb);
	f.degrees = a->degrees + b->degrees;
	if (f.se > 0) {
		f.degrees = (va + vb) * (va + vb) / (va * va / a->degrees + vb * vb / b->degrees);
		half = kx_estimate_t(f.degrees) * f.se;
	}
	f.low = is_ratio ? f.value * exp(-half) : f.value - half;
	f.high = is_ratio ? f.value * exp(half) : f.value + half;
	return f;
}

static gboolean is_of_progress(const KxComparedFigure *f)
{
	return f->offset == G_STRUCT_OFFSET(KxComparedRow, slowdown) ||
	       f->offset == G_STRUCT_OFFSET(KxComparedRow, guest_ns) ||
	       f->offset == G_STRUCT_OFFSET(KxComparedRow, total_ns) || f->table == KX_TABLE_PARTS;
}

static gboolean is_emulated(const KxComparison *c)
{
	return kx_hardware_by_name(c->host->hardware) == KX_HARDWARE_EMULATED;
}

/* The reason why this figure must not be compared, whatever its values are; NULL: it may be compared. */
static const char *excluded(const KxComparison *a, const KxComparison *b, const KxComparedFigure *f)
{
	if (is_of_progress(f) && g_strcmp0(a->progress, b->progress) != 0)
		return OTHER_PROGRESS;
	if ((f->kind == KX_COMPARED_NS || f->kind == KX_COMPARED_RATE) &&
	    (is_emulated(a) || is_emulated(b)))
		return EMULATED_TIMES;
	return NULL;
}

static KxChange *change_new(const KxComparison *a, const KxComparison *b, const KxComparedFigure *f,
			    KxComparedRow *row_a, KxComparedRow *row_b)
{
	KxChange *c = g_new0(KxChange, 1);
	const char *why = excluded(a, b, f);

	c->figure = f;
	c->a = kx_compared_figure(row_a, f);
	c->b = kx_compared_figure(row_b, f);
	c->is_ratio = f->kind == KX_COMPARED_RATIO;
	if (c->a->na || c->b->na)
		c->change = kx_unavailable(c->a->na ? c->a->na : c->b->na);
	else
		c->change = kx_change_of(c->a, c->b, c->is_ratio);
	if (!c->change.na && why)
		kx_figure_void(&c->change, why);
	c->changed = !c->change.na && (c->change.low > c->is_ratio || c->change.high < c->is_ratio);
	return c;
}

static void change_free(gpointer data)
{
	KxChange *c = data;

	kx_figure_clear(&c->change);
	g_free(c);
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

static void setting_free(gpointer data)
{
	KxChangedSetting *s = data;

	g_free(s->setting);
	g_ptr_array_unref(s->changes);
	g_free(s);
}

/* The index of the setting in @c, if it ran there; -1: it did not. */
static int place_of(const KxComparison *c, const char *text)
{
	for (guint i = 0; i < c->settings->len; i++) {
		const KxComparedSetting *s = c->settings->pdata[i];

		if (!s->left_out && g_str_equal(s->text, text))
			return (int)i;
	}
	return -1;
}

static void add_setting(KxDifference *d, const KxComparison *a, const KxComparison *b, guint in_a,
			guint in_b)
{
	KxChangedSetting *s = g_new0(KxChangedSetting, 1);

	s->setting = g_strdup(((KxComparedSetting *)a->settings->pdata[in_a])->text);
	s->changes = g_ptr_array_new_with_free_func(change_free);
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		KxChange *c;

		if (f->kind == KX_COMPARED_P)
			continue; /* the p-value of a test is no quantity of the setting */
		c = change_new(a, b, f, d->rows_a->pdata[in_a], d->rows_b->pdata[in_b]);
		d->intervals += !c->change.na;
		d->changed += c->changed;
		g_ptr_array_add(s->changes, c);
	}
	g_ptr_array_add(d->settings, s);
}

static void add_settings(KxDifference *d, const KxComparison *a, const KxComparison *b)
{
	for (guint i = 0; i < a->settings->len; i++) {
		const KxComparedSetting *s = a->settings->pdata[i];
		int in_b = place_of(b, s->text);

		if (s->left_out)
			continue;
		if (in_b >= 0)
			add_setting(d, a, b, i, (guint)in_b);
		else
			g_ptr_array_add(d->only_a, g_strdup(s->text));
	}
	for (guint i = 0; i < b->settings->len; i++) {
		const KxComparedSetting *s = b->settings->pdata[i];

		if (!s->left_out && place_of(a, s->text) < 0)
			g_ptr_array_add(d->only_b, g_strdup(s->text));
	}
}

static gboolean can_be_compared(const KxComparison *a, const KxComparison *b, const KxDifference *d,
				GError **error)
{
	if (is_emulated(a) != is_emulated(b)) {
		g_set_error(
			error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			"A was measured on a host that is %s, and B on one that is %s: costs of an "
			"emulated host say nothing about those of another host",
			a->host->hardware ? a->host->hardware : "unknown",
			b->host->hardware ? b->host->hardware : "unknown");
		return FALSE;
	}
	/* The first setting of both is the reference. */
	if (d->settings->len > 1)
		return TRUE;
	g_set_error_literal(
		error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		"the two comparisons have no setting in common beside off: a tracker with "
		"other options is another setting");
	return FALSE;
}

KxDifference *kx_difference_new(const KxComparison *a, const KxComparison *b, GError **error)
{
	g_autoptr(KxDifference) d = g_new0(KxDifference, 1);

	d->rows_a = kx_comparison_rows(a, G_MAXUINT);
	d->rows_b = kx_comparison_rows(b, G_MAXUINT);
	d->differs = kx_comparison_differs(a, b);
	d->only_a = g_ptr_array_new_with_free_func(g_free);
	d->only_b = g_ptr_array_new_with_free_func(g_free);
	d->settings = g_ptr_array_new_with_free_func(setting_free);
	add_settings(d, a, b);
	return can_be_compared(a, b, d, error) ? g_steal_pointer(&d) : NULL;
}

void kx_difference_free(KxDifference *d)
{
	if (!d)
		return;
	g_ptr_array_unref(d->settings);
	g_ptr_array_unref(d->differs);
	g_ptr_array_unref(d->only_a);
	g_ptr_array_unref(d->only_b);
	g_ptr_array_unref(d->rows_a);
	g_ptr_array_unref(d->rows_b);
	g_free(d);
}
