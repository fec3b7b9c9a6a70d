// SPDX-License-Identifier: GPL-2.0-only
/*
 * A look at the VMM's page table.
 *
 * The tables of memory that has a VMA are freed by nobody while mmap_lock is held for
 * reading, but for tables of the last level: who finds such a table empty, or puts a
 * huge page in its place, frees it after an RCU grace period. munmap() frees tables with
 * the lock for reading as well, but of memory that has no VMA any more: so that is what
 * is looked up first.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include "present.h"

/* Entries that are looked at in one go. */
#define ENTRIES_PER_HOLD	4096u

static unsigned long end_of(unsigned long addr, unsigned long mask)
{
	return (addr & mask) + ~mask + 1;
}

/*
 * Where the memory around @addr ends that one entry is for: of the last level, or of the
 * one above that says enough. @absent: nothing is there. In an RCU read section.
 */
static unsigned long look(struct mm_struct *mm, unsigned long addr, bool *absent)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud, pud_value;
	pmd_t *pmd, pmd_value;

	*absent = true;
	if (pgd_none(READ_ONCE(*pgd)))
		return end_of(addr, PGDIR_MASK);
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(READ_ONCE(*p4d)))
		return end_of(addr, P4D_MASK);
	pud = pud_offset(p4d, addr);
	pud_value = READ_ONCE(*pud);
	*absent = pud_none(pud_value);
	/* An entry that is neither empty nor present is of memory that is elsewhere for now. */
	if (!pud_present(pud_value) || pud_leaf(pud_value))
		return end_of(addr, PUD_MASK);
	pmd = pmd_offset(pud, addr);
	pmd_value = READ_ONCE(*pmd);
	*absent = pmd_none(pmd_value);
	if (!pmd_present(pmd_value) || pmd_leaf(pmd_value))
		return end_of(addr, PMD_MASK);
	*absent = pte_none(READ_ONCE(*pte_offset_kernel(&pmd_value, addr)));
	return end_of(addr, PAGE_MASK);
}

/* The same, for any address up to @end, with or without a VMA. The caller holds mmap_lock. */
static unsigned long look_up(struct mm_struct *mm, struct vm_area_struct **vma,
			     unsigned long addr, unsigned long end, bool *absent)
{
	mmap_assert_locked(mm);
	if (*vma && (*vma)->vm_end <= addr)
		*vma = find_vma(mm, addr);
	*absent = true;
	if (!*vma)
		return end;
	if ((*vma)->vm_start > addr)
		return min(end, (*vma)->vm_start);
	return min3(end, (*vma)->vm_end, look(mm, addr, absent));
}

u64 kx_absent_from(struct mm_struct *mm, unsigned long hva, u64 npages)
{
	unsigned long at = hva, end = hva + (npages << PAGE_SHIFT), next;
	struct vm_area_struct *vma;
	unsigned int i;
	bool absent;

	/* Of a VMM that has exited nothing is mapped. */
	if (!mmget_not_zero(mm))
		return npages;
	mmap_read_lock(mm);
	vma = find_vma(mm, at);
	rcu_read_lock();
	for (i = 0; i < ENTRIES_PER_HOLD && at < end; i++) {
		next = look_up(mm, &vma, at, end, &absent);
		if (!absent)
			break;
		at = next;
	}
	rcu_read_unlock();
	mmap_read_unlock(mm);
	mmput_async(mm);
	return (at - hva) >> PAGE_SHIFT;
}

void kx_present_pages(struct mm_struct *mm, unsigned long hva, unsigned int npages,
		      unsigned long *bits)
{
	unsigned long at = hva, end = hva + ((unsigned long)npages << PAGE_SHIFT), next;
	struct vm_area_struct *vma;
	bool absent;

	bitmap_zero(bits, npages);
	if (!mmget_not_zero(mm))
		return;
	mmap_read_lock(mm);
	vma = find_vma(mm, at);
	rcu_read_lock();
	for (; at < end; at = next) {
		next = look_up(mm, &vma, at, end, &absent);
		if (!absent)
			bitmap_set(bits, (at - hva) >> PAGE_SHIFT, (next - at) >> PAGE_SHIFT);
	}
	rcu_read_unlock();
	mmap_read_unlock(mm);
	mmput_async(mm);
}
