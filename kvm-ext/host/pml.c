// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the VM exits at a full PML buffer. KVM's tracepoint gives the number of the vCPU but not
 * the VM. It runs in the vCPU's task, so the task's address space shows whose vCPU it is.
 */
#include <linux/sched.h>

#include "events.h"
#include "pml.h"

static void pml_on_full(void *data, unsigned int vcpu_id)
{
	struct kx_pml_counter *counter = data;

	if (counter->mm == current->mm)
		atomic64_inc(&counter->exits);
}

void kx_pml_count(struct kx_pml_counter *counter, const struct mm_struct *mm)
{
	counter->mm = mm;
	counter->counting = !kx_event_probe(KX_EVENT_PML_FULL, pml_on_full, counter);
}

void kx_pml_count_end(struct kx_pml_counter *counter)
{
	if (counter->counting)
		kx_event_unprobe(KX_EVENT_PML_FULL, pml_on_full, counter);
	counter->counting = false;
}
