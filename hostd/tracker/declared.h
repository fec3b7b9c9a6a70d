/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest-physical memory that has to stay mapped, as the guest declares it over its channel: the buffers into which its CPU
 * writes samples by itself, where that does not survive a missing mapping (PEBS before Ice Lake). The module keeps it
 * populated and pinned, and out of every tracker's way (KVM_EXT_SET_EXCLUDED), until the list changes or the session ends.
 */
#ifndef KX_DECLARED_H
#define KX_DECLARED_H

#include <glib.h>

#include "guest/channel.h"
#include "module.h"

typedef struct {
	GArray *spans; /* struct kvm_ext_channel_span, as last told to the module; NULL: nothing was */
	guint64 pages; /* that the module leaves alone */
} KxDeclared;

/* Looks at what the guest declares now. FALSE: the module does not take a list that is new; what it had before holds. */
gboolean kx_declared_look(KxDeclared *d, KxChannel *channel, KxModule *module, GError **error);
void kx_declared_clear(KxDeclared *d);

#endif /* KX_DECLARED_H */
