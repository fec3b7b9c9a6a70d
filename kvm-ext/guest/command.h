/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of commands. */
#ifndef KVM_EXT_COMMAND_H
#define KVM_EXT_COMMAND_H

#include <linux/types.h>
#include <kvm-ext/channel.h>

/**
 * kx_command_check() - check a command, and fill in the defaults
 * @command: a copy of the command, which the daemon cannot change
 *
 * The sampler checks later whether this kernel and CPU support the command.
 *
 * Context: any.
 * Return: 0; -EINVAL, -ERANGE or -E2BIG: a field is out of its range.
 */
int kx_command_check(struct kvm_ext_channel_command *command);

#endif /* KVM_EXT_COMMAND_H */
