// SPDX-License-Identifier: GPL-2.0-only
/* The faults of armed mappings. KVM's tracepoints report them in the vCPUs' tasks. */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <asm/msr.h>

#include "armed.h"
#include "budget.h"
#include "hits.h"
#include "memory.h"
#include "trace.h"

/* Bits of the exit qualification of an EPT violation (Intel), of the error code of an NPF (AMD). */
#define EPT_WRITE	BIT_ULL(1)
#define EPT_FETCH	BIT_ULL(2)
#define EPT_LINEAR	BIT_ULL(7)
#define EPT_FINAL	BIT_ULL(8)
#define NPF_WRITE	BIT_ULL(1)
#define NPF_FETCH	BIT_ULL(4)
#define NPF_PAGE_WALK	BIT_ULL(33)

/*
 * A fault takes microseconds, because the page is in memory. If a vCPU was kept out of the guest
 * for longer than this, there was another cause: the vCPU's task did not run, or the VM was paused.
 */
#define SENSIBLE_NS	NSEC_PER_MSEC

/* --- in the vCPUs' tasks --------------------------------------------------------- */

static u8 hits_access_of(u64 error_code, u8 *flags)
{
	bool intel = boot_cpu_has(X86_FEATURE_VMX);

	if (intel ? (error_code & (EPT_LINEAR | EPT_FINAL)) == EPT_LINEAR :
		    !!(error_code & NPF_PAGE_WALK))
		*flags |= KVM_EXT_FAULT_PAGE_WALK;
	if (error_code & (intel ? EPT_WRITE : NPF_WRITE))
		return KVM_EXT_ACCESS_WRITE;
	if (error_code & (intel ? EPT_FETCH : NPF_FETCH))
		return KVM_EXT_ACCESS_EXEC;
	return KVM_EXT_ACCESS_READ;
}

static void hits_push(struct kx_hits *h, struct kvm_ext_fault *fault)
{
	raw_spin_lock(&h->lock);
	fault->time_ns = ktime_get_ns();
	fault->tsc = rdtsc();
	/* The buffer is never full: see @size. */
	if (h->nr < h->size)
		h->faults[(h->oldest + h->nr++) % h->size] = *fault;
	else
		h->lost++;
	raw_spin_unlock(&h->lock);
}

/* The area that contains the page, as the vCPU sees it: in SMM only if SMM sees the area. */
static struct kx_area *hits_area_of(const struct kx_hits *h, struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct kx_areas *areas = rcu_dereference(h->areas);
	struct kx_area *area = areas ? kx_area_of(areas, gfn) : NULL;

	return area && (area->smm || !kx_vcpu_is_in_smm(vcpu)) ? area : NULL;
}

/* A late fault is no sample, but its time, until the vCPU's next VM entry, is counted. */
static void hits_late(struct kx_hits *h, struct kvm_vcpu *vcpu)
{
	atomic64_inc(&h->late);
	WRITE_ONCE(h->since_ns[vcpu->vcpu_idx], ktime_get_ns());
}

static void hits_hit(struct kx_hits *h, struct kvm_vcpu *vcpu, struct kvm_ext_fault *fault,
		     u64 error_code)
{
	fault->access = hits_access_of(error_code, &fault->flags);
	hits_push(h, fault);
	trace_kvm_ext_trap_hit(h->kvm->userspace_pid, fault);
	WRITE_ONCE(h->since_ns[vcpu->vcpu_idx], fault->time_ns);
	kx_listener_expect_less(&h->listener, 1);
}

static void hits_on_page_fault(void *data, struct kvm_vcpu *vcpu, u64 gpa, u64 error_code)
{
	struct kvm_ext_fault fault = { .gfn = gpa >> PAGE_SHIFT, .vcpu = vcpu->vcpu_id };
	struct kx_hits *h = data;
	struct kx_area *area;

	/* The address in a fault of a nested guest is not guest-physical for this VM. */
	if (vcpu->kvm != h->kvm || (vcpu->arch.hflags & HF_GUEST_MASK))
		return;
	/* All effects are inside the read section: trap_forget_armed() waits for them. */
	rcu_read_lock();
	area = hits_area_of(h, vcpu, fault.gfn);
	if (area && kx_area_disarm(area, fault.gfn, &fault.order))
		hits_hit(h, vcpu, &fault, error_code);
	else if (area && kx_area_settle(area, fault.gfn))
		hits_late(h, vcpu);
	rcu_read_unlock();
}

static void hits_on_entry(void *data, struct kvm_vcpu *vcpu)
{
	struct kx_hits *h = data;
	u64 since, now;

	if (vcpu->kvm != h->kvm)
		return;
	since = READ_ONCE(h->since_ns[vcpu->vcpu_idx]);
	if (!since)
		return;
	WRITE_ONCE(h->since_ns[vcpu->vcpu_idx], 0);
	/* The probes were detached after this fault, so this may not be the VM entry after it. */
	if (since < READ_ONCE(h->listener.since_ns))
		return;
	now = ktime_get_ns();
	kx_budget_took(h->budget, now, min_t(u64, now - since, SENSIBLE_NS));
}

/* --- for the pass thread ---------------------------------------------------------- */

u32 kx_hits_pull(struct kx_hits *h, struct kvm_ext_fault *to, u32 room)
{
	u32 n;

	raw_spin_lock(&h->lock);
	room = min(room, h->nr);
	for (n = 0; n < room; n++)
		to[n] = h->faults[(h->oldest + n) % h->size];
	h->oldest = (h->oldest + n) % h->size;
	h->nr -= n;
	raw_spin_unlock(&h->lock);
	return n;
}

int kx_hits_init(struct kx_hits *h, struct kvm *kvm, struct kx_budget *budget)
{
	int err;

	h->kvm = kvm;
	h->budget = budget;
	h->size = budget->faults_per_s;
	raw_spin_lock_init(&h->lock);
	err = kx_listener_init(&h->listener, hits_on_page_fault, hits_on_entry, h);
	if (err)
		return err;
	h->faults = kx_memory_new(budget->memory, h->size, sizeof(*h->faults));
	h->since_ns = kx_memory_new(budget->memory, KVM_MAX_VCPUS, sizeof(*h->since_ns));
	return h->faults && h->since_ns ? 0 : -ENOMEM;
}

void kx_hits_free(struct kx_hits *h)
{
	kx_listener_stop(&h->listener);
	kx_areas_free(kx_hits_areas(h));
	kx_memory_free(h->budget->memory, h->since_ns, KVM_MAX_VCPUS, sizeof(*h->since_ns));
	kx_memory_free(h->budget->memory, h->faults, h->size, sizeof(*h->faults));
}
