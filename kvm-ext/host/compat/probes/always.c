// SPDX-License-Identifier: GPL-2.0-only
/* Compiles on every kernel whose headers are complete. */
#include <linux/kvm_host.h>

unsigned long probe(struct kvm *kvm)
{
	return kvm->userspace_pid;
}
