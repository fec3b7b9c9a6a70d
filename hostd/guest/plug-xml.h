/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libvirt's description of a running domain says of a place for the channel's device, and of who confines QEMU. */
#ifndef KX_PLUG_XML_H
#define KX_PLUG_XML_H

#include <glib.h>

/* Name of the device's memory, which is the name of its file. */
#define KX_PLUG_NAME_PREFIX "kvm-ext-"

typedef struct {
	gboolean plugged; /* ours is in it */
	gboolean pci;	  /* it has PCI at all */
	gboolean
		pcie; /* its root is PCI Express, where libvirt finds no place for the device by itself: */
	int port; /* number of a bus there that is free, and takes a device while the VM runs; -1: none */
	gboolean bridge; /* has conventional slots behind a bridge, where libvirt does find one */
	char *selinux;	 /* label of the domain's files; NULL: SELinux does not confine it */
	char *apparmor;	 /* profile that confines it; NULL: none */
} KxPlugXml;

/**
 * kx_plug_read_xml - read the description of a running domain
 * @xml: as virDomainGetXMLDesc() gives it
 * @uuid: of the domain, after which its channel is named
 * @out: to be cleared with kx_plug_xml_clear(), also after an error
 *
 * Returns FALSE, with @error set (KX_ERROR_FAILED), if @xml is none.
 */
gboolean kx_plug_read_xml(const char *xml, const char *uuid, KxPlugXml *out, GError **error);
void kx_plug_xml_clear(KxPlugXml *x);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxPlugXml, kx_plug_xml_clear)

/* Name of the channel's memory of the domain @uuid. */
char *kx_plug_name(const char *uuid);

/* The device, as libvirt is to plug it into such a domain; @x NULL: without a place, as it is to be unplugged. */
char *kx_plug_device_xml(const char *name, const KxPlugXml *x);

/* Why such a domain has no place for the device, and what gives it one; NULL: libvirt will find one. */
const char *kx_plug_why_no_place(const KxPlugXml *x);

#endif /* KX_PLUG_XML_H */
