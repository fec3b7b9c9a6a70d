/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats: one line for each VM and tick, like vmstat. The first line of a window shows the average since the tracker was set;
 * each later line shows the rates since the line before.
 */
#include "cli.h"

#include <string.h>

#include "base/textfmt.h"
#include "csv-out.h"
#include "model/json-write.h"
#include "model/report.h"
#include "rates.h"
#include "tracker/options.h"

#define HEADER_EVERY 20

typedef struct {
	Targets targets;
	gboolean follow;
	char *interval;
	int count;
	guint64 interval_ns;
	GHashTable *seen; /* VM → RateSeen */
	guint lines, header_at;
} Stats;

static char *label_of(const KxWindow *w)
{
	return kx_tracker_label(w->tracker, kx_window_mechanism(w));
}

/* --- text ------------------------------------------------------------------ */

/* Widths of the text columns before the rates. */
typedef struct {
	guint name, tracker;
} Widths;

static void print_header(Stats *s, Widths width)
{
	if (s->lines && s->lines - s->header_at < HEADER_EVERY)
		return;
	s->header_at = s->lines;
	printf("%-*s  %-*s", (int)width.name, "name", (int)width.tracker, "tracker");
	for (guint i = 0; i < RATES; i++)
		printf("  %9s", rate_title(i));
	putchar('\n');
}

static void print_line(const KxVmReport *v, const KxWindow *w, const RateSeen *before, Widths width)
{
	g_autofree char *name = kx_text_clean(v->name), *label = label_of(w);
	g_autofree char *yielded = v->yielded ? kx_text_clean(v->yielded) : NULL;
	g_autofree char *progress = v->progress ? kx_text_clean(v->progress) : NULL;
	g_autofree char *paused = v->paused ? kx_text_clean(v->paused) : NULL;

	printf("%s%*s  %-*s", name, (int)(width.name - kx_text_columns(name)), "",
	       (int)width.tracker, label);
	for (guint i = 0; i < RATES; i++) {
		const char *why;
		double rate = rate_since(i, v, w, before, &why);
		g_autofree char *text = why ? g_strdup("n/a") : kx_text_number(rate);

		printf("  %9s", text);
	}
	if (yielded)
		printf("  yielded: %s", yielded);
	if (progress)
		printf("  %s", progress);
	if (paused)
		printf("  paused: %s", paused);
	putchar('\n');
}

/* --- JSON and CSV: one object per line ----------------------------------------------- */

static void add_string(JsonBuilder *b, const char *key, const char *value)
{
	json_builder_set_member_name(b, key);
	if (value)
		json_builder_add_string_value(b, value);
	else
		json_builder_add_null_value(b);
}

/* The known pauses of the window, and why there may be more. */
static void add_paused(JsonBuilder *b, const KxWindow *w)
{
	json_builder_set_member_name(b, "paused_seconds");
	if (w->paused_ns || !w->paused_na)
		kx_json_add_number(b, (double)w->paused_ns / 1e9);
	else
		json_builder_add_null_value(b);
	add_string(b, "paused_na", w->paused_na);
}

static void print_csv(Stats *s, JsonBuilder *b)
{
	static const char *const first[] = { "time_realtime_ns", "name",	  "tracker",
					     "mechanism",	 "yielded",	  "progress",
					     "paused",		 "paused_seconds" };
	const char *keys[G_N_ELEMENTS(first) + RATES + 1] = { NULL };
	g_autoptr(JsonNode) root = json_builder_get_root(b);

	memcpy(keys, first, sizeof(first));
	for (guint i = 0; i < RATES; i++)
		keys[G_N_ELEMENTS(first) + i] = rate_key(i);
	if (!s->lines)
		csv_print_head(keys);
	csv_print_line(json_node_get_object(root), keys);
}

static void print_object(const Cli *cli, Stats *s, const KxReport *r, const KxVmReport *v,
			 const KxWindow *w, const RateSeen *before)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "time_realtime_ns");
	json_builder_add_int_value(b, r->generated_realtime_ns);
	json_builder_set_member_name(b, "name");
	json_builder_add_string_value(b, v->name);
	json_builder_set_member_name(b, "tracker");
	json_builder_add_string_value(b, w->tracker);
	add_string(b, "mechanism", kx_window_mechanism(w));
	add_string(b, "yielded", v->yielded);
	add_string(b, "progress", v->progress);
	add_string(b, "paused", v->paused);
	add_paused(b, w);
	for (guint i = 0; i < RATES; i++) {
		const char *why;
		double rate = rate_since(i, v, w, before, &why);

		json_builder_set_member_name(b, rate_key(i));
		if (!why) {
			kx_json_add_number(b, rate);
			continue;
		}
		cli_add_na(b, why);
	}
	json_builder_end_object(b);
	if (cli->csv)
		print_csv(s, b);
	else
		cli_print_json(b, FALSE);
}

/* --- ticks ----------------------------------------------------------------- */

static Widths widths_of(const KxReport *r)
{
	Widths width = { 8, 10 };

	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];
		g_autofree char *name = kx_text_clean(v->name), *label = NULL;

		width.name = MAX(width.name, kx_text_columns(name));
		if (!v->windows->len)
			continue;
		label = label_of(v->windows->pdata[v->windows->len - 1]);
		width.tracker = MAX(width.tracker, kx_text_columns(label));
	}
	return width;
}

