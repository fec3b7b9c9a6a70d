// SPDX-License-Identifier: GPL-2.0-or-later
#include "clone.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <string.h>

#include "plan-internal.h"
#include "sharing.h"
#include "tracker/units.h"
#include "xml.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* The root is a domain. A document type is refused: it could define entities that refer to files, or that grow without end. */
static xmlDoc *read_domain(const char *xml, GError **error)
{
	gsize len = strlen(xml);
	g_autoptr(xmlDoc) doc = NULL;
	const xmlNode *root;
	const xmlError *why;

	xmlInitParser();
	if (len > G_MAXINT) {
		kx_plan_bad_template(error, "it is too long");
		return NULL;
	}
	doc = xmlReadMemory(xml, (int)len, "template", NULL,
			    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc) {
		why = xmlGetLastError();
		kx_plan_bad_template(error, "it is no XML (line %d: %s)", why ? why->line : 0,
				     why && why->message ? g_strstrip(why->message)
							 : "no reason given");
		return NULL;
	}
	if (doc->intSubset || doc->extSubset) {
		kx_plan_bad_template(error, "a document type is not allowed in it");
		return NULL;
	}
	root = xmlDocGetRootElement(doc);
	if (!root || !xmlStrEqual(root->name, (const xmlChar *)"domain")) {
		kx_plan_bad_template(error, "its root is no <domain>");
		return NULL;
	}
	return g_steal_pointer(&doc);
}

gboolean kx_clone_look(const char *template, char **name, guint *vcpus, GError **error)
{
	g_autoptr(xmlDoc) doc = read_domain(template, error);
	g_autofree char *number = NULL, *called = NULL;
	xmlNode *root;
	guint64 n = 1;

	if (!doc)
		return FALSE;
	root = xmlDocGetRootElement(doc);
	number = kx_xml_content(kx_xml_child(root, "vcpu"));
	if (number && (!kx_parse_number(number, NULL, &n) || n < 1 || n > 8192))
		return kx_plan_bad_template(error, "its <vcpu> is no number of vCPUs");
	called = kx_xml_content(kx_xml_child(root, "name"));
	if (!called || !*called || strchr(called, '/') || strlen(called) > 64)
		return kx_plan_bad_template(error,
					    "its <name> must be 1 to 64 characters, without '/'");
	*name = g_steal_pointer(&called);
	*vcpus = (guint)n;
	return TRUE;
}

/* --- placeholders ------------------------------------------------------------------------------------------------- */

#define PLACEHOLDERS 3u

/* What stands for a placeholder; NULL: this point has none. */
typedef struct {
	const char *placeholder, *value;
} Filling;

static void fillings(const KxCloneWish *w, Filling f[PLACEHOLDERS])
{
	f[0] = (Filling){ "{name}", w->name };
	f[1] = (Filling){ "{uuid}", w->uuid };
	f[2] = (Filling){ "{working-set}", w->point->working_set };
}

/* The placeholder with which @text begins; NULL: it begins with none. */
static const Filling *filling_at(const char *text, const Filling *f)
{
	for (guint i = 0; i < PLACEHOLDERS; i++) {
		if (f[i].value && g_str_has_prefix(text, f[i].placeholder))
			return &f[i];
	}
	return NULL;
}

char *kx_clone_fill_in(const char *text, const KxCloneWish *w)
{
	GString *out = g_string_new(NULL);
	Filling all[PLACEHOLDERS];

	fillings(w, all);
	/* In one pass over the text, so that braces in a filled-in value are not taken for a placeholder. */
	while (*text) {
		const Filling *f = filling_at(text, all);

		if (f)
			g_string_append(out, f->value);
		else
			g_string_append_c(out, *text);
		text += f ? strlen(f->placeholder) : 1;
	}
	return g_string_free(out, FALSE);
}

char *kx_clone_unknown(const char *text, const KxCloneWish *w)
{
	Filling all[PLACEHOLDERS];

	fillings(w, all);
	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
		gsize len = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_-");

		if (len && p[len + 1] == '}' && !(p > text && p[-1] == '$') && !filling_at(p, all))
			return g_strndup(p, len + 2);
	}
	return NULL;
}

static gboolean fill_in_text(xmlNode *n, const KxCloneWish *w, GError **error)
{
	g_autofree char *filled = NULL, *unknown = NULL;

	if (!n->content || !strchr((const char *)n->content, '{'))
		return TRUE;
	unknown = kx_clone_unknown((const char *)n->content, w);
	if (unknown)
		return kx_plan_bad_template(error, KX_CLONE_NO_VALUE, unknown);
	filled = kx_clone_fill_in((const char *)n->content, w);
	/* xmlNodeSetContent would take '&' for the beginning of an entity. */
	xmlNodeSetContentLen(n, (const xmlChar *)"", 0);
	xmlNodeAddContent(n, (const xmlChar *)filled);
	return TRUE;
}

/* Every text and attribute at and below @n. libxml2 limits the depth of a document when it reads it. */
static gboolean fill_in_node(xmlNode *n, const KxCloneWish *w, GError **error)
{
	for (; n; n = n->next) {
		if ((n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) &&
		    !fill_in_text(n, w, error))
			return FALSE;
		if (n->type != XML_ELEMENT_NODE)
			continue;
		for (xmlAttr *a = n->properties; a; a = a->next) {
			if (!fill_in_node(a->children, w, error))
				return FALSE;
		}
		if (!fill_in_node(n->children, w, error))
			return FALSE;
	}
	return TRUE;
}

/* --- what is each clone's own ---------------------------------------------------------------------------------------- */

static gboolean is_device(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE && xmlStrEqual(n->name, (const xmlChar *)name);
}

