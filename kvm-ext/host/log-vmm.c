// SPDX-License-Identifier: GPL-2.0-only
/* The VMM's own ioctls on the dirty log, seen in the VMM's task before and after KVM's work. */
#include "log-ioctl.h"
#include "log-vmm.h"
#include "test-build.h"
#include "trace.h"
#include "vm.h"

/*
 * Only the numbers within the ioctl commands are compared, because a 32-bit program's commands
 * contain other sizes. The first member of each argument is the slot.
 */
enum {
	NR_SET_REGION = _IOC_NR(KVM_SET_USER_MEMORY_REGION),
	NR_SET_REGION2 = 0x49,	/* KVM_SET_USER_MEMORY_REGION2 (since 6.8); begins with the same */
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
 * To give a log back, this module sets the memslot. If another task of the VMM deleted the memslot
 * at the same time, this would create the memslot again. So a task that sets a memslot holds
 * @giving until KVM has carried out the ioctl.
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
		/* Unless KVM has refused the ioctl, the VMM's flags have switched our log off. */
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
