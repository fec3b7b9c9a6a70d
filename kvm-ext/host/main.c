// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-ext: page-access tracking of running VMs, and what it costs.
 *
 * The module links to no function of KVM, whose exports are for its own vendor
 * modules since 6.18: it uses inline functions of public headers, fields of
 * struct kvm, and the MMU notifier operations that KVM registers.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "session.h"

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-ext",
	.mode = 0600,
	.fops = &kx_session_fops,
};

module_misc_device(device);

MODULE_DESCRIPTION("Page-access tracking of running KVM virtual machines");
MODULE_AUTHOR("The kvm-ext authors");
MODULE_LICENSE("GPL");
