// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of trap: which pages are trapped, and the budgets of their faults. */
#include "options-internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_ranges(const void *a, const void *b)
{
	const struct kvm_ext_range *x = a, *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

/* Sorts the ranges, and merges ranges that overlap or are adjacent. */
static void settle_ranges(KxPages *p)
{
	guint32 n = 0;

	qsort(p->ranges, p->nr, sizeof(*p->ranges), compare_ranges);
	for (guint32 i = 1; i < p->nr; i++) {
		struct kvm_ext_range *last = &p->ranges[n], next = p->ranges[i];

		if (next.gfn <= last->gfn + last->npages)
			last->npages =
				MAX(last->gfn + last->npages, next.gfn + next.npages) - last->gfn;
		else
			p->ranges[++n] = next;
	}
	/* The unused elements are cleared, so that equal lists compare equal byte by byte. */
	memset(&p->ranges[n + 1], 0, (p->nr - n - 1) * sizeof(*p->ranges));
	p->nr = n + 1;
}

static gboolean parse_list(const char *value, KxPages *p)
{
	const char *end;

	p->kind = KX_PAGES_LIST;
	for (const char *at = value;; at = end + 1) {
		struct kvm_ext_range r = { 0 };

		end = strchr(at, ',');
		if (p->nr == KX_OPTIONS_RANGES_MAX)
			return FALSE;
		if (!kx_option_parse_range(at, end, (guint64 *)&r.gfn, (guint64 *)&r.npages))
			return FALSE;
		p->ranges[p->nr++] = r;
		if (!end)
			break;
	}
	settle_ranges(p);
	return TRUE;
}

#define SHARE_DEFAULT 100000u /* ppm */
#define KX_SHARE_MAX  1000000u

static const char *const pages_kinds[] = {
	[KX_PAGES_ALL] = "all",
	[KX_PAGES_RANDOM] = "random",
	[KX_PAGES_HOTTEST] = "hottest",
	[KX_PAGES_COLDEST] = "coldest",
};

static gboolean parse_pages(const char *value, KxPages *p)
{
	for (guint i = 0; i < G_N_ELEMENTS(pages_kinds); i++) {
		const char *rest = value + strlen(pages_kinds[i]);
		guint64 ppm = SHARE_DEFAULT;

		if (!g_str_has_prefix(value, pages_kinds[i]) || (*rest && *rest != ':'))
			continue;
		p->kind = (KxPagesKind)i;
		if (i == KX_PAGES_ALL)
			return !*rest;
		if (*rest && (!kx_parse_with_unit(rest + 1, kx_share_units, &ppm) || !ppm ||
			      ppm > KX_SHARE_MAX))
			return FALSE;
		p->share_ppm = (guint32)ppm;
		return TRUE;
	}
	return parse_list(value, p);
}

gboolean kx_option_set_pages(KxOptions *o, const char *key, const char *value, GError **error)
{
	KxPages p;

	memset(&p, 0, sizeof(p));
	if (!parse_pages(value, &p))
		return kx_option_bad_value(
			error, key, value,
			"all, random:SHARE, hottest:SHARE, coldest:SHARE (such as 5%; 10% "
			"if not given), or GFN+PAGES,GFN+PAGES… (256 at most)");
	o->pages = p;
	return TRUE;
}

gboolean kx_option_set_fault_budget(KxOptions *o, const char *key, const char *value,
				    GError **error)
{
	const char *end = g_str_has_suffix(value, "/s") ? value + strlen(value) - 2 : NULL;
	guint64 n;

	if (!kx_parse_number(value, end, &n) || !n || n > KVM_EXT_TRAP_FAULTS_MAX)
		return kx_option_bad_value(error, key, value, "1 to 1000000 faults a second");
	o->faults_per_s = (guint32)n;
	return TRUE;
}

gboolean kx_option_set_vcpu_budget(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ppm;

	if (!kx_parse_with_unit(value, kx_share_units, &ppm) || !ppm || ppm > KX_SHARE_MAX)
		return kx_option_bad_value(error, key, value,
					   "a share of the vCPUs' time such as 1% or 0.5%");
	o->vcpu_ppm = (guint32)ppm;
	return TRUE;
}

static char *range_list_text(const KxPages *p)
{
	GString *s = g_string_new(NULL);

	for (guint32 i = 0; i < p->nr; i++)
		g_string_append_printf(s, "%s0x%" G_GINT64_MODIFIER "x+%" G_GUINT64_FORMAT,
				       i ? "," : "", (guint64)p->ranges[i].gfn,
				       (guint64)p->ranges[i].npages);
	return g_string_free(s, FALSE);
}

char *kx_option_text_pages(const KxOptions *o)
{
	g_autofree char *share = kx_format_share(o->pages.share_ppm);

	if (o->pages.kind == KX_PAGES_LIST)
		return range_list_text(&o->pages);
	if (o->pages.kind == KX_PAGES_ALL)
		return g_strdup(pages_kinds[KX_PAGES_ALL]);
	return g_strdup_printf("%s:%s", pages_kinds[o->pages.kind], share);
}

char *kx_option_text_fault_budget(const KxOptions *o)
{
	return g_strdup_printf("%u/s", o->faults_per_s);
}

char *kx_option_text_vcpu_budget(const KxOptions *o)
{
	return kx_format_share(o->vcpu_ppm);
}