static void show_vm(Cli *cli, Stats *s, const KxReport *r, const KxVmReport *v, Widths width)
{
	const KxWindow *w = v->windows->pdata[v->windows->len - 1];
	g_autofree char *key = rate_vm_key(v);
	const RateSeen *before = g_hash_table_lookup(s->seen, key);

	if (cli->json || cli->csv) {
		print_object(cli, s, r, v, w, before);
	} else {
		print_header(s, width);
		print_line(v, w, before, width);
	}
	s->lines++;
	g_hash_table_replace(s->seen, g_steal_pointer(&key), rate_seen(w));
}

static KxReport *report_of(GVariant *vms)
{
	KxReport *r = kx_report_new();

	r->generated_realtime_ns = g_get_real_time() * 1000;
	for (gsize i = 0; i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);

		g_ptr_array_add(r->vms, kx_vm_from_variant(vm));
	}
	return r;
}

/* Returns how many VMs are still attached; -1: failed, *@code is set. */
static int tick(Cli *cli, Stats *s, char **targets, int *code)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) reply = NULL;
	g_autoptr(KxReport) r = NULL;
	int attached = 0;
	Widths width;

	reply = cli_ask_stats(cli, (const char *const *)targets, "asking the daemon", &error);
	if (!reply) {
		/* All named VMs were detached meanwhile: the command ends in the same way as without names. */
		if (s->lines && kx_exit_code(error) == KX_EXIT_STATE)
			return 0;
		*code = cli_fail(NULL, error);
		return -1;
	}
	r = report_of(reply);
	width = widths_of(r);
	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];

		if (!v->attached || !v->windows->len)
			continue;
		show_vm(cli, s, r, v, width);
		attached++;
	}
	fflush(stdout);
	return attached;
}

static int ended(Cli *cli, const Stats *s)
{
	if (!s->lines) {
		cli_say(cli, "No VM is attached: kvm-ext attach NAME");
		return s->targets.names || s->targets.pids ? KX_EXIT_STATE : KX_EXIT_OK;
	}
	fputs("kvm-ext: no VM is attached any more\n", stderr);
	return KX_EXIT_VM_GONE;
}

/* Ticks do not drift: each tick is due a whole number of intervals after the first one. */
static int follow(Cli *cli, Stats *s, char **targets)
{
	gint64 start = g_get_monotonic_time();
	int code = KX_EXIT_OK;

	for (int n = 1;; n++) {
		int attached = tick(cli, s, targets, &code);
		gint64 due = start + (gint64)n * (gint64)(s->interval_ns / 1000);
		gint64 now;

		if (attached < 0)
			return code;
		if (!attached)
			return ended(cli, s);
		if (n == (s->follow || s->count ? s->count : 1) || ferror(stdout))
			return KX_EXIT_OK;
		now = g_get_monotonic_time();
		if (due > now)
			g_usleep((gulong)(due - now));
	}
}

/* Removes the named VMs that are not attached from @targets, and prints why; returns the exit code of the first of them. */
static int leave_out(Cli *cli, char **targets)
{
	char **kept = targets;
	int code = KX_EXIT_OK;

	for (char **t = targets; *t; t++) {
		const char *const one[] = { *t, NULL };
		g_autoptr(GError) error = NULL;
		g_autoptr(GVariant) reply = cli_ask_stats(cli, one, "asking the daemon", &error);

		if (reply) {
			*kept++ = *t;
			continue;
		}
		int failed = cli_fail(*t, error);
		code = code ? code : failed;
		g_free(*t);
	}
	*kept = NULL;
	return code;
}

static int run(Cli *cli, Stats *s)
{
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) targets = NULL;
	char *all[] = { NULL };
	int code;

	if (s->interval && (!kx_parse_duration(s->interval, &s->interval_ns, &error) ||
			    s->interval_ns < 10000000 || s->interval_ns > 86400000000000ull))
		return cli_usage("stats", "--interval must be 10ms to 24h, not '%s'", s->interval);
	if (s->count < 0)
		return cli_usage("stats", "--count must be a positive number");
	if (!s->follow && !s->count && s->interval)
		return cli_usage("stats", "--interval needs --follow or --count");
	if (!s->targets.names && !s->targets.pids)
		return follow(cli, s, all);
	targets = cli_targets(cli, &s->targets, TARGETS_OPTIONAL, TRUE, &code);
	if (targets && g_strv_length(targets) > 1)
		code = leave_out(cli, targets);
	if (!targets || !*targets)
		return code;
	return code ? (follow(cli, s, targets), code) : follow(cli, s, targets);
}

int cmd_stats(Cli *cli, int argc, char **argv)
{
	Stats s = { .interval_ns = 1000000000 };
	const GOptionEntry entries[] = {
		{ "follow", 'f', 0, G_OPTION_ARG_NONE, &s.follow, "Go on until interrupted", NULL },
		{ "interval", 0, 0, G_OPTION_ARG_STRING, &s.interval,
		  "Time between lines (default 1s)", "TIME" },
		{ "count", 'n', 0, G_OPTION_ARG_INT, &s.count, "End after N lines of each VM",
		  "N" },
		CSV_LINES_ENTRY,
		TARGET_ENTRIES(s.targets),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	s.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (cli_parse(entries, &argc, &argv))
		code = run(cli, &s);
	g_hash_table_unref(s.seen);
	g_free(s.interval);
	cli_targets_clear(&s.targets);
	return code;
}
