/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PML_H
#define KVM_EXT_PML_H

#include <linux/atomic.h>
#include <linux/mm_types.h>

/* Counts the VM exits of one process's vCPUs that a full PML buffer has caused. */
struct kx_pml_counter {
	const struct mm_struct *mm;
	bool counting;			/* the tracepoint has our probe */
	atomic64_t exits;
};

/**
 * kx_pml_count() - start to count
 * @counter: the counter, which continues from its value; it does not count if KVM has no such event
 * @mm: the address space of the process; only the pointer is compared
 *
 * Context: may sleep.
 */
void kx_pml_count(struct kx_pml_counter *counter, const struct mm_struct *mm);

/**
 * kx_pml_count_end() - stop counting
 * @counter: the counter, which may have stopped already
 *
 * Context: may sleep.
 */
void kx_pml_count_end(struct kx_pml_counter *counter);

#endif /* KVM_EXT_PML_H */
