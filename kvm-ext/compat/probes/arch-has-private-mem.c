// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>

bool probe(struct kvm *kvm)
{
	return kvm_arch_has_private_mem(kvm);
}
