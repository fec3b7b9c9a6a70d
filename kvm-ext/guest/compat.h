/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences between the kernels for which the guest's module can be built. As with the host's
 * module (../host/compat/compat.h), test compilations show what a kernel has.
 */
#ifndef KVM_EXT_GUEST_COMPAT_H
#define KVM_EXT_GUEST_COMPAT_H

#include <linux/types.h>
#include <asm/msr.h>

#include <probed.h>

/* 6.16 moved cpuid_eax() to its own header. */
#ifdef HAVE_CPUID_API
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

/* 6.16 renamed the accessors of model-specific registers. */
static inline int kx_rdmsr_safe(u32 msr, u64 *value)
{
#ifdef HAVE_RDMSRQ
	return rdmsrq_safe(msr, value);
#else
	return rdmsrl_safe(msr, value);
#endif
}

#endif /* KVM_EXT_GUEST_COMPAT_H */
