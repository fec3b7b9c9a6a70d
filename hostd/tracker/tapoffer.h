/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a VM's QEMU has a tap of its dirty log (vm/dirtytap.h), asked in limited time. */
#ifndef KX_TAPOFFER_H
#define KX_TAPOFFER_H

#include <glib.h>

/* *@offered: whether QEMU has a tap. FALSE: this is not known, because libvirt or QEMU does not answer in 10 s, or @error's reason. */
gboolean kx_tap_offered(const char *libvirt_uri, const char *uuid, gboolean *offered,
			GError **error);

#endif /* KX_TAPOFFER_H */
