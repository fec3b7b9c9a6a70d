// SPDX-License-Identifier: GPL-2.0-or-later
/* How a VM was before a command switched its tracker. */
#include "cli.h"

#include <string.h>
#include <unistd.h>

#include "base/target.h"

#define RESTORE_TRIES 50u
#define RESTORE_US    200000u

GVariant *cli_find_vm(GVariant *list, const char *target)
{
	for (gsize i = 0; i < g_variant_n_children(list); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(list, i);
		const char *name = "";

		g_variant_lookup(vm, "name", "&s", &name);
		if (cli_is_called(name, vm, target))
			return g_steal_pointer(&vm);
	}
	return NULL;
}

gboolean cli_hold(Cli *cli, guint32 pid, const char *id, GError **error)
{
	g_autofree char *who = g_strdup_printf("kvm-ext %s, process %d%s%s", cli->command->name,
					       getpid(), id ? ", kept as " : "", id ? id : "");

	return cli_ask_hold(cli, pid, who, error);
}

/*
 * The VM's process; 0: it is not known. The list lacks a process that libvirt does not know until it is attached, but such a VM is named by
 * its process.
 */
static guint32 process_of(GVariant *list, const char *target)
{
	g_autoptr(GVariant) vm = cli_find_vm(list, target);
	guint32 process = 0;
	pid_t named;

	if (vm)
		g_variant_lookup(vm, "pid", "u", &process);
	else if (kx_target_process(target, &named) || kx_target_pid_form(target, &named))
		process = (guint32)named;
	return process;
}

/* *@pid: 0 if the VM's process is not known, so that it is not held. */
static gboolean hold(Cli *cli, GVariant *list, const char *target, guint32 *pid, GError **error)
{
	guint32 process = process_of(list, target);

	*pid = 0;
	if (!process)
		return TRUE;
	if (!cli_hold(cli, process, NULL, error))
		return FALSE;
	*pid = process;
	return TRUE;
}

GVariant *cli_list_held(Cli *cli, const char *const *targets, guint32 *held, const char **failed,
			GError **error)
{
	g_autoptr(GVariant) list = NULL;
	gboolean more = TRUE;

	*failed = NULL;
	for (guint i = 0; targets[i]; i++)
		held[i] = 0;
	/* Again if a VM was held now: another command may have restored it meanwhile. */
	while (more) {
		more = FALSE;
		g_clear_pointer(&list, g_variant_unref);
		list = cli_ask_list(cli, "asking for the VMs", error);
		for (guint i = 0; list && targets[i]; i++) {
			if (held[i])
				continue;
			if (!hold(cli, list, targets[i], &held[i], error)) {
				*failed = targets[i];
				return NULL;
			}
			more |= held[i] != 0;
		}
	}
	return g_steal_pointer(&list);
}

void cli_before_read(GVariant *list, const char *target, CliBefore *before)
{
	g_autoptr(GVariant) vm = cli_find_vm(list, target);

	if (!vm)
		return;
	g_variant_lookup(vm, "attached", "b", &before->attached);
	g_variant_lookup(vm, "tracker", "s", &before->tracker);
	g_variant_lookup(vm, "options", "s", &before->options);
}

void cli_before_clear(CliBefore *before)
{
	g_clear_pointer(&before->tracker, g_free);
	g_clear_pointer(&before->options, g_free);
}

GVariant *cli_setting(const char *tracker, const char *options)
{
	g_auto(GStrv) words = g_strsplit(options ? options : "", " ", -1);
	GVariantDict dict;

	g_variant_dict_init(&dict, NULL);
	g_variant_dict_insert(&dict, "fresh", "s", "yes");
	g_variant_dict_insert(&dict, "tracker", "s", tracker);
	for (char **word = words; *word; word++) {
		char *equals = strchr(*word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		g_variant_dict_insert(&dict, *word, "s", equals + 1);
	}
	return g_variant_dict_end(&dict);
}

static gboolean restore(Cli *cli, const char *target, const CliBefore *before, GError **error)
{
	if (!before->attached)
		return cli_ask_detach(cli, target, NULL, error);
	return !before->tracker || !*before->tracker ||
	       cli_ask_set(cli, target, cli_setting(before->tracker, before->options), NULL, error);
}

gboolean cli_was_cut(const Cli *cli)
{
	return cli->cancellable && g_cancellable_is_cancelled(cli->cancellable);
}

/* Whether the VM's state does not allow the call yet, but may do so soon. */
static gboolean may_go_soon(Cli *cli, const char *target, const CliBefore *before,
			    const GError *failed)
{
	const char *const one[] = { target, NULL };
	g_autoptr(GVariant) there = NULL;

	if (kx_exit_code(failed) != KX_EXIT_STATE)
		return FALSE;
	/* The VM is attached only when the call that was cut ends. */
	if (before->cut)
		return TRUE;
	/* The same exit code can mean that the VM was detached: then waiting does not help. */
	there = cli_ask_stats(cli, one, NULL, NULL);
	return there != NULL;
}

gboolean cli_before_restore(Cli *cli, const char *target, const CliBefore *before, GError **error)
{
	g_autoptr(GError) failed = NULL;

	for (guint i = 0; !restore(cli, target, before, &failed); i++) {
		gboolean soon = may_go_soon(cli, target, before, failed);

		/* The call that was cut has attached nothing. */
		if (soon && i == RESTORE_TRIES && before->cut && !before->attached)
			return TRUE;
		if (!soon || i >= RESTORE_TRIES) {
			g_propagate_error(error, g_steal_pointer(&failed));
			return FALSE;
		}
		g_clear_error(&failed);
		g_usleep(RESTORE_US);
	}
	return TRUE;
}
