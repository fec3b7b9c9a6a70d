// SPDX-License-Identifier: GPL-2.0-or-later
/* history: lists the comparisons and experiments of the stores, and deletes them. */
#include "cli.h"

#include <string.h>

#include "base/textfmt.h"
#include "csv-out.h"
#include "model/json-write.h"
#include "stores.h"

#define COMMAND_COLUMNS 60

typedef struct {
	char *domain;
	char **delete_ids, **rest;
	int limit;
} Arguments;

/* --- the list ----------------------------------------------------------------------------------------------------- */

static int newest_first(gconstpointer a, gconstpointer b)
{
	const KxStored *x = *(KxStored *const *)a, *y = *(KxStored *const *)b;

	if (x->start_realtime_ns != y->start_realtime_ns)
		return x->start_realtime_ns < y->start_realtime_ns ? 1 : -1;
	return g_strcmp0(x->id, y->id);
}

/* Adds the store to @stores, because the entries point into it. FALSE: the store cannot be read; *@code is set. */
static gboolean add_store(const Arguments *a, const char *place, GPtrArray *stores, GPtrArray *all,
			  int *code)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) list = NULL;
	KxStore *s = kx_store_open(place, KX_STORE_READ, &error);

	if (!s && g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE))
		return TRUE;
	if (s) {
		g_ptr_array_add(stores, s);
		list = kx_store_list(s, a->domain, (guint)a->limit, &error);
	}
	if (!list) {
		*code = stores_fail(NULL, error);
		return FALSE;
	}
	g_ptr_array_extend_and_steal(all, g_steal_pointer(&list));
	return TRUE;
}

/* Lists all stores, the newest comparison first. If a store cannot be read, the error is printed and the others are listed. */
static GPtrArray *list_all(const Arguments *a, GPtrArray *stores, int *code)
{
	g_auto(GStrv) places = kx_store_places();
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)kx_stored_free);

	for (char **place = places; *place; place++)
		add_store(a, *place, stores, all, code);
	g_ptr_array_sort(all, newest_first);
	if (a->limit && all->len > (guint)a->limit)
		g_ptr_array_set_size(all, a->limit);
	return all;
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static char *when(gint64 realtime_ns)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_local(realtime_ns / 1000000000);

	return t ? g_date_time_format(t, "%Y-%m-%d %H:%M:%S") : g_strdup("n/a");
}

/* The beginning of a long text. */
static char *shortened(const char *text)
{
	if (!text || !*text)
		return g_strdup("n/a");
	if (g_utf8_strlen(text, -1) <= COMMAND_COLUMNS)
		return g_strdup(text);
	return g_strdup_printf(
		"%.*s…", (int)(g_utf8_offset_to_pointer(text, COMMAND_COLUMNS - 1) - text), text);
}

/* The VMs; of an experiment, whose VMs are gone, its name. */
static char *what_was_measured(const KxStored *e)
{
	if (e->kind == KX_STORED_EXPERIMENT)
		return g_strdup_printf("experiment %s", e->name ? e->name : "");
	return g_strjoinv(", ", e->vms);
}

static void print_text(const GPtrArray *all)
{
	g_autoptr(KxTable) table = kx_table_new();
	GString *out = g_string_new(NULL);
	static const char *const titles[] = { "ID",    "begun", "VMs, or experiment", "rounds",
					      "state", "host",	"settings",	      "command" };

	for (guint i = 0; i < G_N_ELEMENTS(titles); i++)
		kx_table_add_column(table, titles[i], g_strcmp0(titles[i], "rounds") != 0, FALSE);
	for (guint i = 0; i < all->len; i++) {
		const KxStored *e = all->pdata[i];
		g_autofree char *vms = what_was_measured(e);
		g_autofree char *settings = g_strjoinv(", ", e->settings);
		guint column = 0;

		kx_table_add_cell(table, column++, g_strdup(e->id));
		kx_table_add_cell(table, column++, when(e->start_realtime_ns));
		kx_table_add_cell(table, column++, shortened(vms));
		kx_table_add_cell(table, column++,
				  g_strdup_printf("%u of %u", e->whole, MAX(e->asked, e->whole)));
		kx_table_add_cell(table, column++, g_strdup(kx_stored_state_name(e->state)));
		kx_table_add_cell(table, column++, g_strdup(e->kernel ? e->kernel : "n/a"));
		kx_table_add_cell(table, column++, shortened(settings));
		kx_table_add_cell(table, column++, shortened(e->command));
	}
	kx_table_print(table, out, 0, 0, 0);
	fputs(out->str, stdout);
	g_string_free(out, TRUE);
}

