// SPDX-License-Identifier: GPL-2.0-only
/*
 * `trap`: mappings are removed, and the next access to each faults.
 *
 * A mapping is removed the way the kernel does it when it takes a page from a
 * process: through the MMU notifier that KVM has registered, with a range of our
 * own. KVM removes the entries and flushes; the page stays where it is, and the
 * guest's next access maps it again. KVM's tracepoint at the fault says who it was.
 *
 * A mapping is marked as armed before it is removed, so that no fault is missed.
 * A fault that KVM was handling meanwhile is handled by it once more, since the
 * notifier has been called: that one is seen. Whoever clears the mark has the
 * sample: further faults, of other vCPUs or of KVM trying again, find none.
 *
 * What it cannot see: accesses by the VMM, and by devices. What KVM maps in a table
 * of a nested guest goes with the mapping, but a fault of a nested guest is not ours.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <asm/msr.h>

#include "armed.h"
#include "budget.h"
#include "encrypted.h"
#include "leaf.h"
#include "listener.h"
#include "pass.h"
#include "roots.h"
#include "slots.h"
#include "tracker.h"
#include "vm.h"

/* The CPU's words for a fault: Intel's exit qualification, AMD's error code. */
#define EPT_WRITE	BIT_ULL(1)
#define EPT_FETCH	BIT_ULL(2)
#define EPT_LINEAR	BIT_ULL(7)
#define EPT_FINAL	BIT_ULL(8)
#define NPF_WRITE	BIT_ULL(1)
#define NPF_FETCH	BIT_ULL(4)
#define NPF_PAGE_WALK	BIT_ULL(33)

#define FAULTS_PER_RECORD \
	((KVM_EXT_REC_MAX - sizeof(struct kvm_ext_rec_faults)) / sizeof(struct kvm_ext_fault))

/*
 * The page is there, so a fault is a matter of microseconds. What is longer than this has
 * another reason: the vCPU's task was not run, or the VM was paused.
 */
#define SENSIBLE_NS	NSEC_PER_MSEC

/* Pages armed by one removal, where all pages are to be. */
#define RUN_MAX		64u

struct trap {
	struct kx_vm *vm;
	struct kvm *kvm;
	u32 share_ppm;
	struct kvm_ext_range *ranges;
	u32 nr_ranges;
	struct kx_areas __rcu *areas;	/* changed by the pass thread */
	struct kx_budget budget;
	struct kvm_ext_trap_stats stats;
	u64 armed_pages;		/* of 4 KiB, as far as faults were collected */
	u64 looked_at;			/* index of the page up to which cover was looked for */

	/* What vCPUs leave for the pass thread. A circle of budget.faults_per_s. */
	raw_spinlock_t lock;
	struct kvm_ext_fault *faults;
	u32 oldest, nr;

	/* by vcpu_idx: when it took a fault of ours and is not yet back in the guest; else 0 */
	u64 *since_ns;
	struct kx_listener listener;	/* expects as many faults as bits are set in @areas */
};

static struct kx_areas *trap_areas_of(const struct trap *t)
{
	return rcu_dereference_protected(t->areas, true);
}

/* --- in the vCPUs' tasks --------------------------------------------------------- */

static u8 trap_access_of(u64 error_code, u8 *flags)
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

static void trap_push(struct trap *t, struct kvm_ext_fault *fault)
{
	u32 size = t->budget.faults_per_s;

	raw_spin_lock(&t->lock);
	fault->time_ns = ktime_get_ns();
	fault->tsc = rdtsc();
	/* Never full: no more are armed between two collections than there is room for. */
	if (t->nr < size)
		t->faults[(t->oldest + t->nr++) % size] = *fault;
	else
		t->stats.lost++;
	raw_spin_unlock(&t->lock);
}

/* Caller is in an RCU read section. */
static bool trap_disarm(struct trap *t, struct kvm_vcpu *vcpu, gfn_t gfn, u8 *order)
{
	struct kx_areas *areas;
	struct kx_area *area;

	areas = rcu_dereference(t->areas);
	area = areas ? kx_area_of(areas, gfn) : NULL;
	return area && (area->smm || !(vcpu->arch.hflags & HF_SMM_MASK)) &&
	       kx_area_disarm(area, gfn, order);
}

