/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PRESENT_H
#define KVM_EXT_PRESENT_H

#include <linux/mm_types.h>

/*
 * What of the VMM's memory is in its own page table. KVM maps nothing else, and takes a
 * mapping away before the VMM's goes; so this says what cannot have an accessed bit, in
 * whichever table of KVM's: also in those that are out of our sight.
 *
 * Both take the VMM's mmap_lock for reading, for some 100 us, and may sleep. They do not wait for
 * who holds it: then all may be there.
 */

/**
 * kx_absent_from() - how many pages are not there
 * @mm: the VMM's memory
 * @hva: the first page's address
 * @npages: pages of 4 KiB, at most so many
 *
 * Context: may sleep.
 * Return: pages from @hva on that are not there, as far as some 100 us of looking get.
 */
u64 kx_absent_from(struct mm_struct *mm, unsigned long hva, u64 npages);

/**
 * kx_present_pages() - which pages may be there
 * @mm: the VMM's memory
 * @hva: the first page's address
 * @npages: bits
 * @bits: bit i: the page at @hva + i pages
 *
 * Context: may sleep.
 */
void kx_present_pages(struct mm_struct *mm, unsigned long hva, unsigned int npages,
		      unsigned long *bits);

#endif /* KVM_EXT_PRESENT_H */
