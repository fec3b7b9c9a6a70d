// SPDX-License-Identifier: GPL-2.0-or-later
#include "plug-xml.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <string.h>

#include <kvm-ext/channel.h>

#include "base/error.h"

#define BUSES_MAX 256u

/* Root ports support hot-plugging unless the XML says otherwise; the root bus itself does not. */
#define PORTS                                                                     \
	"/domain/devices/controller[@type='pci' and (@model='pcie-root-port' or " \
	"@model='pcie-switch-downstream-port') and not(target/@hotplug='off')]/@index"
/* A device's own address is a direct child; deeper addresses are addresses on the host. */
#define USED_BUSES "/domain/devices/*/address[@type='pci']/@bus"
#define BRIDGES                                                                    \
	"/domain/devices/controller[@type='pci' and (@model='pcie-to-pci-bridge' " \
	"or @model='pci-bridge')]"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)

static xmlXPathObject *find(xmlXPathContext *in, const char *what)
{
	return xmlXPathEvalExpression((const xmlChar *)what, in);
}

static gboolean has(xmlXPathContext *in, const char *what)
{
	g_autoptr(xmlXPathObject) found = find(in, what);

	return found && !xmlXPathNodeSetIsEmpty(found->nodesetval);
}

/* Text of the first match; NULL: there is none. */
static char *text_of(xmlXPathContext *in, const char *what)
{
	g_autoptr(xmlXPathObject) found = find(in, what);
	xmlChar *text;
	char *copy;

	if (!found || xmlXPathNodeSetIsEmpty(found->nodesetval))
		return NULL;
	text = xmlNodeGetContent(found->nodesetval->nodeTab[0]);
	copy = text && *text ? g_strdup((const char *)text) : NULL;
	xmlFree(text);
	return copy;
}

/* Bus numbers, which libvirt writes as 1 in some places and as 0x01 in others. */
static void mark_buses(xmlXPathContext *in, const char *what, gboolean *marked)
{
	g_autoptr(xmlXPathObject) found = find(in, what);

	for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++) {
		xmlChar *text = xmlNodeGetContent(found->nodesetval->nodeTab[i]);
		const char *number = (const char *)text;
		gboolean hex = g_str_has_prefix(number, "0x");
		guint64 bus;

		if (g_ascii_string_to_unsigned(number + (hex ? 2 : 0), hex ? 16 : 10, 0,
					       BUSES_MAX - 1, &bus, NULL))
			marked[bus] = TRUE;
		xmlFree(text);
	}
}

static int free_port(xmlXPathContext *in)
{
	gboolean port[BUSES_MAX] = { FALSE }, used[BUSES_MAX] = { FALSE };

	mark_buses(in, PORTS, port);
	mark_buses(in, USED_BUSES, used);
	for (guint i = 1; i < BUSES_MAX; i++) {
		if (port[i] && !used[i])
			return (int)i;
	}
	return -1;
}

static gboolean is_plugged(xmlXPathContext *in, const char *uuid)
{
	g_autofree char *name = kx_plug_name(uuid);

	xmlXPathRegisterVariable(in, (const xmlChar *)"name", xmlXPathNewCString(name));
	return has(in, "/domain/devices/shmem[@name=$name]");
}

static void parser_ready(void)
{
	static gsize once;

	if (g_once_init_enter(&once)) {
		xmlInitParser();
		g_once_init_leave(&once, 1);
	}
}

gboolean kx_plug_read_xml(const char *xml, const char *uuid, KxPlugXml *out, GError **error)
{
	g_autoptr(xmlDoc) doc = NULL;
	g_autoptr(xmlXPathContext) in = NULL;

	*out = (KxPlugXml){ .port = -1 };
	parser_ready();
	doc = xmlReadMemory(xml, (int)strlen(xml), "domain", NULL,
			    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	in = doc ? xmlXPathNewContext(doc) : NULL;
	if (!in) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "libvirt's description of the domain is no XML");
		return FALSE;
	}
	out->plugged = is_plugged(in, uuid);
	out->pci = has(in, "/domain/devices/controller[@type='pci']");
	out->pcie = has(in, "/domain/devices/controller[@type='pci' and @model='pcie-root']");
	out->bridge = has(in, BRIDGES);
	out->port = free_port(in);
	out->selinux = text_of(in, "/domain/seclabel[@model='selinux']/imagelabel");
	out->apparmor = text_of(in, "/domain/seclabel[@model='apparmor']/label");
	return TRUE;
}

void kx_plug_xml_clear(KxPlugXml *x)
{
	g_clear_pointer(&x->selinux, g_free);
	g_clear_pointer(&x->apparmor, g_free);
}

char *kx_plug_name(const char *uuid)
{
	return g_strconcat(KX_PLUG_NAME_PREFIX, uuid, NULL);
}

char *kx_plug_device_xml(const char *name, const KxPlugXml *x)
{
	g_autofree char *place = NULL;

	/* libvirt treats an ivshmem as conventional PCI, but in QEMU it works behind a root port as well. */
	if (x && x->pcie && x->port >= 0)
		place = g_strdup_printf("<address type='pci' domain='0x0000' bus='0x%02x' "
					"slot='0x00' function='0x0'/>",
					(guint)x->port);
	return g_strdup_printf("<shmem name='%s' role='master'><model type='ivshmem-plain'/>"
			       "<size unit='M'>%u</size>%s</shmem>",
			       name, KVM_EXT_CHANNEL_SIZE >> 20, place ? place : "");
}

const char *kx_plug_why_no_place(const KxPlugXml *x)
{
	if (!x->pci)
		return "this machine type has no PCI, so nothing can be plugged in";
	if (x->pcie && x->port < 0 && !x->bridge)
		return "this machine (PCI Express, q35) has no free root port: with virsh edit, "
		       "add <controller type='pci' model='pcie-root-port'/> to its <devices>; the "
		       "port exists after the domain was shut off and started again";
	return NULL;
}
