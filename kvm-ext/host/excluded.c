// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory whose mappings have to stay. CPUs before Ice Lake lose samples if an EPT mapping is
 * missing when PEBS writes a record to a buffer of the guest.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "excluded.h"
#include "memslots.h"
#include "vm.h"

/* Number of pages that are unpinned between two rescheduling points. */
#define UNPIN_PAGES	1024u

const struct kx_hva_span *kx_excluded_from(const struct kx_excluded *x, unsigned long start,
					   unsigned long end)
{
	u32 lo = 0, hi = x->nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (x->spans[mid].end <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->nr && start < end && x->spans[lo].start < end ? &x->spans[lo] : NULL;
}

bool kx_excluded_covers(const struct kx_excluded *x, const struct kx_excluded *other)
{
	const struct kx_hva_span *span, *o;

	for (o = other->spans; o < other->spans + other->nr; o++) {
		span = kx_excluded_from(x, o->start, o->end);
		if (!span || span->start > o->start || span->end < o->end)
			return false;
	}
	return true;
}

/* --- finding the memory ------------------------------------------------------------ */

/*
 * Calls @add for each part of @ranges that is RAM of address space 0. Ranges and memslots are
 * sorted and disjoint, so each part ends where a range or a memslot ends.
 */
static int excluded_visit_parts(const struct kx_memslots *set, const struct kvm_ext_range *ranges,
				u32 nr,
				int (*add)(void *data, unsigned long hva, u64 npages), void *data)
{
	const struct kvm_ext_range *r = ranges, *last = ranges + nr;
	const struct kx_memslot *m = set->slots, *last_slot = set->slots + set->nr;
	gfn_t first, end;
	int err = 0;

	/* The memslots of address space 0 come first. */
	while (!err && r < last && m < last_slot && !m->as_id) {
		first = max(r->gfn, m->gfn);
		end = min(r->gfn + r->npages, m->gfn + m->npages);
		if (first < end)
			err = add(data, m->hva + ((first - m->gfn) << PAGE_SHIFT), end - first);
		if (r->gfn + r->npages <= m->gfn + m->npages)
			r++;
		else
			m++;
		cond_resched();
	}
	return err;
}

static int excluded_count(void *data, unsigned long hva, u64 npages)
{
	u64 *sum = data;

	*sum += npages;
	return *sum > KVM_EXT_EXCLUDED_PAGES_MAX ? -E2BIG : 0;
}

/* --- pinning ----------------------------------------------------------------------- */

struct pinning {
	struct kx_excluded *x;
	struct mm_struct *mm;
};

/* The folio of @page: no mapping of @page is larger. */
static struct kx_hva_span excluded_span_of(struct page *page, unsigned long hva)
{
	struct folio *folio = page_folio(page);
	unsigned long start = hva - (folio_page_idx(folio, page) << PAGE_SHIFT);

	return (struct kx_hva_span){ start, start + folio_size(folio) };
}

static int excluded_pin(void *data, unsigned long hva, u64 npages)
{
	struct pinning *pinning = data;
	struct kx_excluded *x = pinning->x;
	struct page **pages = x->pages + x->npages;
	long got, i;

	mmap_read_lock(pinning->mm);
	got = kx_pin_user_pages(pinning->mm, hva, npages, FOLL_WRITE | FOLL_LONGTERM, pages);
	mmap_read_unlock(pinning->mm);
	for (i = 0; i < got; i++)
		x->spans[x->npages++] = excluded_span_of(pages[i], hva + (i << PAGE_SHIFT));
	if (got > 0)
		atomic64_add(got, &pinning->mm->pinned_vm);
	if (got == npages)
		return 0;
	return got == -ENOMEM ? -ENOMEM : -EFAULT;
}

static int excluded_by_start(const void *a, const void *b)
{
	const struct kx_hva_span *x = a, *y = b;

	/* sort() holds no lock and calls this function very often. */
	cond_resched();
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Joins spans that overlap or touch. */
static void excluded_join_spans(struct kx_excluded *x)
{
	struct kx_hva_span *last = NULL;
	u64 i;

	sort(x->spans, x->npages, sizeof(*x->spans), excluded_by_start, NULL);
	for (i = 0; i < x->npages; i++) {
		if (last && x->spans[i].start <= last->end) {
			last->end = max(last->end, x->spans[i].end);
			continue;
		}
		last = &x->spans[x->nr++];
		*last = x->spans[i];
	}
}

static int excluded_pin_all(struct kx_excluded *x, struct kx_vm *vm, const struct kx_memslots *set,
			    const struct kvm_ext_range *ranges, u32 nr)
{
	struct pinning pinning = { .x = x, .mm = vm->kvm->mm };
	int err;

	if (!mmget_not_zero(pinning.mm))
		return -ENODEV;
	err = excluded_visit_parts(set, ranges, nr, excluded_pin, &pinning);
	mmput(pinning.mm);
	excluded_join_spans(x);
	return err;
}

int kx_excluded_make(struct kx_excluded *x, struct kx_vm *vm, const struct kvm_ext_range *ranges,
		     u32 nr)
{
	struct kx_memslots set;
	u64 npages = 0;
	int err;

	*x = (struct kx_excluded){};
	err = kx_memslots_take(&set, vm);
	if (err)
		return err;
	err = excluded_visit_parts(&set, ranges, nr, excluded_count, &npages);
	if (err || !npages)
		goto free_set;
	x->room = npages;
	x->pages = kx_memory_new(&vm->memory, x->room, sizeof(*x->pages));
	x->spans = kx_memory_new(&vm->memory, x->room, sizeof(*x->spans));
	if (x->pages && x->spans)
		err = excluded_pin_all(x, vm, &set, ranges, nr);
	else
		err = -ENOMEM;
	if (err)
		kx_excluded_drop(x, vm);
free_set:
	kvfree(set.slots);
	return err;
}

void kx_excluded_drop(struct kx_excluded *x, struct kx_vm *vm)
{
	u64 i;

	for (i = 0; i < x->npages; i += UNPIN_PAGES) {
		unpin_user_pages(x->pages + i, min_t(u64, UNPIN_PAGES, x->npages - i));
		cond_resched();
	}
	if (x->npages)
		atomic64_sub(x->npages, &vm->kvm->mm->pinned_vm);
	kx_memory_free(&vm->memory, x->pages, x->room, sizeof(*x->pages));
	kx_memory_free(&vm->memory, x->spans, x->room, sizeof(*x->spans));
	*x = (struct kx_excluded){};
}
