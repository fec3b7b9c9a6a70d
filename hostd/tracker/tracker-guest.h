/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the two files of the trackers in the guest: what it is told (tracker-guest-command.c), and what it tells. */
#ifndef KX_TRACKER_GUEST_H
#define KX_TRACKER_GUEST_H

#include "tracker.h"

/* The command that @o makes, without its numbers. */
void kx_guest_command(const KxOptions *o, struct kvm_ext_channel_command *c);
gboolean kx_guest_command_is_same(const struct kvm_ext_channel_command *a,
				  const struct kvm_ext_channel_command *b);
/* How long an epoch is, if @asked was asked for; 0: nothing was. */
guint64 kx_guest_epoch_ns(guint64 asked);

#endif /* KX_TRACKER_GUEST_H */
