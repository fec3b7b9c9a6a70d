// SPDX-License-Identifier: GPL-2.0-only
/*
 * Declares perf's PEBS buffers to the host. On a CPU before Ice Lake, no EPT violation may occur
 * while PEBS writes a record, so the host has to keep the buffers mapped. Perf does not tell where
 * the buffers are, but the CPU does: MSR_IA32_DS_AREA points to the DS management area, which
 * points to the buffer (Intel SDM volume 3, "DS save area"). The MSR is zero while nobody samples:
 * perf allocates the buffers with the first event that needs them, and frees them with the last.
 */
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/msr.h>

#include "declared.h"
#include "event.h"
#include "link.h"

/* The beginning of the management area, in its 64-bit format. */
struct ds_area {
	u64 bts_base, bts_index, bts_maximum, bts_threshold;
	u64 pebs_base, pebs_index, pebs_maximum, pebs_threshold;
};

struct spans {
	struct kvm_ext_channel_span span[KVM_EXT_CHANNEL_DECLARED_MAX];
	u32 nr;
	bool full;
};

static void declare_page(struct spans *s, u64 gfn)
{
	struct kvm_ext_channel_span *last = s->nr ? &s->span[s->nr - 1] : NULL;

	if (last && last->gfn + last->npages == gfn)
		last->npages++;
	else if (s->nr < ARRAY_SIZE(s->span))
		s->span[s->nr++] = (struct kvm_ext_channel_span){ .gfn = gfn, .npages = 1 };
	else
		s->full = true;
}

/* --- for tests ------------------------------------------------------------------- */

/*
 * No emulator has the PEBS of a CPU before Ice Lake. So that the way of declared memory to the
 * host's trackers can be tested, a test can declare pages that have no other use. They are written
 * to each time when memory is declared.
 */
#define TEST_PAGES_MAX	64u

static unsigned int test_declare;
module_param(test_declare, uint, 0444);
MODULE_PARM_DESC(test_declare,
		 "for tests only: declare this number of pages without use, and write to them");

static unsigned long test_page[TEST_PAGES_MAX];

static u64 declare_frame_of(unsigned long page)
{
	return page_to_pfn(virt_to_page((void *)page));
}

static int declare_get_test(char *buffer, const struct kernel_param *param)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < ARRAY_SIZE(test_page) && test_page[i]; i++)
		n += sysfs_emit_at(buffer, n, "%llx\n", declare_frame_of(test_page[i]));
	return n;
}

static const struct kernel_param_ops test_declared_ops = { .get = declare_get_test };
module_param_cb(test_declared, &test_declared_ops, NULL, 0444);
MODULE_PARM_DESC(test_declared, "for tests only: frame numbers of these pages, hexadecimal");

int kx_declare_init(void)
{
	unsigned int i;

	if (!test_declare)
		return 0;
	pr_warn("kvm-ext: test_declare: declares pages to which no CPU writes records\n");
	for (i = 0; i < min(test_declare, TEST_PAGES_MAX); i++) {
		test_page[i] = get_zeroed_page(GFP_KERNEL);
		if (!test_page[i]) {
			kx_declare_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void kx_declare_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(test_page) && test_page[i]; i++)
		free_page(test_page[i]);
}

static void declare_test_pages(struct spans *s)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(test_page) && test_page[i]; i++) {
		WRITE_ONCE(*(u64 *)test_page[i], READ_ONCE(*(u64 *)test_page[i]) + 1);
		declare_page(s, declare_frame_of(test_page[i]));
	}
}

/* --- perf's buffers ---------------------------------------------------------------- */

/* Declares memory of the CPU entry area, which the kernel maps by pages of 4 KiB. */
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

static void declare_read_ds(void *info)
{
	if (kx_rdmsr_safe(MSR_IA32_DS_AREA, info))
		*(u64 *)info = 0;
}

static void declare_cpu(struct spans *s, int cpu)
{
	const struct ds_area *ds;
	u64 address = 0;

	if (smp_call_function_single(cpu, declare_read_ds, &address, true) || !address)
		return;
	ds = (const struct ds_area *)(unsigned long)address;
	declare_memory(s, address, address + PAGE_SIZE);
	if (ds->pebs_base < ds->pebs_maximum && ds->pebs_maximum - ds->pebs_base <= SZ_1M)
		declare_memory(s, ds->pebs_base, ds->pebs_maximum);
}

static void declare_buffers(struct spans *s)
{
	int cpu;

	/* Without this lock, a CPU could go offline, and its area be freed, while it is read. */
	cpus_read_lock();
	for_each_online_cpu(cpu)
		declare_cpu(s, cpu);
	cpus_read_unlock();
}

int kx_declare(struct kx_link *link)
{
	bool buffers = kx_event_buffers_must_stay();
	struct spans *s;
	int err;

	if (!buffers && !test_page[0]) {
		kx_link_put_declared(link, NULL, 0);
		return 0;
	}
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	if (buffers)
		declare_buffers(s);
	declare_test_pages(s);
	kx_link_put_declared(link, s->span, s->nr);
	err = s->full ? -ENOSPC : 0;
	kfree(s);
	return err;
}
