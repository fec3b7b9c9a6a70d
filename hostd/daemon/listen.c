// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* struct ucred */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/names.h"
#include "socketfile.h"

/*
 * Allocated with g_atomic_rc_box_new(), and each signal handler of the server has a reference: a peer that is being authorized when
 * the listener is freed is still announced later.
 */
struct _KxListener {
	char *path;
	int lock;
	gid_t group; /* KX_NO_GROUP: the group does not exist, only root may call */
	GDBusServer *server;
	KxNewConnection callback; /* NULL after kx_listener_free() */
	gpointer data;
};

static void listener_clear(gpointer data)
{
	KxListener *l = data;

	g_free(l->path);
}

static void listener_unref(gpointer data, GClosure *closure)
{
	g_atomic_rc_box_release_full(data, listener_clear);
}

static void connect_signal(gpointer instance, const char *signal, GCallback handler, KxListener *l)
{
	g_signal_connect_data(instance, signal, handler, g_atomic_rc_box_acquire(l), listener_unref,
			      0);
}

/* --- who may call ------------------------------------------------------------------------------------------------- */

static gboolean in_group(int fd, gid_t primary, gid_t group)
{
	g_autofree gid_t *groups = NULL;
	socklen_t len = 0;
	guint i;

	if (group == KX_NO_GROUP)
		return FALSE;
	if (primary == group)
		return TRUE;
	/* The process's groups at the time of the connection, not the groups in the user database. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return FALSE;
	groups = g_malloc(len);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return FALSE;
	for (i = 0; i < len / sizeof(*groups); i++) {
		if (groups[i] == group)
			return TRUE;
	}
	return FALSE;
}

/* Decides by the credentials that the kernel reports. Runs on a thread of the server. */
static gboolean on_authorize(GDBusAuthObserver *observer, GIOStream *stream,
			     GCredentials *credentials, gpointer data)
{
	int fd = g_socket_get_fd(g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream)));
	const KxListener *l = data;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid() || in_group(fd, peer.gid, l->group)))
		return TRUE;
	kx_log(G_LOG_LEVEL_WARNING, "refused", NULL, NULL,
	       "process %d of user %d may not call: it is not root and not in the group " KX_GROUP,
	       peer.pid, (int)peer.uid);
	return FALSE;
}

static gboolean on_mechanism(GDBusAuthObserver *observer, const char *mechanism, gpointer data)
{
	return !strcmp(mechanism, "EXTERNAL");
}

static gboolean on_connection(GDBusServer *server, GDBusConnection *connection, gpointer data)
{
	KxListener *l = data;

	if (!l->callback)
		return FALSE; /* closes the connection */
	l->callback(connection, l->data);
	return TRUE;
}

/* --- the socket --------------------------------------------------------------------------------------------------- */

static gboolean take_lock(KxListener *l, GError **error)
{
	g_autofree char *path = g_strconcat(l->path, ".lock", NULL);
	char owner[32] = "";
	ssize_t n;

	l->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
		return FALSE;
	}
	if (flock(l->lock, LOCK_EX | LOCK_NB)) {
		n = pread(l->lock, owner, sizeof(owner) - 1, 0);
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "another kvm-extd (pid %s) serves %s; stop it first, or use --socket; "
			    "trackers in a guest can be used by one of them at a time",
			    n > 0 ? g_strstrip(owner) : "unknown", l->path);
		return FALSE;
	}
	/* The file's text names the holder. Only the lock itself is needed, so a full disk does not matter. */
	snprintf(owner, sizeof(owner), "%d\n", getpid());
	if (ftruncate(l->lock, 0) || pwrite(l->lock, owner, strlen(owner), 0) < 0)
		kx_log(G_LOG_LEVEL_WARNING, "lock", NULL, NULL, "%s: %s", path, g_strerror(errno));
	return TRUE;
}

static gboolean start_server(KxListener *l, GError **error)
{
	g_autofree char *escaped = g_dbus_address_escape_value(l->path);
	g_autofree char *address = g_strconcat("unix:path=", escaped, NULL);
	g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();
	g_autofree char *guid = g_dbus_generate_guid();
	mode_t mask;

	connect_signal(observer, "authorize-authenticated-peer", G_CALLBACK(on_authorize), l);
	connect_signal(observer, "allow-mechanism", G_CALLBACK(on_mechanism), l);
	mask = umask(0177);
	l->server = g_dbus_server_new_sync(address, G_DBUS_SERVER_FLAGS_NONE, guid, observer, NULL,
					   error);
	umask(mask);
	if (!l->server) {
		g_prefix_error(error, "%s: ", l->path);
		return FALSE;
	}
	if (!kx_socketfile_open_to_group(l->path, l->group, error))
		return FALSE;
	connect_signal(l->server, "new-connection", G_CALLBACK(on_connection), l);
	g_dbus_server_start(l->server);
	return TRUE;
}

KxListener *kx_listener_new(const char *path, KxNewConnection callback, gpointer data,
			    GError **error)
{
	g_autoptr(KxListener) l = g_atomic_rc_box_new0(KxListener);

	l->path = g_strdup(path);
	l->lock = -1;
	l->group = kx_socketfile_group();
	l->callback = callback;
	l->data = data;
	if (!kx_socketfile_make_directory(path, error) || !take_lock(l, error) ||
	    !kx_socketfile_remove_stale(path, error) || !start_server(l, error))
		return NULL;
	return g_steal_pointer(&l);
}

void kx_listener_free(KxListener *l)
{
	if (!l)
		return;
	if (l->server) {
		g_dbus_server_stop(l->server);
		g_clear_object(&l->server);
		unlink(l->path); /* the lock is still held, so the socket is ours */
	}
	/* The lock file stays: if it were removed, two daemons could lock two files of the same name. */
	if (l->lock >= 0)
		close(l->lock);
	l->callback = NULL;
	listener_unref(l, NULL);
}
