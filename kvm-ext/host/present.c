// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the VMM's page table.
 *
 * While mmap_lock is held for reading, the tables of memory with a VMA are not freed, with one
 * exception: a task that finds a table of the last level empty, or replaces this table by a huge
 * page, frees the table after an RCU grace period. munmap() also frees tables with the lock held
 * for reading, but only tables of memory that has no VMA any more. So the VMA is looked up first.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include "present.h"

/*
 * Steps in one hold of the lock: a step reads one entry, or one table of at most 512 entries. A
 * hold then takes some 100 us.
 */
#define LOOKS_PER_HOLD	256u

#define LOCK_TRIES	4

static unsigned long present_end_of(unsigned long addr, unsigned long mask)
{
	return (addr & mask) + ~mask + 1;
}

/* What one entry or one table says about memory from an address on. */
struct sight {
	unsigned long end;
	pte_t *pte;		/* the entry of each page up to @end; NULL: no such table */
	bool absent;		/* only without @pte: nothing is mapped up to @end */
};

/* Looks at @addr, which has a VMA. The caller is in an RCU read section. */
static struct sight present_look(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud, pud_value;
	pmd_t *pmd, pmd_value;

	if (pgd_none(READ_ONCE(*pgd)))
		return (struct sight){ present_end_of(addr, PGDIR_MASK), NULL, true };
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(READ_ONCE(*p4d)))
		return (struct sight){ present_end_of(addr, P4D_MASK), NULL, true };
	pud = pud_offset(p4d, addr);
	pud_value = READ_ONCE(*pud);
	/* An entry that is neither empty nor present (such as one for swap) is not absent. */
	if (!pud_present(pud_value) || pud_leaf(pud_value))
		return (struct sight){ present_end_of(addr, PUD_MASK), NULL, pud_none(pud_value) };
	pmd = pmd_offset(pud, addr);
	pmd_value = READ_ONCE(*pmd);
	if (!pmd_present(pmd_value) || pmd_leaf(pmd_value))
		return (struct sight){ present_end_of(addr, PMD_MASK), NULL, pmd_none(pmd_value) };
	return (struct sight){ present_end_of(addr, PMD_MASK),
			       pte_offset_kernel(&pmd_value, addr) };
}

/* Looks at any @addr before @end, with or without a VMA. */
static struct sight present_look_up(struct mm_struct *mm, struct vm_area_struct **vma,
				    unsigned long addr, unsigned long end)
{
	struct sight seen;

	mmap_assert_locked(mm);
	if (*vma && (*vma)->vm_end <= addr)
		*vma = find_vma(mm, addr);
	if (!*vma)
		return (struct sight){ end, NULL, true };
	if ((*vma)->vm_start > addr)
		return (struct sight){ min(end, (*vma)->vm_start), NULL, true };
	seen = present_look(mm, addr);
	seen.end = min3(end, (*vma)->vm_end, seen.end);
	return seen;
}

/* The end of the absent memory in @seen, from @at on. */
static unsigned long present_end_of_absence(const struct sight *seen, unsigned long at)
{
	pte_t *pte = seen->pte;

	if (!pte)
		return seen->absent ? seen->end : at;
	while (at < seen->end && pte_none(READ_ONCE(*pte))) {
		at += PAGE_SIZE;
		pte++;
	}
	return at;
}

/*
 * A fork of a large VMM holds the lock for writing for a long time. While the pass thread waits for
 * the lock it cannot park, and a task that sets another tracker would have to wait, too. So after a
 * few attempts the caller takes all pages as possibly present, which is always correct.
 */
static bool present_lock(struct mm_struct *mm)
{
	int i;

	for (i = 0; i < LOCK_TRIES; i++) {
		if (mmap_read_trylock(mm))
			return true;
		usleep_range(50, 100);
	}
	return false;
}

u64 kx_absent_from(struct mm_struct *mm, unsigned long hva, u64 npages)
{
	unsigned long at = hva, end = hva + (npages << PAGE_SHIFT);
	struct vm_area_struct *vma;
	struct sight seen;
	unsigned int i;

	/* The VMM has exited: nothing is mapped. */
	if (!mmget_not_zero(mm))
		return npages;
	if (!present_lock(mm)) {
		mmput_async(mm);
		return 0;
	}
	vma = find_vma(mm, at);
	rcu_read_lock();
	for (i = 0; i < LOOKS_PER_HOLD && at < end; i++) {
		seen = present_look_up(mm, &vma, at, end);
		at = present_end_of_absence(&seen, at);
		if (at < seen.end)
			break;
	}
	rcu_read_unlock();
	mmap_read_unlock(mm);
	mmput_async(mm);
	return (at - hva) >> PAGE_SHIFT;
}

void kx_present_pages(struct mm_struct *mm, unsigned long hva, unsigned int npages,
		      unsigned long *bits)
{
	unsigned long at = hva, end = hva + ((unsigned long)npages << PAGE_SHIFT);
	struct vm_area_struct *vma;
	struct sight seen;

	bitmap_zero(bits, npages);
	if (!mmget_not_zero(mm))
		return;
	if (!present_lock(mm)) {
		bitmap_fill(bits, npages);
		mmput_async(mm);
		return;
	}
	vma = find_vma(mm, at);
	rcu_read_lock();
	while (at < end) {
		seen = present_look_up(mm, &vma, at, end);
		for (; at < seen.end; at += PAGE_SIZE) {
			if (seen.pte ? !pte_none(READ_ONCE(*seen.pte++)) : !seen.absent)
				__set_bit((at - hva) >> PAGE_SHIFT, bits);
		}
	}
	rcu_read_unlock();
	mmap_read_unlock(mm);
	mmput_async(mm);
}
