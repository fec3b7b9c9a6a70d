// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-ext, the guest's part: measures for the daemon on the host, inside of the VM, which memory
 * the VM's processes use, and what this measurement costs. Commands and reports go through the
 * memory of an ivshmem-plain device (kvm-ext/channel.h).
 */
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <kvm-ext/channel.h>
#include <kvm-ext/version.h>

#include "agent.h"
#include "declared.h"
#include "work.h"

struct claim {
	void *memory;
	struct kx_agent *agent;
};

/*
 * Other programs, too, use such devices. Only the memory of a channel has the identification, and
 * only such memory is written. It is ordinary memory; no register of the device is used.
 */
static int channel_claim(struct pci_dev *pdev, struct claim *c)
{
	const int bar = KVM_EXT_CHANNEL_PCI_BAR;

	if (pci_resource_len(pdev, bar) < KVM_EXT_CHANNEL_SIZE)
		return -ENODEV;
	c->memory = memremap(pci_resource_start(pdev, bar), KVM_EXT_CHANNEL_SIZE, MEMREMAP_WB);
	if (!c->memory)
		return -ENOMEM;
	if (!kx_link_identified(c->memory)) {
		memunmap(c->memory);
		return -ENODEV;
	}
	return 0;
}

static int channel_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct claim *c = devm_kzalloc(&pdev->dev, sizeof(*c), GFP_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	err = channel_claim(pdev, c);
	if (err)
		goto disable;
	err = pci_request_region(pdev, KVM_EXT_CHANNEL_PCI_BAR, "kvm-ext");
	if (err)
		goto unmap;
	c->agent = kx_agent_start(c->memory);
	if (IS_ERR(c->agent)) {
		err = PTR_ERR(c->agent);
		goto release;
	}
	pci_set_drvdata(pdev, c);
	pci_info(pdev, "kvm-ext: the channel to the host is open\n");
	return 0;
release:
	pci_release_region(pdev, KVM_EXT_CHANNEL_PCI_BAR);
unmap:
	memunmap(c->memory);
disable:
	pci_disable_device(pdev);
	return err;
}

static void channel_remove(struct pci_dev *pdev)
{
	struct claim *c = pci_get_drvdata(pdev);

	kx_agent_end(c->agent);
	memunmap(c->memory);
	pci_release_region(pdev, KVM_EXT_CHANNEL_PCI_BAR);
	pci_disable_device(pdev);
}

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(KVM_EXT_CHANNEL_PCI_VENDOR, KVM_EXT_CHANNEL_PCI_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = "kvm-ext-guest",
	.id_table = ids,
	.probe = channel_probe,
	.remove = channel_remove,
};

static int __init kvm_ext_guest_init(void)
{
	int err;

	err = kx_declare_init();
	if (err)
		return err;
	err = kx_work_init();
	if (err)
		goto undeclare;
	err = pci_register_driver(&driver);
	if (err)
		goto end_work;
	return 0;
end_work:
	kx_work_exit();
undeclare:
	kx_declare_exit();
	return err;
}

static void __exit kvm_ext_guest_exit(void)
{
	pci_unregister_driver(&driver);
	kx_work_exit();
	kx_declare_exit();
}

module_init(kvm_ext_guest_init);
module_exit(kvm_ext_guest_exit);

MODULE_DESCRIPTION("Page-access sampling inside of a virtual machine, for kvm-ext on its host");
MODULE_AUTHOR("The kvm-ext authors");
MODULE_VERSION(KVM_EXT_VERSION);
MODULE_LICENSE("GPL");
