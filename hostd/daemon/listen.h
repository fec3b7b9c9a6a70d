/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's own socket: D-Bus peer to peer, for root and the group kvm-ext. A lock file beside the socket makes sure that
 * only one daemon serves the socket: whoever holds the lock may replace an existing socket on which nobody listens any more.
 */
#ifndef KX_LISTEN_H
#define KX_LISTEN_H

#include <gio/gio.h>

/* A user, except root, may have so many connections at a time, of which each costs a descriptor: they are few for the whole host. */
#define KX_CONNECTIONS_PER_USER 256u

/* Called on the main loop for each authorized caller. */
typedef void (*KxNewConnection)(GDBusConnection *connection, gpointer data);

typedef struct _KxListener KxListener;

KxListener *kx_listener_new(const char *path, KxNewConnection callback, gpointer data,
			    GError **error);
void kx_listener_free(KxListener *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxListener, kx_listener_free)

#endif /* KX_LISTEN_H */
