/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SETTING_H
#define KVM_EXT_SETTING_H

#include <kvm-ext/uapi.h>

struct kx_tracker;
struct kx_vm;

/**
 * struct kx_setting - what KVM_EXT_SET_TRACKER asks for
 * @cfg: its structure
 * @ranges: @cfg.nr_ranges of them, sorted and apart; NULL: none
 */
struct kx_setting {
	struct kvm_ext_tracker cfg;
	struct kvm_ext_range *ranges;
};

/**
 * kx_setting_check() - check each field by itself and against the others, without a VM
 * @t: the caller's structure
 * @tracker: that it names; NULL: there is no such tracker
 *
 * The reason of a refusal is told by the event kvm_ext_refused.
 *
 * Return: 0 or -EINVAL.
 */
int kx_setting_check(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker);

/**
 * kx_setting_check_range() - is there RAM in the range, or in one of the ranges?
 * @setting: checked otherwise
 * @vm: the VM
 *
 * Context: may sleep; the caller holds the session's mutex.
 * Return: 0, -ERANGE or -ENOMEM.
 */
int kx_setting_check_range(const struct kx_setting *setting, struct kx_vm *vm);

#endif /* KVM_EXT_SETTING_H */
