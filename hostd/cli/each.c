// SPDX-License-Identifier: GPL-2.0-or-later
/* A call for each VM of a command, and what --json says of all of them. */
#include "cli.h"

static int call_each(Cli *cli, const char *target, const char *what, CliEach each, gpointer data,
		     GError **error)
{
	g_autofree char *shown = cli_show(target);
	g_autofree char *progress = g_strdup_printf("%s %s", what, shown);
	GError *failed = NULL;
	int code;

	if (each(cli, target, progress, data, &failed))
		return KX_EXIT_OK;
	code = cli_fail(target, failed);
	g_propagate_error(error, failed);
	return code;
}

int cli_for_each(Cli *cli, char **targets, const char *what, CliEach each, gpointer data)
{
	int code = KX_EXIT_OK;

	for (char **t = targets; *t; t++) {
		int failed = call_each(cli, *t, what, each, data, NULL);

		code = code ? code : failed;
	}
	return code;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------- */

void cli_add_vm(JsonObject *object, GVariant *vm)
{
	static const char *const strings[] = { "name",	  "uuid",    "state",	  "emulated_by",
					       "tracker", "options", "mechanism", "yielded",
					       "waiting", "progress" };
	gboolean attached = FALSE;
	guint32 pid = 0;
	gint32 id;

	for (guint i = 0; i < G_N_ELEMENTS(strings); i++) {
		const char *value = "";

		g_variant_lookup(vm, strings[i], "&s", &value);
		json_object_set_string_member(object, strings[i], value);
	}
	g_variant_lookup(vm, "pid", "u", &pid);
	g_variant_lookup(vm, "attached", "b", &attached);
	json_object_set_int_member(object, "pid", pid);
	if (g_variant_lookup(vm, "id", "i", &id))
		json_object_set_int_member(object, "id", id);
	else
		json_object_set_null_member(object, "id");
	json_object_set_boolean_member(object, "attached", attached);
}

static void add_listed(JsonObject *object, GVariant *vms, const char *target)
{
	for (gsize i = 0; vms && i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		const char *name = "";

		g_variant_lookup(vm, "name", "&s", &name);
		if (cli_is_called(name, vm, target)) {
			cli_add_vm(object, vm);
			return;
		}
	}
}

static int object_for(Cli *cli, const char *target, const char *what, CliEach each, gpointer data)
{
	g_autofree char *shown = cli_show(target);
	g_autoptr(GError) error = NULL;
	int code;

	cli->object = json_object_new();
	json_object_set_string_member(cli->object, "target", shown);
	code = call_each(cli, target, what, each, data, &error);
	if (!error)
		return code;
	json_object_set_string_member(cli->object, "error", error->message);
	json_object_set_int_member(cli->object, "exit_status", code);
	return code;
}

int cli_for_each_json(Cli *cli, char **targets, const char *what, CliEach each, gpointer data,
		      gboolean listed)
{
	g_autoptr(JsonArray) array = json_array_new();
	g_autoptr(JsonNode) root = NULL;
	g_autoptr(GVariant) vms = NULL;
	g_autofree char *text = NULL;
	int code = KX_EXIT_OK;

	if (!cli->json)
		return cli_for_each(cli, targets, what, each, data);
	for (char **t = targets; *t; t++) {
		int failed = object_for(cli, *t, what, each, data);

		code = code ? code : failed;
		json_array_add_object_element(array, g_steal_pointer(&cli->object));
	}
	/* One call, whatever the number of VMs is. */
	vms = listed ? cli_ask_list(cli, NULL, NULL) : NULL;
	for (guint i = 0; vms && targets[i]; i++) {
		JsonObject *object = json_array_get_object_element(array, i);

		if (!json_object_has_member(object, "error"))
			add_listed(object, vms, targets[i]);
	}
	root = json_node_init_array(json_node_alloc(), array);
	text = json_to_string(root, TRUE);
	puts(text);
	return code;
}
