// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of trackers with passes: when a pass runs, on which CPU, on which pages, and how. */
#include "options-internal.h"

#include <string.h>

gboolean kx_option_fits_granularity(const KxOptions *o)
{
	return o->granularity == KVM_EXT_GRANULARITY_4K || o->tracker->can & KX_CAN_2M;
}

gboolean kx_option_set_interval(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!kx_parse_with_unit(value, kx_duration_units, &ns) ||
	    (ns && (ns < KVM_EXT_INTERVAL_MIN_NS || ns > KVM_EXT_INTERVAL_MAX_NS)))
		return kx_option_bad_value(error, key, value,
					   "10us to 1h, such as 100ms or 1.5s; 0: only on request");
	o->interval_ns = ns;
	return TRUE;
}

gboolean kx_option_set_granularity(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 bytes;

	if (!kx_parse_with_unit(value, kx_size_units, &bytes) ||
	    (bytes != 4096 && bytes != 2097152))
		return kx_option_bad_value(error, key, value, "4K, 2M");
	o->granularity = bytes == 4096 ? KVM_EXT_GRANULARITY_4K : KVM_EXT_GRANULARITY_2M;
	return TRUE;
}

#define GFN_LIMIT (1ull << 40) /* 52 bits of physical address, 12 of them inside the page */

/* GFN+PAGES, up to @end (NULL: the terminating zero) */
gboolean kx_option_parse_range(const char *text, const char *end, guint64 *gfn, guint64 *npages)
{
	const char *plus = strchr(text, '+');

	return plus && (!end || plus < end) && kx_parse_number(text, plus, gfn) &&
	       kx_parse_number(plus + 1, end, npages) && *npages && *gfn < GFN_LIMIT &&
	       *npages <= GFN_LIMIT - *gfn;
}

gboolean kx_option_set_range(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 gfn = 0, npages = 0;

	if (!g_str_equal(value, "all") && !kx_option_parse_range(value, NULL, &gfn, &npages))
		return kx_option_bad_value(
			error, key, value,
			"'all', or GFN+PAGES such as 0x100000+512 (the first page frame "
			"number and how many pages, at least 1, below 2^40)");
	o->range.first_gfn = gfn;
	o->range.npages = npages;
	return TRUE;
}

gboolean kx_option_set_cpu(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 cpu;

	if (g_str_equal(value, "any")) {
		o->cpu = -1;
		return TRUE;
	}
	if (!kx_parse_number(value, NULL, &cpu) || cpu > G_MAXINT16)
		return kx_option_bad_value(error, key, value,
					   "'any', or the number of an online CPU");
	o->cpu = (int)cpu;
	return TRUE;
}

const char *const kx_flush_scopes[] = {
	[KVM_EXT_FLUSH_DEFAULT] = NULL,	 [KVM_EXT_FLUSH_PAGE] = "page",
	[KVM_EXT_FLUSH_BATCH] = "batch", [KVM_EXT_FLUSH_PASS] = "pass",
	[KVM_EXT_FLUSH_NONE] = "none",
};

enum kvm_ext_flush_scope kx_options_flush_scope(const KxOptions *o)
{
	if (o->tracker->can & KX_CAN_FLUSH && o->flush_scope == KVM_EXT_FLUSH_DEFAULT)
		return KVM_EXT_FLUSH_PASS;
	return o->flush_scope;
}

gboolean kx_options_skips(const KxOptions *o)
{
	return (o->tracker->can & KX_CAN_SKIP) && o->skip &&
	       kx_options_flush_scope(o) != KVM_EXT_FLUSH_NONE;
}

gboolean kx_option_fits_flush_scope(const KxOptions *o)
{
	return o->flush_scope != KVM_EXT_FLUSH_NONE || (o->tracker->can & KX_CAN_NOT_FLUSH);
}

gboolean kx_option_fits_batch_pages(const KxOptions *o)
{
	return kx_options_flush_scope(o) == KVM_EXT_FLUSH_BATCH;
}

gboolean kx_option_set_flush_scope(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = KVM_EXT_FLUSH_PAGE; i < G_N_ELEMENTS(kx_flush_scopes); i++) {
		if (g_str_equal(kx_flush_scopes[i], value)) {
			o->flush_scope = (enum kvm_ext_flush_scope)i;
			return TRUE;
		}
	}
	return kx_option_bad_value(error, key, value, "page, batch, pass; ept-walk: none as well");
}

