/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the two files of the trackers in the guest: commands (tracker-guest-command.c), and results. */
#ifndef KX_TRACKER_GUEST_H
#define KX_TRACKER_GUEST_H

#include "tracker.h"

/* The command for @o, without its numbers. */
void kx_guest_command(const KxOptions *o, struct kvm_ext_channel_command *c);
gboolean kx_guest_command_is_same(const struct kvm_ext_channel_command *a,
				  const struct kvm_ext_channel_command *b);
/* The length of an epoch if @asked was requested; 0: no request. */
guint64 kx_guest_epoch_ns(guint64 asked);

#endif /* KX_TRACKER_GUEST_H */
