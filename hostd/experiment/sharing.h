/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the clones of one template would share: with each other, with those that came before them, and with the VM of which the template
 * is the XML. What is written, what only one VM can have, and names that only one VM can use are refused, or are each clone's own.
 */
#ifndef KX_EXPERIMENT_SHARING_H
#define KX_EXPERIMENT_SHARING_H

#include <glib.h>
#include <libxml/tree.h>

/*
 * Whether clones of the domain @root (with placeholders) may run, @vms of them at a time. FALSE: @error is set, KX_PLAN_ERROR; its
 * message says what they would share, and what to do.
 */
gboolean kx_sharing_check(xmlNode *root, guint vms, GError **error);

/* Lets libvirt choose anew what only one VM can have and nobody has to know: ports of screens, the number of a vsock. */
void kx_sharing_renew(xmlNode *root);

/* The file of UEFI variables, which the XML names in one of two ways; NULL: none is named. The caller frees it. */
char *kx_sharing_nvram(xmlNode *root);

#endif /* KX_EXPERIMENT_SHARING_H */
