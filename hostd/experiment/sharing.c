// SPDX-License-Identifier: GPL-2.0-or-later
#include "sharing.h"

#include <libxml/xpath.h>
#include <string.h>

#include "plan-internal.h"
#include "sharing-arguments.h"
#include "xml.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)

/*
 * The attributes of <source> that name what is behind it. Which of them counts depends on the type, so all that there are must be the
 * clone's own. A volume is its own as well if its pool is.
 */
static gboolean has_own_source(xmlNode *source)
{
	static const char *const naming[] = { "file",	"dev",	"dir",	 "name",
					      "volume", "path", "socket" };
	g_autofree char *pool = source ? kx_xml_get(source, "pool") : NULL;
	gboolean own = FALSE;

	for (guint i = 0; source && i < G_N_ELEMENTS(naming); i++) {
		g_autofree char *value = kx_xml_get(source, naming[i]);

		if (!value)
			continue;
		own = kx_sharing_is_own(value) ||
		      (g_str_equal(naming[i], "volume") && pool && kx_sharing_is_own(pool));
		if (!own)
			return FALSE;
	}
	return own;
}

/* What @where (XPath, from the domain on) finds. */
static xmlXPathObject *find(xmlNode *root, const char *where)
{
	g_autoptr(xmlXPathContext) in = xmlXPathNewContext(root->doc);

	return in ? xmlXPathNodeEval(root, (const xmlChar *)where, in) : NULL;
}

static guint found(const xmlXPathObject *o)
{
	return o && o->nodesetval ? (guint)o->nodesetval->nodeNr : 0;
}

/* --- what is written -------------------------------------------------------------------------------------------------- */

/* Whether the clone may have this disk: nothing that one clone writes may be seen by another one. */
static gboolean check_disk(xmlNode *disk, GError **error)
{
	g_autofree char *device = kx_xml_get(disk, "device");
	xmlNode *source = kx_xml_child(disk, "source"), *target = kx_xml_child(disk, "target");
	g_autofree char *called = target ? kx_xml_get(target, "dev") : NULL;

	if (kx_xml_child(disk, "readonly") || kx_xml_child(disk, "transient") ||
	    g_strcmp0(device, "cdrom") == 0 || !source || has_own_source(source))
		return TRUE;
	return kx_plan_bad_template(
		error,
		"its disk %s would be written by every clone; make it <transient/>, "
		"<readonly/>, or a file of each clone's own ({name})",
		called ? called : "without a target");
}

/*
 * Whether the clone may have this directory of the host: the next clone would find what this one writes there. A filesystem of type
 * 'ram' is new memory for each VM.
 */
static gboolean check_filesystem(xmlNode *filesystem, GError **error)
{
	g_autofree char *type = kx_xml_get(filesystem, "type");
	xmlNode *target = kx_xml_child(filesystem, "target");
	g_autofree char *called = target ? kx_xml_get(target, "dir") : NULL;

	if (kx_xml_child(filesystem, "readonly") || g_strcmp0(type, "ram") == 0 ||
	    has_own_source(kx_xml_child(filesystem, "source")))
		return TRUE;
	return kx_plan_bad_template(
		error,
		"its <filesystem> %s would be written by every clone; make it <readonly/>, or a "
		"directory of each clone's own ({name})",
		called ? called : "without a target");
}

char *kx_sharing_nvram(xmlNode *root)
{
	xmlNode *os = kx_xml_child(root, "os");
	xmlNode *nvram = os ? kx_xml_child(os, "nvram") : NULL;
	xmlNode *source = nvram ? kx_xml_child(nvram, "source") : NULL;

	if (!source)
		return kx_xml_content(nvram);
	/* A file, a block device, a name in the network. */
	for (xmlAttr *a = source->properties; a; a = a->next) {
		char *value = kx_xml_get(source, (const char *)a->name);

		if (value && strpbrk(value, "/{"))
			return value;
		g_free(value);
	}
	return g_strdup("?");
}

