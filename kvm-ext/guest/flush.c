// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLB flush after a scan of accessed bits.
 *
 * The kernel's own functions cannot be used on all kernels: flush_tlb_mm_range() is not exported,
 * and __flush_tlb_all() is exported only to KVM's modules since 6.18. So this module executes the
 * CPU's instructions on each CPU.
 *
 * Why all CPUs and all PCIDs: a CPU may hold translations of a process under one of several PCIDs
 * while the CPU runs another process, or idles with a borrowed mm. The kernel leaves these
 * translations in the TLB, and decides by a generation number (mm->context.tlb_gen) whether to
 * flush them when the process runs there again. This module does not change that number, so a CPU
 * that is left out now would not flush later, and mm_cpumask() leaves out just these CPUs. INVPCID
 * of type 3 (Intel SDM volume 2, AMD APM volume 3) removes all translations except global ones,
 * under all PCIDs, and the cached entries of upper levels. Translations of user memory are never
 * global. Without PCIDs, writing CR3 has the same effect. A CPU that comes online starts with an
 * empty TLB.
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
