/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of commands. */
#ifndef KVM_EXT_COMMAND_H
#define KVM_EXT_COMMAND_H

#include <linux/types.h>
#include <kvm-ext/channel.h>

/*
 * Checks a copy of a command and fills in the defaults. Negative errno: a field is out of its
 * range. The sampler checks whether this kernel and CPU support the command.
 */
int kx_command_check(struct kvm_ext_channel_command *command);

#endif /* KVM_EXT_COMMAND_H */
