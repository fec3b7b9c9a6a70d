// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLB flush behind a scan of accessed bits.
 *
 * A module reaches none of the kernel's own flushes on all kernels: flush_tlb_mm_range()
 * is not exported at all, __flush_tlb_all() is for KVM's modules only since 6.18. So it
 * is done with the CPU's instructions, on every CPU.
 *
 * Why that is enough. A CPU can hold translations of a process under any of several
 * PCIDs, also one that runs something else now, or idles with the mm borrowed: the
 * kernel leaves them, and catches up by a generation number (mm->context.tlb_gen) when
 * the process comes back. We do not move that number, so a CPU that was left out would
 * never catch up; and mm_cpumask() leaves out just these. Therefore every online CPU,
 * and every PCID: INVPCID of type 3 (Intel SDM volume 2, AMD APM volume 3) drops all
 * translations but global ones, under all PCIDs, and what is cached of upper levels. A
 * user's translations are never global. Without PCIDs, writing CR3 does the same. A CPU
 * that comes online starts with an empty TLB.
 */
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/invpcid.h>
#include <asm/special_insns.h>

#include "flush.h"

bool kx_flush_possible(void)
{
	return boot_cpu_has(X86_FEATURE_INVPCID) || !(native_read_cr4() & X86_CR4_PCIDE);
}

static void flush_this_cpu(void *info)
{
	if (boot_cpu_has(X86_FEATURE_INVPCID))
		invpcid_flush_all_nonglobals();
	else
		native_write_cr3(__native_read_cr3());
}

void kx_flush_user(void)
{
	on_each_cpu(flush_this_cpu, NULL, 1);
}
