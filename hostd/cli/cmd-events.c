// SPDX-License-Identifier: GPL-2.0-or-later
/* events: prints what the daemon tells of VMs, as it happens. */
#include "cli.h"

#include "base/textfmt.h"

typedef struct {
	Targets targets;
	Cli *cli;
	char **wanted; /* TARGET strings; empty: all VMs */
	int count;     /* 0: no end */
	int shown;
} Events;

static gboolean is_wanted(const Events *e, const char *vm, GVariant *details)
{
	for (char **t = e->wanted; *t; t++) {
		if (cli_is_called(vm, details, *t))
			return TRUE;
	}
	return !*e->wanted;
}

static const char *detail(GVariant *details, const char *key)
{
	const char *text = NULL;

	g_variant_lookup(details, key, "&s", &text);
	return text;
}

/* --- JSON: one object per line ---------------------------------------------- */

static void add_text(JsonBuilder *b, const char *key, const char *text)
{
	json_builder_set_member_name(b, key);
	if (text && *text)
		json_builder_add_string_value(b, text);
	else
		json_builder_add_null_value(b);
}

static void print_json(const char *vm, const char *event, GVariant *details)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	guint32 pid = 0;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "time_realtime_ns");
	json_builder_add_int_value(b, g_get_real_time() * 1000);
	add_text(b, "event", event);
	add_text(b, "name", vm);
	add_text(b, "uuid", detail(details, "uuid"));
	json_builder_set_member_name(b, "pid");
	if (g_variant_lookup(details, "pid", "u", &pid))
		json_builder_add_int_value(b, pid);
	else
		json_builder_add_null_value(b);
	add_text(b, "tracker", detail(details, "tracker"));
	add_text(b, "options", detail(details, "options"));
	add_text(b, "reason", detail(details, "reason"));
	json_builder_end_object(b);
	cli_print_json(b, FALSE);
}

/* --- text -------------------------------------------------------------------- */

/* "12:04:05.678 vm1: tracker, abit, interval=100ms granularity=4K: reason" */
static void print_text(const char *vm, const char *event, GVariant *details)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *time = g_date_time_format(now, "%H:%M:%S");
	const char *const after[] = { detail(details, "tracker"), detail(details, "options") };
	const char *reason = detail(details, "reason");
	g_autoptr(GString) line = g_string_new(NULL);
	g_autofree char *clean = NULL;

	g_string_printf(line, "%s.%03d %s%s%s", time, g_date_time_get_microsecond(now) / 1000, vm,
			*vm ? ": " : "", event);
	for (guint i = 0; i < G_N_ELEMENTS(after); i++) {
		if (after[i] && *after[i])
			g_string_append_printf(line, ", %s", after[i]);
	}
	if (reason && *reason)
		g_string_append_printf(line, ": %s", reason);
	clean = kx_text_clean(line->str);
	puts(clean);
}

static gboolean on_event(const char *vm, const char *event, GVariant *details, gpointer data)
{
	Events *e = data;

	if (!is_wanted(e, vm, details))
		return TRUE;
	if (e->cli->json)
		print_json(vm, event, details);
	else
		print_text(vm, event, details);
	/* A reader at the other end of a pipe sees each event at once. */
	fflush(stdout);
	return ++e->shown != e->count && !ferror(stdout);
}

static int run(Cli *cli, Events *e)
{
	char *all[] = { NULL };
	g_auto(GStrv) targets = NULL;
	g_autoptr(GError) error = NULL;
	int code;

	if (e->count < 0)
		return cli_usage("events", "--count must be a positive number");
	e->cli = cli;
	e->wanted = all;
	if (e->targets.names || e->targets.pids) {
		e->wanted = targets = cli_targets(cli, &e->targets, TARGETS_OPTIONAL, TRUE, &code);
		if (!targets)
			return code;
	}
	return cli_watch(cli, on_event, e, &error) ? KX_EXIT_OK : cli_fail(NULL, error);
}

int cmd_events(Cli *cli, int argc, char **argv)
{
	Events e = { 0 };
	const GOptionEntry entries[] = {
		{ "count", 'n', 0, G_OPTION_ARG_INT, &e.count, "End after N events", "N" },
		TARGET_ENTRIES(e.targets),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv))
		code = run(cli, &e);
	cli_targets_clear(&e.targets);
	return code;
}
