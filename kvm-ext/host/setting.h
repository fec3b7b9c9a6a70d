/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SETTING_H
#define KVM_EXT_SETTING_H

#include <kvm-ext/uapi.h>

struct kx_tracker;
struct kx_vm;

/**
 * struct kx_setting - the setting requested with KVM_EXT_SET_TRACKER
 * @cfg: the structure of the request
 * @ranges: array of @cfg.nr_ranges ranges, sorted and without overlap; NULL: none
 */
struct kx_setting {
	struct kvm_ext_tracker cfg;
	struct kvm_ext_range *ranges;
};

/**
 * kx_setting_check() - check each field by itself and against the other fields, without a VM
 * @t: the caller's structure
 * @tracker: the tracker with the id in @t; NULL: there is none
 *
 * The event kvm_ext_refused carries the reason of a refusal.
 *
 * Return: 0 or -EINVAL.
 */
int kx_setting_check(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker);

/**
 * kx_setting_check_range() - check that the range, or one of the ranges, contains RAM
 * @setting: the setting; its fields have been checked
 * @vm: the VM
 *
 * Context: may sleep; the caller holds the session's mutex.
 * Return: 0, -ERANGE or -ENOMEM.
 */
int kx_setting_check_range(const struct kx_setting *setting, struct kx_vm *vm);

#endif /* KVM_EXT_SETTING_H */
