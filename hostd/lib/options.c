/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracker options. Each key is one row of a table: how its text is read, how
 * it is written back, and to which trackers it means something.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

G_DEFINE_QUARK(kx_options_error, kx_options_error)

const KxTrackerRow kx_trackers[] = {
	{ .name = "off",
	  .summary = "no tracking: the control that every other tracker is compared with",
	  .module_id = KVM_EXT_TRACKER_OFF },
	{ .name = "abit",
	  .summary = "accessed bits through the MMU notifier, the guest's TLB is not flushed",
	  .module_id = KVM_EXT_TRACKER_ABIT,
	  .passes = TRUE },
	{ .name = "abit-flush",
	  .summary = "accessed bits through the MMU notifier, then the guest's TLB is flushed",
	  .module_id = KVM_EXT_TRACKER_ABIT_FLUSH,
	  .passes = TRUE,
	  .flushes = TRUE },
	{ .name = "dirty-log",
	  .summary = "pages written, from KVM's dirty log: by PML, or by write protection",
	  .module_id = KVM_EXT_TRACKER_DIRTY_LOG,
	  .passes = TRUE,
	  .log = TRUE },
	{ .name = "pml",
	  .summary = "dirty-log where the CPU logs the writes (PML); refused elsewhere",
	  .module_id = -1,
	  .means = "dirty-log",
	  .mechanism = KVM_EXT_LOG_PML },
	{ .name = "pml-abit",
	  .summary = "accessed bits of those pages alone that the dirty log has named",
	  .module_id = KVM_EXT_TRACKER_PML_ABIT,
	  .passes = TRUE,
	  .flushes = TRUE,
	  .log = TRUE },
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

/* --- keys ------------------------------------------------------------------ */

static gboolean bad_value(GError **error, const char *key, const char *value, const char *accepted)
{
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "%s '%s' is not valid; accepted: %s", key, value, accepted);
	return FALSE;
}

static gboolean set_tracker(KxOptions *o, const char *key, const char *value, GError **error)
{
	const KxTrackerRow *t = kx_tracker_by_name(value);

	if (!t) {
		g_autoptr(GString) names = g_string_new(NULL);

		for (t = kx_trackers; t->name; t++)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", t->name);
		return bad_value(error, key, value, names->str);
	}
	o->mechanism = t->mechanism;
	o->tracker = t->means ? kx_tracker_by_name(t->means) : t;
	if (!o->tracker->flushes) {
		o->flush_scope = KVM_EXT_FLUSH_DEFAULT;
		o->batch_pages = 0;
	}
	if (o->tracker->log)
		o->granularity = KVM_EXT_GRANULARITY_4K;
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

static gboolean set_range(KxOptions *o, const char *key, const char *value, GError **error)
{
	const char *plus = strchr(value, '+');
	guint64 gfn, npages;

	if (g_str_equal(value, "all")) {
		o->first_gfn = o->npages = 0;
		return TRUE;
	}
	if (!plus || !parse_number(value, plus, &gfn) || !parse_number(plus + 1, NULL, &npages) ||
	    !npages || gfn >= GFN_LIMIT || npages > GFN_LIMIT - gfn)
		return bad_value(error, key, value,
				 "'all', or GFN+PAGES such as 0x100000+512 (the first page frame "
				 "number and how many pages, at least 1, below 2^40)");
	o->first_gfn = gfn;
	o->npages = npages;
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
	[KVM_EXT_FLUSH_DEFAULT] = NULL,
	[KVM_EXT_FLUSH_PAGE] = "page",
	[KVM_EXT_FLUSH_BATCH] = "batch",
	[KVM_EXT_FLUSH_PASS] = "pass",
};

static gboolean set_flush_scope(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = KVM_EXT_FLUSH_PAGE; i <= KVM_EXT_FLUSH_PASS; i++) {
		if (g_str_equal(flush_scopes[i], value)) {
			o->flush_scope = (enum kvm_ext_flush_scope)i;
			if (i != KVM_EXT_FLUSH_BATCH)
				o->batch_pages = 0;
			return TRUE;
		}
	}
	return bad_value(error, key, value, "page, batch, pass");
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

static char *interval_text(const KxOptions *o)
{
	return kx_format_duration(o->interval_ns);
}

static char *granularity_text(const KxOptions *o)
{
	return g_strdup(o->granularity == KVM_EXT_GRANULARITY_2M ? "2M" : "4K");
}

static char *range_text(const KxOptions *o)
{
	if (!o->npages)
		return NULL;
	return g_strdup_printf("0x%" G_GINT64_MODIFIER "x+%" G_GUINT64_FORMAT, o->first_gfn,
			       o->npages);
}

static char *cpu_text(const KxOptions *o)
{
	return o->cpu < 0 ? NULL : g_strdup_printf("%d", o->cpu);
}

static enum kvm_ext_flush_scope effective_scope(const KxOptions *o)
{
	if (o->tracker->flushes && o->flush_scope == KVM_EXT_FLUSH_DEFAULT)
		return KVM_EXT_FLUSH_PASS;
	return o->flush_scope;
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

typedef struct {
	const char *key;
	gboolean (*set)(KxOptions *o, const char *key, const char *value, GError **error);
	char *(*text)(const KxOptions *o); /* NULL result: the default, not written */
	gboolean flush_only;
} Key;

static const Key keys[] = {
	{ "tracker", set_tracker, NULL, FALSE },
	{ "interval", set_interval, interval_text, FALSE },
	{ "granularity", set_granularity, granularity_text, FALSE },
	{ "range", set_range, range_text, FALSE },
	{ "cpu", set_cpu, cpu_text, FALSE },
	{ "flush-scope", set_flush_scope, flush_scope_text, TRUE },
	{ "batch-pages", set_batch_pages, batch_pages_text, TRUE },
};

const char *const kx_option_keys[] = { "tracker", "interval",	 "granularity", "range",
				       "cpu",	  "flush-scope", "batch-pages", NULL };

void kx_options_init(KxOptions *o)
{
	*o = (KxOptions){
		.tracker = kx_trackers,
		.interval_ns = 1000000000,
		.granularity = KVM_EXT_GRANULARITY_4K,
		.cpu = -1,
		.flush_scope = KVM_EXT_FLUSH_DEFAULT,
	};
}

gboolean kx_options_set(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (g_str_equal(keys[i].key, key))
			return keys[i].set(o, key, value, error);
	}
	g_autofree char *known = g_strjoinv(", ", (char **)kx_option_keys);
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_UNKNOWN_KEY,
		    "there is no tracker option '%s'; known are %s", key, known);
	return FALSE;
}

