// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's own use of the dirty log, seen before and after KVM carries it out. In the VMM's task.
 */
#include "log-ioctl.h"
#include "log-vmm.h"
#include "test-build.h"
#include "trace.h"
#include "vm.h"

/*
 * Numbers of ioctls: a 32-bit program's ioctls have other sizes. The first member of every argument
 * is the slot.
 */
enum {
	NR_SET_REGION = _IOC_NR(KVM_SET_USER_MEMORY_REGION),
	NR_SET_REGION2 = 0x49,	/* KVM_SET_USER_MEMORY_REGION2, if KVM has it; same beginning */
	NR_GET_LOG = _IOC_NR(KVM_GET_DIRTY_LOG),
	NR_CLEAR_LOG = _IOC_NR(KVM_CLEAR_DIRTY_LOG),
};

bool kx_log_concerns(unsigned int cmd)
{
	switch (_IOC_NR(cmd)) {
	case NR_SET_REGION:
	case NR_SET_REGION2:
	case NR_GET_LOG:
	case NR_CLEAR_LOG:
		return _IOC_TYPE(cmd) == KVMIO;
	}
	return false;
}

/* The VMM has the turn, so the list of memslots does not change. */
static struct kx_log_slot *log_vmm_slot_of(struct kx_log *log, const struct kx_vm_call *call)
{
	u32 i;

	lockdep_assert(log->turn.vmm);
	for (i = 0; i < log->nr; i++) {
		if (kx_log_slot_number(&log->slots[i]) == call->words[0])
			return &log->slots[i];
	}
	return NULL;
}

static bool log_vmm_sets_region(const struct kx_vm_call *call)
{
	return _IOC_NR(call->cmd) == NR_SET_REGION || _IOC_NR(call->cmd) == NR_SET_REGION2;
}

static bool log_vmm_wants_log(const struct kx_vm_call *call)
{
	return !log_vmm_sets_region(call) || call->words[1] & KVM_MEM_LOG_DIRTY_PAGES;
}

static void log_vmm_give_back(struct kx_log *log, struct kx_log_slot *s)
{
	trace_kvm_ext_yield(log->vm->kvm->userspace_pid, kx_log_slot_number(s), s->gfn, s->npages);
	kx_log_disable(log, s);
	mutex_lock(&log->lock);
	s->taken = true;
	mutex_unlock(&log->lock);
	mutex_lock(&log->account.lock);
	log->account.stats.yields++;
	log->account.stats.last_yield_ns = ktime_get_ns();
	mutex_unlock(&log->account.lock);
}

/*
 * Giving a log back sets the memslot anew. If another task deleted the memslot at the same time,
 * this would create it again. So a task that sets a memslot holds @giving until KVM has finished.
 */
int kx_log_before_vmm(struct kx_interposer *self, const struct kx_vm_call *call)
{
	struct kx_log *log = container_of(self, struct kx_log, interposer);
	bool sets = log_vmm_sets_region(call);
	struct kx_log_slot *s;
	int err;

	err = kx_turn_enter(&log->turn);
	if (err)
		return err;
	s = log_vmm_slot_of(log, call);
	if (!sets && (!s || !READ_ONCE(s->ours)))
		return 0;
	if (mutex_lock_killable(&log->giving)) {
		kx_turn_leave(&log->turn);
		return -EINTR;
	}
	if (s && READ_ONCE(s->ours) && log_vmm_wants_log(call) && !kx_test(noyield))
		log_vmm_give_back(log, s);
	if (!sets)
		mutex_unlock(&log->giving);
	return 0;
}

void kx_log_after_vmm(struct kx_interposer *self, const struct kx_vm_call *call)
{
	struct kx_log *log = container_of(self, struct kx_log, interposer);
	struct kx_log_slot *s;
	u32 flags;

	if (log_vmm_sets_region(call)) {
		s = log_vmm_slot_of(log, call);
		/* The VMM's flags replace this module's, unless KVM refused them. */
		if (s && READ_ONCE(s->ours) &&
		    !(kx_log_memslot_flags(log, s, &flags) && flags & KVM_MEM_LOG_DIRTY_PAGES)) {
			mutex_lock(&log->lock);
			s->ours = false;
			mutex_unlock(&log->lock);
		}
		mutex_unlock(&log->giving);
	}
	kx_turn_leave(&log->turn);
}