#define BATCH_PAGES_DEFAULT 512u
#define BATCH_PAGES_MAX	    (1u << 30)

gboolean kx_option_set_batch_pages(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 n;

	if (!kx_parse_number(value, NULL, &n) || !n || n > BATCH_PAGES_MAX)
		return kx_option_bad_value(error, key, value, "1 to 2^30 pages (512 if not given)");
	o->batch_pages = (guint32)n;
	return TRUE;
}

gboolean kx_option_set_skip(KxOptions *o, const char *key, const char *value, GError **error)
{
	return kx_option_yes_no(key, value, &o->skip, error);
}

gboolean kx_option_set_staleness(KxOptions *o, const char *key, const char *value, GError **error)
{
	return kx_option_yes_no(key, value, &o->staleness, error);
}

gboolean kx_option_set_regions(KxOptions *o, const char *key, const char *value, GError **error)
{
	const char *colon = strchr(value, ':');
	guint64 min = 0, max = 0;

	if (!g_str_equal(value, "none") && (!colon || !kx_parse_number(value, colon, &min) ||
					    !kx_parse_number(colon + 1, NULL, &max) || !min ||
					    min > max || max > KVM_EXT_REGIONS_MAX))
		return kx_option_bad_value(
			error, key, value,
			"MIN:MAX such as 10:1000 (least and most regions, 1 to 2^20), or "
			"'none': page by page");
	o->regions.min = (guint32)min;
	o->regions.max = (guint32)max;
	return TRUE;
}

gboolean kx_options_aggregates_whole_passes(const KxOptions *o)
{
	return o->interval_ns && o->aggregation_ns % o->interval_ns == 0 &&
	       o->aggregation_ns / o->interval_ns <= G_MAXUINT32;
}

gboolean kx_option_fits_aggregation(const KxOptions *o)
{
	return o->regions.max && kx_options_aggregates_whole_passes(o);
}

gboolean kx_option_set_aggregation(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!kx_parse_with_unit(value, kx_duration_units, &ns) || !ns)
		return kx_option_bad_value(
			error, key, value,
			"a multiple of the interval, such as 2s (20 intervals if not given)");
	o->aggregation_ns = ns;
	return TRUE;
}

char *kx_option_text_interval(const KxOptions *o)
{
	return kx_format_duration(o->interval_ns);
}

char *kx_option_text_granularity(const KxOptions *o)
{
	if (o->tracker->can & KX_CAN_TRAP)
		return NULL;
	return g_strdup(o->granularity == KVM_EXT_GRANULARITY_2M ? "2M" : "4K");
}

char *kx_option_text_range(const KxOptions *o)
{
	if (!o->range.npages)
		return NULL;
	return g_strdup_printf("0x%" G_GINT64_MODIFIER "x+%" G_GUINT64_FORMAT, o->range.first_gfn,
			       o->range.npages);
}

char *kx_option_text_cpu(const KxOptions *o)
{
	return o->cpu < 0 ? NULL : g_strdup_printf("%d", o->cpu);
}

char *kx_option_text_flush_scope(const KxOptions *o)
{
	return g_strdup(kx_flush_scopes[kx_options_flush_scope(o)]);
}

char *kx_option_text_batch_pages(const KxOptions *o)
{
	if (kx_options_flush_scope(o) != KVM_EXT_FLUSH_BATCH)
		return NULL;
	return g_strdup_printf("%u", o->batch_pages ? o->batch_pages : BATCH_PAGES_DEFAULT);
}

char *kx_option_text_skip(const KxOptions *o)
{
	return g_strdup(kx_options_skips(o) ? "yes" : "no");
}

char *kx_option_text_staleness(const KxOptions *o)
{
	return o->staleness ? g_strdup("yes") : NULL;
}

char *kx_option_text_regions(const KxOptions *o)
{
	return o->regions.max ? g_strdup_printf("%u:%u", o->regions.min, o->regions.max) : NULL;
}

char *kx_option_text_aggregation(const KxOptions *o)
{
	guint64 ns = o->aggregation_ns ? o->aggregation_ns
				       : o->interval_ns * KVM_EXT_AGGREGATION_PASSES_DEFAULT;

	return o->regions.max && ns ? kx_format_duration(ns) : NULL;
}
