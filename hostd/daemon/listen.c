// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* struct ucred */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/names.h"
#include "base/refusal.h"
#include "socketfile.h"

/* Beyond the bound, so many connections of a user are told why they are refused; further ones are closed at once. */
#define TOLD   16u
#define TOLD_S 2u /* the time that a refused peer has to read it */

/*
 * Allocated with g_atomic_rc_box_new(). References: kx_listener_free()'s, one for each handler of a signal, and one for each
 * connection, because a peer that is being authorized when the listener is freed is still announced later.
 */
struct _KxListener {
	char *path, *guid;
	int lock;
	gid_t group; /* KX_NO_GROUP: the group does not exist, only root may call */
	GSocketService *service;
	GMainContext *context;	  /* of kx_listener_new()'s thread, which announces */
	KxNewConnection callback; /* NULL after kx_listener_free() */
	gpointer data;

	GMutex counting;
	GHashTable *users; /* uid: the number of its connections; under @counting */
};

static void listener_clear(gpointer data)
{
	KxListener *l = data;

	g_free(l->path);
	g_free(l->guid);
	g_main_context_unref(l->context);
	g_hash_table_unref(l->users);
	g_mutex_clear(&l->counting);
}

static void listener_unref(KxListener *l)
{
	g_atomic_rc_box_release_full(l, listener_clear);
}

static void handler_gone(gpointer data, GClosure *closure)
{
	listener_unref(data);
}

