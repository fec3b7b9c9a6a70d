// SPDX-License-Identifier: GPL-2.0-only
/*
 * `abit` and `abit-flush`: the accessed bits of the nested page table, tested and cleared by the
 * VMM's addresses, through the operation that KVM registers for the kernel's page reclaim
 * (mmu_notifier_ops.clear_young).
 *
 * After bits were cleared, the engine flushes the TLB for `abit-flush`, and does not for `abit`.
 * Without a flush, a vCPU may access a page through a cached translation, which does not set the
 * bit again: the next pass misses the page.
 *
 * Memory that is not mapped for the guest has no accessed bits. The scan skips this memory at the
 * speed of reading the nested page table or, where that table does not show all mappings, the VMM's
 * own page table. Whether a mapped page was accessed is known only from clear_young.
 *
 * clear_young covers every mapping of an address: both address spaces, and the shadow pages of
 * nested guests. It returns only whether any bit was set. For leaves of 4 KiB, one call for each
 * page is exact; for a larger leaf, one call gives all the information that exists.
 */
#include "abit.h"
#include "leaf.h"
#include "pass.h"
#include "present.h"
#include "region-pass.h"
#include "slots.h"
#include "tracker.h"
#include "vm.h"

/* The number of calls into KVM between two calls of kx_pass_rest(). */
#define CALLS_PER_REST	16

/* Up to this age, a map of leaves proves that a block is not mapped. */
#define FRESH_NS	(10 * NSEC_PER_USEC)

static bool abit_clear_young(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u64 npages)
{
	return kx_clear_young(p->vm->kvm, kx_extent_hva(x, gfn), npages);
}

/* One call for all of @npages: they are one leaf, or count as one. */
static gfn_t abit_scan_whole(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u64 npages)
{
	bool young = abit_clear_young(p, x, gfn, npages);

	kx_pass_scanned(p, npages, 1, young);
	if (young)
		kx_pass_found_leaf(p, x, gfn, ilog2(npages));
	return gfn + npages;
}

static gfn_t abit_skip(struct kx_pass *p, gfn_t gfn, gfn_t end)
{
	kx_pass_scanned(p, end - gfn, 0, false);
	return end;
}

static bool abit_holds(const struct kx_extent *x, gfn_t gfn, u64 npages)
{
	return gfn >= x->gfn && gfn + npages <= kx_extent_end(x);
}

/*
 * May memory be mapped that the visible tables do not map? Memory with aliases may be mapped at
 * other gfns. Memory that SMM sees may be mapped in SMM's table, which is visible only while a vCPU
 * is in SMM.
 */
static bool abit_is_hidden(const struct kx_extent *x, enum kx_leaf leaf)
{
	return leaf == KX_LEAF_UNKNOWN || x->alias || x->smm_alias;
}

/* Bit i of @bits: page @gfn + i may be mapped for the guest. All pages are in one block. */
static void abit_find_mapped(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn,
			     unsigned int npages, unsigned long *bits)
{
	struct kvm *kvm = p->vm->kvm;

	if (abit_is_hidden(x, kx_leaf_pages(kvm, x->as_id, gfn, npages, bits)))
		kx_present_pages(kvm->mm, kx_extent_hva(x, gfn), npages, bits);
}

/* One call for each page that may be mapped; all other pages are skipped. */
static gfn_t abit_scan_pages(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, gfn_t end)
{
	struct kx_found *found = kx_pass_found_bits(p, x, gfn);
	DECLARE_BITMAP(mapped, KX_BLOCK_PAGES);
	unsigned int i, n = end - gfn, calls = 0, done = 0;
	bool young, leave = false;

	abit_find_mapped(p, x, gfn, n, mapped);
	for_each_set_bit(i, mapped, n) {
		young = abit_clear_young(p, x, gfn + i, 1);
		if (young)
			kx_found_set(found, i);
		kx_pass_scanned(p, i + 1 - done, 1, young);
		done = i + 1;
		leave = ++calls % CALLS_PER_REST == 0 && kx_pass_rest(p);
		if (leave)
			break;
	}
	if (!leave) {
		kx_pass_scanned(p, n - done, 0, false);
		done = n;
	}
	kx_pass_found_bits_done(p, done);
	return gfn + done;
}

/*
 * Returns the end of the stretch from @gfn on, up to @end, that is mapped in no table. A block of
 * which a part may be mapped is not in the stretch.
 */