gboolean kx_options_check(const KxOptions *o, GError **error)
{
	if (!o->tracker->flushes && (o->flush_scope != KVM_EXT_FLUSH_DEFAULT || o->batch_pages)) {
		g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT,
			    "tracker %s does not flush, so %s means nothing to it; leave it out or "
			    "use tracker abit-flush",
			    o->tracker->name, o->batch_pages ? "batch-pages" : "flush-scope");
		return FALSE;
	}
	if (o->tracker->log && o->granularity != KVM_EXT_GRANULARITY_4K) {
		g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT,
			    "tracker %s has no granularity but 4K: the dirty log holds a bit for "
			    "each page of 4 KiB, however it is mapped; leave granularity out",
			    o->tracker->name);
		return FALSE;
	}
	if (o->batch_pages && effective_scope(o) != KVM_EXT_FLUSH_BATCH) {
		g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT,
			    "batch-pages is given but the flush scope is '%s'; add flush-scope "
			    "'batch' or leave batch-pages out",
			    flush_scopes[effective_scope(o)]);
		return FALSE;
	}
	return TRUE;
}

char *kx_options_to_string(const KxOptions *o)
{
	g_autoptr(GString) s = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *text = NULL;

		if (!keys[i].text ||
		    (keys[i].flush_only ? !o->tracker->flushes : !o->tracker->passes))
			continue;
		text = keys[i].text(o);
		if (text)
			g_string_append_printf(s, "%s%s=%s", s->len ? " " : "", keys[i].key, text);
	}
	return g_string_free(g_steal_pointer(&s), FALSE);
}

void kx_options_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t)
{
	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
	t->tracker = (guint32)o->tracker->module_id;
	t->cpu = -1;
	if (!o->tracker->passes)
		return;
	t->granularity = o->granularity;
	t->interval_ns = o->interval_ns;
	t->first_gfn = o->first_gfn;
	t->npages = o->npages;
	t->cpu = o->cpu;
	if (!o->tracker->flushes)
		return;
	t->flush_scope = effective_scope(o);
	t->batch_pages = t->flush_scope == KVM_EXT_FLUSH_BATCH ? o->batch_pages : 0;
}
