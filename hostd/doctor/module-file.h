/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The installed file of the module kvm_ext, and its properties as the kernel's own tools (kmod) read them. */
#ifndef KX_MODULE_FILE_H
#define KX_MODULE_FILE_H

#include <glib.h>

/* A member is NULL if the file does not have it. */
typedef struct {
	char *path;    /* without the root */
	char *release; /* of the kernel that the module was built for */
	char *version;
	char *signer;	    /* whose key signed the module */
	gboolean is_signed; /* also by a key without a name */
	char *unreadable;   /* the reason why nothing but the path is known; NULL: it was read */
} KxModuleFile;

/*
 * The module's file for the kernel @release, compressed or not. @root: the folder with /lib/modules, NULL: /. NULL: there is none.
 */
KxModuleFile *kx_module_file_find(const char *root, const char *release);
void kx_module_file_free(KxModuleFile *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxModuleFile, kx_module_file_free)

/* Whether modprobe would find @f: whether depmod has run since it was installed. */
gboolean kx_module_file_is_listed(const KxModuleFile *f, const char *root, const char *release);

/* The kernels other than @release that the module is installed for, separated by ", "; NULL: none. */
char *kx_module_file_other_kernels(const char *root, const char *release);

#endif /* KX_MODULE_FILE_H */
