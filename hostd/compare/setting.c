// SPDX-License-Identifier: GPL-2.0-or-later
#include "setting.h"

#include <string.h>

#define REFERENCE "off"

void kx_setting_free(KxSetting *s)
{
	if (!s)
		return;
	g_free(s->text);
	g_free(s->label);
	g_ptr_array_unref(s->keys);
	g_ptr_array_unref(s->values);
	g_free(s);
}

static KxSetting *setting_new(const KxTrackerRow *row)
{
	KxSetting *s = g_new0(KxSetting, 1);

	s->tracker = row->name;
	s->keys = g_ptr_array_new_with_free_func(g_free);
	s->values = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(s->keys, g_strdup("tracker"));
	g_ptr_array_add(s->values, g_strdup(row->name));
	return s;
}

/* --- reading a list ----------------------------------------------------------------------------------------------- */

/* The key at the start of @token, "KEY="; NULL: no key, or no key of a tracker's options. */
static const KxOptionKey *key_of(const char *token)
{
	const char *equals = strchr(token, '=');
	g_autofree char *name = equals ? g_strndup(token, (gsize)(equals - token)) : NULL;
	const KxOptionKey *k = name ? kx_option_key(name) : NULL;

	return k && !k->at_attach && !g_str_equal(k->key, "tracker") ? k : NULL;
}

/* The next token in @text, up to a separator, which stays in *@rest. */
static char *next_token(const char *text, const char **rest)
{
	gsize len = strcspn(text, ",:");

	*rest = text + len;
	return g_strndup(text, len);
}

static gboolean add_option(KxSetting *s, const KxOptionKey *k, const char *token, GError **error)
{
	for (guint i = 0; i < s->keys->len; i++) {
		if (g_str_equal(s->keys->pdata[i], k->key)) {
			g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT,
				    "setting %s has %s twice", s->tracker, k->key);
			return FALSE;
		}
	}
	g_ptr_array_add(s->keys, g_strdup(k->key));
	g_ptr_array_add(s->values, g_strdup(strchr(token, '=') + 1));
	return TRUE;
}

/* The rest of a value that contains a separator. */
static void go_on_with_value(KxSetting *s, char separator, const char *token)
{
	guint last = s->values->len - 1;
	char *longer = g_strdup_printf("%s%c%s", (char *)s->values->pdata[last], separator, token);

	g_free(s->values->pdata[last]);
	s->values->pdata[last] = longer;
}

/* A token that stands where only an option of @s can stand. */
static gboolean no_such_option(const char *token, const KxSetting *s, GError **error)
{
	g_autofree char *keys = kx_option_keys_of(kx_tracker_meant(s->tracker));

	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_UNKNOWN_KEY,
		    "'%s' is not an option of %s, which takes %s; an option is KEY=VALUE", token,
		    s->tracker, *keys ? keys : "none");
	return FALSE;
}

static gboolean no_such(const char *token, const KxSetting *s, GError **error)
{
	g_autofree char *names = kx_trackers_that(0);

	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_UNKNOWN_KEY,
		    "'%s' is neither a tracker nor an option%s%s; trackers: %s; an option is "
		    "KEY=VALUE",
		    token, s ? " of " : "", s ? s->tracker : "", names);
	return FALSE;
}

static gboolean add_all(GPtrArray *settings)
{
	for (const KxTrackerRow *row = kx_trackers; row->name; row++) {
		KxSetting *s;

		if (row->means)
			continue;
		s = setting_new(row);
		s->from_all = TRUE;
		g_ptr_array_add(settings, s);
	}
	return TRUE;
}

static gboolean take_token(GPtrArray *settings, char separator, const char *token, GError **error)
{
	KxSetting *s = settings->len ? settings->pdata[settings->len - 1] : NULL;
	const KxTrackerRow *row = separator == ':' ? NULL : kx_tracker_by_name(token);
	const KxOptionKey *k = key_of(token);

	if (row) {
		g_ptr_array_add(settings, setting_new(row));
		return TRUE;
	}
	if (separator == ',' && g_str_equal(token, "all"))
		return add_all(settings);
	if (!s || s->from_all)
		return no_such(token, NULL, error);
	if (k)
		return add_option(s, k, token, error);
	if (s->values->len > 1 && !strchr(token, '=')) {
		go_on_with_value(s, separator, token);
		return TRUE;
	}
	return separator == ':' || strchr(token, '=') ? no_such_option(token, s, error)
						      : no_such(token, s, error);
}

static gboolean read_list(GPtrArray *settings, const char *list, GError **error)
{
	char separator = ',';
	const char *rest;

	for (const char *text = list;; text = rest + 1) {
		g_autofree char *token = next_token(text, &rest);

		if (!take_token(settings, separator, token, error))
			return FALSE;
		if (!*rest)
			return TRUE;
		separator = *rest;
	}
}

/* --- the settings -------------------------------------------------------------------------------------------------- */

static const char *value_of(const KxSetting *s, const char *key)
{
	for (guint i = 0; i < s->keys->len; i++) {
		if (g_str_equal(s->keys->pdata[i], key))
			return s->values->pdata[i];
	}
	return NULL;
}

