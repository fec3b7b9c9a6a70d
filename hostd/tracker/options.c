// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tracker options. Each key is one row of a table (option-keys.c): how its text is parsed, how
 * the text is written, and which trackers accept the key.
 */
#include "options-internal.h"

#include <string.h>

void kx_options_init(KxOptions *o)
{
	*o = kx_options_defaults;
}

/*
 * Returns keys that no longer apply to their defaults. Only keys after @set in the table: keys are set in the order of the
 * table, so a later key that the user gives with this one is set afterwards.
 */
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

char *kx_option_keys_of(const KxTrackerRow *t)
{
	g_autoptr(GString) keys = g_string_new(NULL);

	for (const KxOptionKey *k = kx_option_keys; k->key && t->can; k++) {
		if (k->needs && !k->at_attach && kx_option_is_for(k, t))
			g_string_append_printf(keys, "%s%s", keys->len ? ", " : "", k->key);
	}
	return g_string_free(g_steal_pointer(&keys), FALSE);
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
