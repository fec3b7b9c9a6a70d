/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether KVM can give a guest the records that guest-pebs samples. What KVM offers is asked of KVM itself: of the bits of
 * IA32_PERF_CAPABILITIES it masks some, by version; what the CPU has is read where the msr driver lets us.
 */
#ifndef KX_DOCTOR_PEBS_H
#define KX_DOCTOR_PEBS_H

#include "doctor.h"

/* Asks /dev/kvm and /dev/cpu/0/msr. */
void kx_pebs_probe(KxPebsFacts *facts);
/* @flags: of /proc/cpuinfo, NULL: unknown. @enable_pmu: kvm's parameter, NULL: not known. *@found is the caller's. */
KxCheckStatus kx_pebs_judge(const KxPebsFacts *facts, gboolean intel, const char *flags,
			    const char *enable_pmu, char **found, const char **remedy);

#endif /* KX_DOCTOR_PEBS_H */