/* For other programs: --json and --csv. */
static void print_list(const Cli *cli, const GPtrArray *all)
{
	static const char *const keys[] = { "id",
					    "kind",
					    "name",
					    "state",
					    "stopped",
					    "start_realtime_ns",
					    "saved_realtime_ns",
					    "rounds",
					    "rounds_asked",
					    "seed",
					    "vms",
					    "settings",
					    "command",
					    "kernel",
					    "hardware",
					    "directory",
					    NULL };
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_array(b);
	for (guint i = 0; i < all->len; i++) {
		const KxStored *e = all->pdata[i];

		json_builder_begin_object(b);
		kx_json_add_text(b, "id", e->id);
		kx_json_add_text(b, "kind", kx_stored_kind_name(e->kind));
		kx_json_add_text(b, "name", e->name);
		kx_json_add_text(b, "state", kx_stored_state_name(e->state));
		kx_json_add_text(b, "stopped", e->stopped);
		kx_json_add_int(b, "start_realtime_ns", e->start_realtime_ns);
		kx_json_add_int(b, "saved_realtime_ns", e->saved_realtime_ns);
		kx_json_add_int(b, "rounds", e->whole);
		kx_json_add_int(b, "rounds_asked", e->asked);
		kx_json_add_int(b, "seed", (gint64)e->seed);
		kx_json_add_strv(b, "vms", e->vms);
		kx_json_add_strv(b, "settings", e->settings);
		kx_json_add_text(b, "command", e->command);
		kx_json_add_text(b, "kernel", e->kernel);
		kx_json_add_text(b, "hardware", e->hardware);
		kx_json_add_text(b, "directory", e->directory);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	if (cli->csv)
		csv_print_list(b, keys);
	else
		cli_print_json(b, TRUE);
}

static int list(Cli *cli, const Arguments *a)
{
	g_autoptr(GPtrArray) stores =
		g_ptr_array_new_with_free_func((GDestroyNotify)kx_store_close);
	int code = KX_EXIT_OK;
	g_autoptr(GPtrArray) all = list_all(a, stores, &code);

	if (cli->json || cli->csv)
		print_list(cli, all);
	else if (all->len)
		print_text(all);
	else if (!code)
		cli_say(cli, "%s%s", a->domain ? "no comparison is kept of " : "nothing is kept",
			a->domain ? a->domain : "");
	return code;
}

/* --- deletion ----------------------------------------------------------------------------------------------------- */

static int delete_one(Cli *cli, const char *start, JsonBuilder *deleted)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *id = NULL;
	g_autoptr(KxStore) s = stores_find(start, KX_STORE_WRITE, &id, &error);

	if (!s || !kx_store_delete(s, id, &error))
		return stores_fail(NULL, error);
	json_builder_add_string_value(deleted, id);
	cli_say(cli, "%s: deleted", id);
	return KX_EXIT_OK;
}

static int delete_all(Cli *cli, char **ids)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	int code = KX_EXIT_OK;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "deleted");
	json_builder_begin_array(b);
	for (char **id = ids; *id; id++) {
		int failed = delete_one(cli, *id, b);

		code = code ? code : failed;
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
	if (cli->json)
		cli_print_json(b, TRUE);
	return code;
}

static int check_and_run(Cli *cli, const Arguments *a)
{
	if (a->limit < 0)
		return cli_usage("history", "--limit must be a number, 0 for all");
	if (a->rest)
		return cli_usage(
			"history",
			"'%s' is not an option: --domain NAME lists the comparisons of a VM",
			a->rest[0]);
	if (a->delete_ids && (a->domain || a->limit || cli->csv))
		return cli_usage("history", "--delete takes only IDs");
	return a->delete_ids ? delete_all(cli, a->delete_ids) : list(cli, a);
}

int cmd_history(Cli *cli, int argc, char **argv)
{
	Arguments a = { 0 };
	const GOptionEntry entries[] = {
		{ "domain", 0, 0, G_OPTION_ARG_STRING, &a.domain,
		  "Only comparisons of this VM, by name or UUID", "DOMAIN" },
		{ "limit", 'n', 0, G_OPTION_ARG_INT, &a.limit, "Only the newest N (all)", "N" },
		CSV_LINES_ENTRY,
		{ "delete", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a.delete_ids,
		  "Delete the comparison or experiment ID; may be given more than once", "ID" },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &a.rest, NULL, NULL },
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv))
		code = check_and_run(cli, &a);
	g_free(a.domain);
	g_strfreev(a.delete_ids);
	g_strfreev(a.rest);
	return code;
}
