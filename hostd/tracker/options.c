/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracker options. Each key is one row of a table: how its text is read, how
 * it is written back, and to which trackers it means something.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kvm-ext/channel.h>

G_DEFINE_QUARK(kx_options_error, kx_options_error)

#define SEES_ACCESSES                                             \
	{                                                         \
		.finds = KX_SEEN_TOUCHED, .says = KX_SEEN_TOUCHED \
	}
#define SEES_RANGES(tells)                                                          \
	{                                                                           \
		.finds = KX_SEEN_TOUCHED, .says = KX_SEEN_TOUCHED, .recall = tells, \
		.precision = tells                                                  \
	}

static const char ranges_are_found[] =
	"the guest tells its hottest ranges, not pages, and all that is mapped in one counts as "
	"found: this is the figure of ranges, which are halved epoch by epoch down to range-size";

#define BLIND_ALL  (KX_BLIND_DMA | KX_BLIND_VMM)
#define BLIND_HOST (BLIND_ALL | KX_BLIND_KVM)

const KxTrackerRow kx_trackers[] = {
	{ .name = "off",
	  .summary = "no tracking: the control that every other tracker is compared with",
	  .module_id = KVM_EXT_TRACKER_OFF },
	{ .name = "abit",
	  .summary = "accessed bits through the MMU notifier, the guest's TLB is not flushed",
	  .module_id = KVM_EXT_TRACKER_ABIT,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_ABITS | KX_CAN_REGIONS,
	  .sees = SEES_ACCESSES,
	  .blind = BLIND_HOST | KX_BLIND_CACHED },
	{ .name = "abit-flush",
	  .summary = "accessed bits through the MMU notifier, then the guest's TLB is flushed",
	  .module_id = KVM_EXT_TRACKER_ABIT_FLUSH,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_ABITS | KX_CAN_REGIONS | KX_CAN_FLUSH,
	  .sees = SEES_ACCESSES,
	  .blind = BLIND_HOST },
	{ .name = "ept-walk",
	  .summary =
		  "accessed bits from the nested page table itself, what was not used is skipped",
	  .module_id = KVM_EXT_TRACKER_EPT_WALK,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_ABITS | KX_CAN_REGIONS | KX_CAN_FLUSH |
		 KX_CAN_NOT_FLUSH | KX_CAN_SKIP,
	  .sees = SEES_ACCESSES,
	  .blind = BLIND_HOST | KX_BLIND_NESTED },
	{ .name = "dirty-log",
	  .summary = "pages written, from KVM's dirty log: by PML, or by write protection",
	  .module_id = KVM_EXT_TRACKER_DIRTY_LOG,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_LOG,
	  .sees = { .finds = KX_SEEN_WRITTEN,
		    .says = KX_SEEN_WRITTEN,
		    .recall = "of the pages written: the dirty log names no reads",
		    .precision =
			    "of the pages found, those written: KVM also names a page that is "
			    "mapped for the first time while the log is on, if only to be read" },
	  .blind = BLIND_ALL | KX_BLIND_READS },
	{ .name = "pml",
	  .summary = "dirty-log where the CPU logs the writes (PML); refused elsewhere",
	  .module_id = -1,
	  .means = "dirty-log",
	  .mechanism = KVM_EXT_LOG_PML },
	{ .name = "pml-abit",
	  .summary = "accessed bits of those pages alone that the dirty log has named",
	  .module_id = KVM_EXT_TRACKER_PML_ABIT,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_ABITS | KX_CAN_FLUSH | KX_CAN_LOG,
	  .sees = { .finds = KX_SEEN_WRITTEN,
		    .says = KX_SEEN_TOUCHED,
		    .recall = "of the pages written: one that is only read is no candidate" },
	  .blind = BLIND_HOST | KX_BLIND_READS },
	{ .name = "trap",
	  .summary = "the first access to pages whose mapping was removed: when, by whom, how",
	  .module_id = KVM_EXT_TRACKER_TRAP,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_TRAP,
	  .sees = { .says = KX_SEEN_TOUCHED,
		    .no_recall = "traps: only pages that are armed can be found" },
	  .blind = BLIND_HOST | KX_BLIND_NESTED | KX_BLIND_UNARMED },
	{ .name = "guest-pebs",
	  .summary = "in the guest: addresses of sampled memory accesses (PEBS, IBS)",
	  .module_id = -1,
	  .can = KX_CAN_FIND | KX_CAN_GUEST | KX_CAN_EVENTS,
	  .sees = SEES_RANGES(ranges_are_found),
	  .blind = BLIND_ALL | KX_BLIND_NESTED | KX_BLIND_KERNEL | KX_BLIND_UNSAMPLED },
	{ .name = "guest-abit",
	  .summary = "in the guest: accessed bits of the guest's own page tables",
	  .module_id = -1,
	  .can = KX_CAN_FIND | KX_CAN_GUEST | KX_CAN_SCAN,
	  .sees = SEES_RANGES(ranges_are_found),
	  .blind = BLIND_ALL | KX_BLIND_NESTED | KX_BLIND_CACHED | KX_BLIND_KERNEL },
	{ .module_id = -1 },
};

const KxTrackerRow *kx_tracker_by_name(const char *name)
{
	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if (g_str_equal(t->name, name))
			return t;
	}
	return NULL;
}

char *kx_trackers_that(guint can)
{
	GString *names = g_string_new(NULL);

	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if ((t->can & can) == can)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", t->name);
	}
	return g_string_free(names, FALSE);
}

/* --- text of numbers ------------------------------------------------------- */

typedef struct {
	const char *name;
	guint64 factor;
} Unit;