static void connect_signal(gpointer instance, const char *signal, GCallback handler, KxListener *l)
{
	g_signal_connect_data(instance, signal, handler, g_atomic_rc_box_acquire(l), handler_gone,
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

/* --- how many may call -------------------------------------------------------------------------------------------- */

/* A connection in the count of its user, until its stream, hence its descriptor, is gone. */
typedef struct {
	KxListener *l;
	uid_t uid;
} Counted;

static void counted_free(gpointer data)
{
	Counted *c = data;
	gpointer key = GUINT_TO_POINTER(c->uid);
	guint n;

	g_mutex_lock(&c->l->counting);
	n = GPOINTER_TO_UINT(g_hash_table_lookup(c->l->users, key)) - 1;
	if (n)
		g_hash_table_insert(c->l->users, key, GUINT_TO_POINTER(n));
	else
		g_hash_table_remove(c->l->users, key);
	g_mutex_unlock(&c->l->counting);
	listener_unref(c->l);
	g_free(c);
}

/* The number of connections that @uid has, this one included. */
static guint count(KxListener *l, GSocketConnection *stream, uid_t uid)
{
	Counted *c = g_new(Counted, 1);
	guint n;

	*c = (Counted){ g_atomic_rc_box_acquire(l), uid };
	g_mutex_lock(&l->counting);
	n = GPOINTER_TO_UINT(g_hash_table_lookup(l->users, GUINT_TO_POINTER(uid))) + 1;
	g_hash_table_insert(l->users, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(n));
	g_mutex_unlock(&l->counting);
	g_object_set_data_full(G_OBJECT(stream), "kx-counted", c, counted_free);
	return n;
}

/* The peer reads the line in place of the answer to its authentication; so it must be there until the peer has read it. */
static void tell_refusal(GSocket *socket, uid_t uid)
{
	g_autofree char *line = kx_refusal_line(
		"user %u has %u connections to kvm-extd, and may have no more; end commands that "
		"follow (top, events, stats --follow)",
		uid, KX_CONNECTIONS_PER_USER);
	char rest[256];

	kx_log(G_LOG_LEVEL_WARNING, "refused", NULL, NULL,
	       "user %u has %u connections, and may have no more", uid, KX_CONNECTIONS_PER_USER);
	g_socket_set_timeout(socket, TOLD_S);
	if (g_socket_send(socket, line, strlen(line), NULL, NULL) < 0 ||
	    !g_socket_shutdown(socket, FALSE, TRUE, NULL))
		return;
	/* A peer says little before it has its answer. */
	for (guint i = 0; i < 4 && g_socket_receive(socket, rest, sizeof(rest), NULL, NULL) > 0;
	     i++)
		;
}

/*
 * Whether the peer's user may have this connection. What a peer costs (a descriptor, a thread until it is authorized) it costs from the
 * beginning, so also who never says who it is counts, by the kernel's credentials.
 */
static gboolean may_connect(KxListener *l, GSocketConnection *stream)
{
	GSocket *socket = g_socket_connection_get_socket(stream);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	guint n;

	if (getsockopt(g_socket_get_fd(socket), SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return FALSE;
	if (!peer.uid)
		return TRUE;
	n = count(l, stream, peer.uid);
	if (n > KX_CONNECTIONS_PER_USER && n <= KX_CONNECTIONS_PER_USER + TOLD)
		tell_refusal(socket, peer.uid);
	return n <= KX_CONNECTIONS_PER_USER;
}

/* --- a new connection --------------------------------------------------------------------------------------------- */

typedef struct {
	KxListener *l;
	GDBusConnection *connection;
} Arrival;

static void arrival_free(gpointer data)
{
	Arrival *a = data;

	g_object_unref(a->connection);
	listener_unref(a->l);
	g_free(a);
}

static gboolean announce(gpointer data)
{
	const Arrival *a = data;

	if (a->l->callback) {
		a->l->callback(a->connection, a->l->data);
		g_dbus_connection_start_message_processing(a->connection);
	} else {
		g_dbus_connection_close(a->connection, NULL, NULL, NULL);
	}
	return G_SOURCE_REMOVE;
}

static GDBusConnection *authenticate(KxListener *l, GSocketConnection *stream)
{
	g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();

	connect_signal(observer, "authorize-authenticated-peer", G_CALLBACK(on_authorize), l);
	connect_signal(observer, "allow-mechanism", G_CALLBACK(on_mechanism), l);
	return g_dbus_connection_new_sync(G_IO_STREAM(stream), l->guid,
					  G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
						  G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
					  observer, NULL, NULL);
}

/* On a thread of the connection's own: a peer may take its time, or never say who it is. */
static gboolean on_run(GThreadedSocketService *service, GSocketConnection *stream, GObject *source,
		       gpointer data)
{
	KxListener *l = data;
	GDBusConnection *connection = may_connect(l, stream) ? authenticate(l, stream) : NULL;
	g_autoptr(GSource) idle = NULL;
	Arrival *a;

	if (!connection)
		return TRUE;
	a = g_new(Arrival, 1);
	*a = (Arrival){ g_atomic_rc_box_acquire(l), connection };
	idle = g_idle_source_new();
	g_source_set_priority(idle, G_PRIORITY_DEFAULT);
	g_source_set_callback(idle, announce, a, arrival_free);
	g_source_attach(idle, l->context);
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

static gboolean start_service(KxListener *l, GError **error)
{
	g_autoptr(GSocketAddress) address = g_unix_socket_address_new(l->path);
	g_autoptr(GSocketService) service = g_threaded_socket_service_new(-1);
	mode_t mask = umask(0177);
	gboolean ok = g_socket_listener_add_address(G_SOCKET_LISTENER(service), address,
						    G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
						    NULL, NULL, error);

	umask(mask);
	if (!ok) {
		g_prefix_error(error, "%s: ", l->path);
		return FALSE;
	}
	l->service = g_steal_pointer(&service);
	if (!kx_socketfile_open_to_group(l->path, l->group, error))
		return FALSE;
	connect_signal(l->service, "run", G_CALLBACK(on_run), l);
	g_socket_service_start(l->service);
	return TRUE;
}

KxListener *kx_listener_new(const char *path, KxNewConnection callback, gpointer data,
			    GError **error)
{
	g_autoptr(KxListener) l = g_atomic_rc_box_new0(KxListener);

	l->path = g_strdup(path);
	l->guid = g_dbus_generate_guid();
	l->context = g_main_context_ref_thread_default();
	g_mutex_init(&l->counting);
	l->users = g_hash_table_new(NULL, NULL);
	l->lock = -1;
	l->group = kx_socketfile_group();
	l->callback = callback;
	l->data = data;
	if (!kx_socketfile_make_directory(path, error) || !take_lock(l, error) ||
	    !kx_socketfile_remove_stale(path, error) || !start_service(l, error))
		return NULL;
	return g_steal_pointer(&l);
}

void kx_listener_free(KxListener *l)
{
	if (!l)
		return;
	if (l->service) {
		g_socket_service_stop(l->service);
		g_socket_listener_close(G_SOCKET_LISTENER(l->service));
		g_clear_object(&l->service);
		unlink(l->path); /* the lock is still held, so the socket is ours */
	}
	/* The lock file stays: if it were removed, two daemons could lock two files of the same name. */
	if (l->lock >= 0)
		close(l->lock);
	l->callback = NULL;
	listener_unref(l);
}
