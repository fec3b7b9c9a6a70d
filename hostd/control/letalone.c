// SPDX-License-Identifier: GPL-2.0-or-later
/* The list is a GKeyFile with one group per UUID. */
#include "letalone.h"

#include "base/log.h"
#include "vm/procstat.h"

#define KEY_PID	    "pid"
#define KEY_STARTED "started"

struct _KxLetAlone {
	char *path; /* NULL: the list is only in memory */
	char *proc_root;
	GKeyFile *file;
};

gboolean kx_let_alone_has(const KxLetAlone *l, const char *uuid, pid_t pid)
{
	guint64 started;

	return uuid && g_key_file_has_group(l->file, uuid) &&
	       g_key_file_get_integer(l->file, uuid, KEY_PID, NULL) == pid &&
	       kx_procstat_started(l->proc_root, pid, &started, NULL) &&
	       g_key_file_get_uint64(l->file, uuid, KEY_STARTED, NULL) == started;
}

/* Removes VMs that have ended: no event reports the end of a VM while the daemon does not run. */
static void prune(KxLetAlone *l)
{
	g_auto(GStrv) uuids = g_key_file_get_groups(l->file, NULL);

	for (char **uuid = uuids; *uuid; uuid++) {
		if (!kx_let_alone_has(l, *uuid,
				      g_key_file_get_integer(l->file, *uuid, KEY_PID, NULL)))
			g_key_file_remove_group(l->file, *uuid, NULL);
	}
}

KxLetAlone *kx_let_alone_new(const char *path, const char *proc_root)
{
	KxLetAlone *l = g_new0(KxLetAlone, 1);
	g_autoptr(GError) error = NULL;

	l->path = g_strdup(path);
	l->proc_root = g_strdup(proc_root);
	l->file = g_key_file_new();
	if (path && !g_key_file_load_from_file(l->file, path, G_KEY_FILE_NONE, &error) &&
	    !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		kx_log(G_LOG_LEVEL_WARNING, "detached-unread", NULL, NULL,
		       "%s: %s; rules may attach domains that were detached by hand", path,
		       error->message);
	prune(l);
	return l;
}

void kx_let_alone_free(KxLetAlone *l)
{
	if (!l)
		return;
	g_key_file_unref(l->file);
	g_free(l->path);
	g_free(l->proc_root);
	g_free(l);
}

static void save(KxLetAlone *l)
{
	g_autoptr(GError) error = NULL;

	if (l->path && !g_key_file_save_to_file(l->file, l->path, &error))
		kx_log(G_LOG_LEVEL_WARNING, "detached-unwritten", NULL, NULL,
		       "%s; after a restart of the daemon rules may attach domains that were "
		       "detached by hand",
		       error->message);
}

void kx_let_alone_add(KxLetAlone *l, const char *uuid, pid_t pid)
{
	guint64 started;

	if (!uuid || !kx_procstat_started(l->proc_root, pid, &started, NULL))
		return; /* the process has ended, so no rule will attach it */
	g_key_file_set_integer(l->file, uuid, KEY_PID, pid);
	g_key_file_set_uint64(l->file, uuid, KEY_STARTED, started);
	save(l);
}

void kx_let_alone_remove(KxLetAlone *l, const char *uuid)
{
	if (uuid && g_key_file_remove_group(l->file, uuid, NULL))
		save(l);
}
