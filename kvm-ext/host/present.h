/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PRESENT_H
#define KVM_EXT_PRESENT_H

#include <linux/mm_types.h>

/*
 * What of the VMM's memory is in its own page table. KVM maps nothing else, and takes a
 * mapping away before the VMM's goes; so this says what cannot have an accessed bit, in
 * whichever table of KVM's: also in those that are out of our sight.
 *
 * Both take the VMM's mmap_lock for reading, and may sleep.
 */

/* Pages from @hva on that are not there: up to @npages, or as far as some 100 us of looking get. */
u64 kx_absent_from(struct mm_struct *mm, unsigned long hva, u64 npages);

/* Bit i of @bits: the page at @hva + i pages may be there. @npages in all. */
void kx_present_pages(struct mm_struct *mm, unsigned long hva, unsigned int npages,
		      unsigned long *bits);

#endif /* KVM_EXT_PRESENT_H */
