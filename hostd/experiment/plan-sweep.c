// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values that an experiment's file lists. The number and the size of the VMs make points, each with all settings in its rounds.
 * A tracker's option makes settings: they run in the same rounds and share one `off`.
 */
#include "plan-internal.h"

#include <string.h>

#include "compare/comparison.h"
#include "compare/setting.h"

/* --- points ------------------------------------------------------------------------------------------------------- */

static guint length(gconstpointer list, guint n)
{
	return list ? n : 1;
}

static void add_word(GString *label, gboolean several, const char *key, const char *value)
{
	if (several)
		g_string_append_printf(label, "%s%s=%s", label->len ? " " : "", key, value);
}

static void add_number_word(GString *label, gboolean several, const char *key, guint64 value)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

	add_word(label, several, key, text);
}

static KxPoint *point_of(const KxPlanLists *l, guint a, guint b, guint c, guint d)
{
	KxPoint *p = g_new0(KxPoint, 1);
	GString *label = g_string_new(NULL);

	p->vms = l->vms ? g_array_index(l->vms, guint, a) : 1;
	p->vcpus = l->vcpus ? g_array_index(l->vcpus, guint, b) : 0;
	p->memory_bytes = l->memory ? g_array_index(l->memory, guint64, c) : 0;
	p->working_set = l->working_set ? g_strdup(l->working_set->pdata[d]) : NULL;
	add_number_word(label, l->vms && l->vms->len > 1, "vms", p->vms);
	add_number_word(label, l->vcpus && l->vcpus->len > 1, "vcpus", p->vcpus);
	if (l->memory && l->memory->len > 1) {
		g_autofree char *size =
			g_strdup_printf("%" G_GUINT64_FORMAT "M", p->memory_bytes / 1048576);

		add_word(label, TRUE, "memory", size);
	}
	add_word(label, l->working_set && l->working_set->len > 1, "working-set", p->working_set);
	p->label = g_string_free(label, FALSE);
	return p;
}

gboolean kx_plan_make_points(KxPlan *p, const KxPlanLists *l, GError **error)
{
	guint a = length(l->vms, l->vms ? l->vms->len : 0);
	guint b = length(l->vcpus, l->vcpus ? l->vcpus->len : 0);
	guint c = length(l->memory, l->memory ? l->memory->len : 0);
	guint d = length(l->working_set, l->working_set ? l->working_set->len : 0);

	if ((guint64)a * b * c * d > KX_PLAN_POINTS_MAX)
		return kx_plan_bad(error, "vm", "vms",
				   "the lists have more than %u combinations with each other",
				   KX_PLAN_POINTS_MAX);
	p->points = g_ptr_array_new_with_free_func((GDestroyNotify)kx_point_free);
	for (guint i = 0; i < a * b * c * d; i++)
		g_ptr_array_add(p->points,
				point_of(l, i / (b * c * d), i / (c * d) % b, i / d % c, i % d));
	return TRUE;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

/* Whether the tracker takes the option, and the list does not set it for this setting already. */
static gboolean takes(const KxSetting *s, const KxOptionKey *k)
{
	for (guint i = 0; i < s->keys->len; i++) {
		if (g_str_equal(s->keys->pdata[i], k->key))
			return FALSE;
	}
	return !g_str_equal(s->tracker, "off") &&
	       (!k->needs || (s->options.tracker->can & k->needs) == k->needs);
}

/* The text of each setting, once with every value of the option if the setting takes the option. */
static GPtrArray *multiply(const GPtrArray *settings, const KxOptionKey *k, char **values,
			   gboolean *any)
{
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < settings->len; i++) {
		const KxSetting *s = settings->pdata[i];

		if (!takes(s, k)) {
			g_ptr_array_add(texts, g_strdup(s->text));
			continue;
		}
		*any = TRUE;
		for (char **value = values; *value; value++)
			g_ptr_array_add(texts,
					g_strdup_printf("%s:%s=%s", s->text, k->key, *value));
	}
	return texts;
}

/* @key: the option that was added, for the error. */
static gboolean parse_again(KxPlan *p, GPtrArray *texts, const char *key, GError **error)
{
	g_autofree char *list = NULL;
	g_autoptr(GError) local = NULL;
	GPtrArray *settings;

	g_ptr_array_add(texts, NULL);
	list = g_strjoinv(",", (char **)texts->pdata);
	settings = kx_settings_parse(list, &local);
	if (!settings)
		return kx_plan_bad(error, "options", key, "%s", local->message);
	g_ptr_array_unref(p->settings);
	p->settings = settings;
	return TRUE;
}

static gboolean add_option(KxPlan *p, const KxOptionKey *k, const char *value, GError **error)
{
	g_auto(GStrv) values = g_strsplit(value, ",", -1);
	g_autoptr(GPtrArray) texts = NULL;
	gboolean any = FALSE;

	for (char **one = values; *one; one++) {
		if (!*g_strstrip(*one))
			return kx_plan_bad(error, "options", k->key,
					   "values separated by commas, not '%s'", value);
	}
	texts = multiply(p->settings, k, values, &any);
	if (!any)
		return kx_plan_bad(error, "options", k->key,
				   "no tracker of the list takes it, or all have it already");
	return parse_again(p, texts, k->key, error);
}

static gboolean add_options(KxPlan *p, GKeyFile *file, GError **error)
{
	g_auto(GStrv) names = g_key_file_get_keys(file, "options", NULL, NULL);

	for (char **name = names; name && *name; name++) {
		const KxOptionKey *k = kx_option_key(*name);

		if (!k || k->at_attach || g_str_equal(k->key, "tracker"))
			return kx_plan_bad(error, "options", *name,
					   "there is no such option of a tracker");
	}
	/* In the order in which options have to be set. */
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autofree char *value = g_key_file_get_value(file, "options", k->key, NULL);

		if (value && !add_option(p, k, value, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_settings(const KxPlan *p, GError **error)
{
	if (p->settings->len < 2)
		return kx_plan_bad(error, "experiment", "trackers",
				   "a tracker beside off must be in the list");
	if (p->settings->len > KX_COMPARISON_SETTINGS_MAX)
		return kx_plan_bad(error, "experiment", "trackers",
				   "more than %u settings, with those of [options]",
				   KX_COMPARISON_SETTINGS_MAX);
	for (guint i = 0; i < p->settings->len; i++) {
		const KxSetting *s = p->settings->pdata[i];

		if ((s->options.tracker->can & KX_CAN_PASS) && !s->options.interval_ns)
			return kx_plan_bad(error, "experiment", "trackers",
					   "setting %s: with interval=0 there are no passes to "
					   "measure",
					   s->text);
	}
	return TRUE;
}

gboolean kx_plan_make_settings(KxPlan *p, GKeyFile *file, const char *trackers, GError **error)
{
	g_autoptr(GError) local = NULL;

	p->settings = kx_settings_parse(trackers, &local);
	if (!p->settings)
		return kx_plan_bad(error, "experiment", "trackers", "%s", local->message);
	for (guint i = 0; i < p->settings->len; i++) {
		if (((const KxSetting *)p->settings->pdata[i])->from_all)
			return kx_plan_bad(error, "experiment", "trackers",
					   "each tracker must be named: 'all' would start VMs for "
					   "trackers that cannot run");
	}
	return add_options(p, file, error) && check_settings(p, error);
}
