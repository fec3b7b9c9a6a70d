/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_NEEDS_H
#define KVM_EXT_NEEDS_H

struct kx_region_pass;
struct kx_setting;
struct kx_tracker;
struct kx_vm;

/* Memory that a setting needs besides its fields. */
struct kx_needs {
	void *own;			/* the tracker's, of its setup(); NULL: none */
	struct kx_region_pass *regions;	/* NULL: the setting samples no regions */
};

/**
 * kx_needs_make() - allocate what a setting needs, before the previous setting is stopped
 * @vm: the VM
 * @tracker: the setting's tracker
 * @setting: the setting, which was checked
 * @needs: what was allocated
 *
 * Context: may sleep.
 * Return: 0, or the error of the tracker's setup() or of kx_region_pass_new(): then nothing is
 * allocated.
 */
int kx_needs_make(struct kx_vm *vm, const struct kx_tracker *tracker,
		  const struct kx_setting *setting, struct kx_needs *needs);

/**
 * kx_needs_drop() - free what kx_needs_make() allocated
 * @tracker: the tracker of the setting
 * @needs: what was allocated
 *
 * Context: may sleep; no pass of the setting runs.
 */
void kx_needs_drop(const struct kx_tracker *tracker, const struct kx_needs *needs);

#endif /* KVM_EXT_NEEDS_H */