/* The first name of a factor is the one that is written. */
static const Unit duration_units[] = {
	{ "s", 1000000000 }, { "ms", 1000000 },	   { "us", 1000 },	   { "ns", 1 },
	{ "µs", 1000 },	     { "m", 60000000000 }, { "min", 60000000000 }, { "h", 3600000000000 },
	{ NULL, 0 },
};

static const Unit size_units[] = {
	{ "G", 1ull << 30 },   { "M", 1ull << 20 },   { "K", 1ull << 10 }, { "GiB", 1ull << 30 },
	{ "MiB", 1ull << 20 }, { "KiB", 1ull << 10 }, { "B", 1 },	   { NULL, 0 },
};

static const Unit share_units[] = { { "%", 10000 }, { NULL, 0 } }; /* to parts of a million */

/*
 * Unsigned decimal with an optional fraction, then a unit; strtod would take
 * hexadecimal, exponents, "inf" and the locale's comma as well. The fraction
 * must come out whole in the base unit.
 */
static gboolean parse_with_unit(const char *text, const Unit *units, guint64 *result)
{
	const char *p = text;
	guint64 whole = 0, fraction = 0, scale = 1;
	const Unit *u;

	if (!g_ascii_isdigit(*p))
		return FALSE;
	for (; g_ascii_isdigit(*p); p++) {
		if (!g_uint64_checked_mul(&whole, whole, 10) ||
		    !g_uint64_checked_add(&whole, whole, (guint64)(*p - '0')))
			return FALSE;
	}
	if (*p == '.') {
		if (!g_ascii_isdigit(*++p))
			return FALSE;
		for (; g_ascii_isdigit(*p); p++) {
			if (scale >= 1000000000000ull)
				return FALSE;
			scale *= 10;
			fraction = fraction * 10 + (guint64)(*p - '0');
		}
	}
	for (u = units; u->name && !g_str_equal(u->name, p); u++)
		;
	if (!u->name) {
		*result = 0;
		return *p == '\0' && whole == 0 && fraction == 0;
	}
	if (!g_uint64_checked_mul(&whole, whole, u->factor) ||
	    !g_uint64_checked_mul(&fraction, fraction, u->factor) || fraction % scale)
		return FALSE;
	return g_uint64_checked_add(result, whole, fraction / scale);
}

gboolean kx_parse_duration(const char *text, guint64 *ns, GError **error)
{
	if (parse_with_unit(text, duration_units, ns))
		return TRUE;
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "'%s' is not a duration; write a number and a unit (ns, us, ms, s, m, h), "
		    "such as 250us, 100ms or 1.5s",
		    text);
	return FALSE;
}

gboolean kx_parse_size(const char *text, guint64 *bytes, GError **error)
{
	if (parse_with_unit(text, size_units, bytes))
		return TRUE;
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "'%s' is not a size; write a number and a unit (K, M, G), such as 4K or 2M",
		    text);
	return FALSE;
}

/* The largest unit that leaves at most three decimals; reads back as the same number. */
char *kx_format_duration(guint64 ns)
{
	const Unit *u = duration_units;
	guint64 milli;

	if (!ns)
		return g_strdup("0");
	while (u->factor > ns || (u->factor >= 1000 && ns % (u->factor / 1000)))
		u++;
	milli = u->factor >= 1000 ? ns % u->factor / (u->factor / 1000) : 0;
	if (!milli)
		return g_strdup_printf("%" G_GUINT64_FORMAT "%s", ns / u->factor, u->name);

	g_autofree char *digits = g_strdup_printf("%03u", (unsigned int)milli);
	for (size_t n = strlen(digits); digits[n - 1] == '0'; n--)
		digits[n - 1] = '\0';
	return g_strdup_printf("%" G_GUINT64_FORMAT ".%s%s", ns / u->factor, digits, u->name);
}

/* Decimal, or hexadecimal after 0x; the whole text up to @end (NULL: the terminating zero). */
static gboolean parse_number(const char *text, const char *end, guint64 *value)
{
	gboolean hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *stop;

	if (!end)
		end = text + strlen(text);
	if (digits >= end || !(hex ? g_ascii_isxdigit(*digits) : g_ascii_isdigit(*digits)))
		return FALSE;
	errno = 0;
	*value = g_ascii_strtoull(digits, &stop, hex ? 16 : 10);
	return stop == end && errno == 0;
}

#define WAIT_MAX_NS 86400000000000ull

/* --- keys ------------------------------------------------------------------ */

static gboolean bad_value(GError **error, const char *key, const char *value, const char *accepted)
{
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "%s '%s' is not valid; accepted: %s", key, value, accepted);
	return FALSE;
}

static const KxOptions defaults = {
	.tracker = kx_trackers,
	.interval_ns = 1000000000,
	.granularity = KVM_EXT_GRANULARITY_4K,
	.cpu = -1,
	.flush_scope = KVM_EXT_FLUSH_DEFAULT,
	.skip = TRUE,
	.faults_per_s = KVM_EXT_TRAP_FAULTS_DEFAULT,
	.vcpu_ppm = KVM_EXT_TRAP_TIME_DEFAULT,
	.wait_ns = -1,
};

static gboolean is_default(const KxOptions *o, const KxOptionKey *k)
{
	return memcmp((const char *)o + k->offset, (const char *)&defaults + k->offset, k->size) ==
	       0;
}

static gboolean is_for(const KxOptionKey *k, const KxTrackerRow *t)
{
	return (t->can & k->needs) == k->needs;
}

/* Looks at pages of 4 KiB alone, or at whole mappings whatever their size. */
static gboolean has_no_granularity(const KxTrackerRow *t)
{
	return t->can & (KX_CAN_LOG | KX_CAN_TRAP);
}

static gboolean fits_granularity(const KxOptions *o)
{
	return o->granularity == KVM_EXT_GRANULARITY_4K || !has_no_granularity(o->tracker);
}

