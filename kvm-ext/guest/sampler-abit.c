// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest-abit: the accessed bits of the watched processes' page tables, read and cleared one table
 * at a time, by the walk that the host's ept-walk also uses (common/walk.c).
 *
 * The walk holds no lock of the memory management. Why this is correct:
 *
 * - Tables: see tables.h. The walk runs with interrupts off for some microseconds at a time, and
 *   then starts from the root again.
 * - Entries: the kernel changes entries under locks that this module does not hold, and uses plain
 *   stores where it knows that an entry is empty, or where it sets bits. So the walk writes an
 *   entry only by compare-and-exchange, from a present and accessed value to the same value without
 *   the accessed bit. If the kernel has cleared, moved or protected the entry meanwhile, nothing is
 *   written. If a plain store of the kernel sets the bit again, the next scan finds a page that was
 *   not accessed. The kernel allows for changes of A at any time, because CPUs set A, and the
 *   kernel's own ageing clears A.
 * - The disadvantage for the kernel: its own ageing finds fewer pages accessed, as with every other
 *   reader that clears these bits.
 * - mmget_not_zero() prevents that the address space is torn down.
 *
 * Without a flush (the default), a page whose translation stays in a TLB is not found again until
 * the translation is evicted: the scan finds fewer pages than were accessed.
 */
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "../common/walk.h"
#include "agent.h"
#include "classify.h"
#include "flush.h"
#include "sampler.h"
#include "tables.h"

struct abit {
	struct kx_walk walk;
	struct kx_window window;
	struct kx_tables tables;	/* of the process that is scanned */
	u64 hold_start_ns;
	ktime_t next;			/* time of the next scan */
};

static u64 *abit_table(struct kx_walk *w, u64 address)
{
	return kx_tables_at(address);
}

static bool abit_stop_walk(struct kx_walk *w)
{
	struct abit *s = container_of(w, struct abit, walk);

	return ktime_get_ns() - s->hold_start_ns > KX_TABLES_HOLD_NS;
}

/* --- what was found ------------------------------------------------------------------- */

/*
 * A leaf of many pages was accessed at an unknown address: each part of the leaf that can be a
 * range of its own gets as many accesses as it has pages.
 */
static void abit_add_large(struct kx_agent *a, struct kx_process *p, u64 vpn, u64 npages)
{
	u64 step = min(npages, 1ull << (a->command.granularity - PAGE_SHIFT)), at;

	for (at = 0; at < npages; at += step)
		kx_classify(a, p, (vpn + at) << PAGE_SHIFT, step);
	a->account.samples += npages;
	/* A sample is a page, but kx_classify() has counted each step as one sample. */
	a->account.classified += npages - npages / step;
}

static void abit_add_small(struct kx_agent *a, struct kx_process *p, u64 vpn, const u64 *words)
{
	unsigned int i;
	u64 bits;

	for (i = 0; i < KX_ENTRIES / 64; i++) {
		for (bits = words[i]; bits; bits &= bits - 1) {
			kx_classify(a, p, (vpn + i * 64 + __ffs64(bits)) << PAGE_SHIFT, 1);
			a->account.samples++;
		}
	}
}

static void abit_add_window(struct kx_agent *a, struct kx_process *p,
			    const struct kx_window *window)
{
	unsigned int i, block;
	u64 blocks, vpn;

	if (window->whole) {
		abit_add_large(a, p, window->gfn, KX_GIB_PAGES);
		return;
	}
	for (i = 0; i < KX_ENTRIES / 64; i++) {
		blocks = window->leaves[i] | window->blocks[i];
		for (; blocks; blocks &= blocks - 1) {
			block = i * 64 + __ffs64(blocks);
			vpn = window->gfn + block * KX_BLOCK_PAGES;
			if (window->leaves[i] & BIT_ULL(block % 64))
				abit_add_large(a, p, vpn, KX_BLOCK_PAGES);
			else
				abit_add_small(a, p, vpn, window->pages[block]);
		}
	}
}

/* --- a scan ------------------------------------------------------------------------------- */

