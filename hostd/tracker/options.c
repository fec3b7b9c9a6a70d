// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracker options. Each key is one row of a table (option-keys.c): how its text is read, how
 * it is written back, and to which trackers it means something.
 */
#include "options-internal.h"

#include <string.h>

const KxOptions kx_options_defaults = {
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

gboolean kx_option_is_default(const KxOptions *o, const KxOptionKey *k)
{
	return memcmp((const char *)o + k->offset, (const char *)&kx_options_defaults + k->offset,
		      k->size) == 0;
}

gboolean kx_option_is_for(const KxOptionKey *k, const KxTrackerRow *t)
{
	return (t->can & k->needs) == k->needs;
}

gboolean kx_option_bad_value(GError **error, const char *key, const char *value,
			     const char *accepted)
{
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "%s '%s' is not valid; accepted: %s", key, value, accepted);
	return FALSE;
}

gboolean kx_option_yes_no(const char *key, const char *value, gboolean *yes, GError **error)
{
	if (!g_str_equal(value, "yes") && !g_str_equal(value, "no"))
		return kx_option_bad_value(error, key, value, "yes, no");
	*yes = g_str_equal(value, "yes");
	return TRUE;
}

void kx_options_init(KxOptions *o)
{
	*o = kx_options_defaults;
}

/* What comes after @set in the table and is given as well is yet to be set. */
static void drop_what_is_left_over(KxOptions *o, const KxOptionKey *set)
{
	for (const KxOptionKey *k = set + 1; k->key; k++) {
		if (!kx_option_is_for(k, o->tracker) || (k->fits && !k->fits(o)))
			memcpy((char *)o + k->offset,
			       (const char *)&kx_options_defaults + k->offset, k->size);
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

char *kx_options_to_string(const KxOptions *o)
{
	g_autoptr(GString) s = g_string_new(NULL);

	for (const KxOptionKey *k = kx_option_keys; k->key && o->tracker->can; k++) {
		g_autofree char *text =
			k->text && kx_option_is_for(k, o->tracker) ? k->text(o) : NULL;

		if (text)
			g_string_append_printf(s, "%s%s=%s", s->len ? " " : "", k->key, text);
	}
	return g_string_free(g_steal_pointer(&s), FALSE);
}