static gboolean set_tracker(KxOptions *o, const char *key, const char *value, GError **error)
{
	const KxTrackerRow *t = kx_tracker_by_name(value);

	if (!t) {
		g_autofree char *names = kx_trackers_that(0);

		return bad_value(error, key, value, names);
	}
	/* Finer on the host than in the guest, and so are their defaults. */
	if ((t->can ^ o->tracker->can) & KX_CAN_GUEST) {
		o->epoch_ns = defaults.epoch_ns;
		o->range_order = defaults.range_order;
	}
	o->mechanism = t->mechanism;
	o->tracker = t->means ? kx_tracker_by_name(t->means) : t;
	return TRUE;
}

static gboolean set_interval(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!parse_with_unit(value, duration_units, &ns) ||
	    (ns && (ns < KVM_EXT_INTERVAL_MIN_NS || ns > KVM_EXT_INTERVAL_MAX_NS)))
		return bad_value(error, key, value,
				 "10us to 1h, such as 100ms or 1.5s; 0: only on request");
	o->interval_ns = ns;
	return TRUE;
}

static gboolean set_granularity(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 bytes;

	if (!parse_with_unit(value, size_units, &bytes) || (bytes != 4096 && bytes != 2097152))
		return bad_value(error, key, value, "4K, 2M");
	o->granularity = bytes == 4096 ? KVM_EXT_GRANULARITY_4K : KVM_EXT_GRANULARITY_2M;
	return TRUE;
}

#define GFN_LIMIT (1ull << 40) /* 52 bits of physical address, 12 of them inside the page */

/* GFN+PAGES, up to @end (NULL: the terminating zero) */
static gboolean parse_range(const char *text, const char *end, guint64 *gfn, guint64 *npages)
{
	const char *plus = strchr(text, '+');

	return plus && (!end || plus < end) && parse_number(text, plus, gfn) &&
	       parse_number(plus + 1, end, npages) && *npages && *gfn < GFN_LIMIT &&
	       *npages <= GFN_LIMIT - *gfn;
}

static gboolean set_range(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 gfn = 0, npages = 0;

	if (!g_str_equal(value, "all") && !parse_range(value, NULL, &gfn, &npages))
		return bad_value(error, key, value,
				 "'all', or GFN+PAGES such as 0x100000+512 (the first page frame "
				 "number and how many pages, at least 1, below 2^40)");
	o->range.first_gfn = gfn;
	o->range.npages = npages;
	return TRUE;
}

static gboolean set_cpu(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 cpu;

	if (g_str_equal(value, "any")) {
		o->cpu = -1;
		return TRUE;
	}
	if (!parse_number(value, NULL, &cpu) || cpu > G_MAXINT16)
		return bad_value(error, key, value, "'any', or the number of an online CPU");
	o->cpu = (int)cpu;
	return TRUE;
}

static const char *const flush_scopes[] = {
	[KVM_EXT_FLUSH_DEFAULT] = NULL,	 [KVM_EXT_FLUSH_PAGE] = "page",
	[KVM_EXT_FLUSH_BATCH] = "batch", [KVM_EXT_FLUSH_PASS] = "pass",
	[KVM_EXT_FLUSH_NONE] = "none",
};

static enum kvm_ext_flush_scope effective_scope(const KxOptions *o)
{
	if (o->tracker->can & KX_CAN_FLUSH && o->flush_scope == KVM_EXT_FLUSH_DEFAULT)
		return KVM_EXT_FLUSH_PASS;
	return o->flush_scope;
}

static gboolean fits_flush_scope(const KxOptions *o)
{
	return o->flush_scope != KVM_EXT_FLUSH_NONE || (o->tracker->can & KX_CAN_NOT_FLUSH);
}

static gboolean fits_batch_pages(const KxOptions *o)
{
	return effective_scope(o) == KVM_EXT_FLUSH_BATCH;
}

static gboolean set_flush_scope(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = KVM_EXT_FLUSH_PAGE; i < G_N_ELEMENTS(flush_scopes); i++) {
		if (g_str_equal(flush_scopes[i], value)) {
			o->flush_scope = (enum kvm_ext_flush_scope)i;
			return TRUE;
		}
	}
	return bad_value(error, key, value, "page, batch, pass; ept-walk: none as well");
}

#define BATCH_PAGES_DEFAULT 512u
#define BATCH_PAGES_MAX	    (1u << 30)

static gboolean set_batch_pages(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 n;

	if (!parse_number(value, NULL, &n) || !n || n > BATCH_PAGES_MAX)
		return bad_value(error, key, value, "1 to 2^30 pages (512 if not given)");
	o->batch_pages = (guint32)n;
	return TRUE;
}

static gboolean parse_yes_no(const char *key, const char *value, gboolean *yes, GError **error)
{
	if (!g_str_equal(value, "yes") && !g_str_equal(value, "no"))
		return bad_value(error, key, value, "yes, no");
	*yes = g_str_equal(value, "yes");
	return TRUE;
}

static gboolean set_skip(KxOptions *o, const char *key, const char *value, GError **error)
{
	return parse_yes_no(key, value, &o->skip, error);
}

static gboolean set_staleness(KxOptions *o, const char *key, const char *value, GError **error)
{
	return parse_yes_no(key, value, &o->staleness, error);
}

static gboolean set_regions(KxOptions *o, const char *key, const char *value, GError **error)
{
	const char *colon = strchr(value, ':');
	guint64 min = 0, max = 0;

	if (!g_str_equal(value, "none") &&
	    (!colon || !parse_number(value, colon, &min) || !parse_number(colon + 1, NULL, &max) ||
	     !min || min > max || max > KVM_EXT_REGIONS_MAX))
		return bad_value(error, key, value,
				 "MIN:MAX such as 10:1000 (least and most regions, 1 to 2^20), or "
				 "'none': page by page");
	o->regions.min = (guint32)min;
	o->regions.max = (guint32)max;
	return TRUE;
}

