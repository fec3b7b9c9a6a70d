// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ept-walk`: the accessed bits of the VM's own nested page table (EPT, NPT), read and cleared in
 * place, one table of 512 entries at a time (common/walk.c).
 *
 * This is safe beside KVM, on kernels 6.1 to 7.2, because of these rules of KVM's MMU:
 *
 * - A root and the tables below it stay in place while mmu_lock is held for writing (roots.c says
 *   why holding the lock for reading does not suffice).
 * - The lock excludes all tasks that change entries under the lock. Without the lock, entries are
 *   changed by the CPUs, which set A and D with locked instructions; by KVM's fast page fault,
 *   which makes an entry writable that is not writable, by compare-and-exchange; and since 6.15 by
 *   KVM's ageing, which clears A. Of these, only ageing changes an entry that is readable,
 *   writable, accessed and dirty, so a plain store to such an entry loses nothing. KVM itself
 *   writes such entries by plain stores (spte_has_volatile_bits() and its successor). Any other
 *   entry is changed by compare-and-exchange.
 * - KVM never reads the accessed bit of an entry above the last level. KVM sets this bit in each
 *   such entry that it makes.
 * - For KVM, clearing A needs no flush: KVM's own ageing does not flush either. kx_walk_recheck()
 *   says why this tracker needs a flush.
 *
 * The lock is released after 50 us, or after a single table if another task waits for the lock.
 * Between two holds the walk keeps nothing but the guest page number at which it continues.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "../common/walk.h"
#include "abit.h"
#include "leaf.h"
#include "pass.h"
#include "region-pass.h"
#include "roots.h"
#include "slots.h"
#include "tracker.h"
#include "vm.h"

#define HOLD_LIMIT_NS	(50 * NSEC_PER_USEC)

/* A stretch of guest memory that is walked. */
struct piece {
	gfn_t gfn;
	u64 npages;
	u16 as_id;
};

struct ept_walk {
	struct kx_walk walk;
	struct kx_window window;
	struct kx_vm *vm;
	struct kvm *kvm;
	struct kx_roots roots;
	u64 hold_start_ns;
	bool contended;

	/*
	 * In this pass, or in the next pass, a clear A bit above the last level does not show that
	 * nothing was accessed below the entry: bits were cleared that could not be rechecked, or
	 * the pass primes.
	 */
	bool distrust, distrust_next;

	u64 generation;		/* of the memslots, when @pieces was made */
	struct piece *pieces;
	u32 nr, room;
};

/* --- the lock ------------------------------------------------------------------ */

/* SMM's table maps memory of address space 0, too: the tables of both are walked together. */
static void ept_walk_begin_hold(struct ept_walk *e, u16 as_id)
	__acquires(&e->kvm->mmu_lock)
{
	unsigned int as_mask = as_id ? BIT(as_id) : BIT(0) | BIT(1);

	write_lock(&e->kvm->mmu_lock);
	e->hold_start_ns = ktime_get_ns();
	e->contended = false;
	kx_roots_find(&e->roots, e->kvm, as_mask);
}

static void ept_walk_end_hold(struct kx_pass *p, struct ept_walk *e)
	__releases(&e->kvm->mmu_lock)
{
	struct kvm_ext_walk_stats *walk = &p->account.walk;
	u64 held = ktime_get_ns() - e->hold_start_ns;

	write_unlock(&e->kvm->mmu_lock);
	walk->holds++;
	walk->hold_ns += held;
	walk->max_hold_ns = max(walk->max_hold_ns, held);
	walk->contended += e->contended;
	if (e->roots.nested)
		p->account.state |= KVM_EXT_STATE_NESTED;
}

static bool ept_walk_must_let_go(struct ept_walk *e)
{
	e->contended |= rwlock_is_contended(&e->kvm->mmu_lock);
	return e->contended || need_resched() ||
	       ktime_get_ns() - e->hold_start_ns >= HOLD_LIMIT_NS;
}

static bool ept_walk_stop(struct kx_walk *w)
{
	return ept_walk_must_let_go(container_of(w, struct ept_walk, walk));
}

static u64 *ept_walk_table(struct kx_walk *w, u64 address)
{
	return kx_table_at(address);
}

/* --- memory -------------------------------------------------------------------- */

static void ept_walk_drop_pieces(struct ept_walk *e)
{
	kx_memory_free(&e->vm->memory, e->pieces, e->room, sizeof(*e->pieces));
}

/*
 * Takes all memslots of address space 0, with aliases, because each alias has entries of its own.
 * Takes SMM's memory only as far as address space 0 does not have it: the rest is walked with
 * address space 0.
 */
