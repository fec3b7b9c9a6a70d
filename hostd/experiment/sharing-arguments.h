/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clones would share by arguments that a template gives to QEMU itself (<qemu:commandline>), of which libvirt knows nothing. */
#ifndef KX_EXPERIMENT_SHARING_ARGUMENTS_H
#define KX_EXPERIMENT_SHARING_ARGUMENTS_H

#include <glib.h>
#include <libxml/tree.h>

/* Whether a file, or a name, has a placeholder that differs between clones. */
gboolean kx_sharing_is_own(const char *text);

/*
 * Refuses an argument that names a file, unless the file is the clone's own or QEMU only reads it; and, if several VMs run at a time, an
 * option that is not known to share nothing. FALSE: @error is set, KX_PLAN_ERROR.
 */
gboolean kx_sharing_check_arguments(xmlNode *root, guint vms, GError **error);

#endif /* KX_EXPERIMENT_SHARING_ARGUMENTS_H */
