/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether KVM can give a guest the records that guest-pebs samples. KVM itself is asked what it offers to guests, because it
 * masks some bits of IA32_PERF_CAPABILITIES, depending on its version. The CPU's own value is read if the msr driver allows it.
 */
#ifndef KX_DOCTOR_PEBS_H
#define KX_DOCTOR_PEBS_H

#include "doctor.h"

/* Reads both values, from /dev/kvm and /dev/cpu/0/msr. */
void kx_pebs_probe(KxPebsFacts *facts);
/* @flags: from /proc/cpuinfo, NULL: unknown. @enable_pmu: kvm's parameter, NULL: unknown. The caller frees *@found. */
KxCheckStatus kx_pebs_judge(const KxPebsFacts *facts, gboolean intel, const char *flags,
			    const char *enable_pmu, char **found, const char **remedy);

#endif /* KX_DOCTOR_PEBS_H */
