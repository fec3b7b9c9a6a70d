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
 * @end: the address behind its last byte
 */
struct kx_hva_span {
	unsigned long start, end;
};

/**
 * struct kx_excluded - pages that no tracker touches (KVM_EXT_SET_EXCLUDED)
 * @spans: array of @nr spans, sorted and disjoint: the pages, and memory in the same huge pages
 * @nr: number of spans
 * @pages: array of @npages pages, which are pinned
 * @npages: number of pages
 * @room: number of entries for which @spans and @pages have room
 *
 * The spans are addresses of the VMM, and so hold for every gfn that the memory has or will have.
 * All zero: nothing is excluded. The structure of a VM changes only under the session's lock while
 * the pass thread is parked.
 */
struct kx_excluded {
	struct kx_hva_span *spans;
	u32 nr;
	struct page **pages;
	u64 npages;
	u64 room;
};

/**
 * kx_excluded_make() - pin those pages of some ranges that are RAM now
 * @x: result; empty after an error
 * @vm: the VM
 * @ranges: array of ranges of guest pages, sorted and disjoint
 * @nr: number of ranges
 *
 * Context: may sleep; takes the VMM's mmap_lock for reading.
 * Return: 0; -E2BIG: more than KVM_EXT_EXCLUDED_PAGES_MAX pages; -ENODEV: the VMM is gone;
 * -EFAULT: some memory cannot be pinned; -ENOMEM.
 */
int kx_excluded_make(struct kx_excluded *x, struct kx_vm *vm, const struct kvm_ext_range *ranges,
		     u32 nr);

/**
 * kx_excluded_drop() - unpin all pages, and exclude nothing
 * @x: the excluded memory
 * @vm: the VM for which @x was made
 *
 * Context: may sleep.
 */
void kx_excluded_drop(struct kx_excluded *x, struct kx_vm *vm);

/**
 * kx_excluded_from() - the first excluded span that overlaps some memory
 * @x: the excluded memory
 * @start: the first address of the memory in question, in the VMM
 * @end: the address behind that memory
 *
 * Return: the span; NULL: none of [@start, @end) is excluded.
 */
const struct kx_hva_span *kx_excluded_from(const struct kx_excluded *x, unsigned long start,
					   unsigned long end);

/**
 * kx_excluded_covers() - does @x exclude everything that @other excludes?
 * @x: excluded memory
 * @other: other excluded memory
 *
 * Return: true if each span of @other lies in a span of @x.
 */
bool kx_excluded_covers(const struct kx_excluded *x, const struct kx_excluded *other);

#endif /* KVM_EXT_EXCLUDED_H */
