/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_EXCLUDED_H
#define KVM_EXT_EXCLUDED_H

#include <linux/types.h>
#include <kvm-ext/uapi.h>

struct kx_vm;
struct page;

/**
 * struct kx_hva_span - a part of the VMM's memory
 * @start: its first address
 * @end: the address behind it
 */
struct kx_hva_span {
	unsigned long start, end;
};

/**
 * struct kx_excluded - pages that no tracker touches (KVM_EXT_SET_EXCLUDED)
 * @spans: @nr of them, sorted and disjoint: the pages, and memory in the same mappings
 * @nr: how many spans there are
 * @pages: @npages of them, pinned
 * @npages: how many pages are pinned
 * @room: for how many there is room in @spans and @pages
 *
 * Identified by the VMM's addresses, so valid for every gfn that the memory has or will have. All
 * zero: nothing is excluded. A VM's structure changes under the session's lock while the pass
 * thread is parked.
 */
struct kx_excluded {
	struct kx_hva_span *spans;
	u32 nr;
	struct page **pages;
	u64 npages;
	u64 room;
};

/**
 * kx_excluded_make() - pin the pages of some ranges that are RAM now
 * @x: filled in; empty after an error
 * @vm: the VM
 * @ranges: guest pages, sorted and disjoint
 * @nr: how many ranges there are
 *
 * Context: may sleep; takes the VMM's mmap_lock for reading.
 * Return: 0; -E2BIG: more than KVM_EXT_EXCLUDED_PAGES_MAX pages; -ENODEV: the VMM is gone;
 * -EFAULT: some memory cannot be pinned; -ENOMEM.
 */
int kx_excluded_make(struct kx_excluded *x, struct kx_vm *vm, const struct kvm_ext_range *ranges,
		     u32 nr);

/**
 * kx_excluded_drop() - unpin all pages, and exclude nothing
 * @x: what was excluded
 * @vm: the VM that it was made for
 *
 * Context: may sleep.
 */
void kx_excluded_drop(struct kx_excluded *x, struct kx_vm *vm);

/**
 * kx_excluded_from() - the first excluded span that overlaps some memory
 * @x: what is excluded
 * @start: the memory's first address in the VMM
 * @end: the address behind it
 *
 * Return: the span; NULL: none of [@start, @end) is excluded.
 */
const struct kx_hva_span *kx_excluded_from(const struct kx_excluded *x, unsigned long start,
					   unsigned long end);

/**
 * kx_excluded_covers() - does @x exclude everything that @other excludes?
 * @x: the first
 * @other: the second
 *
 * Return: true if each span of @other lies in one of @x.
 */
bool kx_excluded_covers(const struct kx_excluded *x, const struct kx_excluded *other);

#endif /* KVM_EXT_EXCLUDED_H */
