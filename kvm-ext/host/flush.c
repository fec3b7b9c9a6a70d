// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our own TLB flush: KVM's (kvm_flush_remote_tlbs) is for its vendor modules
 * only since 6.18, and its clear_flush_young does not flush since 6.13.
 *
 * A nested guest is covered too: a request to flush makes kvm_intel issue a
 * global INVEPT, and kvm_amd flush the ASID that L1 and L2 share (it flushes at
 * every nested entry and exit besides). Not covered: KVM as a guest of Hyper-V
 * with enlightened nested TLB, where only a hypercall reaches the real TLB, and
 * the IOTLBs of assigned devices, which do not set these A bits.
 */
#include <linux/smp.h>

#include "flush.h"

static void flush_nothing(void *info)
{
}

/*
 * The order that makes it right:
 *
 *   here                              vCPU thread, entering the guest
 *   1. clear A bits (atomic, or       a. vcpu->mode = IN_GUEST_MODE
 *      under mmu_lock)                b. full barrier
 *   2. set KVM_REQ_TLB_FLUSH          c. any request? leave, flush, retry
 *   3. full barrier                   d. enter: the TLB fills, A bits are set
 *   4. vcpu->mode IN_GUEST_MODE?
 *      -> interrupt its CPU, wait
 *
 * Either (c) sees the request of (2), then the flush precedes the entry; or (4)
 * sees the mode of (a), then the interrupt forces an exit, and the next entry
 * meets (c). A vCPU that is neither has (a) still before it. The barrier of (3)
 * is the one in kvm_vcpu_exiting_guest_mode().
 *
 * Any mode but OUTSIDE_GUEST_MODE is interrupted, as KVM does for requests with
 * KVM_REQUEST_WAIT: a vCPU in EXITING_GUEST_MODE may not have left yet, and
 * waiting for the call is waiting for that. A vCPU that moves to another CPU
 * after vcpu->cpu was read has left the guest to do so.
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
		/* No vCPU is in guest mode on the CPU that runs this. */
		if (mode != OUTSIDE_GUEST_MODE && cpu != -1 && cpu != me)
			__cpumask_set_cpu(cpu, cpus);
	}
	if (!cpumask_empty(cpus))
		smp_call_function_many(cpus, flush_nothing, NULL, true);
	put_cpu();
	return interrupted;
}
