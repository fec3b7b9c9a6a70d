# SPDX-License-Identifier: GPL-2.0-or-later
# The devices of the emulator that build makes: the boards pc and q35, with what libvirt gives a domain by default and what the
# lab's domains have. All others are left out, for building them takes long.

CONFIG_PCI_DEVICES=n
CONFIG_TEST_DEVICES=n
CONFIG_AMD_IOMMU=n
CONFIG_APPLESMC=n
CONFIG_HYPERV=n
CONFIG_ISA_IPMI_BT=n
CONFIG_ISA_IPMI_KCS=n
CONFIG_QXL=n
CONFIG_SEV=n
CONFIG_SGX=n
CONFIG_VTD=n

CONFIG_I440FX=y
CONFIG_Q35=y
CONFIG_E1000_PCI=y
CONFIG_IVSHMEM_DEVICE=y
CONFIG_PCIE_PORT=y
CONFIG_USB_EHCI_PCI=y
CONFIG_USB_UHCI=y
CONFIG_VIRTIO_PCI=y
