// SPDX-License-Identifier: GPL-2.0-only
/*
 * `trap`: mappings are removed, so that the next access to each of them faults.
 *
 * A mapping is removed in the same way as when the kernel takes a page from a process: through the
 * MMU notifier that KVM has registered, with a range chosen by this tracker. KVM removes the
 * entries and flushes the TLB. The page stays in memory, and KVM maps it again at the guest's next
 * access. KVM's tracepoint at this fault shows which vCPU accessed the page.
 *
 * A mapping is marked as armed before its entries are removed, so that no fault is missed. If KVM
 * handles a fault of the mapping at that time, the call of the notifier makes KVM handle the fault
 * once more, and the tracepoint is seen then. The task that clears the mark takes the sample;
 * faults that follow (of other vCPUs, or repeated by KVM) find no mark.
 *
 * A mapping that nobody accesses would occupy its part of the budget for ever. So, if there is
 * memory that is not armed, mappings that have been armed for a second or longer are disarmed and
 * others are armed in their place. A mapping that is exchanged in this way was not accessed for at
 * least a second. Its entry is missing until KVM restores it at the guest's next access. The fault
 * of this access is late: it is no sample, but the fault and its time are counted.
 *
 * Not seen: accesses by the VMM and by devices. Removing a mapping also removes what KVM maps in
 * tables of nested guests, but the faults of nested guests are ignored.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "armed.h"
#include "budget.h"
#include "encrypted.h"
#include "hits.h"
#include "leaf.h"
#include "pass.h"
#include "roots.h"
#include "setting.h"
#include "slots.h"
#include "trace.h"
#include "tracker.h"
#include "vm.h"

#define FAULTS_PER_RECORD \
	((KVM_EXT_REC_MAX - sizeof(struct kvm_ext_rec_faults)) / sizeof(struct kvm_ext_fault))

/* If all pages are to be armed, one removal arms up to this number of single pages. */
#define RUN_MAX		64u
/* If the budget does not suffice for all pages, they are armed in at least this many places. */
#define PLACES_MIN	16u

struct trap {
	struct kx_vm *vm;
	struct kvm *kvm;
	u32 share_ppm;
	struct kvm_ext_range *ranges;
	u32 nr_ranges;
	struct kx_budget budget;
	struct kvm_ext_trap_stats stats;
	u64 armed_pages;		/* of 4 KiB, with those whose fault was not collected yet */
	u64 looked_at;			/* number of the next page for trap_look_for_cover() */
	u64 exchanged_ns;		/* time of the last exchange */
	u64 idle;			/* mappings that were exchanged */
	struct kx_hits hits;
};

/* --- collecting --------------------------------------------------------------------- */

static void trap_put_faults(struct kx_pass *p, const struct kvm_ext_fault *faults, u32 nr)
{
	struct kvm_ext_rec_faults *rec;

	rec = kx_writer_reserve(&p->writer, KVM_EXT_REC_FAULTS, struct_size(rec, faults, nr), nr);
	if (!rec)
		return;
	rec->pass = p->nr;
	rec->nr = nr;
	rec->reserved = 0;
	memcpy(rec->faults, faults, nr * sizeof(*faults));
	kx_writer_commit(&p->writer);
}

