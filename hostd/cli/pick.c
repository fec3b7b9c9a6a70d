// SPDX-License-Identifier: GPL-2.0-or-later
#include "pick.h"

static gboolean is_named(const KxVmReport *v, const char *name)
{
	return g_str_equal(v->name, name) ||
	       (v->uuid && *v->uuid && !g_ascii_strcasecmp(v->uuid, name));
}

static gboolean has_process(const KxVmReport *v, const char *text)
{
	guint64 pid;

	return g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT32, &pid, NULL) && v->pid == pid;
}

typedef gboolean (*Fits)(const KxVmReport *v, const char *word);

static gboolean any_fits(const KxReport *r, Fits fits, const char *word)
{
	for (guint i = 0; i < r->vms->len; i++) {
		if (fits(r->vms->pdata[i], word))
			return TRUE;
	}
	return FALSE;
}

static gboolean fits_any(const KxVmReport *v, Fits fits, char *const *words)
{
	for (; words && *words; words++) {
		if (fits(v, *words))
			return TRUE;
	}
	return FALSE;
}

char *cli_vm_names(const KxReport *r)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	GString *names = g_string_new(NULL);

	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];

		if (g_hash_table_add(seen, v->name))
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", v->name);
	}
	return g_string_free(names, FALSE);
}

static gboolean all_are_there(const KxReport *r, const char *path, Fits fits, const char *kind,
			      char *const *words, GError **error)
{
	for (; words && *words; words++) {
		g_autofree char *names = NULL;

		if (any_fits(r, fits, *words))
			continue;
		names = cli_vm_names(r);
		g_set_error(error, KX_EXIT_ERROR, KX_EXIT_NO_SUCH_VM, "%s has no VM %s\"%s\"; %s%s",
			    path, kind, *words, *names ? "its VMs are: " : "it has none", names);
		return FALSE;
	}
	return TRUE;
}

gboolean cli_pick_vms(KxReport *r, const char *path, const Targets *of, GError **error)
{
	if (!of->names && !of->pids)
		return TRUE;
	if (!all_are_there(r, path, is_named, "", of->names, error) ||
	    !all_are_there(r, path, has_process, "of process ", of->pids, error))
		return FALSE;
	for (guint i = r->vms->len; i--;) {
		const KxVmReport *v = r->vms->pdata[i];

		if (!fits_any(v, is_named, of->names) && !fits_any(v, has_process, of->pids))
			g_ptr_array_remove_index(r->vms, i);
	}
	return TRUE;
}

gboolean cli_check_pick(const Targets *of, const char *command, int *code)
{
	if (of->uri)
		*code = cli_usage(command,
				  "--connect looks names up in libvirt, and --input has them in a "
				  "file");
	else if (of->all && (of->names || of->pids))
		*code = cli_usage(command, "--all and named VMs exclude each other");
	else
		return TRUE;
	return FALSE;
}