static void trap_on_page_fault(void *data, struct kvm_vcpu *vcpu, u64 gpa, u64 error_code)
{
	struct kvm_ext_fault fault = { .gfn = gpa >> PAGE_SHIFT, .vcpu = vcpu->vcpu_id };
	struct trap *t = data;

	/* A nested guest's address is none of this VM's. */
	if (vcpu->kvm != t->kvm || (vcpu->arch.hflags & HF_GUEST_MASK))
		return;
	/* To the end, so that who waits for readers has what they left. */
	rcu_read_lock();
	if (trap_disarm(t, vcpu, fault.gfn, &fault.order)) {
		fault.access = trap_access_of(error_code, &fault.flags);
		trap_push(t, &fault);
		WRITE_ONCE(t->since_ns[vcpu->vcpu_idx], fault.time_ns);
		kx_listener_expect_less(&t->listener, 1);
	}
	rcu_read_unlock();
}

static void trap_on_entry(void *data, struct kvm_vcpu *vcpu)
{
	struct trap *t = data;
	u64 since, now;

	if (vcpu->kvm != t->kvm)
		return;
	since = READ_ONCE(t->since_ns[vcpu->vcpu_idx]);
	if (!since)
		return;
	WRITE_ONCE(t->since_ns[vcpu->vcpu_idx], 0);
	/* Of the last time that we listened: its entry was not heard. */
	if (since < READ_ONCE(t->listener.since_ns))
		return;
	now = ktime_get_ns();
	kx_budget_took(&t->budget, now, min_t(u64, now - since, SENSIBLE_NS));
}

/* --- collecting --------------------------------------------------------------------- */

static u32 trap_pull(struct trap *t, struct kvm_ext_fault *to, u32 room)
{
	u32 size = t->budget.faults_per_s, n;

	raw_spin_lock(&t->lock);
	room = min(room, t->nr);
	for (n = 0; n < room; n++)
		to[n] = t->faults[(t->oldest + n) % size];
	t->oldest = (t->oldest + n) % size;
	t->nr -= n;
	raw_spin_unlock(&t->lock);
	return n;
}

static void trap_put_faults(struct kx_pass *p, const struct kvm_ext_fault *faults, u32 nr)
{
	struct kvm_ext_rec_faults *rec;

	rec = kx_pass_reserve(p, KVM_EXT_REC_FAULTS, struct_size(rec, faults, nr), nr);
	if (!rec)
		return;
	rec->pass = p->nr;
	rec->nr = nr;
	rec->reserved = 0;
	memcpy(rec->faults, faults, nr * sizeof(*faults));
	kx_pass_commit(p);
}

static void trap_collect(struct kx_pass *p, struct trap *t)
{
	struct kvm_ext_fault faults[32];
	u64 pages;
	u32 n, i;

	while ((n = trap_pull(t, faults, ARRAY_SIZE(faults)))) {
		pages = 0;
		for (i = 0; i < n; i++) {
			kx_budget_faulted(&t->budget, faults[i].time_ns);
			pages += 1ull << faults[i].order;
		}
		t->stats.faults += n;
		t->armed_pages -= pages;
		kx_pass_found_samples(p, n, pages);
		trap_put_faults(p, faults, n);
		kx_pass_rest(p);
	}
}

/* --- arming --------------------------------------------------------------------------- */

/* What is armed is forgotten, and counts as if it had faulted: it still may. */
static void trap_forget_armed(struct kx_pass *p, struct trap *t, struct kx_areas *areas)
{
	struct kx_areas *old = trap_areas_of(t);
	u64 now;

	rcu_assign_pointer(t->areas, areas);
	synchronize_rcu();
	kx_areas_free(old);
	/* Nobody else expects any, and none comes any more. */
	kx_listener_expect_less(&t->listener, atomic_read(&t->listener.expected));
	trap_collect(p, t);
	now = ktime_get_ns();
	while (t->budget.outstanding) {
		kx_budget_faulted(&t->budget, now);
		if (t->budget.outstanding % 1024 == 0)
			kx_pass_rest(p);
	}
	t->armed_pages = 0;
}

