/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest-physical memory that must stay mapped, as the guest declares it over its channel: the buffers into which the guest's
 * CPU writes samples by itself, if the CPU does not survive a missing mapping (PEBS before Ice Lake). The module keeps this
 * memory populated and pinned, and excludes it from every tracker (KVM_EXT_SET_EXCLUDED), until the list changes or the
 * session ends.
 */
#ifndef KX_DECLARED_H
#define KX_DECLARED_H

#include <glib.h>

#include "guest/channel.h"
#include "module.h"

typedef struct {
	GArray *spans; /* struct kvm_ext_channel_span, last list passed to the module; NULL: none */
	guint64 pages; /* pages that the module excludes */
} KxDeclared;

/* Reads what the guest declares now. FALSE: the module refuses a new list; the old list stays in effect. */
gboolean kx_declared_look(KxDeclared *d, KxChannel *channel, KxModule *module, GError **error);
void kx_declared_clear(KxDeclared *d);

#endif /* KX_DECLARED_H */