static void abit_scan_window(struct abit *s, u64 vpn)
{
	u64 end = min(s->tables.end, vpn + KX_GIB_PAGES);

	kx_window_clear(&s->window, vpn);
	while (vpn < end) {
		local_irq_disable();
		s->hold_start_ns = ktime_get_ns();
		vpn = kx_walk(&s->walk, s->tables.root, s->tables.level, vpn, end);
		local_irq_enable();
		cond_resched();
	}
}

static void abit_scan_process(struct kx_agent *a, struct abit *s, struct kx_process *p, u64 *mark)
{
	u64 vpn = 0;

	if (!mmget_not_zero(p->mm))
		return;
	s->tables = kx_tables_of(p->mm);
	while (!kthread_should_stop()) {
		vpn = kx_tables_next(&s->tables, vpn, s->tables.end);
		if (vpn >= s->tables.end)
			break;
		vpn &= ~(KX_GIB_PAGES - 1);
		abit_scan_window(s, vpn);
		kx_charge(&a->account.scan_ns, mark);
		abit_add_window(a, p, &s->window);
		kx_charge(&a->account.classify_ns, mark);
		vpn += KX_GIB_PAGES;
	}
	mmput_async(p->mm);
}

static void abit_scan(struct kx_agent *a, struct abit *s)
{
	struct kvm_ext_channel_account *account = &a->account;
	u64 mark = ktime_get_ns(), before = account->scan_ns;
	u32 i;

	s->walk.sums = (struct kx_walk_sums){};
	for (i = 0; i < a->watch.nr; i++)
		abit_scan_process(a, s, a->watch.process[i], &mark);
	kx_charge(&account->scan_ns, &mark);
	account->pages_scanned += s->walk.sums.leaves;
	account->scans++;
	account->max_scan_ns = max(account->max_scan_ns, account->scan_ns - before);
	if (!(a->command.flags & KVM_EXT_COMMAND_FLUSH))
		return;
	kx_flush_user();
	account->flushes++;
	kx_charge(&account->flush_ns, &mark);
}

static ktime_t abit_collect(struct kx_agent *a)
{
	struct abit *s = a->state;
	ktime_t now = ktime_get();

	if (ktime_before(now, s->next))
		return s->next;
	abit_scan(a, s);
	s->next = ktime_add_ns(s->next, a->command.interval_ns);
	now = ktime_get();
	/* Scans that were missed are left out. */
	if (ktime_before(s->next, now))
		s->next = ktime_add_ns(now, a->command.interval_ns);
	return s->next;
}

static int abit_epoch(struct kx_agent *a)
{
	a->account.period = a->command.interval_ns;
	return 0;
}

/* --- the sampler ----------------------------------------------------------------------------- */

static int abit_start(struct kx_agent *a)
{
	struct abit *s;

	if (!a->command.interval_ns)
		a->command.interval_ns = a->command.epoch_ns;
	if (a->command.flags & KVM_EXT_COMMAND_FLUSH && !kx_flush_possible())
		return -EOPNOTSUPP;
	s = kvzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->walk.maps = KX_ENTRY_PRESENT;
	s->walk.accessed = _PAGE_ACCESSED;
	/* No entry has all of these bits, so the walk writes no entry by a plain store. */
	s->walk.dirty = PTE_PFN_MASK;
	s->walk.address = PTE_PFN_MASK;
	s->walk.table = abit_table;
	s->walk.stop = abit_stop_walk;
	s->walk.window = &s->window;
	s->next = ktime_get();
	a->state = s;
	a->memory_bytes += sizeof(*s);
	strscpy(a->status.event, "abit", sizeof(a->status.event));
	return 0;
}

static void abit_stop(struct kx_agent *a)
{
	kvfree(a->state);
	a->memory_bytes -= sizeof(struct abit);
}

const struct kx_sampler kx_sampler_abit = {
	.id = KVM_EXT_SAMPLER_ABIT,
	.start = abit_start,
	.stop = abit_stop,
	.collect = abit_collect,
	.epoch = abit_epoch,
};