/* Sets the options in the order of the table, and also the canonical text. */
static gboolean settle(KxSetting *s, GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
	GString *text = g_string_new(s->tracker);

	kx_options_init(&s->options);
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		const char *value = value_of(s, k->key);

		if (!value)
			continue;
		if (!kx_options_set(&s->options, k->key, value, error)) {
			g_string_free(text, TRUE);
			return FALSE;
		}
		g_ptr_array_add(keys, g_strdup(k->key));
		g_ptr_array_add(values, g_strdup(value));
		if (keys->len > 1)
			g_string_append_printf(text, ":%s=%s", k->key, value);
	}
	g_ptr_array_unref(s->keys);
	g_ptr_array_unref(s->values);
	s->keys = g_steal_pointer(&keys);
	s->values = g_steal_pointer(&values);
	s->text = g_string_free(text, FALSE);
	return kx_options_check(&s->options, error);
}

/* A tracker that the list names explicitly, with any options, is not added again by "all". */
static void leave_out_named(GPtrArray *settings)
{
	for (guint i = 0; i < settings->len;) {
		const KxSetting *s = settings->pdata[i];
		gboolean named = FALSE;

		for (guint j = 0; s->from_all && j < settings->len; j++) {
			const KxSetting *other = settings->pdata[j];

			named |= j != i && g_str_equal(other->tracker, s->tracker) &&
				 (!other->from_all || j < i);
		}
		if (named)
			g_ptr_array_remove_index(settings, i);
		else
			i++;
	}
}

/* The setting in one form: independent of the units in which values were written, and without values that equal the defaults. */
static char *meaning_of(const KxSetting *s)
{
	GString *out = g_string_new(s->options.tracker->name);

	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autofree char *text = k->text ? k->text(&s->options) : NULL;

		if (text)
			g_string_append_printf(out, ":%s=%s", k->key, text);
	}
	return g_string_free(out, FALSE);
}

static gboolean all_differ(const GPtrArray *settings, GError **error)
{
	for (guint i = 0; i < settings->len; i++) {
		const KxSetting *a = settings->pdata[i];
		g_autofree char *meant = meaning_of(a);

		for (guint j = 0; j < i; j++) {
			const KxSetting *b = settings->pdata[j];
			g_autofree char *before = meaning_of(b);

			if (!g_str_equal(meant, before))
				continue;
			if (g_str_equal(a->text, b->text))
				g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT,
					    "%s is in the list twice", a->text);
			else
				g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT,
					    "%s and %s are the same setting", b->text, a->text);
			return FALSE;
		}
	}
	return TRUE;
}

static void reference_first(GPtrArray *settings)
{
	for (guint i = 0; i < settings->len; i++) {
		KxSetting *s = settings->pdata[i];

		if (!g_str_equal(s->tracker, REFERENCE))
			continue;
		s->from_all = FALSE;
		g_ptr_array_insert(settings, 0, g_ptr_array_steal_index(settings, i));
		return;
	}
	g_ptr_array_insert(settings, 0, setting_new(kx_tracker_by_name(REFERENCE)));
}

/* Whether all settings of the tracker of @s have the same value of @key as @s. */
static gboolean all_alike(const GPtrArray *settings, const KxSetting *s, guint key)
{
	for (guint i = 0; i < settings->len; i++) {
		const KxSetting *other = settings->pdata[i];

		if (g_str_equal(other->tracker, s->tracker) &&
		    g_strcmp0(value_of(other, s->keys->pdata[key]), s->values->pdata[key]) != 0)
			return FALSE;
	}
	return TRUE;
}

/* The tracker's name, and the options that distinguish this setting from others of the same tracker. */
static void give_labels(GPtrArray *settings)
{
	for (guint i = 0; i < settings->len; i++) {
		KxSetting *s = settings->pdata[i];
		GString *label = g_string_new(s->tracker);

		for (guint k = 1; k < s->keys->len; k++) {
			if (!all_alike(settings, s, k))
				g_string_append_printf(label, ":%s=%s", (char *)s->keys->pdata[k],
						       (char *)s->values->pdata[k]);
		}
		s->label = g_string_free(label, FALSE);
	}
}

GPtrArray *kx_settings_parse(const char *list, GError **error)
{
	g_autoptr(GPtrArray) settings =
		g_ptr_array_new_with_free_func((GDestroyNotify)kx_setting_free);

	if (!read_list(settings, list, error))
		return NULL;
	leave_out_named(settings);
	reference_first(settings);
	for (guint i = 0; i < settings->len; i++) {
		KxSetting *s = settings->pdata[i];

		if (!settle(s, error)) {
			g_prefix_error(error, "setting %s: ", s->text ? s->text : s->tracker);
			return NULL;
		}
	}
	if (!all_differ(settings, error))
		return NULL;
	give_labels(settings);
	return g_steal_pointer(&settings);
}

const KxTrackerRow *kx_setting_tracker(const char *text)
{
	g_autofree char *name = g_strndup(text, strcspn(text, ":"));

	return kx_tracker_meant(name);
}

GVariant *kx_setting_to_variant(const KxSetting *s)
{
	GVariantDict dict;

	g_variant_dict_init(&dict, NULL);
	/* Otherwise a setting would keep options of the setting before it. */
	g_variant_dict_insert(&dict, "fresh", "s", "yes");
	for (guint i = 0; i < s->keys->len; i++)
		g_variant_dict_insert(&dict, s->keys->pdata[i], "s", s->values->pdata[i]);
	return g_variant_dict_end(&dict);
}