static int ept_walk_take_pieces(struct ept_walk *e)
{
	struct kx_slots slots = {};
	struct kx_memslots set;
	struct piece *pieces;
	u32 i, n = 0, room;
	int err;

	err = kx_slots_take(&slots, e->vm);
	if (err)
		return err;
	err = kx_memslots_take(&set, e->vm);
	if (err)
		goto drop_slots;
	err = kx_memslots_cut(&set, &e->vm->excluded);
	if (err)
		goto free_set;
	room = set.nr + slots.nr + 1;
	pieces = kx_memory_new(&e->vm->memory, room, sizeof(*pieces));
	err = pieces ? 0 : -ENOMEM;
	if (err)
		goto free_set;
	for (i = 0; i < set.nr; i++) {
		const struct kx_memslot *m = &set.slots[i];

		if (!m->as_id)
			pieces[n++] = (struct piece){ m->gfn, m->npages, 0 };
	}
	for (i = 0; i < slots.nr; i++) {
		const struct kx_extent *x = &slots.extents[i];

		if (x->as_id)
			pieces[n++] = (struct piece){ x->gfn, x->npages, x->as_id };
	}
	ept_walk_drop_pieces(e);
	e->pieces = pieces;
	e->room = room;
	e->nr = n;
	/*
	 * The number of the older copy: a change after it, also one between the two copies, makes the
	 * next comparison fail. (The smaller number can be the newer one: memslots.h.)
	 */
	e->generation = slots.generation;
free_set:
	kvfree(set.slots);
drop_slots:
	kx_slots_drop(&slots);
	return err;
}

/* The piece that contains @gfn of address space @as_id, or the first piece behind this page. */
static const struct piece *ept_walk_piece_from(const struct ept_walk *e, u16 as_id, gfn_t gfn)
{
	u32 lo = 0, hi = e->nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		const struct piece *x = &e->pieces[mid];

		if (x->as_id < as_id || (x->as_id == as_id && x->gfn + x->npages <= gfn))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < e->nr ? &e->pieces[lo] : NULL;
}

/* --- what was found ------------------------------------------------------------ */

static bool ept_walk_in_piece(const struct piece *x, gfn_t gfn, u64 npages)
{
	return gfn >= x->gfn && gfn + npages <= x->gfn + x->npages;
}

static void ept_walk_put_block(struct kx_pass *p, struct ept_walk *e, const struct piece *x,
			       unsigned int block)
{
	gfn_t gfn = e->window.gfn + block * KX_BLOCK_PAGES;
	bool leaf = e->window.leaves[block / 64] & BIT_ULL(block % 64);

	if (leaf || (p->cfg.granularity == KVM_EXT_GRANULARITY_2M &&
		     ept_walk_in_piece(x, gfn, KX_BLOCK_PAGES)))
		kx_pass_found_mapping(p, x->as_id, gfn, KX_BLOCK_ORDER);
	else
		kx_pass_found_pages(p, x->as_id, gfn, KX_BLOCK_PAGES,
				    (unsigned long *)e->window.pages[block]);
}

static void ept_walk_put_window(struct kx_pass *p, struct ept_walk *e, const struct piece *x)
{
	unsigned int word;
	u64 blocks;

	if (e->window.whole) {
		kx_pass_found_mapping(p, x->as_id, e->window.gfn, KX_GIB_ORDER);
		return;
	}
	for (word = 0; word < KX_ENTRIES / 64; word++) {
		blocks = e->window.leaves[word] | e->window.blocks[word];
		for (; blocks; blocks &= blocks - 1)
			ept_walk_put_block(p, e, x, word * 64 + __ffs64(blocks));
	}
}

/* --- a pass -------------------------------------------------------------------- */

/*
 * SMM's table is visible only while a vCPU is in SMM. So A bits that were cleared above the last
 * level of this table could not be rechecked, and are not cleared.
 */
static gfn_t ept_walk_root(struct kx_pass *p, struct ept_walk *e, const struct kx_root *root,
			   gfn_t gfn, gfn_t end)
{
	bool may_skip = p->flusher.scope != KVM_EXT_FLUSH_NONE &&
			!(p->cfg.flags & KVM_EXT_SET_NO_SKIP);

	e->walk.retire = may_skip && !root->smm;
	e->walk.skip = e->walk.retire && !e->distrust;
	return kx_walk(&e->walk, root->table, root->level, gfn, end);
}