/* A MAC address with QEMU's prefix, which follows from the clone's UUID. */
static char *mac_of(const char *uuid, guint interface)
{
	g_autofree char *seed = g_strdup_printf("%s/%u", uuid, interface);
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, seed, -1);

	return g_strdup_printf("52:54:00:%.2s:%.2s:%.2s", sum, sum + 2, sum + 4);
}

static void new_macs(xmlNode *root, const char *uuid)
{
	xmlNode *devices = kx_xml_child(root, "devices");
	guint i = 0;

	for (xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
		g_autofree char *mac = NULL;

		if (!is_device(n, "interface"))
			continue;
		mac = mac_of(uuid, i++);
		kx_xml_remove(n, "mac");
		/* The name of a tap device belongs to one VM. */
		kx_xml_remove(n, "target");
		kx_xml_set(kx_xml_add(n, "mac", NULL), "address", mac);
	}
}

/* --- the clone ---------------------------------------------------------------------------------------------------- */

static gboolean set_size(xmlNode *root, const KxPoint *point, gboolean split, GError **error)
{
	xmlNode *cpu = kx_xml_child(root, "cpu");

	if ((point->vcpus || point->memory_bytes) && !split && kx_xml_child(cpu, "numa"))
		return kx_plan_bad_template(
			error, "it has NUMA cells, so neither vcpus nor memory of [vm] can be "
			       "set without [placement] fast");
	if (point->vcpus) {
		g_autofree char *number = g_strdup_printf("%u", point->vcpus);

		kx_xml_replace(root, "vcpu", number);
		kx_xml_remove(root, "vcpus");
		kx_xml_remove(cpu, "topology");
	}
	if (point->memory_bytes) {
		g_autofree char *kib =
			g_strdup_printf("%" G_GUINT64_FORMAT, point->memory_bytes / 1024);

		kx_xml_replace(root, "memory", kib);
		kx_xml_set(kx_xml_child(root, "memory"), "unit", "KiB");
		kx_xml_remove(root, "currentMemory");
		kx_xml_remove(root, "maxMemory");
	}
	return TRUE;
}

static void mark(xmlNode *root, const char *experiment)
{
	xmlNode *metadata = kx_xml_need(root, "metadata");
	xmlNode *marker = xmlNewChild(metadata, NULL, (const xmlChar *)"clone", NULL);

	xmlSetNs(marker,
		 xmlNewNs(marker, (const xmlChar *)KX_CLONE_NAMESPACE, (const xmlChar *)"kvmext"));
	kx_xml_set(marker, "experiment", experiment);
}

/* Removes markers that the template has: it may be the XML of another experiment's clone. */
static void unmark(xmlNode *root)
{
	xmlNode *metadata = kx_xml_child(root, "metadata"), *next;

	for (xmlNode *n = metadata ? metadata->children : NULL; n; n = next) {
		next = n->next;
		if (!n->ns || n->type != XML_ELEMENT_NODE ||
		    !xmlStrEqual(n->ns->href, (const xmlChar *)KX_CLONE_NAMESPACE))
			continue;
		xmlUnlinkNode(n);
		xmlFreeNode(n);
	}
}

char *kx_clone_xml(const char *template, const KxCloneWish *w, GError **error)
{
	g_autoptr(xmlDoc) doc = read_domain(template, error);
	g_autofree char *name = NULL;
	xmlChar *text = NULL;
	xmlNode *root;
	guint vcpus = 0;
	char *copy;
	int len = 0;

	if (!doc || !kx_clone_look(template, &name, &vcpus, error))
		return NULL;
	root = xmlDocGetRootElement(doc);
	if (!kx_sharing_check(root, w->point->vms, error) ||
	    !set_size(root, w->point, w->placement->split, error))
		return NULL;
	/* libvirt's number of a running domain */
	xmlUnsetProp(root, (const xmlChar *)"id");
	if (!fill_in_node(root, w, error))
		return NULL;
	kx_xml_replace(root, "name", w->name);
	kx_xml_replace(root, "uuid", w->uuid);
	if (kx_xml_child(root, "genid"))
		kx_xml_replace(root, "genid", NULL);
	new_macs(root, w->uuid);
	kx_sharing_renew(root);
	unmark(root);
	mark(root, w->experiment);
	kx_placing_apply(w->placement, root, w->index, w->point->vcpus ? w->point->vcpus : vcpus,
			 w->point->memory_bytes);
	xmlDocDumpMemory(doc, &text, &len);
	copy = text ? g_strndup((const char *)text, (gsize)len) : NULL;
	xmlFree(text);
	return copy;
}

gboolean kx_clone_is_ours(const char *xml, const char *experiment)
{
	g_autoptr(xmlDoc) doc = read_domain(xml, NULL);
	xmlNode *metadata = doc ? kx_xml_child(xmlDocGetRootElement(doc), "metadata") : NULL;

	for (xmlNode *n = metadata ? metadata->children : NULL; n; n = n->next) {
		g_autofree char *of = NULL;

		if (n->type != XML_ELEMENT_NODE || !n->ns ||
		    !xmlStrEqual(n->ns->href, (const xmlChar *)KX_CLONE_NAMESPACE))
			continue;
		of = kx_xml_get(n, "experiment");
		if (g_strcmp0(of, experiment) == 0)
			return TRUE;
	}
	return FALSE;
}

char *kx_clone_nvram(const char *xml, const char *name, const char *uuid)
{
	g_autoptr(xmlDoc) doc = read_domain(xml, NULL);
	g_autofree char *file = doc ? kx_sharing_nvram(xmlDocGetRootElement(doc)) : NULL;

	/* A file that is not named after this clone may be another VM's. */
	if (!file || !g_path_is_absolute(file) || !(strstr(file, name) || strstr(file, uuid)))
		return NULL;
	return g_steal_pointer(&file);
}
