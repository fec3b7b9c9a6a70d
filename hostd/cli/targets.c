/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs of a command: from the command line to the TARGET strings for the daemon. */
#include "cli.h"

static gboolean add_pid(GStrvBuilder *b, const char *text)
{
	guint64 pid;

	if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT32, &pid, NULL))
		return FALSE;
	g_autofree char *target = g_strdup_printf("/proc/%" G_GUINT64_FORMAT, pid);
	cli_label(target, g_strdup_printf("pid:%" G_GUINT64_FORMAT, pid));
	g_strv_builder_add(b, target);
	return TRUE;
}

/* Adds the VM by its process or UUID, not by its name, because several VMs may have the same name. */
static void add_vm(GStrvBuilder *b, GVariant *vm, GHashTable *names)
{
	g_autofree char *process = NULL;
	const char *name = "", *uuid = "", *target;
	gboolean alone;
	guint32 pid = 0;

	g_variant_lookup(vm, "name", "&s", &name);
	g_variant_lookup(vm, "uuid", "&s", &uuid);
	g_variant_lookup(vm, "pid", "u", &pid);
	process = g_strdup_printf("/proc/%u", pid);
	target = pid ? process : *uuid ? uuid : name;
	alone = GPOINTER_TO_UINT(g_hash_table_lookup(names, name)) == 1;
	cli_label(target, alone ? g_strdup(name) : g_strdup_printf("%s (pid %u)", name, pid));
	g_strv_builder_add(b, target);
}

/* The number of VMs with each name. */
static GHashTable *count_names(GVariant *vms)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (gsize i = 0; i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		const char *name = "";
		guint n;

		g_variant_lookup(vm, "name", "&s", &name);
		n = GPOINTER_TO_UINT(g_hash_table_lookup(names, name));
		g_hash_table_insert(names, g_strdup(name), GUINT_TO_POINTER(n + 1));
	}
	return names;
}

static gboolean add_all(Cli *cli, GStrvBuilder *b, gboolean attached, GError **error)
{
	g_autoptr(GVariant) vms = cli_ask_list(cli, "asking for the VMs", error);
	g_autoptr(GHashTable) names = vms ? count_names(vms) : NULL;

	for (gsize i = 0; vms && i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		gboolean is_attached = FALSE;

		g_variant_lookup(vm, "attached", "b", &is_attached);
		if (!is_attached == !attached)
			add_vm(b, vm, names);
	}
	return vms != NULL;
}

/* The daemon finds names, but not those of another libvirt, nor the IDs of domains, which change with each start. */
static gboolean add_names(Cli *cli, GStrvBuilder *b, const Targets *t, GError **error)
{
	for (char **name = t->names; *name; name++) {
		g_autofree char *uuid = t->uri ? cli_name_in_libvirt(cli, t->uri, *name, error)
					       : cli_name_of_id(cli, *name);

		if (t->uri && !uuid)
			return FALSE;
		if (uuid)
			cli_label(uuid, g_strdup(*name));
		g_strv_builder_add(b, uuid ? uuid : *name);
	}
	return TRUE;
}

static const char *bad_name(const Targets *t)
{
	for (char **name = t->names; name && *name; name++) {
		if (!**name || !g_utf8_validate(*name, -1, NULL))
			return *name;
	}
	return NULL;
}

char **cli_targets(Cli *cli, const Targets *t, TargetsMode mode, gboolean attached, int *code)
{
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();
	g_autoptr(GError) error = NULL;
	gboolean named = (t->names && *t->names) || (t->pids && *t->pids);
	const char *bad = bad_name(t);
	const char *command = cli->command->name;

	*code = KX_EXIT_USAGE;
	if (bad) {
		g_autofree char *shown = cli_show(bad);

		cli_usage(command, "'%s' is no VM name: it is %s", shown,
			  *bad ? "not valid UTF-8" : "empty");
		return NULL;
	}
	if (named && t->all) {
		cli_usage(command, "--all and named VMs exclude each other");
		return NULL;
	}
	if (t->uri && !t->names) {
		cli_usage(command, "--connect is for names, and none is given");
		return NULL;
	}
	if (!named && !t->all && mode == TARGETS_REQUIRED) {
		cli_usage(command, "no VM is named; give names, --pid N or --all");
		return NULL;
	}
	if (t->names && !add_names(cli, b, t, &error)) {
		*code = cli_fail(NULL, error);
		return NULL;
	}
	for (char **pid = t->pids; pid && *pid; pid++) {
		if (!add_pid(b, *pid)) {
			cli_usage(command, "--pid must be a process number, not '%s'", *pid);
			return NULL;
		}
	}
	if (!named && !add_all(cli, b, attached, &error)) {
		*code = cli_fail(NULL, error);
		return NULL;
	}
	*code = KX_EXIT_OK;
	return g_strv_builder_end(b);
}

void cli_targets_clear(Targets *t)
{
	g_clear_pointer(&t->names, g_strfreev);
	g_clear_pointer(&t->pids, g_strfreev);
	g_clear_pointer(&t->uri, g_free);
}
