// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-ext: page-access tracking of running VMs, and the cost of it.
 *
 * The module is linked with no function of KVM, because KVM exports its functions only to its own
 * modules since 6.18. It uses inline functions of public headers, members of struct kvm, the MMU
 * notifier operations that KVM registers, KVM's tracepoints, and the ioctls of the VM's file.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <kvm-ext/version.h>

#include "events.h"
#include "interpose.h"
#include "session.h"

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-ext",
	.mode = 0600,
	.fops = &kx_session_fops,
};

static int __init kvm_ext_init(void)
{
	int err;

	err = kx_events_init();
	if (err)
		return err;
	err = kx_session_init();
	if (err)
		goto events_exit;
	err = misc_register(&device);
	if (err)
		goto session_exit;
	return 0;

session_exit:
	kx_session_exit();
events_exit:
	kx_events_exit();
	return err;
}

/* No session is open, because an open session keeps the module loaded. */
static void __exit kvm_ext_exit(void)
{
	misc_deregister(&device);
	kx_session_exit();
	kx_events_exit();
	kx_interpose_exit();
}

module_init(kvm_ext_init);
module_exit(kvm_ext_exit);

MODULE_DESCRIPTION("Page-access tracking of running KVM virtual machines");
MODULE_AUTHOR("The kvm-ext authors");
MODULE_VERSION(KVM_EXT_VERSION);
MODULE_LICENSE("GPL");