static gboolean is_multiple(const KxOptions *o)
{
	return o->interval_ns && o->aggregation_ns % o->interval_ns == 0 &&
	       o->aggregation_ns / o->interval_ns <= G_MAXUINT32;
}

static gboolean fits_aggregation(const KxOptions *o)
{
	return o->regions.max && is_multiple(o);
}

static gboolean set_aggregation(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!parse_with_unit(value, duration_units, &ns) || !ns)
		return bad_value(
			error, key, value,
			"a multiple of the interval, such as 2s (20 intervals if not given)");
	o->aggregation_ns = ns;
	return TRUE;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct kvm_ext_range *x = a, *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

/* Sorted, and what touches or overlaps is one. */
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
	/* What is equal compares equal: nothing is left over behind the end. */
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
		if (!parse_range(at, end, (guint64 *)&r.gfn, (guint64 *)&r.npages))
			return FALSE;
		p->ranges[p->nr++] = r;
		if (!end)
			break;
	}
	settle_ranges(p);
	return TRUE;
}

#define SHARE_DEFAULT 100000u /* ppm */
#define SHARE_MAX     1000000u

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
		if (*rest &&
		    (!parse_with_unit(rest + 1, share_units, &ppm) || !ppm || ppm > SHARE_MAX))
			return FALSE;
		p->share_ppm = (guint32)ppm;
		return TRUE;
	}
	return parse_list(value, p);
}

static gboolean set_pages(KxOptions *o, const char *key, const char *value, GError **error)
{
	KxPages p;

	memset(&p, 0, sizeof(p));
	if (!parse_pages(value, &p))
		return bad_value(error, key, value,
				 "all, random:SHARE, hottest:SHARE, coldest:SHARE (such as 5%; 10% "
				 "if not given), or GFN+PAGES,GFN+PAGES… (256 at most)");
	o->pages = p;
	return TRUE;
}

static gboolean set_fault_budget(KxOptions *o, const char *key, const char *value, GError **error)
{
	const char *end = g_str_has_suffix(value, "/s") ? value + strlen(value) - 2 : NULL;
	guint64 n;

	if (!parse_number(value, end, &n) || !n || n > KVM_EXT_TRAP_FAULTS_MAX)
		return bad_value(error, key, value, "1 to 1000000 faults a second");
	o->faults_per_s = (guint32)n;
	return TRUE;
}

static gboolean set_vcpu_budget(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ppm;

	if (!parse_with_unit(value, share_units, &ppm) || !ppm || ppm > SHARE_MAX)
		return bad_value(error, key, value,
				 "a share of the vCPUs' time such as 1% or 0.5%");
	o->vcpu_ppm = (guint32)ppm;
	return TRUE;
}

/* --- and back to text ------------------------------------------------------ */

static char *interval_text(const KxOptions *o)
{
	return kx_format_duration(o->interval_ns);
}

static char *granularity_text(const KxOptions *o)
{
	if (o->tracker->can & KX_CAN_TRAP)
		return NULL;
	return g_strdup(o->granularity == KVM_EXT_GRANULARITY_2M ? "2M" : "4K");
}

static char *range_text(const KxOptions *o)
{
	if (!o->range.npages)
		return NULL;
	return g_strdup_printf("0x%" G_GINT64_MODIFIER "x+%" G_GUINT64_FORMAT, o->range.first_gfn,
			       o->range.npages);
}

static char *cpu_text(const KxOptions *o)
{
	return o->cpu < 0 ? NULL : g_strdup_printf("%d", o->cpu);
}

static char *flush_scope_text(const KxOptions *o)
{
	return g_strdup(flush_scopes[effective_scope(o)]);
}

static char *batch_pages_text(const KxOptions *o)
{
	if (effective_scope(o) != KVM_EXT_FLUSH_BATCH)
		return NULL;
	return g_strdup_printf("%u", o->batch_pages ? o->batch_pages : BATCH_PAGES_DEFAULT);
}

static char *skip_text(const KxOptions *o)
{
	return g_strdup(kx_options_skips(o) ? "yes" : "no");
}

static char *staleness_text(const KxOptions *o)
{
	return o->staleness ? g_strdup("yes") : NULL;
}

static char *regions_text(const KxOptions *o)
{
	return o->regions.max ? g_strdup_printf("%u:%u", o->regions.min, o->regions.max) : NULL;
}

static char *aggregation_text(const KxOptions *o)
{
	guint64 ns = o->aggregation_ns ? o->aggregation_ns
				       : o->interval_ns * KVM_EXT_AGGREGATION_PASSES_DEFAULT;

	return o->regions.max && ns ? kx_format_duration(ns) : NULL;
}

