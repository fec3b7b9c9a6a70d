// SPDX-License-Identifier: GPL-2.0-only
/*
 * This module's own TLB flush. KVM's function (kvm_flush_remote_tlbs) is exported only to KVM's own
 * modules since 6.18, and clear_flush_young does not flush since 6.13.
 *
 * The flush also covers a nested guest: at a request to flush, kvm_intel issues a global INVEPT,
 * and kvm_amd flushes the ASID that L1 and L2 share (kvm_amd also flushes at every nested entry and
 * exit). Not covered are: KVM as a guest of Hyper-V with enlightened nested TLB, where only a
 * hypercall flushes the TLB that is in use; and the IOTLBs of assigned devices, which do not set
 * these A bits.
 */
#include <linux/smp.h>

#include "flush.h"

static void flush_nothing(void *info)
{
}

/*
 * The order that makes the flush correct:
 *
 *   here                              vCPU thread, entering the guest
 *   1. clear A bits (atomic, or       a. vcpu->mode = IN_GUEST_MODE
 *      under mmu_lock)                b. full barrier
 *   2. set KVM_REQ_TLB_FLUSH          c. any request? leave, flush, retry
 *   3. full barrier                   d. enter: the TLB fills, A bits are set
 *   4. vcpu->mode IN_GUEST_MODE?
 *      -> interrupt its CPU, wait
 *
 * If (c) sees the request of (2), the flush precedes the entry. If (4) sees the mode of (a), the
 * interrupt forces a VM exit, and (c) precedes the next entry. In all other cases, the vCPU has not
 * reached (a) yet. The barrier of (3) is in kvm_vcpu_exiting_guest_mode().
 *
 * A vCPU is interrupted in any mode except OUTSIDE_GUEST_MODE, as KVM does for requests with
 * KVM_REQUEST_WAIT: a vCPU in EXITING_GUEST_MODE may still be in the guest, and waiting for the
 * function call on its CPU also waits for its VM exit. If a vCPU moves to another CPU after
 * vcpu->cpu was read, it has left the guest before it moved.
 */
unsigned int kx_flush_vm(struct kvm *kvm, struct cpumask *cpus)
{
	unsigned int interrupted = 0;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int mode, cpu, me;

	me = get_cpu();
	cpumask_clear(cpus);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
		mode = kvm_vcpu_exiting_guest_mode(vcpu);
		if (mode == IN_GUEST_MODE)
			interrupted++;
		cpu = READ_ONCE(vcpu->cpu);
		/* No vCPU is in guest mode on the current CPU. */
		if (mode != OUTSIDE_GUEST_MODE && cpu != -1 && cpu != me)
			__cpumask_set_cpu(cpu, cpus);
	}
	if (!cpumask_empty(cpus))
		smp_call_function_many(cpus, flush_nothing, NULL, true);
	put_cpu();
	return interrupted;
}
