// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before Ice Lake a CPU that writes a PEBS record does not survive an EPT violation:
 * the memory of perf's buffers has to stay mapped by the host. Perf does not tell where
 * it is, but the CPU does: MSR_IA32_DS_AREA points to the DS management area, and that
 * to the buffer (Intel SDM volume 3, "DS save area"). The MSR is zero while nobody
 * samples: perf makes and frees the buffers with the first and last such event.
 */
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/msr.h>

#include "declared.h"
#include "event.h"
#include "link.h"

/* The management area's beginning, in its 64-bit format. */
struct ds_area {
	u64 bts_base, bts_index, bts_maximum, bts_threshold;
	u64 pebs_base, pebs_index, pebs_maximum, pebs_threshold;
};

struct spans {
	struct kvm_ext_channel_span span[KVM_EXT_CHANNEL_DECLARED_MAX];
	u32 nr;
};

static void declare_page(struct spans *s, u64 gfn)
{
	struct kvm_ext_channel_span *last = s->nr ? &s->span[s->nr - 1] : NULL;

	if (last && last->gfn + last->npages == gfn)
		last->npages++;
	else if (s->nr < ARRAY_SIZE(s->span))
		s->span[s->nr++] = (struct kvm_ext_channel_span){ .gfn = gfn, .npages = 1 };
}

/* Kernel memory, mapped by single pages: the CPU entry area. */
static void declare_memory(struct spans *s, u64 start, u64 end)
{
	unsigned int level;
	pte_t *pte;
	u64 at;

	for (at = start & PAGE_MASK; at < end; at += PAGE_SIZE) {
		pte = lookup_address(at, &level);
		if (pte && level == PG_LEVEL_4K && pte_present(*pte))
			declare_page(s, pte_pfn(*pte));
	}
}

static void read_ds(void *info)
{
	if (kx_rdmsr_safe(MSR_IA32_DS_AREA, info))
		*(u64 *)info = 0;
}

static void declare_cpu(struct spans *s, int cpu)
{
	const struct ds_area *ds;
	u64 address = 0;

	if (smp_call_function_single(cpu, read_ds, &address, true) || !address)
		return;
	ds = (const struct ds_area *)(unsigned long)address;
	declare_memory(s, address, address + PAGE_SIZE);
	if (ds->pebs_base < ds->pebs_maximum && ds->pebs_maximum - ds->pebs_base <= SZ_1M)
		declare_memory(s, ds->pebs_base, ds->pebs_maximum);
}

void kx_declare(struct kx_link *link)
{
	struct spans *s = NULL;
	int cpu;

	if (kx_event_buffers_must_stay())
		s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s) {
		kx_link_put_declared(link, NULL, 0);
		return;
	}
	/* Without this, a CPU on its way down could free its area while it is read. */
	cpus_read_lock();
	for_each_online_cpu(cpu)
		declare_cpu(s, cpu);
	cpus_read_unlock();
	kx_link_put_declared(link, s->span, s->nr);
	kfree(s);
}