static char *share_text(guint32 ppm)
{
	char digits[G_ASCII_DTOSTR_BUF_SIZE];

	g_ascii_formatd(digits, sizeof(digits), "%.7g", ppm / 10000.0);
	return g_strconcat(digits, "%", NULL);
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

static char *pages_text(const KxOptions *o)
{
	g_autofree char *share = share_text(o->pages.share_ppm);

	if (o->pages.kind == KX_PAGES_LIST)
		return range_list_text(&o->pages);
	if (o->pages.kind == KX_PAGES_ALL)
		return g_strdup(pages_kinds[KX_PAGES_ALL]);
	return g_strdup_printf("%s:%s", pages_kinds[o->pages.kind], share);
}

static char *fault_budget_text(const KxOptions *o)
{
	return g_strdup_printf("%u/s", o->faults_per_s);
}

static char *vcpu_budget_text(const KxOptions *o)
{
	return share_text(o->vcpu_ppm);
}

/* --- of trackers in the guest ----------------------------------------------- */

static const char *const guest_events[] = {
	[KVM_EXT_EVENT_AUTO] = "auto",
	[KVM_EXT_EVENT_PAGE_FAULTS] = "page-faults",
	[KVM_EXT_EVENT_RAW] = "raw",
};

static const char *const guest_policies[] = {
	[KVM_EXT_POLICY_FIXED] = "fixed",
	[KVM_EXT_POLICY_BUDGET] = "budget",
	[KVM_EXT_POLICY_POLL] = "poll",
};

static gboolean parse_raw_event(const char *text, KxGuestOptions *g)
{
	const char *colon = strchr(text, ':');

	g->event.config1 = 0;
	return parse_number(text, colon, &g->event.config) &&
	       (!colon || parse_number(colon + 1, NULL, &g->event.config1));
}

static gboolean set_event(KxOptions *o, const char *key, const char *value, GError **error)
{
	KxGuestOptions g = o->guest;
	const char *name = g_str_has_prefix(value, "sw:") ? value + strlen("sw:") : value;

	g.event.config = g.event.config1 = 0;
	if (g_str_equal(value, guest_events[KVM_EXT_EVENT_AUTO]))
		g.event.kind = KVM_EXT_EVENT_AUTO;
	else if (g_str_equal(name, guest_events[KVM_EXT_EVENT_PAGE_FAULTS]))
		g.event.kind = KVM_EXT_EVENT_PAGE_FAULTS;
	else if (g_str_has_prefix(value, "raw:") && parse_raw_event(value + strlen("raw:"), &g))
		g.event.kind = KVM_EXT_EVENT_RAW;
	else
		return bad_value(
			error, key, value,
			"auto, page-faults (a surrogate where the CPU has no events with "
			"addresses), raw:CONFIG or raw:CONFIG:CONFIG1 such as raw:0x1cd:0x40");
	o->guest = g;
	return TRUE;
}

static gboolean set_policy(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(guest_policies); i++) {
		if (g_str_equal(guest_policies[i], value)) {
			o->guest.policy = i;
			return TRUE;
		}
	}
	return bad_value(error, key, value, "fixed, budget, poll");
}

static gboolean fits_budget(const KxOptions *o)
{
	return o->guest.policy == KVM_EXT_POLICY_BUDGET;
}

static gboolean set_period(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 n;

	if (!parse_number(value, NULL, &n) || !n || n > 1ull << 40)
		return bad_value(error, key, value, "1 to 2^40 events a sample");
	o->guest.period = n;
	return TRUE;
}

static gboolean set_budget(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ppm;

	if (!parse_with_unit(value, share_units, &ppm) || !ppm || ppm > SHARE_MAX)
		return bad_value(error, key, value, "a share of the guest's CPU time such as 3%");
	o->guest.budget_ppm = (guint32)ppm;
	return TRUE;
}

static gboolean set_epoch(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!parse_with_unit(value, duration_units, &ns) || ns < 10000000 || ns > 10000000000)
		return bad_value(error, key, value, "10ms to 10s, such as 500ms");
	o->epoch_ns = ns;
	return TRUE;
}

static gboolean set_range_size(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 bytes;

	if (!parse_with_unit(value, size_units, &bytes) || bytes < 4096 || bytes > 1ull << 30 ||
	    (bytes & (bytes - 1)))
		return bad_value(error, key, value, "a power of two from 4K to 1G, such as 2M");
	o->range_order = (guint32)__builtin_ctzll(bytes);
	return TRUE;
}

static gboolean set_flush(KxOptions *o, const char *key, const char *value, GError **error)
{
	return parse_yes_no(key, value, &o->guest.flush, error);
}

static gboolean add_process(KxGuestOptions *g, const char *word)
{
	gsize len = strlen(word);
	guint64 pid;

	if (parse_number(word, NULL, &pid)) {
		if (!pid || pid > G_MAXINT32 || g->processes.nr_pids == KX_OPTIONS_PROCESSES_MAX)
			return FALSE;
		g->processes.pids[g->processes.nr_pids++] = (gint32)pid;
		return TRUE;
	}
	if (!len || len >= KX_OPTIONS_PROCESS_NAME ||
	    g->processes.nr_names == KX_OPTIONS_PROCESSES_MAX)
		return FALSE;
	for (const char *p = word; *p; p++) {
		if (!g_ascii_isgraph(*p))
			return FALSE;
	}
	memcpy(g->processes.names[g->processes.nr_names++], word, len);
	return TRUE;
}

static gboolean set_processes(KxOptions *o, const char *key, const char *value, GError **error)
{
	g_auto(GStrv) words = g_strsplit(value, ",", -1);
	KxGuestOptions g = o->guest;

	memset(&g.processes, 0, sizeof(g.processes));
	for (char **word = words; !g_str_equal(value, "largest") && (*word || word == words);
	     word++) {
		if (!*word || !add_process(&g, *word))
			return bad_value(
				error, key, value,
				"'largest', or up to 16 numbers and 16 names (of up to 15 "
				"characters) of the guest's processes, with commas between");
	}
	o->guest = g;
	return TRUE;
}

static gboolean set_wait(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (g_str_equal(value, "auto")) {
		o->wait_ns = -1;
		return TRUE;
	}
	if (!kx_parse_duration(value, &ns, NULL) || ns > WAIT_MAX_NS)
		return bad_value(error, key, value,
				 "0 to 24h, with a unit, such as 30s or 5m, or 'auto'");
	o->wait_ns = (gint64)ns;
	return TRUE;
}

#define PAGE_BYTES     4096u
#define RING_BYTES_MIN (64ull << 10)
#define RING_AUTO_MAX  (64u << 8) /* pages: 64 MiB */

