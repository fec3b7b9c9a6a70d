/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PML_H
#define KVM_EXT_PML_H

#include <linux/atomic.h>
#include <linux/mm_types.h>

/* Exits of one process' vCPUs because a PML buffer was full. */
struct kx_pml_counter {
	const struct mm_struct *mm;
	bool counting;
	atomic64_t exits;
};

/**
 * kx_pml_count() - count on from what the counter has
 * @counter: stays as it is where KVM has no such event
 * @mm: the process' memory, only compared
 *
 * Context: may sleep.
 */
void kx_pml_count(struct kx_pml_counter *counter, const struct mm_struct *mm);

/**
 * kx_pml_count_end() - count no more
 * @counter: the counter, whether it counts or not
 *
 * Context: may sleep.
 */
void kx_pml_count_end(struct kx_pml_counter *counter);

#endif /* KVM_EXT_PML_H */