/* Walks pages from @gfn to @end, as far as one hold of the lock allows. Returns the end. */
static gfn_t ept_walk_some(struct kx_pass *p, struct ept_walk *e, u16 as_id, gfn_t gfn, gfn_t end)
{
	const struct kx_walk_sums *sums = &e->walk.sums, before = *sums;
	gfn_t next = end;
	int i;

	ept_walk_begin_hold(e, as_id);
	/* Each root is walked no further than the root before it. */
	for (i = 0; i < e->roots.nr; i++)
		next = ept_walk_root(p, e, &e->roots.root[i], gfn, next);
	e->distrust_next |= e->distrust && !e->roots.nr;
	ept_walk_end_hold(p, e);
	kx_pass_scanned(p, next - gfn, sums->leaves - before.leaves,
			sums->found > before.found || sums->cleared > before.cleared);
	return next;
}

/* The end of the leaf that maps @gfn; if no leaf is visible: of the page. */
static gfn_t ept_walk_end_of_leaf(struct kx_pass *p, u16 as_id, gfn_t gfn, gfn_t end)
{
	switch (kx_leaf_at(&p->leaves, p->vm->kvm, as_id, gfn, end)) {
	case KX_LEAF_1G:
		return end;
	case KX_LEAF_2M:
	case KX_LEAF_NONE:
		return min(end, (gfn | (KX_BLOCK_PAGES - 1)) + 1);
	default:
		return gfn + 1;
	}
}

/* How far a hold may go before the flush that the flush scope requires. */
static gfn_t ept_walk_end_of_batch(struct kx_pass *p, u16 as_id, gfn_t gfn, gfn_t end)
{
	switch (p->flusher.scope) {
	case KVM_EXT_FLUSH_PAGE:
		return ept_walk_end_of_leaf(p, as_id, gfn, end);
	case KVM_EXT_FLUSH_BATCH:
		return min(end, gfn + p->cfg.batch_pages - p->flusher.unbatched_pages);
	default:
		return end;
	}
}

/* Sets A bits above the last level again where kx_walk_recheck() finds accesses below them. */
static void ept_walk_recheck(struct kx_pass *p, struct ept_walk *e)
{
	u32 i, r, n = e->walk.nr_idle;

	if (!n)
		return;
	kx_pass_flush(p, true);
	for (i = 0; i < n; ) {
		ept_walk_begin_hold(e, 0);
		e->distrust_next |= !e->roots.nr;
		do {
			for (r = 0; r < e->roots.nr; r++)
				kx_walk_recheck(&e->walk, e->roots.root[r].table,
						e->roots.root[r].level, &e->walk.idle[i]);
		} while (++i < n && !ept_walk_must_let_go(e));
		ept_walk_end_hold(p, e);
		kx_pass_rest(p);
	}
	e->walk.nr_idle = 0;
}

static void ept_walk_window(struct kx_pass *p, struct ept_walk *e, const struct piece *x, gfn_t gfn,
			    gfn_t end)
{
	kx_window_clear(&e->window, gfn & ~(KX_GIB_PAGES - 1));
	while (gfn < end) {
		gfn = ept_walk_some(p, e, x->as_id, gfn,
				    ept_walk_end_of_batch(p, x->as_id, gfn, end));
		if (e->walk.nr_idle == KX_IDLE_MAX)
			ept_walk_recheck(p, e);
		if (kx_pass_rest(p))
			break;
	}
	ept_walk_put_window(p, e, x);
}

/* With granularity 2M, blocks that the range cuts are examined as a whole. */
static void ept_walk_widen(const struct kx_pass *p, const struct piece *x, gfn_t *gfn, gfn_t *end)
{
	gfn_t first = round_down(*gfn, KX_BLOCK_PAGES), last = round_down(*end - 1, KX_BLOCK_PAGES);

	if (p->cfg.granularity != KVM_EXT_GRANULARITY_2M)
		return;
	if (ept_walk_in_piece(x, first, KX_BLOCK_PAGES))
		*gfn = first;
	if (ept_walk_in_piece(x, last, KX_BLOCK_PAGES))
		*end = last + KX_BLOCK_PAGES;
}

static u64 ept_walk_pages_in_range(const struct kx_pass *p, const struct ept_walk *e)
{
	const struct piece *x;
	gfn_t from, to;
	u64 sum = 0;

	for (x = e->pieces; x < e->pieces + e->nr; x++) {
		from = max(x->gfn, p->first_gfn);
		to = min(x->gfn + x->npages, p->end_gfn);
		sum += to > from ? to - from : 0;
	}
	return sum;
}

