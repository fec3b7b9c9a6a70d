// SPDX-License-Identifier: GPL-2.0-or-later
#include "xml.h"

static gboolean is_named(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE && !n->ns && xmlStrEqual(n->name, (const xmlChar *)name);
}

xmlNode *kx_xml_child(xmlNode *parent, const char *name)
{
	for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next) {
		if (is_named(n, name))
			return n;
	}
	return NULL;
}

xmlNode *kx_xml_add(xmlNode *parent, const char *name, const char *text)
{
	return xmlNewTextChild(parent, NULL, (const xmlChar *)name, (const xmlChar *)text);
}

xmlNode *kx_xml_need(xmlNode *parent, const char *name)
{
	xmlNode *n = kx_xml_child(parent, name);

	return n ? n : kx_xml_add(parent, name, NULL);
}

void kx_xml_set(xmlNode *node, const char *attribute, const char *value)
{
	xmlSetProp(node, (const xmlChar *)attribute, (const xmlChar *)value);
}

void kx_xml_set_number(xmlNode *node, const char *attribute, guint64 value)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

	kx_xml_set(node, attribute, text);
}

void kx_xml_remove(xmlNode *parent, const char *name)
{
	xmlNode *next;

	for (xmlNode *n = parent ? parent->children : NULL; n; n = next) {
		next = n->next;
		if (!is_named(n, name))
			continue;
		xmlUnlinkNode(n);
		xmlFreeNode(n);
	}
}

void kx_xml_replace(xmlNode *parent, const char *name, const char *text)
{
	kx_xml_remove(parent, name);
	kx_xml_add(parent, name, text);
}

char *kx_xml_get(xmlNode *node, const char *attribute)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)attribute);
	char *copy = value ? g_strdup((const char *)value) : NULL;

	xmlFree(value);
	return copy;
}

char *kx_xml_content(xmlNode *node)
{
	xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
	char *copy = text ? g_strstrip(g_strdup((const char *)text)) : NULL;

	xmlFree(text);
	return copy;
}