static int trap_take_memory(struct kx_pass *p, struct trap *t)
{
	struct kx_areas *areas;
	struct kx_slots slots = {};
	int err;

	if (trap_areas_of(t) && trap_areas_of(t)->generation == kx_slots_generation(t->vm))
		return 0;
	kx_pass_begin_resting(p);
	err = kx_slots_take(&slots, t->vm);
	areas = err ? NULL : kx_areas_new(&slots, p->first_gfn, p->end_gfn, t->ranges,
					  t->nr_ranges);
	kx_slots_drop(&slots);
	kx_pass_end_resting(p);
	if (err)
		return err;
	if (!areas)
		return -ENOMEM;
	p->account.slots_changed = trap_areas_of(t);
	trap_forget_armed(p, t, areas);
	return 0;
}

/* Forgets what is armed by @order in pages @gfn to @end, and cannot fault any more. */
static void trap_forget_order(struct trap *t, struct kx_area *area, gfn_t gfn, gfn_t end, u8 order)
{
	unsigned long *bits, bit, last;

	kx_area_bits(area, end - 1, order, &last);
	bits = kx_area_bits(area, gfn, order, &bit);
	for_each_set_bit_from(bit, bits, last + 1) {
		if (!test_and_clear_bit(bit, bits))
			continue;
		kx_listener_expect_less(&t->listener, 1);
		t->budget.outstanding--;
		t->armed_pages -= 1ull << order;
	}
}

/*
 * KVM may map what was armed by smaller mappings with a larger one, at the first fault of
 * any. The others then never fault. Looks for such a GiB at most; returns its end.
 */
static gfn_t trap_forget_covered(struct kx_pass *p, struct trap *t, struct kx_area *area, gfn_t gfn)
{
	gfn_t end = min(area->gfn + area->npages, (gfn | (KX_GIB_PAGES - 1)) + 1), next;
	enum kx_leaf leaf;

	for (; gfn < end && !kx_pass_rest(p); gfn = next) {
		next = min(end, (gfn | (KX_BLOCK_PAGES - 1)) + 1);
		leaf = kx_leaf_at(&p->leaves, p->vm->kvm, 0, gfn, end);
		if (leaf == KX_LEAF_2M || leaf == KX_LEAF_1G)
			trap_forget_order(t, area, gfn, next, 0);
		if (leaf == KX_LEAF_1G)
			trap_forget_order(t, area, gfn, next, KX_BLOCK_ORDER);
	}
	return gfn;
}

static void trap_look_for_cover(struct kx_pass *p, struct trap *t)
{
	struct kx_areas *areas = trap_areas_of(t);
	struct kx_area *area;
	u64 index;

	if (!areas->npages)
		return;
	index = t->looked_at < areas->npages ? t->looked_at : 0;
	area = kx_area_at(areas, index);
	t->looked_at = trap_forget_covered(p, t, area, area->gfn + index - area->first) -
		       area->gfn + area->first;
}

/* As the kernel's reclaim does before it takes pages away, which we do not. */
static void trap_remove_mappings(struct trap *t, unsigned long hva, u64 npages)
{
	struct mmu_notifier *mn = &t->kvm->mmu_notifier;
	struct mmu_notifier_range range = {
		.mm = t->kvm->mm,
		.start = hva,
		.end = hva + (npages << PAGE_SHIFT),
		.flags = MMU_NOTIFIER_RANGE_BLOCKABLE,
		.event = MMU_NOTIFY_CLEAR,
	};
	u64 start = ktime_get_ns();

	mn->ops->invalidate_range_start(mn, &range);
	mn->ops->invalidate_range_end(mn, &range);
	t->stats.zap_ns += ktime_get_ns() - start;
}

/* By what size of mapping can @gfn be armed, all of which is in the area? */
static u8 trap_order_at(struct kx_pass *p, const struct kx_area *area, gfn_t gfn)
{
	gfn_t end = area->gfn + area->npages, first;
	u8 order = 0;

	switch (kx_leaf_at(&p->leaves, p->vm->kvm, 0, gfn, end)) {
	case KX_LEAF_NONE:	/* the first access may map it by one of these */
	case KX_LEAF_2M:
		order = KX_BLOCK_ORDER;
		break;
	case KX_LEAF_1G:
		order = KX_GIB_ORDER;
		break;
	default:
		break;
	}
	first = gfn & ~((1ull << order) - 1);
	/* A part of a larger mapping would take the rest with it. */
	return first >= area->gfn && first + (1ull << order) <= end ? order : U8_MAX;
}