static gboolean set_ring_size(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 bytes;

	if (g_str_equal(value, "auto")) {
		o->ring_pages = 0;
		return TRUE;
	}
	if (!parse_with_unit(value, size_units, &bytes) || bytes < RING_BYTES_MIN ||
	    bytes > (guint64)KVM_EXT_RING_PAGES_MAX * PAGE_BYTES || bytes & (bytes - 1))
		return bad_value(error, key, value,
				 "a power of two from 64K to 256M, such as 16M, or 'auto': by the "
				 "VM's memory");
	o->ring_pages = (guint32)(bytes / PAGE_BYTES);
	return TRUE;
}

/* A bit for each page, and a quarter more for what is around them. */
guint32 kx_options_ring_pages(const KxOptions *o, guint64 ram_pages)
{
	guint64 want = ram_pages / 8 / PAGE_BYTES * 5 / 4;
	guint32 pages = KVM_EXT_RING_PAGES_DEFAULT;

	if (o->ring_pages)
		return o->ring_pages;
	while (pages < want && pages < RING_AUTO_MAX)
		pages *= 2;
	return pages;
}

static char *event_text(const KxOptions *o)
{
	const KxGuestOptions *g = &o->guest;

	if (g->event.kind != KVM_EXT_EVENT_RAW)
		return g_strdup(guest_events[g->event.kind]);
	return g->event.config1
		       ? g_strdup_printf("raw:0x%" G_GINT64_MODIFIER "x:0x%" G_GINT64_MODIFIER "x",
					 g->event.config, g->event.config1)
		       : g_strdup_printf("raw:0x%" G_GINT64_MODIFIER "x", g->event.config);
}

static char *policy_text(const KxOptions *o)
{
	return g_strdup(guest_policies[o->guest.policy]);
}

static char *period_text(const KxOptions *o)
{
	return o->guest.period ? g_strdup_printf("%" G_GUINT64_FORMAT, o->guest.period) : NULL;
}

static char *budget_text(const KxOptions *o)
{
	return o->guest.policy == KVM_EXT_POLICY_BUDGET && o->guest.budget_ppm
		       ? share_text(o->guest.budget_ppm)
		       : NULL;
}

static char *epoch_text(const KxOptions *o)
{
	return o->epoch_ns ? kx_format_duration(o->epoch_ns) : NULL;
}

static char *range_size_text(const KxOptions *o)
{
	guint order = o->range_order;

	if (!order)
		return NULL;
	return order < 20   ? g_strdup_printf("%uK", 1u << (order - 10))
	       : order < 30 ? g_strdup_printf("%uM", 1u << (order - 20))
			    : g_strdup("1G");
}

static char *flush_text(const KxOptions *o)
{
	return g_strdup(o->guest.flush ? "yes" : "no");
}

static char *processes_text(const KxOptions *o)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < o->guest.processes.nr_pids; i++)
		g_string_append_printf(s, "%s%d", s->len ? "," : "", o->guest.processes.pids[i]);
	for (guint i = 0; i < o->guest.processes.nr_names; i++)
		g_string_append_printf(s, "%s%s", s->len ? "," : "", o->guest.processes.names[i]);
	return g_string_free(s, !s->len);
}

#define MEMBERS(member) \
	.offset = G_STRUCT_OFFSET(KxOptions, member), .size = sizeof(((KxOptions *)NULL)->member)
#define TRACKERS_WITH_PASSES  .needs = KX_CAN_PASS, .lack = "has no passes"
#define TRACKERS_THAT_FLUSH   .needs = KX_CAN_FLUSH, .lack = "does not flush"
#define TRACKERS_WITH_REGIONS .needs = KX_CAN_REGIONS, .lack = "does not sample regions"
#define TRACKERS_THAT_TRAP    .needs = KX_CAN_TRAP, .lack = "sets no traps"
#define TRACKERS_OF_GUESTS    .needs = KX_CAN_GUEST, .lack = "does not run in the guest"
#define TRACKERS_THAT_FIND    .needs = KX_CAN_FIND, .lack = "finds nothing"
#define TRACKERS_OF_EVENTS    .needs = KX_CAN_EVENTS, .lack = "samples no events"

