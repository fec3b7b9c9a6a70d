// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>

int probe(struct kvm *kvm)
{
	return kvm->arch.cpu_dirty_log_size;
}