static int trap_arm(struct trap *t, struct kx_area *area, gfn_t gfn, u8 order, u32 nr)
{
	unsigned long *bits, bit;
	u32 i;
	int err;

	err = kx_listener_expect(&t->listener, nr);
	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		bits = kx_area_bits(area, gfn + i, order, &bit);
		set_bit(bit, bits);
	}
	trap_remove_mappings(t, area->hva + ((gfn - area->gfn) << PAGE_SHIFT), (u64)nr << order);
	kx_budget_armed(&t->budget, nr);
	t->stats.armings += nr;
	t->armed_pages += (u64)nr << order;
	return 0;
}

/* Single pages from @gfn on that follow each other and are not armed: at most @max. */
static u32 trap_run_from(struct kx_pass *p, struct kx_area *area, gfn_t gfn, u32 max)
{
	gfn_t end = min(area->gfn + area->npages, (gfn | (KX_BLOCK_PAGES - 1)) + 1);
	u32 n = 0;

	max = min_t(u64, max, end - gfn);
	while (n < max && !kx_area_is_armed(area, gfn + n))
		n++;
	return n;
}

/* Arms what is at or follows the @index'th page, up to @max pages. Returns where to go on. */
static u64 trap_arm_at(struct kx_pass *p, struct trap *t, u64 index, u32 max)
{
	struct kx_area *area = kx_area_at(trap_areas_of(t), index);
	gfn_t gfn = area->gfn + index - area->first;
	u32 nr = 1;
	u8 order;
	int err;

	if (kx_area_is_armed(area, gfn))
		return index + 1;
	order = trap_order_at(p, area, gfn);
	if (order == U8_MAX)
		return index + 1;
	if (order)
		gfn &= ~((1ull << order) - 1);
	else
		nr = trap_run_from(p, area, gfn, max);
	err = trap_arm(t, area, gfn, order, nr);
	if (err)
		kx_pass_fail(p, err);
	return area->first + (gfn - area->gfn) + ((u64)nr << order);
}

/*
 * Up to @want pages, none of them more likely than another: from a random one
 * on to the next that is not armed. All of them: one after the other.
 */
static void trap_arm_some(struct kx_pass *p, struct trap *t, u64 want, u32 left)
{
	u64 total = trap_areas_of(t)->npages, end = t->armed_pages + want, index, tries;
	bool all = t->share_ppm == 1000000;
	u64 outstanding = t->budget.outstanding;

	index = get_random_u64() % total;
	for (tries = 0; tries < total && t->armed_pages < end && !kx_pass_rest(p); tries++) {
		u32 room = left - (t->budget.outstanding - outstanding);

		if (!room)
			break;
		index = trap_arm_at(p, t, index % total, all ? min(room, RUN_MAX) : 1);
		if (!all)
			index = get_random_u64() % total;
	}
	kx_pass_scanned(p, t->armed_pages + want - end, 0, false);
}

static void trap_arm_share(struct kx_pass *p, struct trap *t)
{
	u64 pages = trap_areas_of(t)->npages;
	u64 target = max(mul_u64_u64_div_u64(pages, t->share_ppm, 1000000), 1ull);
	u32 left = kx_budget_left(&t->budget, ktime_get_ns());

	if (!pages || target <= t->armed_pages)
		return;
	if (left < target - t->armed_pages)
		t->stats.held_passes++;
	if (left)
		trap_arm_some(p, t, target - t->armed_pages, left);
}

static void trap_put_stats(struct kx_pass *p, struct trap *t)
{
	u64 vcpus = max(atomic_read(&t->kvm->online_vcpus), 1);
	struct kx_budget *b = &t->budget;

	t->stats.eligible = trap_areas_of(t) ? trap_areas_of(t)->npages : 0;
	t->stats.armed = b->outstanding;
	t->stats.max_faults_per_s = b->most;
	raw_spin_lock(&b->time_lock);
	t->stats.fault_ns = b->fault_ns;
	t->stats.timed_faults = b->timed;
	t->stats.max_time_ppm = div64_u64(b->most_ns, vcpus * (NSEC_PER_SEC / 1000000));
	raw_spin_unlock(&b->time_lock);
	p->account.trap = t->stats;
	p->account.trap_listened_ns = kx_listener_ns(&t->listener);
}