const KxOptionKey kx_option_keys[] = {
	{ .key = "tracker",
	  .value = "TRACKER",
	  .help = "Tracker to run",
	  MEMBERS(tracker),
	  .set = set_tracker },
	{ .key = "interval",
	  .value = "TIME",
	  .help = "Start of a pass to start of the next, such as 100ms; 0: only on request",
	  TRACKERS_WITH_PASSES,
	  MEMBERS(interval_ns),
	  .set = set_interval,
	  .text = interval_text },
	{ .key = "granularity",
	  .value = "SIZE",
	  .help = "Size that is looked at: 4K or 2M (dirty log, regions: 4K only)",
	  TRACKERS_WITH_PASSES,
	  MEMBERS(granularity),
	  .set = set_granularity,
	  .text = granularity_text,
	  .fits = fits_granularity },
	{ .key = "range",
	  .value = "GFN+PAGES",
	  .help = "Guest page frames to track, or 'all'",
	  TRACKERS_WITH_PASSES,
	  MEMBERS(range),
	  .set = set_range,
	  .text = range_text },
	{ .key = "cpu",
	  .value = "CPU",
	  .help = "CPU that the passes run on, or 'any'",
	  TRACKERS_WITH_PASSES,
	  MEMBERS(cpu),
	  .set = set_cpu,
	  .text = cpu_text },
	{ .key = "flush-scope",
	  .value = "SCOPE",
	  .help = "When to flush: page, batch or pass; ept-walk: or none, and then it skips "
		  "nothing",
	  TRACKERS_THAT_FLUSH,
	  MEMBERS(flush_scope),
	  .set = set_flush_scope,
	  .text = flush_scope_text,
	  .fits = fits_flush_scope },
	{ .key = "batch-pages",
	  .value = "N",
	  .help = "Pages in a batch of --flush-scope batch",
	  TRACKERS_THAT_FLUSH,
	  MEMBERS(batch_pages),
	  .set = set_batch_pages,
	  .text = batch_pages_text,
	  .fits = fits_batch_pages },
	{ .key = "skip",
	  .value = "yes|no",
	  .help = "Leave out what lies below an entry that was not used",
	  .needs = KX_CAN_SKIP,
	  .lack = "walks no page table",
	  MEMBERS(skip),
	  .set = set_skip,
	  .text = skip_text },
	{ .key = "staleness",
	  .value = "yes|no",
	  .help = "Measure how many accesses stale TLB entries hide; there are no costs then",
	  .needs = KX_CAN_ABITS,
	  .lack = "tests no accessed bits",
	  MEMBERS(staleness),
	  .set = set_staleness,
	  .text = staleness_text },
	{ .key = "regions",
	  .value = "MIN:MAX",
	  .help = "Check a page of each of so many regions instead of every page, or 'none'",
	  TRACKERS_WITH_REGIONS,
	  MEMBERS(regions),
	  .set = set_regions,
	  .text = regions_text },
	{ .key = "aggregation",
	  .value = "TIME",
	  .help = "Regions are read, merged and split after it (20 intervals)",
	  TRACKERS_WITH_REGIONS,
	  MEMBERS(aggregation_ns),
	  .set = set_aggregation,
	  .text = aggregation_text,
	  .fits = fits_aggregation },
	{ .key = "pages",
	  .value = "PAGES",
	  .help = "Pages to set traps on: all, random:5%, hottest:5%, coldest:5%, GFN+PAGES,…",
	  TRACKERS_THAT_TRAP,
	  MEMBERS(pages),
	  .set = set_pages,
	  .text = pages_text },
	{ .key = "fault-budget",
	  .value = "N",
	  .help = "Most faults in a second (1000)",
	  TRACKERS_THAT_TRAP,
	  MEMBERS(faults_per_s),
	  .set = set_fault_budget,
	  .text = fault_budget_text },
	{ .key = "vcpu-budget",
	  .value = "PERCENT",
	  .help = "Most of the vCPUs' time that faults may take (1%)",
	  TRACKERS_THAT_TRAP,
	  MEMBERS(vcpu_ppm),
	  .set = set_vcpu_budget,
	  .text = vcpu_budget_text },
	{ .key = "event",
	  .value = "EVENT",
	  .help = "What is sampled: auto, page-faults (a surrogate), raw:CONFIG[:CONFIG1]",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.event),
	  .set = set_event,
	  .text = event_text },
	{ .key = "policy",
	  .value = "POLICY",
	  .help = "How samples are collected: fixed, budget or poll",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.policy),
	  .set = set_policy,
	  .text = policy_text },
	{ .key = "period",
	  .value = "N",
	  .help = "Events per sample (4093)",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.period),
	  .set = set_period,
	  .text = period_text },
	{ .key = "budget",
	  .value = "PERCENT",
	  .help = "With --policy budget: the guest's CPU time that sampling may take (3%)",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.budget_ppm),
	  .set = set_budget,
	  .text = budget_text,
	  .fits = fits_budget },
	{ .key = "flush",
	  .value = "yes|no",
	  .help = "Flush the guest's TLB behind each scan",
	  .needs = KX_CAN_SCAN,
	  .lack = "does not scan the guest's page tables",
	  MEMBERS(guest.flush),
	  .set = set_flush,
	  .text = flush_text },
	{ .key = "epoch",
	  .value = "TIME",
	  .help = "After it ranges of heat are split, merged and, by a guest, reported (500ms)",
	  TRACKERS_THAT_FIND,
	  MEMBERS(epoch_ns),
	  .set = set_epoch,
	  .text = epoch_text },
	{ .key = "range-size",
	  .value = "SIZE",
	  .help = "Smallest range whose heat is told apart, from 4K to 1G (4K; in the guest 2M)",
	  TRACKERS_THAT_FIND,
	  MEMBERS(range_order),
	  .set = set_range_size,
	  .text = range_size_text },
	{ .key = "processes",
	  .value = "NAMES",
	  .help = "The guest's processes to watch, by name or number, or 'largest'",
	  TRACKERS_OF_GUESTS,
	  MEMBERS(guest.processes),
	  .set = set_processes,
	  .text = processes_text },
	{ .key = "ring-size",
	  .value = "SIZE",
	  .help = "Room for samples until they are read, from 64K to 256M; 'auto': by the VM's "
		  "memory",
	  .at_attach = TRUE,
	  MEMBERS(ring_pages),
	  .set = set_ring_size },
	{ .key = "wait",
	  .value = "TIME",
	  .help = "Wait so long for the guest's module, or 'auto': while the guest gets on",
	  TRACKERS_OF_GUESTS,
	  MEMBERS(wait_ns),
	  .set = set_wait },
	{ .key = NULL },
};

const KxOptionKey *kx_option_key(const char *key)
{
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		if (g_str_equal(k->key, key))
			return k;
	}
	return NULL;
}

void kx_options_init(KxOptions *o)
{
	*o = defaults;
}

/* What comes after @set in the table and is given as well is yet to be set. */
static void drop_what_is_left_over(KxOptions *o, const KxOptionKey *set)
{
	for (const KxOptionKey *k = set + 1; k->key; k++) {
		if (!is_for(k, o->tracker) || (k->fits && !k->fits(o)))
			memcpy((char *)o + k->offset, (const char *)&defaults + k->offset, k->size);
	}
}

