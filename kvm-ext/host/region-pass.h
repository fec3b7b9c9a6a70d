/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_REGION_PASS_H
#define KVM_EXT_REGION_PASS_H

#include <linux/types.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_pass;
struct kx_region_pass;
struct kx_vm;

/* A page whose accessed bit is to be tested. */
struct kx_probe {
	const struct kx_extent *x;	/* the extent that contains the page */
	u64 gfn;
	bool young;			/* result: the bit was set */
};

/**
 * kx_region_pass_new() - make the regions of a setting
 * @vm: the VM
 * @cfg: the setting, which was checked; @regions_max is not 0
 *
 * Context: may sleep.
 * Return: the regions, or ERR_PTR: -ENOMEM; -E2BIG: the VM's memory has more separate parts than
 * @regions_max.
 */
struct kx_region_pass *kx_region_pass_new(struct kx_vm *vm, const struct kvm_ext_tracker *cfg);

/**
 * kx_region_pass_free() - free regions
 * @rp: the regions; NULL: none
 */
void kx_region_pass_free(struct kx_region_pass *rp);

/**
 * kx_region_pass() - run a whole pass with @p->regions and the tracker's probe
 * @p: the running pass
 *
 * Context: the pass thread, no lock held; may sleep.
 */
void kx_region_pass(struct kx_pass *p);

#endif /* KVM_EXT_REGION_PASS_H */
