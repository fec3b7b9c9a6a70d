// SPDX-License-Identifier: GPL-2.0-only
/* How KVM logs the writes of a VM. */
#include <kvm-ext/uapi.h>

#include "log-mode.h"

u32 kx_log_mechanism(struct kvm *kvm)
{
	return kx_cpu_logs_writes(kvm);
}

u32 kx_log_mode(struct kvm *kvm)
{
	u64 manual = READ_ONCE(kvm->manual_dirty_log_protect);

	if (READ_ONCE(kvm->dirty_ring_size))
		return KVM_EXT_LOG_MODE_RING;
	if (manual & KVM_DIRTY_LOG_INITIALLY_SET)
		return KVM_EXT_LOG_MODE_ALL_SET;
	return manual ? KVM_EXT_LOG_MODE_MANUAL : KVM_EXT_LOG_MODE_PLAIN;
}

int kx_log_check(struct kvm *kvm)
{
	return kx_log_mode(kvm) == KVM_EXT_LOG_MODE_RING ? -EOPNOTSUPP : 0;
}