static void trap_pass(struct kx_pass *p)
{
	struct trap *t = p->state;
	int err;

	trap_collect(p, t);
	/* The VM may not have run yet when the tracker was set. */
	err = kx_has_older_mmu(t->kvm) ? -EOPNOTSUPP : trap_take_memory(p, t);
	if (err)
		kx_pass_fail(p, err);
	if (!p->stop)
		trap_look_for_cover(p, t);
	if (!p->stop)
		trap_arm_share(p, t);
	trap_put_stats(p, t);
}

/* --- the tracker ------------------------------------------------------------------------ */

static void trap_cleanup(void *state)
{
	struct trap *t = state;

	kx_listener_stop(&t->listener);
	kx_areas_free(trap_areas_of(t));
	kx_budget_free(&t->budget);
	kvfree(t->since_ns);
	kvfree(t->faults);
	kvfree(t->ranges);
	kfree(t);
}

static int trap_fill_in(struct trap *t, const struct kx_setting *setting)
{
	const struct kvm_ext_tracker *cfg = &setting->cfg;
	u64 vcpus = max(atomic_read(&t->kvm->online_vcpus), 1);
	u32 faults = cfg->trap_faults_per_s ?: KVM_EXT_TRAP_FAULTS_DEFAULT;
	u32 ppm = cfg->trap_time_ppm ?: KVM_EXT_TRAP_TIME_DEFAULT;
	int err;

	t->share_ppm = cfg->trap_share_ppm ?: 1000000;
	t->nr_ranges = cfg->nr_ranges;
	/* All of their time is no limit. */
	err = kx_budget_init(&t->budget, faults, ppm == 1000000 ? KX_NO_LIMIT :
			     vcpus * ppm * (NSEC_PER_SEC / 1000000));
	t->faults = kvcalloc(faults, sizeof(*t->faults), GFP_KERNEL_ACCOUNT);
	t->since_ns = kvcalloc(KVM_MAX_VCPUS, sizeof(*t->since_ns), GFP_KERNEL_ACCOUNT);
	if (setting->ranges)
		t->ranges = kvmalloc_array(cfg->nr_ranges, sizeof(*t->ranges), GFP_KERNEL_ACCOUNT);
	if (err || !t->faults || !t->since_ns || (setting->ranges && !t->ranges))
		return -ENOMEM;
	if (setting->ranges)
		memcpy(t->ranges, setting->ranges, cfg->nr_ranges * sizeof(*t->ranges));
	return 0;
}

static void *trap_setup(struct kx_vm *vm, const struct kx_setting *setting)
{
	struct trap *t;
	int err;

	/* Each removal would end in a write-back of all the host's caches. */
	err = kx_vm_is_encrypted(vm);
	if (err)
		return ERR_PTR(err < 0 ? err : -EOPNOTSUPP);
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->vm = vm;
	t->kvm = vm->kvm;
	raw_spin_lock_init(&t->lock);
	err = kx_listener_init(&t->listener, trap_on_page_fault, trap_on_entry, t);
	if (!err)
		err = trap_fill_in(t, setting);
	if (!err)
		return t;
	trap_cleanup(t);
	return ERR_PTR(err);
}

/*
 * With shadow paging the fault's address is not a guest-physical one. Memory that only the
 * guest can reach has no address in the VMM by which its mappings could be removed. KVM's
 * older MMU maps at a fault what lies beside it, too: those pages would not fault.
 */
static int trap_check(struct kvm *kvm)
{
	struct kx_vm_paging paging;

	kx_vm_paging(kvm, &paging);
	if (paging.paging == KVM_EXT_PAGING_SHADOW || !KX_CAN_PROBE ||
	    kx_has_private_memory(kvm) || kx_has_older_mmu(kvm))
		return -EOPNOTSUPP;
	return 0;
}

const struct kx_tracker kx_tracker_trap = {
	.id = KVM_EXT_TRACKER_TRAP,
	.pages_only = true,
	.traps = true,
	.check = trap_check,
	.setup = trap_setup,
	.cleanup = trap_cleanup,
	.pass = trap_pass,
};
