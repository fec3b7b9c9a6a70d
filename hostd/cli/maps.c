// SPDX-License-Identifier: GPL-2.0-or-later
#include "maps.h"

#include <string.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "overtime.h"
#include "pick.h"
#include "record/replay.h"
#include "tracker/options.h"
#include "tracker/units.h"

void cli_maps_clear(Maps *m)
{
	cli_targets_clear(&m->targets);
	g_free(m->input);
	g_free(m->tracker);
	g_free(m->from);
	g_free(m->until);
}

static gboolean check_time(const char *command, const char *option, const char *text, int *code)
{
	guint64 ns;

	if (!text || kx_parse_duration(text, &ns, NULL))
		return TRUE;
	*code = cli_usage(command, "%s '%s': not a time; write for example 10s or 500ms", option,
			  text);
	return FALSE;
}

gboolean cli_check_tracker(char **tracker, const char *command, int *code)
{
	const KxTrackerRow *row = *tracker ? kx_tracker_meant(*tracker) : NULL;

	if (*tracker && (!row || !(row->can & KX_CAN_FIND))) {
		*code = cli_usage(command,
				  "--tracker '%s': there is no such tracker, or it finds no pages",
				  *tracker);
		return FALSE;
	}
	if (row) {
		g_free(*tracker);
		*tracker = g_strdup(row->name);
	}
	return TRUE;
}

gboolean cli_maps_check(Maps *m, const char *command, int *code)
{
	if (!cli_check_tracker(&m->tracker, command, code) ||
	    !check_time(command, "--from", m->from, code) ||
	    !check_time(command, "--until", m->until, code) ||
	    (m->input && !cli_check_pick(&m->targets, command, code)))
		return FALSE;
	if (!m->input && (m->from || m->until)) {
		*code = cli_usage(command, "--from and --until need --input with a recording");
		return FALSE;
	}
	return TRUE;
}

int cli_fail_file(const GError *error)
{
	cli_fail(NULL, error);
	return error->domain == KX_EXIT_ERROR ? error->code : KX_EXIT_FAILED;
}

/* --- files --------------------------------------------------------------------------------------------------------------- */

typedef struct {
	gint64 begin;
	gboolean quiet, shown;
} Progress;

static void show_progress(double share, gpointer data)
{
	Progress *p = data;

	if (p->quiet || g_get_monotonic_time() - p->begin < G_USEC_PER_SEC)
		return;
	fprintf(stderr, "\rreading the recording... %.0f %%\033[K", share * 100);
	p->shown = TRUE;
}

static void warn(const Cli *cli, const char *path, const KxReplay *r)
{
	g_autofree char *lost = kx_text_count((double)r->lost);

	if (r->broken)
		fprintf(stderr, "kvm-ext: %s: %s; what is shown is from before\n", path, r->broken);
	if (r->lost && !cli->quiet)
		fprintf(stderr,
			"kvm-ext: %s: %s records are missing, because the file was too slow: "
			"passes "
			"that lack some do not count\n",
			path, lost);
}

static guint64 time_of(const char *text, guint64 otherwise)
{
	guint64 ns = otherwise;

	if (text)
		kx_parse_duration(text, &ns, NULL);
	return ns;
}

KxReport *cli_read_recording(const Cli *cli, const char *path, const Maps *part, GError **error)
{
	g_autoptr(KxRecordReader) reader = kx_record_reader_new(path, error);
	g_autoptr(KxReplay) r = NULL;
	Progress progress = { g_get_monotonic_time(), cli->quiet || !isatty(STDERR_FILENO), FALSE };
	const KxReplayPart what = {
		.from_ns = part ? time_of(part->from, 0) : 0,
		.until_ns = part ? time_of(part->until, G_MAXUINT64) : G_MAXUINT64,
		.progress = show_progress,
		.data = &progress,
	};

	if (!reader)
		return NULL;
	r = kx_replay(reader, &what, error);
	if (progress.shown)
		fputs("\r\033[K", stderr);
	if (!r) {
		g_prefix_error(error, "%s: ", path);
		return NULL;
	}
	warn(cli, path, r);
	return g_steal_pointer(&r->report);
}

static KxReport *read_all(const Cli *cli, const char *path, const Maps *part, GError **error)
{
	g_autofree char *json = NULL;
	KxReport *r;

	if (kx_record_is(path))
		return cli_read_recording(cli, path, part, error);
	/* GLib's message names the file */
	if (!g_file_get_contents(path, &json, NULL, error))
		return NULL;
	r = kx_report_from_json(json, error);
	if (!r)
		g_prefix_error(error, "%s: ", path);
	return r;
}

