/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From libvirt's description of a running domain: a PCI address for the channel's device, and QEMU's security labels. */
#ifndef KX_PLUG_XML_H
#define KX_PLUG_XML_H

#include <glib.h>

/* Name of the device's memory, which is the name of its file. */
#define KX_PLUG_NAME_PREFIX "kvm-ext-"

typedef struct {
	gboolean plugged; /* our device is in it */
	gboolean pci;	  /* the domain has PCI */
	gboolean
		pcie; /* the root is PCI Express, where libvirt finds no slot for the device by itself */
	int port;	 /* number of a free PCI Express bus with hot-plugging; -1: none */
	gboolean bridge; /* has conventional slots behind a bridge, where libvirt finds one */
	char *selinux;	 /* label of the domain's files; NULL: SELinux does not confine it */
	char *apparmor;	 /* profile that confines it; NULL: none */
} KxPlugXml;

/**
 * kx_plug_read_xml - read the description of a running domain
 * @xml: the result of virDomainGetXMLDesc()
 * @uuid: of the domain; the channel is named after it
 * @out: the caller clears it with kx_plug_xml_clear(), also after an error
 *
 * Returns FALSE, with @error set (KX_ERROR_FAILED), if @xml is no such description.
 */
gboolean kx_plug_read_xml(const char *xml, const char *uuid, KxPlugXml *out, GError **error);
void kx_plug_xml_clear(KxPlugXml *x);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxPlugXml, kx_plug_xml_clear)

/* Name of the memory of the domain's channel. */
char *kx_plug_name(const char *uuid);

/* The device's XML for plugging it into such a domain; @x NULL: without an address, for unplugging. */
char *kx_plug_device_xml(const char *name, const KxPlugXml *x);

/* Why such a domain has no slot for the device, and how to add one; NULL: there is a slot. */
const char *kx_plug_why_no_place(const KxPlugXml *x);

#endif /* KX_PLUG_XML_H */
