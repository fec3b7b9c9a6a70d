/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"

#include "base/textfmt.h"
#include "csv-out.h"
#include "model/vm.h"

static const char *lookup(GVariant *vm, const char *key)
{
	const char *s = "";

	g_variant_lookup(vm, key, "&s", &s);
	return s;
}

static guint32 lookup_pid(GVariant *vm)
{
	guint32 pid = 0;

	g_variant_lookup(vm, "pid", "u", &pid);
	return pid;
}

static gboolean is_attached(GVariant *vm)
{
	gboolean attached = FALSE;

	g_variant_lookup(vm, "attached", "b", &attached);
	return attached;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return g_strcmp0(lookup(*(GVariant *const *)a, "name"),
			 lookup(*(GVariant *const *)b, "name"));
}

/* The daemon's list has no order. */
static GPtrArray *sorted(GVariant *vms)
{
	GPtrArray *array = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);

	for (gsize i = 0; i < g_variant_n_children(vms); i++)
		g_ptr_array_add(array, g_variant_get_child_value(vms, i));
	g_ptr_array_sort(array, by_name);
	return array;
}

/* For other programs: --json and --csv. */
static void print_list(const Cli *cli, const GPtrArray *vms)
{
	static const char *const keys[] = { "name",	   "uuid",     "id",	  "pid",
					    "state",	   "attached", "tracker", "options",
					    "mechanism",   "yielded",  "waiting", "progress",
					    "emulated_by", NULL };
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_array(b);
	for (guint i = 0; i < vms->len; i++) {
		JsonObject *object = json_object_new();

		cli_add_vm(object, vms->pdata[i]);
		json_builder_add_value(b, json_node_init_object(json_node_alloc(), object));
		json_object_unref(object);
	}
	json_builder_end_array(b);
	if (cli->csv)
		csv_print_list(b, keys);
	else
		cli_print_json(b, TRUE);
}

/* "-": libvirt does not know the VM. */
static char *id_text(GVariant *vm)
{
	gint32 id;

	return g_variant_lookup(vm, "id", "i", &id) ? g_strdup_printf("%d", id) : g_strdup("-");
}

/* "dirty-log (pml), yielded: migration", "abit; priming, 23 % of memory, about 60 s to go" */
static char *attached_text(GVariant *vm)
{
	const char *mechanism = lookup(vm, "mechanism"), *yielded = lookup(vm, "yielded");
	const char *progress = lookup(vm, "progress");
	g_autofree char *label =
		kx_tracker_label(lookup(vm, "tracker"), *mechanism ? mechanism : NULL);
	g_autofree char *text = g_strconcat(label, *yielded ? ", yielded: " : "", yielded,
					    *progress ? "; " : "", progress, NULL);

	return kx_text_clean(text);
}

/* "-, waiting for the guest's module" */
static char *tracker_text(GVariant *vm)
{
	const char *waiting = lookup(vm, "waiting");
	g_autofree char *clean = kx_text_clean(waiting);
	g_autofree char *tracker = is_attached(vm) ? attached_text(vm) : g_strdup("-");

	return g_strconcat(tracker, *clean ? ", " : "", clean, NULL);
}

/* "running, emulated by QEMU TCG" */
static char *state_text(GVariant *vm)
{
	const char *by = lookup(vm, "emulated_by");
	g_autofree char *text =
		g_strconcat(lookup(vm, "state"), *by ? ", emulated by " : "", by, NULL);

	return kx_text_clean(text);
}

static void print_text(const GPtrArray *vms)
{
	static const char *const titles[] = { "NAME", "ID", "PID", "STATE", "TRACKER", "OPTIONS" };
	g_autoptr(KxTable) table = kx_table_new();
	g_autoptr(GString) out = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(titles); i++)
		kx_table_add_column(table, titles[i], i != 1 && i != 2, FALSE);
	for (guint i = 0; i < vms->len; i++) {
		GVariant *vm = vms->pdata[i];
		gboolean attached = is_attached(vm);
		guint32 pid = lookup_pid(vm);

		kx_table_add_cell(table, 0, kx_text_clean(lookup(vm, "name")));
		kx_table_add_cell(table, 1, id_text(vm));
		kx_table_add_cell(table, 2, pid ? g_strdup_printf("%u", pid) : g_strdup("-"));
		kx_table_add_cell(table, 3, state_text(vm));
		kx_table_add_cell(table, 4, tracker_text(vm));
		kx_table_add_cell(table, 5,
				  attached ? kx_text_clean(lookup(vm, "options")) : g_strdup(""));
	}
	kx_table_print(table, out, 0, 0, 0);
	fputs(out->str, stdout);
}

static void print_names(const GPtrArray *vms)
{
	for (guint i = 0; i < vms->len; i++) {
		GVariant *vm = vms->pdata[i];
		g_autofree char *name = kx_text_clean(lookup(vm, "name"));

		puts(name);
	}
}

int cmd_list(Cli *cli, int argc, char **argv)
{
	gboolean names = FALSE;
	const GOptionEntry entries[] = {
		{ "names", 0, 0, G_OPTION_ARG_NONE, &names, "Names only, one per line", NULL },
		CSV_LINES_ENTRY,
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) reply = NULL;
	g_autoptr(GPtrArray) vms = NULL;

	if (!cli_parse(entries, &argc, &argv))
		return KX_EXIT_USAGE;
	reply = cli_ask_list(cli, "listing the VMs", &error);
	if (!reply)
		return cli_fail(NULL, error);
	vms = sorted(reply);
	if (names)
		print_names(vms);
	else if (cli->json || cli->csv)
		print_list(cli, vms);
	else if (!vms->len)
		cli_say(cli, "No VM is running here (virsh list shows libvirt's view).");
	else
		print_text(vms);
	return KX_EXIT_OK;
}