KxReport *cli_read_report(const Cli *cli, const char *path, const Maps *part, const Targets *of,
			  GError **error)
{
	g_autoptr(KxReport) r = read_all(cli, path, part, error);

	return r && cli_pick_vms(r, path, of, error) ? g_steal_pointer(&r) : NULL;
}

/* --- the daemon ---------------------------------------------------------------------------------------------------------- */

typedef struct {
	KxReport *all;
	gboolean heat;
} Asked;

static void take_heat(Cli *cli, const char *target, KxReport *r)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *json = cli_ask_heat(cli, target, "fetching the heat", &error);
	g_autoptr(KxReport) heat = json ? kx_report_from_json(json, NULL) : NULL;

	if (heat && heat->vms->len == 1 && r->vms->len == 1) {
		KxVmReport *from = heat->vms->pdata[0], *to = r->vms->pdata[0];

		to->heat = g_steal_pointer(&from->heat);
	}
}

static gboolean ask(Cli *cli, const char *target, const char *what, gpointer data, GError **error)
{
	Asked *a = data;
	g_autofree char *json = cli_ask_over_time(cli, target, what, error);
	g_autoptr(KxReport) r = json ? kx_report_from_json(json, error) : NULL;

	if (!r)
		return FALSE;
	if (a->heat)
		take_heat(cli, target, r);
	g_ptr_array_extend_and_steal(a->all->vms, g_steal_pointer(&r->vms));
	r->vms = g_ptr_array_new();
	return TRUE;
}

KxReport *cli_maps_obtain(Cli *cli, Maps *m, gboolean heat, int *code)
{
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) targets = NULL;
	Asked a = { NULL, heat };

	*code = KX_EXIT_OK;
	if (m->input) {
		KxReport *r = cli_read_report(cli, m->input, m, &m->targets, &error);

		if (!r)
			*code = cli_fail_file(error);
		return r;
	}
	targets = cli_targets(cli, &m->targets, TARGETS_REQUIRED, TRUE, code);
	if (!targets)
		return NULL;
	a.all = kx_report_new();
	*code = cli_for_each(cli, targets, "fetching the heat over time", ask, &a);
	return a.all;
}

/* --- maps ---------------------------------------------------------------------------------------------------------------- */

char *cli_maps_none(const KxVmReport *v, const char *why)
{
	g_autofree char *name = kx_text_clean(v->name), *clause = kx_text_clean(why);

	return g_strdup_printf("%s: n/a: %s\n", name, clause);
}

void cli_maps_say_none(const KxVmReport *v, const char *why)
{
	g_autofree char *line = cli_maps_none(v, why);

	fprintf(stderr, "kvm-ext: %s", line);
}

/* Whether the report has windows, and none of this tracker. */
static gboolean never_ran(const KxVmReport *v, const char *tracker)
{
	for (guint i = 0; i < v->windows->len; i++) {
		if (g_str_equal(((const KxWindow *)v->windows->pdata[i])->tracker, tracker))
			return FALSE;
	}
	return v->windows->len;
}

char *cli_why_none(const KxVmReport *v, const char *tracker, gboolean saved, const char *nothing,
		   const char *anything)
{
	const char *yet = saved ? "" : " yet";

	if (!tracker)
		return g_strdup_printf("no tracker has had %s%s", anything, yet);
	if (saved && never_ran(v, tracker))
		return g_strdup_printf("%s did not run in the windows of this report", tracker);
	return g_strdup_printf("%s has had %s%s", tracker, nothing, yet);
}

const KxAccessMap *cli_maps_choose(const Maps *m, const KxVmReport *v, char **why)
{
	const KxAccessMap *found = NULL;

	if (v->over_time && !m->tracker)
		found = kx_access_main_map(v->over_time);
	for (guint i = 0; v->over_time && m->tracker && i < v->over_time->maps->len; i++) {
		const KxAccessMap *other = v->over_time->maps->pdata[i];

		if (g_str_equal(other->tracker, m->tracker) && other->rows->len)
			found = other;
	}
	if (!found && v->over_time && v->over_time->na)
		*why = g_strdup(v->over_time->na);
	else if (!found && !v->over_time)
		*why = g_strdup("the report has no heat over time");
	else if (!found)
		*why = cli_why_none(v, m->tracker, m->input != NULL, "no pass that counts",
				    "a pass that counts");
	return found;
}

const KxHeatMap *cli_maps_heat(const KxVmReport *v, const KxAccessMap *m)
{
	for (guint i = 0; v->heat && i < v->heat->maps->len; i++) {
		const KxHeatMap *h = v->heat->maps->pdata[i];

		if (!h->process && g_str_equal(h->tracker, m->tracker) &&
		    !g_strcmp0(h->mechanism, m->mechanism))
			return h;
	}
	return NULL;
}
