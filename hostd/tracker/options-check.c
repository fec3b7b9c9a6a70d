// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds conflicts between options after all keys are set. */
#include "options-internal.h"

static gboolean conflict(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean conflict(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error)
		*error = g_error_new_valist(KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT, format,
					    args);
	va_end(args);
	return FALSE;
}

/* A key of passes is refused by a tracker without passes for that reason first, whatever else the tracker lacks. */
static const char *lack_of(const KxOptionKey *k, const KxTrackerRow *t)
{
	gboolean passes = k->needs & KX_CAN_PASS & ~t->can;

	return passes ? "has no passes" : k->lack;
}

/* A key that is set, although the tracker does not use it, is an error. */
static gboolean check_keys(const KxOptions *o, GError **error)
{
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autofree char *others = NULL;

		if (kx_option_is_for(k, o->tracker) || kx_option_is_default(o, k))
			continue;
		others = kx_trackers_that(k->needs);
		return conflict(
			error,
			"tracker %s %s, so option %s does not apply; leave it out, or use one "
			"of: %s",
			o->tracker->name, lack_of(k, o->tracker), k->key, others);
	}
	return TRUE;
}

static gboolean check_flush(const KxOptions *o, GError **error)
{
	if (!kx_option_fits_flush_scope(o))
		return conflict(error,
				"tracker %s always flushes; only ept-walk has flush-scope none, "
				"and abit never flushes",
				o->tracker->name);
	if (o->batch_pages && !kx_option_fits_batch_pages(o))
		return conflict(error,
				"batch-pages is given but the flush scope is '%s'; add flush-scope "
				"'batch' or leave batch-pages out",
				kx_flush_scopes[kx_options_flush_scope(o)]);
	return TRUE;
}

static gboolean check_granularity(const KxOptions *o, GError **error)
{
	if (o->granularity == KVM_EXT_GRANULARITY_4K)
		return TRUE;
	if (o->tracker->can & KX_CAN_LOG)
		return conflict(
			error,
			"tracker %s has no granularity but 4K: the dirty log holds a bit for "
			"each page of 4 KiB, however it is mapped; leave granularity out",
			o->tracker->name);
	if (o->tracker->can & KX_CAN_TRAP)
		return conflict(
			error,
			"tracker %s has no granularity: it takes mappings as they are; leave "
			"granularity out",
			o->tracker->name);
	if (!(o->tracker->can & KX_CAN_2M))
		return conflict(error,
				"tracker %s has no granularity but 4K; leave granularity out",
				o->tracker->name);
	if (o->regions.max)
		return conflict(error,
				"regions consist of pages of 4 KiB, one of which is checked: set "
				"granularity 4K with them");
	return TRUE;
}

/* The options of a monitor that samples all the time, by the kernel's rules (damon_set_attrs). */
static gboolean check_aggregations(const KxOptions *o, GError **error)
{
	if (!(o->tracker->can & KX_CAN_AGGREGATE))
		return TRUE;
	if (!o->interval_ns)
		return conflict(
			error,
			"tracker %s samples all the time and has no passes on request only; "
			"give an interval",
			o->tracker->name);
	if (o->interval_ns % 1000 || o->aggregation_ns % 1000)
		return conflict(error,
				"tracker %s counts in microseconds; give interval and aggregation "
				"in whole microseconds",
				o->tracker->name);
	if (o->regions.min < KX_AGGREGATE_REGIONS_MIN)
		return conflict(error,
				"tracker %s always works on regions, and on %u at least; give "
				"regions MIN:MAX such as %u:%u",
				o->tracker->name, KX_AGGREGATE_REGIONS_MIN,
				o->tracker->defaults.regions_min, o->tracker->defaults.regions_max);
	return TRUE;
}

static gboolean check_regions(const KxOptions *o, GError **error)
{
	if (!check_aggregations(o, error))
		return FALSE;
	if (o->regions.max && o->staleness)
		return conflict(
			error,
			"staleness and regions exclude each other, because a miss rate compares "
			"all pages, and regions check only a few: set staleness no, or regions "
			"none");
	if (!o->aggregation_ns)
		return TRUE;
	if (!o->regions.max)
		return conflict(error, "aggregation is given without regions; add regions MIN:MAX "
				       "or leave aggregation out");
	if (!o->interval_ns)
		return conflict(error,
				"aggregation is given but passes run on request only: give an "
				"interval, or leave aggregation out (20 passes)");
	if (!kx_options_aggregates_whole_passes(o)) {
		g_autofree char *aggregation = kx_format_duration(o->aggregation_ns);
		g_autofree char *interval = kx_format_duration(o->interval_ns);

		return conflict(
			error,
			"aggregation %s is not a multiple of the interval %s, from 1 to 2^32 "
			"times",
			aggregation, interval);
	}
	return TRUE;
}

static gboolean check_pages(const KxOptions *o, GError **error)
{
	const KxPages *p = &o->pages;

	for (guint32 i = 0; o->range.npages && i < p->nr; i++) {
		if (p->ranges[i].gfn < o->range.first_gfn ||
		    p->ranges[i].gfn + p->ranges[i].npages > o->range.first_gfn + o->range.npages)
			return conflict(error,
					"pages: 0x%" G_GINT64_MODIFIER "x+%" G_GUINT64_FORMAT
					" is not within the range; leave range out",
					(guint64)p->ranges[i].gfn, (guint64)p->ranges[i].npages);
	}
	return TRUE;
}

static gboolean check_guest(const KxOptions *o, GError **error)
{
	if (o->guest.budget_ppm && !kx_option_fits_budget(o))
		return conflict(error,
				"budget is given but the policy is '%s'; add policy 'budget' or "
				"leave budget out",
				kx_guest_policies[o->guest.policy]);
	return TRUE;
}

gboolean kx_options_check(const KxOptions *o, GError **error)
{
	return check_keys(o, error) && check_flush(o, error) && check_granularity(o, error) &&
	       check_regions(o, error) && check_pages(o, error) && check_guest(o, error);
}