static void trap_collect(struct kx_pass *p, struct trap *t)
{
	struct kvm_ext_fault faults[32];
	u64 pages;
	u32 n, i;

	while ((n = kx_hits_pull(&t->hits, faults, ARRAY_SIZE(faults)))) {
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

/* --- forgetting ----------------------------------------------------------------------- */

/* Replaces the map. The armed mappings count as faulted in the budget: they still may fault. */
static void trap_forget_armed(struct kx_pass *p, struct trap *t, struct kx_areas *areas)
{
	struct kx_areas *old = kx_hits_areas(&t->hits);
	u64 now;

	rcu_assign_pointer(t->hits.areas, areas);
	synchronize_rcu();
	kx_areas_free(old);
	/* No fault of these mappings is reported any more, and only this task arms others. */
	kx_listener_expect_less(&t->hits.listener, atomic_read(&t->hits.listener.expected));
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

	areas = kx_hits_areas(&t->hits);
	if (areas && areas->generation == kx_memslots_generation(t->vm))
		return 0;
	kx_pass_begin_resting(p);
	err = kx_slots_take(&slots, t->vm);
	areas = err ? NULL : kx_areas_new(&t->vm->memory, &slots, p->first_gfn, p->end_gfn,
					  t->ranges, t->nr_ranges);
	kx_slots_drop(&slots);
	kx_pass_end_resting(p);
	if (err)
		return err;
	if (!areas)
		return -ENOMEM;
	p->account.slots_changed = kx_hits_areas(&t->hits);
	trap_forget_armed(p, t, areas);
	return 0;
}

static void trap_disarmed(struct trap *t, u64 nr, u8 order)
{
	kx_listener_expect_less(&t->hits.listener, nr);
	kx_budget_disarmed(&t->budget, nr);
	t->armed_pages -= nr << order;
}

/* Clears the marks of mappings of @order from @gfn to @end, which cannot fault any more. */
static void trap_forget_order(struct trap *t, struct kx_area *area, gfn_t gfn, gfn_t end, u8 order)
{
	trap_disarmed(t, kx_area_forget(area, gfn, end, order), order);
}

/*
 * At a fault, KVM may map a larger leaf than the mapping that was armed. Other armed mappings in
 * this leaf then never fault. Finds and forgets such mappings in one GiB at most. Returns the end
 * of the memory that was examined.
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
	struct kx_areas *areas = kx_hits_areas(&t->hits);
	struct kx_area *area;
	u64 index;

	if (!areas->npages)
		return;
	index = t->looked_at < areas->npages ? t->looked_at : 0;
	area = kx_area_at(areas, index);
	t->looked_at = trap_forget_covered(p, t, area, area->gfn + index - area->first) -
		       area->gfn + area->first;
}

/* --- exchange ------------------------------------------------------------------------- */

static void trap_exchange_area(struct kx_pass *p, struct trap *t, struct kx_area *area)
{
	u64 nr[KX_MARK_ORDERS] = {}, from = 0;
	unsigned int i;

	do
		from = kx_area_exchange(area, from, nr);
	while (from && !kx_pass_rest(p));
	for (i = 0; i < KX_MARK_ORDERS; i++) {
		trap_disarmed(t, nr[i], kx_marks_order(i));
		t->idle += nr[i];
	}
}

/*
 * At most once a second: a mapping with the waited bit got this bit in an earlier round, at least a
 * second ago, and was armed before that.
 */
static void trap_exchange(struct kx_pass *p, struct trap *t)
{
	struct kx_areas *areas = kx_hits_areas(&t->hits);
	u64 now = ktime_get_ns();
	u32 i;

	if (now - t->exchanged_ns < KVM_EXT_TRAP_IDLE_NS || t->armed_pages >= areas->npages)
		return;
	t->exchanged_ns = now;
	for (i = 0; i < areas->nr && !kx_pass_rest(p); i++)
		trap_exchange_area(p, t, &areas->area[i]);
}

/* --- arming --------------------------------------------------------------------------- */

/* The kernel's reclaim does the same before it takes pages away. Here the pages stay. */
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

/* The order of the mapping by which @gfn can be armed. U8_MAX: this mapping exceeds the area. */
static u8 trap_order_at(struct kx_pass *p, const struct kx_area *area, gfn_t gfn)
{
	gfn_t end = area->gfn + area->npages, first;
	u8 order = 0;

	switch (kx_leaf_at(&p->leaves, p->vm->kvm, 0, gfn, end)) {
	case KX_LEAF_NONE:	/* at the first access KVM may map a leaf of this size */
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
	/* Arming a part of a larger mapping would also remove the rest of it. */
	return first >= area->gfn && first + (1ull << order) <= end ? order : U8_MAX;
}

static int trap_arm(struct trap *t, struct kx_area *area, gfn_t gfn, u8 order, u32 nr)
{
	u32 i;
	int err;

	err = kx_listener_expect(&t->hits.listener, nr);
	if (err)
		return err;
	for (i = 0; i < nr; i++)
		kx_area_arm(area, gfn + i, order);
	trace_kvm_ext_trap_armed(t->kvm->userspace_pid, gfn, order, nr);
	trap_remove_mappings(t, area->hva + ((gfn - area->gfn) << PAGE_SHIFT), (u64)nr << order);
	kx_budget_armed(&t->budget, nr);
	t->stats.armings += nr;
	t->armed_pages += (u64)nr << order;
	return 0;
}

/* The number of pages from @gfn on, in one block and at most @max, up to the first armed page. */
static u32 trap_run_from(struct kx_pass *p, struct kx_area *area, gfn_t gfn, u32 max)
{
	gfn_t end = min(area->gfn + area->npages, (gfn | (KX_BLOCK_PAGES - 1)) + 1);
	u32 n = 0;

	max = min_t(u64, max, end - gfn);
	while (n < max && !kx_area_is_armed(area, gfn + n))
		n++;
	return n;
}

/* Arms the mapping of page @index, or up to @max single pages from there. Returns the next page. */
static u64 trap_arm_at(struct kx_pass *p, struct trap *t, u64 index, u32 max)
{
	struct kx_area *area = kx_area_at(kx_hits_areas(&t->hits), index);
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
 * Arms up to @want pages, and up to @left mappings. If not all pages are to be armed, random single
 * pages are chosen, so that each page has the same probability. If all pages are to be armed: one
 * after the other, from a random page on; or, if the budget does not suffice for all, in runs that
 * begin at random pages.
 */
static void trap_arm_some(struct kx_pass *p, struct trap *t, u64 want, u32 left)
{
	u64 total = kx_hits_areas(&t->hits)->npages, end = t->armed_pages + want, index, tries;
	u32 run = t->share_ppm == 1000000 ? clamp(left / PLACES_MIN, 1u, RUN_MAX) : 1;
	u64 outstanding = t->budget.outstanding;
	bool all = t->share_ppm == 1000000 && left >= want;

	index = get_random_u64() % total;
	for (tries = 0; tries < total && t->armed_pages < end && !kx_pass_rest(p); tries++) {
		u32 room = left - (t->budget.outstanding - outstanding);

		if (!room)
			break;
		index = trap_arm_at(p, t, index % total, min(room, all ? RUN_MAX : run));
		if (!all)
			index = get_random_u64() % total;
	}
	kx_pass_scanned(p, t->armed_pages + want - end, 0, false);
}

static void trap_arm_share(struct kx_pass *p, struct trap *t)
{
	u64 pages = kx_hits_areas(&t->hits)->npages;
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

	t->stats.eligible = kx_hits_areas(&t->hits) ? kx_hits_areas(&t->hits)->npages : 0;
	t->stats.armed = b->outstanding;
	t->stats.lost = t->hits.lost;
	t->stats.max_faults_per_s = b->most;
	raw_spin_lock(&b->time_lock);
	t->stats.fault_ns = b->fault_ns;
	t->stats.timed_faults = b->timed;
	t->stats.max_time_ppm = div64_u64(b->most_ns, vcpus * (NSEC_PER_SEC / 1000000));
	raw_spin_unlock(&b->time_lock);
	p->account.trap = t->stats;
	p->account.trap_listened_ns = kx_listener_ns(&t->hits.listener);
	p->account.trap_more.idle = t->idle;
	p->account.trap_more.late_faults = atomic64_read(&t->hits.late);
}

static void trap_pass(struct kx_pass *p)
{
	struct trap *t = p->own;
	int err;

	trap_collect(p, t);
	/* Checked in each pass: when the tracker was set, the VM may not have had tables yet. */
	err = kx_has_older_mmu(t->kvm) ? -EOPNOTSUPP : trap_take_memory(p, t);
	if (err)
		kx_pass_fail(p, err);
	if (!kx_pass_is_cut(p))
		trap_look_for_cover(p, t);
	if (!kx_pass_is_cut(p))
		trap_exchange(p, t);
	if (!kx_pass_is_cut(p))
		trap_arm_share(p, t);
	trap_put_stats(p, t);
}

/* --- the tracker ------------------------------------------------------------------------ */

static void trap_cleanup(void *state)
{
	struct trap *t = state;

	kx_hits_free(&t->hits);
	kx_budget_free(&t->budget);
	kx_memory_free(&t->vm->memory, t->ranges, t->nr_ranges, sizeof(*t->ranges));
	kx_memory_free(&t->vm->memory, t, 1, sizeof(*t));
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
	/* All of the vCPUs' time is no limit. */
	err = kx_budget_init(&t->budget, &t->vm->memory, faults, ppm == 1000000 ? KX_NO_LIMIT :
			     vcpus * ppm * (NSEC_PER_SEC / 1000000));
	if (err || !setting->ranges)
		return err;
	t->ranges = kx_memory_new(&t->vm->memory, cfg->nr_ranges, sizeof(*t->ranges));
	if (!t->ranges)
		return -ENOMEM;
	memcpy(t->ranges, setting->ranges, cfg->nr_ranges * sizeof(*t->ranges));
	return 0;
}

static void *trap_setup(struct kx_vm *vm, const struct kx_setting *setting)
{
	struct trap *t;
	int err, hits_err;

	/* Each removal would make KVM write back all caches of the host. */
	err = kx_vm_is_encrypted(vm);
	if (err)
		return ERR_PTR(err < 0 ? err : -EOPNOTSUPP);
	t = kx_memory_new(&vm->memory, 1, sizeof(*t));
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->vm = vm;
	t->kvm = vm->kvm;
	err = trap_fill_in(t, setting);
	hits_err = kx_hits_init(&t->hits, vm->kvm, &t->budget);
	if (!err && !hits_err)
		return t;
	trap_cleanup(t);
	return ERR_PTR(hits_err ?: err);
}

/*
 * With shadow paging the address of a fault is not guest-physical. Memory that only the guest can
 * access has no address in the VMM by which its mappings could be removed. At a fault KVM's older
 * MMU also maps neighbouring pages, which then would not fault.
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
