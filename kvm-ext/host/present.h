/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PRESENT_H
#define KVM_EXT_PRESENT_H

#include <linux/mm_types.h>

/*
 * Which pages of the VMM's memory are in the VMM's own page table. KVM maps no other pages, and
 * removes its mapping of a page before the kernel removes the VMM's mapping. So a page that is
 * absent here has no accessed bit in any of KVM's tables, not even in tables that this module
 * cannot see.
 *
 * Both functions hold the VMM's mmap_lock for reading, for some 100 us. If they do not get the lock
 * within half a millisecond, all pages count as possibly present.
 */

/**
 * kx_absent_from() - how many pages are absent
 * @mm: the VMM's memory
 * @hva: the first page's address
 * @npages: limit of the result, in pages of 4 KiB
 *
 * Context: may sleep.
 * Return: number of absent pages from @hva on, as far as the table could be read in one hold of the
 * lock.
 */
u64 kx_absent_from(struct mm_struct *mm, unsigned long hva, u64 npages);

/**
 * kx_present_pages() - which pages may be present
 * @mm: the VMM's memory
 * @hva: the first page's address
 * @npages: bits
 * @bits: result; bit i: the page at @hva + i pages may be present
 *
 * Context: may sleep.
 */
void kx_present_pages(struct mm_struct *mm, unsigned long hva, unsigned int npages,
		      unsigned long *bits);

#endif /* KVM_EXT_PRESENT_H */
