/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children of elements in a domain's XML. */
#ifndef KX_EXPERIMENT_XML_H
#define KX_EXPERIMENT_XML_H

#include <glib.h>
#include <libxml/tree.h>

/* The first child element without a namespace that has this name; NULL: there is none. */
xmlNode *kx_xml_child(xmlNode *parent, const char *name);
/* The same; if there is none, it is added as the last child. */
xmlNode *kx_xml_need(xmlNode *parent, const char *name);
/* A new last child, with text if @text is not NULL. */
xmlNode *kx_xml_add(xmlNode *parent, const char *name, const char *text);
void kx_xml_set(xmlNode *node, const char *attribute, const char *value);
void kx_xml_set_number(xmlNode *node, const char *attribute, guint64 value);
/* Removes all children with this name. */
void kx_xml_remove(xmlNode *parent, const char *name);
/* Replaces all children of the name by one with this text. */
void kx_xml_replace(xmlNode *parent, const char *name, const char *text);
/* The attribute's value; NULL: there is none. The caller frees it. */
char *kx_xml_get(xmlNode *node, const char *attribute);

/* The text inside, without blanks around it; NULL: @node is NULL. The caller frees it. */
char *kx_xml_content(xmlNode *node);

#endif /* KX_EXPERIMENT_XML_H */
