// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Goes on with a comparison. Host and VMs are read as for a new comparison; the result is compared with what the stored
 * comparison has. Only if nothing differs, the rounds that are whole are taken over.
 */
#include "compare-internal.h"

#include <string.h>

#include "base/textfmt.h"
#include "compare/doubts.h"
#include "compare/sameness.h"

/* The settings of @c as a list for the command line. */
static char *list_of(const KxComparison *c)
{
	GString *list = g_string_new(NULL);

	for (guint i = 0; i < c->settings->len; i++) {
		const KxComparedSetting *s = c->settings->pdata[i];

		g_string_append_printf(list, "%s%s", i ? "," : "", s->text);
	}
	return g_string_free(list, FALSE);
}

GPtrArray *compare_settings_of(const KxComparison *c, GError **error)
{
	g_autofree char *list = list_of(c);
	g_autoptr(GPtrArray) settings = kx_settings_parse(list, error);

	for (guint i = 0; settings && i < c->settings->len; i++) {
		const KxComparedSetting *was = c->settings->pdata[i];
		const KxSetting *is = i < settings->len ? settings->pdata[i] : NULL;

		if (settings->len == c->settings->len && g_str_equal(was->text, is->text) &&
		    g_str_equal(was->label, is->label))
			continue;
		g_set_error(error, KX_EXIT_ERROR, KX_EXIT_UNSUPPORTED,
			    "this kvm-ext reads the setting %s of the comparison in another way",
			    was->text);
		return NULL;
	}
	return g_steal_pointer(&settings);
}

char **compare_targets_of(const KxComparison *c)
{
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();

	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];
		g_autofree char *target = v->uuid && *v->uuid ? g_strdup(v->uuid)
							      : g_strdup_printf("/proc/%u", v->pid);

		cli_label(target, g_strdup(v->name));
		g_strv_builder_add(b, target);
	}
	return g_strv_builder_end(b);
}

/* --- what differs ------------------------------------------------------------------------------------------------- */

static gboolean is_as_it_was(const KxComparison *then, const KxComparison *now, GError **error)
{
	g_autoptr(GPtrArray) differs = kx_comparison_moved_on(then, now);
	GString *text;

	if (!differs->len)
		return TRUE;
	text = g_string_new(NULL);
	for (guint i = 0; i < differs->len; i++) {
		const KxDiffers *d = differs->pdata[i];

		g_string_append_printf(text, "%s%s was %s and is %s", i ? "; " : "", d->what, d->a,
				       d->b);
	}
	g_set_error(error, KX_EXIT_ERROR, KX_EXIT_STATE,
		    "comparison %s cannot go on, because its rounds would not be alike: %s",
		    then->id, text->str);
	g_string_free(text, TRUE);
	return FALSE;
}

/* --- taking it over ----------------------------------------------------------------------------------------------- */

static void say_pause(KxComparison *c, const char *why, gint64 since_ns)
{
	g_autofree char *pause = kx_text_ns((double)(g_get_real_time() * 1000 - since_ns));

	g_ptr_array_add(c->doubts,
			g_strdup_printf("the comparison was interrupted after round %u (%s) and "
					"went on %s later",
					c->whole, why ? why : "its command was killed", pause));
}

/* The time at which the latest window of the comparison ended. */
static gint64 last_window_ns(const KxComparison *c)
{
	gint64 last = c->start_realtime_ns;

	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		for (guint k = 0; k < v->stretches->len; k++) {
			const KxStretch *s = v->stretches->pdata[k];

			if (s && !s->failed)
				last = MAX(last, s->end_realtime_ns);
		}
	}
	return last;
}

gboolean compare_go_on(CompareRun *r, int *code)
{
	KxComparison *then = r->a->resumed, *now = r->c;
	g_autoptr(GError) error = NULL;

	/* The logs are read at the end, for all rounds: progress that was known in another way does not count. */
	if (then->asked.logs && !then->asked.progress_command) {
		g_free(then->progress);
		then->progress = g_strdup(now->progress);
		g_clear_pointer(&then->progress_na, g_free);
	}
	if (!is_as_it_was(then, now, &error)) {
		*code = cli_fail(NULL, error);
		return FALSE;
	}
	/* The round is the unit: a round that is not whole is run again from its beginning. */
	say_pause(then, then->stopped, last_window_ns(then));
	kx_comparison_cut(then, then->whole);
	g_clear_pointer(&then->stopped, g_free);
	kx_doubts_add(then->doubts, now->doubts);
	for (guint i = 0; i < then->vms->len; i++) {
		KxComparedVm *v = then->vms->pdata[i];

		g_clear_pointer(&v->ended, g_free);
		kx_doubts_add(v->doubts, ((KxComparedVm *)now->vms->pdata[i])->doubts);
	}
	r->c = then;
	r->first = then->whole;
	kx_comparison_free(now);
	return TRUE;
}