static gboolean check_nvram(xmlNode *root, GError **error)
{
	g_autofree char *nvram = kx_sharing_nvram(root);

	return !nvram || !*nvram || kx_sharing_is_own(nvram) ||
	       kx_plan_bad_template(
		       error, "its <nvram> would be written by every clone; leave its file out, "
			      "or make it a file of each clone's own ({name})");
}

/* A flash chip that is not read-only is written in place. Its file's name can be missing: then libvirt chooses a read-only one. */
static gboolean check_loader(xmlNode *loader, GError **error)
{
	g_autofree char *readonly = kx_xml_get(loader, "readonly");
	g_autofree char *file = kx_xml_content(loader);

	return !file || !*file || kx_sharing_is_own(file) || g_strcmp0(readonly, "yes") == 0 ||
	       kx_plan_bad_template(error,
				    "its <loader> would be written by every clone; make it "
				    "readonly='yes', or a file of each clone's own ({name})");
}

static gboolean check_each(xmlNode *root, const char *where,
			   gboolean (*check)(xmlNode *node, GError **error), GError **error)
{
	g_autoptr(xmlXPathObject) o = find(root, where);

	for (guint i = 0; i < found(o); i++) {
		if (!check(o->nodesetval->nodeTab[i], error))
			return FALSE;
	}
	return TRUE;
}

/* --- names that one VM can use ---------------------------------------------------------------------------------------- */

#define LINES	"devices/*[self::serial or self::parallel or self::console or self::channel]"
#define LISTENS "source[not(@mode='connect')]"

/* Where a clone would write, or listen, or have its memory, in the place of another VM. */
static const struct {
	const char *where, *kind;
} names[] = {
	{ LINES "/" LISTENS "/@path", "file" },
	{ "devices/*[self::redirdev or self::smartcard]/" LISTENS "/@path", "file" },
	{ "devices/rng/backend/" LISTENS "/@path", "file" },
	{ "devices/tpm/backend/source/@path", "file" },
	{ "devices/audio/@path", "file" },
	{ "devices/pstore/path", "file" },
	{ "devices/*/log/@file", "file" },
	{ "devices/interface/backend/@logFile", "file" },
	{ "devices/memory[not(readonly)]/source/path", "file" },
	{ "devices/interface[@type='vhostuser']/source/@path", "socket" },
	{ "devices/disk[@type='vhostuser']/source/@path", "socket" },
	{ "devices/filesystem/source/@socket", "socket" },
	{ "devices/shmem/@name", "memory" },
	{ "devices/shmem/server/@path", "socket" },
	{ "os/varstore/@path", "file" },
};

/* The child of <devices>, or of <os>, that has @node. */
static const xmlNode *device_of(const xmlNode *root, const xmlNode *node)
{
	while (node->parent && node->parent->parent && node->parent->parent != root)
		node = node->parent;
	return node;
}

/*
 * In the XML of a running VM, a terminal's path and those of the sockets of its channels are libvirt's own choice, which libvirt makes
 * anew for each clone. The sockets are in /var/lib/libvirt/qemu/channel/target, /run/libvirt/qemu/channel, or, of a user's own libvirt,
 * below its libvirt/qemu/lib or libvirt/qemu/run.
 */
static gboolean is_of_libvirt(const char *name)
{
	static const char libvirt[] = "/libvirt/qemu";
	const char *in = strstr(name, libvirt);

	return g_str_has_prefix(name, "/dev/pts/") ||
	       (in && strstr(in + strlen(libvirt), "/channel/"));
}

static gboolean check_name(const xmlNode *root, xmlNode *node, const char *kind, GError **error)
{
	g_autofree char *name = kx_xml_content(node);

	if (!name || !*name || kx_sharing_is_own(name) || is_of_libvirt(name))
		return TRUE;
	return kx_plan_bad_template(error,
				    "its <%s> has the %s %s, which every clone would use, and the "
				    "VM of which this is the "
				    "XML; make it a %s of each clone's own ({name})",
				    (const char *)device_of(root, node)->name, kind, name, kind);
}

