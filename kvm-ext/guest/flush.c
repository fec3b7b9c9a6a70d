// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLB flush after a scan of accessed bits.
 *
 * The kernel's own flushes cannot be used on all kernels: flush_tlb_mm_range() is not exported, and
 * __flush_tlb_all() is exported only to KVM's modules since 6.18. So every CPU flushes with the
 * CPU's instructions.
 *
 * Why this suffices: a CPU can hold translations of a process under any of several PCIDs, also
 * while it runs another process, or idles with a borrowed mm. The kernel leaves these translations
 * in place, and flushes them, decided by a generation number (mm->context.tlb_gen), when the
 * process comes back. This module does not change that number, so a CPU that is left out would
 * never flush; and mm_cpumask() leaves out exactly such CPUs. Therefore every online CPU flushes
 * every PCID: INVPCID of type 3 (Intel SDM volume 2, AMD APM volume 3) removes all translations
 * except global ones, under all PCIDs, and cached entries of upper levels. Translations of user
 * memory are never global. Without PCIDs, writing CR3 has the same effect. A CPU that comes online
 * starts with an empty TLB.
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
