/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of UNIX sockets on which the daemon listens: for root and the group kvm-ext. */
#ifndef KX_SOCKETFILE_H
#define KX_SOCKETFILE_H

#include <glib.h>
#include <sys/types.h>

#define KX_NO_GROUP ((gid_t)-1) /* the group does not exist: only root may connect */

gid_t kx_socketfile_group(void);
gboolean kx_socketfile_make_directory(const char *path, GError **error);
/* Removes a socket that a daemon left. FALSE: there is something else at @path, or a program listens on it. */
gboolean kx_socketfile_remove_stale(const char *path, GError **error);
/* The socket was bound for root alone; now the group may connect, too. */
gboolean kx_socketfile_open_to_group(const char *path, gid_t group, GError **error);

#endif /* KX_SOCKETFILE_H */
