// SPDX-License-Identifier: GPL-2.0-or-later
#include "holds.h"

#include "base/error.h"
#include "base/textfmt.h"
#include "vm/procstat.h"

#define WHO_MAX	  200	/* characters */
#define HOLDS_MAX 4096u /* bounds the memory: it is not checked whether a pid is that of a VM */

typedef struct {
	KxHolds *holds;
	pid_t pid;
	guint64 started; /* start time of the process: a later process with the same number is another VM */
	char *client, *who;
	GCancellable *gone;
	gulong handler;
} Hold;

struct _KxHolds {
	char *proc_root;
	GHashTable *by_pid; /* Hold */
};

static void hold_free(gpointer data)
{
	Hold *hold = data;

	g_signal_handler_disconnect(hold->gone, hold->handler);
	g_object_unref(hold->gone);
	g_free(hold->client);
	g_free(hold->who);
	g_free(hold);
}

KxHolds *kx_holds_new(const char *proc_root)
{
	KxHolds *h = g_new0(KxHolds, 1);

	h->proc_root = g_strdup(proc_root);
	h->by_pid = g_hash_table_new_full(NULL, NULL, NULL, hold_free);
	return h;
}

void kx_holds_free(KxHolds *h)
{
	g_hash_table_unref(h->by_pid);
	g_free(h->proc_root);
	g_free(h);
}

static void on_gone(GCancellable *gone, gpointer data)
{
	const Hold *hold = data;

	g_hash_table_remove(hold->holds->by_pid, GINT_TO_POINTER(hold->pid));
}

/* 0: there is no such process. */
static guint64 started(const KxHolds *h, pid_t pid)
{
	guint64 ticks = 0;

	kx_procstat_started(h->proc_root, pid, &ticks, NULL);
	return ticks;
}

gboolean kx_holds_take(KxHolds *h, pid_t pid, const char *client, const char *who,
		       GCancellable *gone, GError **error)
{
	Hold *hold = g_hash_table_lookup(h->by_pid, GINT_TO_POINTER(pid));
	guint64 now = started(h, pid);
	g_autofree char *clean = kx_text_clean(who);

	if (hold && hold->started == now && !g_str_equal(hold->client, client)) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "it is being measured by %s: wait until that ends, or end it",
			    hold->who);
		return FALSE;
	}
	if (!hold && g_hash_table_size(h->by_pid) >= HOLDS_MAX) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "%u VMs are held already, which is the maximum", HOLDS_MAX);
		return FALSE;
	}
	if (g_cancellable_set_error_if_cancelled(gone, error))
		return FALSE;
	hold = g_new0(Hold, 1);
	hold->holds = h;
	hold->pid = pid;
	hold->started = now;
	hold->client = g_strdup(client);
	hold->who = g_utf8_substring(clean, 0, MIN(g_utf8_strlen(clean, -1), WHO_MAX));
	hold->gone = g_object_ref(gone);
	hold->handler = g_signal_connect(gone, "cancelled", G_CALLBACK(on_gone), hold);
	g_hash_table_replace(h->by_pid, GINT_TO_POINTER(pid), hold);
	return TRUE;
}

void kx_holds_release(KxHolds *h, pid_t pid, const char *client)
{
	const Hold *hold = g_hash_table_lookup(h->by_pid, GINT_TO_POINTER(pid));

	if (hold && g_str_equal(hold->client, client))
		g_hash_table_remove(h->by_pid, GINT_TO_POINTER(pid));
}
