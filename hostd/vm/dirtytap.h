/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty-log tap of a QEMU with our patches (qemu-patches), through libvirt: once in an interval QEMU copies its dirty log to shared
 * memory. The tap ends when the other end of its socket is closed, so it ends with the process that has this end.
 */
#ifndef KX_DIRTYTAP_H
#define KX_DIRTYTAP_H

#include "libvirt.h"

/* The longest interval that QEMU takes; the unit of intervals is 1 ms. */
#define KX_DIRTY_TAP_MS_MAX 3600000u

/* Blocks. *@offered: whether this QEMU has a tap. FALSE: this is not known, and @error says why. */
gboolean kx_dirty_tap_offered(KxLibvirt *l, const char *uuid, gboolean *offered, GError **error);

/*
 * Blocks. @memory: a memfd that is sealed against shrinking. @socket: QEMU's end of a pair of sockets. @replace: if a tap runs, end
 * it. KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT; KX_ERROR_NOT_SUPPORTED: this QEMU has no tap; KX_ERROR_BUSY: QEMU refuses, in its words.
 * If libvirt takes long, shutting down the other end of the pair withdraws the command: QEMU then refuses it, and a tap that runs
 * goes on.
 */
gboolean kx_dirty_tap_start(KxLibvirt *l, const char *uuid, int memory, int socket,
			    guint interval_ms, gboolean replace, GError **error);

#endif /* KX_DIRTYTAP_H */
