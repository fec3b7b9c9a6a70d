// SPDX-License-Identifier: GPL-2.0-only
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched.h>

#include "../common/walk.h"
#include "tables.h"

#define STEPS_MAX	512u		/* of kx_tables_next() with interrupts off */

struct kx_tables kx_tables_of(struct mm_struct *mm)
{
	return (struct kx_tables){
		.root = (u64 *)mm->pgd,
		.level = pgtable_l5_enabled() ? 5 : 4,
		.end = TASK_SIZE_MAX >> PAGE_SHIFT,
	};
}

u64 *kx_tables_at(u64 entry)
{
	u64 pa = entry & PTE_PFN_MASK;

	return pfn_valid(pa >> PAGE_SHIFT) ? phys_to_virt(pa) : NULL;
}

static bool tables_is_present(u64 entry)
{
	return entry & KX_ENTRY_PRESENT;
}

static bool tables_is_leaf(u64 entry, int level)
{
	return level == KX_LEVEL_4K || (level <= KX_LEVEL_1G && (entry & KX_ENTRY_LARGE));
}

static u64 tables_pages_of(int level)
{
	return 1ull << (9 * (level - 1));
}

/* The page behind the part that an entry of a table of @level maps; the part contains @vpn. */
static u64 tables_behind(u64 vpn, int level)
{
	return (vpn | (tables_pages_of(level) - 1)) + 1;
}

/* The level of the empty entry above @vpn; 0: there is a table of level 2 or a leaf of 1 GiB. */
static int tables_empty_level(const struct kx_tables *t, u64 vpn)
{
	u64 *table = t->root, entry;
	int level;

	for (level = t->level; level >= KX_LEVEL_1G; level--) {
		entry = READ_ONCE(table[kx_index_of(vpn, level)]);
		if (!tables_is_present(entry))
			return level;
		if (tables_is_leaf(entry, level))
			break;
		table = kx_tables_at(entry);
		if (!table)
			return level;
	}
	return 0;
}

u64 kx_tables_next(const struct kx_tables *t, u64 vpn, u64 end)
{
	unsigned int i;
	int level = 1;

	while (level && vpn < end) {
		local_irq_disable();
		for (i = 0; i < STEPS_MAX && vpn < end; i++) {
			level = tables_empty_level(t, vpn);
			if (!level)
				break;
			vpn = tables_behind(vpn, level);
		}
		local_irq_enable();
		cond_resched();
	}
	return min(vpn, end);
}

/* --- a visit ---------------------------------------------------------------------------- */

struct visit {
	struct kx_tables_visit *v;
	u64 at;				/* current position */
	u64 start_ns;
	bool enough;
};

/* False: end the walk, to rest or (@enough) for good. */
static bool tables_visit_table(struct visit *s, u64 *table, int level, u64 end)
{
	u64 entry, next, *child;

	for (; s->at < end; s->at = next) {
		next = min(end, tables_behind(s->at, level));
		if (!s->v->budget) {
			s->enough = true;
			return false;
		}
		s->v->budget--;
		entry = READ_ONCE(table[kx_index_of(s->at, level)]);
		if (!tables_is_present(entry))
			continue;
		if (tables_is_leaf(entry, level)) {
			if (!s->v->leaf(s->v, s->at, next - s->at,
					((entry & PTE_PFN_MASK) >> PAGE_SHIFT &
					 ~(tables_pages_of(level) - 1)) +
					(s->at & (tables_pages_of(level) - 1)))) {
				s->enough = true;
				return false;
			}
			continue;
		}
		child = kx_tables_at(entry);
		if (!child)
			continue;
		if (!tables_visit_table(s, child, level - 1, next))
			return false;
		if (next < end && ktime_get_ns() - s->start_ns > KX_TABLES_HOLD_NS) {
			s->at = next;
			return false;
		}
	}
	return true;
}

void kx_tables_visit(const struct kx_tables *t, u64 vpn, u64 end, struct kx_tables_visit *v)
{
	struct visit s = { .v = v, .at = vpn };

	end = min(end, t->end);
	while (s.at < end && !s.enough) {
		local_irq_disable();
		s.start_ns = ktime_get_ns();
		tables_visit_table(&s, t->root, t->level, end);
		local_irq_enable();
		cond_resched();
	}
}