static gboolean check_names(xmlNode *root, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(xmlXPathObject) o = find(root, names[i].where);

		for (guint k = 0; k < found(o); k++) {
			if (!check_name(root, o->nodesetval->nodeTab[k], names[i].kind, error))
				return FALSE;
		}
	}
	return TRUE;
}

/* --- what one VM at a time can have ----------------------------------------------------------------------------------- */

static const struct {
	const char *where, *what;
} single[] = {
	{ "devices/hostdev", "a device of the host" },
	{ "devices/interface[@type='hostdev' or @type='vdpa']", "a device of the host" },
	{ "devices/interface[@type='direct']/source[@mode='passthrough']", "a device of the host" },
	{ "devices/disk[@type='nvme' or @type='vhostvdpa']", "a device of the host" },
	{ "devices/tpm/backend[@type='passthrough']", "a device of the host" },
	{ "devices/input[@type='passthrough' or @type='evdev']", "a device of the host" },
	{ "devices/lease", "a lease" },
	/* of lines, redirdev, smartcard; of rng */
	{ "devices/*/source[@mode='bind' and @service]", "a port of the host" },
	{ "devices/*/backend/source[@mode='bind' and @service]", "a port of the host" },
	{ "devices/interface/portForward", "a port of the host" },
	{ "devices/interface[@type='server']/source[@port]", "a port of the host" },
	{ "devices/interface[@type='udp']/source/local[@port]", "a port of the host" },
};

static gboolean check_single(xmlNode *root, guint vms, GError **error)
{
	for (guint i = 0; vms > 1 && i < G_N_ELEMENTS(single); i++) {
		g_autoptr(xmlXPathObject) o = find(root, single[i].where);

		if (found(o))
			return kx_plan_bad_template(
				error,
				"its <%s> is %s, which one VM at a time can have, and %u clones "
				"are to "
				"run at a time; leave it out, or let [vm] vms be 1",
				(const char *)device_of(root, o->nodesetval->nodeTab[0])->name,
				single[i].what, vms);
	}
	return TRUE;
}

/* --- all of it -------------------------------------------------------------------------------------------------------- */

gboolean kx_sharing_check(xmlNode *root, guint vms, GError **error)
{
	return check_nvram(root, error) &&
	       check_each(root, "os/loader[@type='pflash']", check_loader, error) &&
	       check_each(root, "devices/disk", check_disk, error) &&
	       check_each(root, "devices/filesystem", check_filesystem, error) &&
	       check_names(root, error) && check_single(root, vms, error) &&
	       kx_sharing_check_arguments(root, vms, error);
}

static void unset(xmlNode *node, const char *attribute)
{
	xmlUnsetProp(node, (const xmlChar *)attribute);
}

static void renew_screen(xmlNode *screen)
{
	static const char *const ports[] = { "port", "tlsPort" };
	xmlNode *listen = kx_xml_child(screen, "listen");
	g_autofree char *websocket = kx_xml_get(screen, "websocket");

	for (guint i = 0; i < G_N_ELEMENTS(ports); i++) {
		g_autofree char *port = kx_xml_get(screen, ports[i]);

		if (!port)
			continue;
		unset(screen, ports[i]);
		kx_xml_set(screen, "autoport", "yes");
	}
	if (websocket)
		kx_xml_set(screen, "websocket", "-1");
	/* libvirt names the socket after the VM if it has no name. */
	unset(screen, "socket");
	if (listen)
		unset(listen, "socket");
}

void kx_sharing_renew(xmlNode *root)
{
	g_autoptr(xmlXPathObject) screens = find(root, "devices/graphics");
	g_autoptr(xmlXPathObject) numbers = find(root, "devices/vsock/cid[@address]");

	for (guint i = 0; i < found(screens); i++)
		renew_screen(screens->nodesetval->nodeTab[i]);
	for (guint i = 0; i < found(numbers); i++) {
		unset(numbers->nodesetval->nodeTab[i], "address");
		kx_xml_set(numbers->nodesetval->nodeTab[i], "auto", "yes");
	}
}
