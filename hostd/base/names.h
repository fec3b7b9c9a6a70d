/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names under which clients reach the daemon. */
#ifndef KX_NAMES_H
#define KX_NAMES_H

#define KX_SOCKET_PATH	  "/run/kvm-ext/kvm-extd.sock"
#define KX_DBUS_NAME	  "org.kvmext1"
#define KX_DBUS_PATH	  "/org/kvmext1"
#define KX_DBUS_INTERFACE "org.kvmext1.Manager"
#define KX_GROUP	  "kvm-ext" /* its members may call */

#endif /* KX_NAMES_H */