gboolean kx_options_set(KxOptions *o, const char *key, const char *value, GError **error)
{
	const KxOptionKey *k = kx_option_key(key);
	g_autoptr(GString) known = NULL;

	if (k) {
		if (!k->set(o, key, value, error))
			return FALSE;
		drop_what_is_left_over(o, k);
		return TRUE;
	}
	known = g_string_new(NULL);
	for (k = kx_option_keys; k->key; k++)
		g_string_append_printf(known, "%s%s", known->len ? ", " : "", k->key);
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_UNKNOWN_KEY,
		    "there is no tracker option '%s'; known are %s", key, known->str);
	return FALSE;
}

/* --- what does not go together --------------------------------------------- */

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

/* What was given though the tracker has no use for it. */
static gboolean check_keys(const KxOptions *o, GError **error)
{
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autofree char *others = NULL;

		if (is_for(k, o->tracker) || is_default(o, k))
			continue;
		others = kx_trackers_that(k->needs);
		return conflict(
			error,
			"tracker %s %s, so %s means nothing to it; leave it out, or use one "
			"of: %s",
			o->tracker->name, k->lack, k->key, others);
	}
	return TRUE;
}

static gboolean check_flush(const KxOptions *o, GError **error)
{
	if (!fits_flush_scope(o))
		return conflict(error,
				"tracker %s always flushes; flush-scope none is ept-walk's alone, "
				"and abit never flushes",
				o->tracker->name);
	if (o->batch_pages && !fits_batch_pages(o))
		return conflict(error,
				"batch-pages is given but the flush scope is '%s'; add flush-scope "
				"'batch' or leave batch-pages out",
				flush_scopes[effective_scope(o)]);
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
	if (has_no_granularity(o->tracker))
		return conflict(
			error,
			"tracker %s has no granularity: it takes mappings as they are; leave "
			"granularity out",
			o->tracker->name);
	if (o->regions.max)
		return conflict(error,
				"regions are of pages of 4 KiB, one of which is checked: set "
				"granularity 4K with them");
	return TRUE;
}

static gboolean check_regions(const KxOptions *o, GError **error)
{
	if (o->regions.max && o->staleness)
		return conflict(
			error,
			"staleness and regions exclude each other, for a miss rate compares all "
			"pages and regions look at a few: set staleness no, or regions none");
	if (!o->aggregation_ns)
		return TRUE;
	if (!o->regions.max)
		return conflict(error, "aggregation is given without regions; add regions MIN:MAX "
				       "or leave aggregation out");
	if (!o->interval_ns)
		return conflict(error,
				"aggregation is given but passes run on request only: give an "
				"interval, or leave aggregation out (20 passes)");
	if (!is_multiple(o)) {
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
	if (o->guest.budget_ppm && !fits_budget(o))
		return conflict(error,
				"budget is given but the policy is '%s'; add policy 'budget' or "
				"leave budget out",
				guest_policies[o->guest.policy]);
	return TRUE;
}

gboolean kx_options_check(const KxOptions *o, GError **error)
{
	return check_keys(o, error) && check_flush(o, error) && check_granularity(o, error) &&
	       check_regions(o, error) && check_pages(o, error) && check_guest(o, error);
}

/* --- to others ------------------------------------------------------------- */

gboolean kx_options_skips(const KxOptions *o)
{
	return (o->tracker->can & KX_CAN_SKIP) && o->skip &&
	       effective_scope(o) != KVM_EXT_FLUSH_NONE;
}

guint32 kx_options_aggregation_passes(const KxOptions *o)
{
	return o->aggregation_ns && o->interval_ns ? (guint32)(o->aggregation_ns / o->interval_ns)
						   : 0;
}

char *kx_options_to_string(const KxOptions *o)
{
	g_autoptr(GString) s = g_string_new(NULL);

	for (const KxOptionKey *k = kx_option_keys; k->key && o->tracker->can; k++) {
		g_autofree char *text = k->text && is_for(k, o->tracker) ? k->text(o) : NULL;

		if (text)
			g_string_append_printf(s, "%s%s=%s", s->len ? " " : "", k->key, text);
	}
	return g_string_free(g_steal_pointer(&s), FALSE);
}

static void trap_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t)
{
	t->trap_share_ppm = o->pages.kind == KX_PAGES_RANDOM ? o->pages.share_ppm : 0;
	t->trap_faults_per_s = o->faults_per_s;
	t->trap_time_ppm = o->vcpu_ppm;
	t->nr_ranges = o->pages.nr;
	t->ranges = o->pages.nr ? (guint64)(guintptr)o->pages.ranges : 0;
}

void kx_options_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t)
{
	guint can = o->tracker->can;

	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
	t->tracker = (guint32)o->tracker->module_id;
	t->cpu = -1;
	if (!(can & KX_CAN_PASS))
		return;
	t->granularity = o->granularity;
	t->interval_ns = o->interval_ns;
	t->first_gfn = o->range.first_gfn;
	t->npages = o->range.npages;
	t->cpu = o->cpu;
	t->flags = (can & KX_CAN_SKIP && !o->skip ? KVM_EXT_SET_NO_SKIP : 0) |
		   (o->staleness ? KVM_EXT_SET_STALENESS : 0);
	if (can & KX_CAN_FLUSH) {
		t->flush_scope = effective_scope(o);
		t->batch_pages = t->flush_scope == KVM_EXT_FLUSH_BATCH ? o->batch_pages : 0;
	}
	if (o->regions.max) {
		t->regions_min = o->regions.min;
		t->regions_max = o->regions.max;
		t->aggregation_passes = kx_options_aggregation_passes(o);
	}
	if (can & KX_CAN_TRAP)
		trap_to_uapi(o, t);
}