static gfn_t abit_end_of_unmapped(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn,
				  gfn_t end, enum kx_leaf leaf)
{
	gfn_t next = end;

	if (leaf == KX_LEAF_NONE)
		next = kx_leaf_none_until(&p->leaves, gfn, end);
	if (abit_is_hidden(x, leaf))
		next = gfn + kx_absent_from(p->vm->kvm->mm, kx_extent_hva(x, gfn), next - gfn);
	return next == end ? end : round_down(next, KX_BLOCK_PAGES);
}

/* Is a block that was not mapped when the map of leaves was read still not mapped? */
static bool abit_still_unmapped(struct kx_pass *p, const struct kx_extent *x, gfn_t block)
{
	DECLARE_BITMAP(bits, KX_BLOCK_PAGES);

	return kx_leaf_age_ns(&p->leaves) <= FRESH_NS ||
	       kx_leaf_pages(p->vm->kvm, x->as_id, block, KX_BLOCK_PAGES, bits) == KX_LEAF_NONE;
}

static gfn_t abit_scan(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, gfn_t end)
{
	gfn_t block = gfn & ~(KX_BLOCK_PAGES - 1), gib = gfn & ~(KX_GIB_PAGES - 1), next;
	gfn_t stop = min(end, block + KX_BLOCK_PAGES);
	bool whole_block = abit_holds(x, block, KX_BLOCK_PAGES);
	enum kx_leaf leaf;

	leaf = kx_leaf_at(&p->leaves, p->vm->kvm, x->as_id, gfn, kx_extent_end(x));
	/* If an alias or an excluded page cuts a leaf, the extent is scanned page by page. */
	if (leaf == KX_LEAF_1G && abit_holds(x, gib, KX_GIB_PAGES))
		return abit_scan_whole(p, x, gib, KX_GIB_PAGES);
	if (leaf == KX_LEAF_2M && whole_block)
		return abit_scan_whole(p, x, block, KX_BLOCK_PAGES);
	if (leaf == KX_LEAF_NONE || leaf == KX_LEAF_UNKNOWN) {
		next = abit_end_of_unmapped(p, x, gfn, end, leaf);
		if (next > gfn)
			return abit_skip(p, gfn, next);
	}
	/*
	 * The block is not mapped in address space 0, but may be mapped in SMM. One call tests the
	 * whole block; its disadvantage is that an access in SMM is known for the block, not for
	 * the page. So the block must not have been mapped in address space 0 since the map of
	 * leaves was read.
	 */
	if (leaf == KX_LEAF_NONE && !x->alias && whole_block && abit_still_unmapped(p, x, block))
		return abit_scan_whole(p, x, block, KX_BLOCK_PAGES);
	if (p->cfg.granularity == KVM_EXT_GRANULARITY_2M && whole_block)
		return abit_scan_whole(p, x, block, KX_BLOCK_PAGES);
	return abit_scan_pages(p, x, gfn, stop);
}

static void abit_probe(struct kx_pass *p, struct kx_probe *probes, u32 nr, bool clear)
{
	struct kvm *kvm = p->vm->kvm;
	struct kx_probe *probe;
	unsigned long hva;

	for (probe = probes; probe < probes + nr; probe++) {
		hva = kx_extent_hva(probe->x, probe->gfn);
		probe->young = clear ? kx_clear_young(kvm, hva, 1) : kx_test_young(kvm, hva);
		if (clear)
			kx_pass_scanned(p, 0, 0, probe->young);
	}
}

/*
 * With shadow paging KVM would search rmaps for each test. Without A bits in hardware, KVM would
 * clear the permission to access a page, and the next access would fault.
 */
int kx_abit_check(struct kvm *kvm)
{
	struct kx_vm_paging paging;

	kx_vm_paging(kvm, &paging);
	if (paging.paging == KVM_EXT_PAGING_SHADOW || paging.ad_bits == 0 ||
	    kx_has_private_memory(kvm))
		return -EOPNOTSUPP;
	return 0;
}

const struct kx_tracker kx_tracker_abit = {
	.id = KVM_EXT_TRACKER_ABIT,
	.flags = KVM_EXT_SET_STALENESS,
	.check = kx_abit_check,
	.scan = abit_scan,
	.probe = abit_probe,
};

const struct kx_tracker kx_tracker_abit_flush = {
	.id = KVM_EXT_TRACKER_ABIT_FLUSH,
	.flush_scope = KVM_EXT_FLUSH_PASS,
	.flush_scopes = KX_FLUSH_SCOPES,
	.flags = KVM_EXT_SET_STALENESS,
	.check = kx_abit_check,
	.scan = abit_scan,
	.probe = abit_probe,
};
