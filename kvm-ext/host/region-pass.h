/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_REGION_PASS_H
#define KVM_EXT_REGION_PASS_H

#include <linux/types.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_pass;
struct kx_region_pass;
struct kx_vm;

/* One page whose accessed bit is asked for. */
struct kx_probe {
	const struct kx_extent *x;	/* that has it */
	u64 gfn;
	bool young;			/* the answer */
};

/**
 * kx_region_pass_new() - the regions of a setting
 * @vm: the VM
 * @cfg: checked, with a number of regions
 *
 * Context: may sleep.
 * Return: the regions, or ERR_PTR: -ENOMEM; -E2BIG: the VM's memory is in more pieces than there
 * may be regions.
 */
struct kx_region_pass *kx_region_pass_new(struct kx_vm *vm, const struct kvm_ext_tracker *cfg);

/**
 * kx_region_pass_free() - free them
 * @rp: the regions; NULL: none
 */
void kx_region_pass_free(struct kx_region_pass *rp);

/**
 * kx_region_pass() - a whole pass with @p->regions and the tracker's probe
 * @p: the running pass
 *
 * Context: the pass thread, no lock held; may sleep.
 */
void kx_region_pass(struct kx_pass *p);

#endif /* KVM_EXT_REGION_PASS_H */
