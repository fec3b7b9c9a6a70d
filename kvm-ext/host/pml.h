/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PML_H
#define KVM_EXT_PML_H

#include <linux/atomic.h>
#include <linux/mm_types.h>

/* Counts vCPU exits of one process that were caused by a full PML buffer. */
struct kx_pml_counter {
	const struct mm_struct *mm;
	bool counting;
	atomic64_t exits;
};

/**
 * kx_pml_count() - start to count; the counter goes on from its value
 * @counter: stays unchanged if KVM has no such event
 * @mm: the process' memory; only its address is compared
 *
 * Context: may sleep.
 */
void kx_pml_count(struct kx_pml_counter *counter, const struct mm_struct *mm);

/**
 * kx_pml_count_end() - stop counting
 * @counter: the counter, whether it counts or not
 *
 * Context: may sleep.
 */
void kx_pml_count_end(struct kx_pml_counter *counter);

#endif /* KVM_EXT_PML_H */