static void ept_walk_all(struct kx_pass *p, struct ept_walk *e)
{
	const struct piece *x;
	gfn_t gfn = 0, end;
	u16 as_id = 0;

	kx_pass_set_total(p, ept_walk_pages_in_range(p, e));
	while (!kx_pass_rest(p)) {
		if (e->generation != kx_memslots_generation(e->vm)) {
			p->account.slots_changed = e->pieces;
			kx_pass_begin_resting(p);
			if (ept_walk_take_pieces(e))
				kx_pass_fail(p, -ENOMEM);
			kx_pass_end_resting(p);
			kx_pass_set_total(p, ept_walk_pages_in_range(p, e));
			continue;
		}
		x = ept_walk_piece_from(e, as_id, gfn);
		if (!x)
			break;
		if (x->as_id != as_id)
			gfn = 0;
		as_id = x->as_id;
		gfn = max3(gfn, x->gfn, p->first_gfn);
		end = min3(x->gfn + x->npages, p->end_gfn, (gfn | (KX_GIB_PAGES - 1)) + 1);
		if (gfn < end) {
			ept_walk_widen(p, x, &gfn, &end);
			ept_walk_window(p, e, x, gfn, end);
		}
		/* If the piece is outside the range, the next piece follows. */
		gfn = gfn < end ? end : x->gfn + x->npages;
	}
}

static void ept_walk_pass(struct kx_pass *p)
{
	struct kvm_ext_walk_stats *walk = &p->account.walk;
	struct ept_walk *e = p->own;
	struct kx_walk_sums *sums = &e->walk.sums;

	*sums = (struct kx_walk_sums){};
	e->distrust = e->distrust_next || kx_pass_primes(p);
	e->distrust_next = false;
	ept_walk_all(p, e);
	ept_walk_recheck(p, e);
	e->distrust_next |= e->distrust && kx_pass_is_cut(p);
	walk->tables_read = sums->tables;
	walk->subtrees_skipped = sums->skipped;
	walk->pages_skipped = sums->skipped_pages;
	walk->upper_cleared = sums->cleared;
	walk->upper_restored = sums->restored;
}

/* --- single pages, for regions ------------------------------------------------- */

static bool ept_walk_probe_page(struct ept_walk *e, const struct kx_probe *probe, bool clear)
{
	bool young = false;
	int i;

	for (i = 0; i < e->roots.nr; i++)
		young |= kx_walk_page(&e->walk, e->roots.root[i].table, e->roots.root[i].level,
				      probe->gfn, clear);
	return young;
}

static void ept_walk_probe(struct kx_pass *p, struct kx_probe *probes, u32 nr, bool clear)
{
	struct kx_probe *probe = probes, *end = probes + nr;
	struct ept_walk *e = p->own;
	bool any = false;
	u16 as_id;

	while (probe < end) {
		as_id = probe->x->as_id;
		ept_walk_begin_hold(e, as_id);
		do {
			probe->young = ept_walk_probe_page(e, probe, clear);
			any |= probe->young;
		} while (++probe < end && probe->x->as_id == as_id && !ept_walk_must_let_go(e));
		ept_walk_end_hold(p, e);
	}
	if (clear)
		kx_pass_scanned(p, 0, 0, any);
}

/* --- the tracker --------------------------------------------------------------- */

static void *ept_walk_setup(struct kx_vm *vm, const struct kx_setting *setting)
{
	bool npt = boot_cpu_has(X86_FEATURE_SVM);
	struct ept_walk *e = kx_memory_new(&vm->memory, 1, sizeof(*e));

	if (!e)
		return ERR_PTR(-ENOMEM);
	e->vm = vm;
	e->kvm = vm->kvm;
	e->walk.maps = KX_ENTRY_MAPS;
	e->walk.accessed = npt ? BIT_ULL(5) : BIT_ULL(8);
	e->walk.dirty = npt ? BIT_ULL(6) : BIT_ULL(9);
	e->walk.address = GENMASK_ULL(51, PAGE_SHIFT);
	e->walk.table = ept_walk_table;
	e->walk.stop = ept_walk_stop;
	e->walk.window = &e->window;
	return e;
}

static void ept_walk_cleanup(void *state)
{
	struct ept_walk *e = state;

	ept_walk_drop_pieces(e);
	kx_memory_free(&e->vm->memory, e, 1, sizeof(*e));
}

const struct kx_tracker kx_tracker_ept_walk = {
	.id = KVM_EXT_TRACKER_EPT_WALK,
	.flush_scope = KVM_EXT_FLUSH_PASS,
	.flush_scopes = KX_FLUSH_SCOPES | BIT(KVM_EXT_FLUSH_NONE),
	.flags = KVM_EXT_SET_NO_SKIP | KVM_EXT_SET_STALENESS,
	.check = kx_abit_check,
	.setup = ept_walk_setup,
	.cleanup = ept_walk_cleanup,
	.pass = ept_walk_pass,
	.probe = ept_walk_probe,
};
