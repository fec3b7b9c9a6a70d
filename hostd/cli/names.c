// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of VMs that the daemon does not find itself: those of another libvirt, and the IDs of domains. */
#include "cli.h"

#include <unistd.h>

#include "base/error.h"
#include "vm/libvirt.h"

/* --- another libvirt ---------------------------------------------------------------------------------------------------- */

typedef struct {
	const char *uri, *text;
	char *uuid;
	GError *error;
	gint done;
} Lookup;

static gpointer look_up(gpointer data)
{
	Lookup *l = data;
	g_autoptr(KxLibvirt) libvirt = kx_libvirt_open_readonly(l->uri, &l->error);
	g_autoptr(KxDomain) d = NULL;

	if (libvirt)
		d = kx_libvirt_lookup_any(libvirt, l->text, &l->error);
	else
		g_prefix_error(&l->error,
			       "libvirt at %s is not reachable; virsh -c %s list shows whether it "
			       "is: ",
			       l->uri, l->uri);
	l->uuid = d ? g_strdup(d->uuid) : NULL;
	g_atomic_int_set(&l->done, 1);
	g_main_context_wakeup(NULL);
	return NULL;
}

static gboolean show_waiting(gpointer data)
{
	const Lookup *l = data;

	fprintf(stderr, "\rconnecting to libvirt at %s...\033[K", l->uri);
	fflush(stderr);
	return G_SOURCE_CONTINUE;
}

/* A thread connects, so that the terminal can show that this libvirt is waited for. */
char *cli_name_in_libvirt(Cli *cli, const char *uri, const char *text, GError **error)
{
	Lookup l = { .uri = uri, .text = text };
	GThread *thread = g_thread_new("libvirt", look_up, &l);
	guint timer =
		isatty(STDERR_FILENO) && !cli->quiet ? g_timeout_add(1000, show_waiting, &l) : 0;

	while (!g_atomic_int_get(&l.done))
		g_main_context_iteration(NULL, TRUE);
	g_thread_join(thread);
	if (timer) {
		g_source_remove(timer);
		fputs("\r\033[K", stderr);
	}
	if (l.uuid)
		return l.uuid;
	g_set_error_literal(error, KX_EXIT_ERROR,
			    g_error_matches(l.error, KX_ERROR, KX_ERROR_NO_SUCH_VM)
				    ? KX_EXIT_NO_SUCH_VM
				    : KX_EXIT_UNREACHABLE,
			    l.error->message);
	g_error_free(l.error);
	return NULL;
}

/* --- IDs ---------------------------------------------------------------------------------------------------------------- */

char *cli_name_of_id(Cli *cli, const char *text)
{
	g_autoptr(GVariant) vms = NULL;
	char *uuid = NULL;
	int id;

	/* If the daemon is not reachable, the command's own call says so. */
	if (kx_libvirt_is_id(text, &id))
		vms = cli_ask_list(cli, "asking for the VMs", NULL);
	for (gsize i = 0; vms && i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		const char *name = "";
		gint32 its;

		g_variant_lookup(vm, "name", "&s", &name);
		if (g_str_equal(name, text)) {
			g_free(uuid);
			return NULL;
		}
		if (!uuid && g_variant_lookup(vm, "id", "i", &its) && its == id)
			g_variant_lookup(vm, "uuid", "s", &uuid);
	}
	return uuid;
}
