// SPDX-License-Identifier: GPL-2.0-or-later
#include "tapoffer.h"

#include "firststep.h"
#include "vm/dirtytap.h"

typedef struct {
	char *libvirt_uri, *uuid;
	gboolean offered;
} Query;

static void query_free(gpointer data)
{
	Query *q = data;

	g_free(q->libvirt_uri);
	g_free(q->uuid);
	g_free(q);
}

/* A connection of its own, because the thread may outlive the caller's. */
static gboolean query_tap(gpointer data, GError **error)
{
	Query *q = data;
	g_autoptr(KxLibvirt) l = kx_libvirt_open(q->libvirt_uri, error);

	return l && kx_dirty_tap_offered(l, q->uuid, &q->offered, error);
}

gboolean kx_tap_offered(const char *libvirt_uri, const char *uuid, gboolean *offered,
			GError **error)
{
	const KxFirstStep step = { "kx-tap-query", "dirty-log", query_tap, NULL, query_free };
	Query *q = g_new0(Query, 1);

	q->libvirt_uri = g_strdup(libvirt_uri);
	q->uuid = g_strdup(uuid);
	q = kx_first_step(&step, q, error);
	if (!q)
		return FALSE;
	*offered = q->offered;
	query_free(q);
	return TRUE;
}
