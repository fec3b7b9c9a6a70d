// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>

int probe(struct kvm *kvm)
{
	return kvm_arch_nr_memslot_as_ids(kvm);
}
