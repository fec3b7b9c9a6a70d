/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AppArmor, as libvirt uses it: every domain's QEMU is confined by a profile of its own, which names the domain's files.
 * For an ivshmem that the domain is started with, libvirt adds its memory to the profile; for one that is plugged into a
 * running domain it does not, and QEMU may not open it. So the rule is added to the profile of that one domain before the
 * device is plugged in, by loading the profile anew. Nothing below /etc is changed: QEMU opens the file only then, and may
 * lose the rule when libvirt loads the profile for a reason of its own.
 */
#ifndef KX_APPARMOR_H
#define KX_APPARMOR_H

#include <glib.h>

/**
 * kx_apparmor_allow - let a confined QEMU open one file more. Blocks (some tenths of a second).
 * @profile: its name, "libvirt-UUID"
 * @path: of the file, which belongs to QEMU's user
 *
 * KX_ERROR_ACCESS_DENIED, KX_ERROR_NOT_SUPPORTED: the rule is not there; the message says how to have it.
 */
gboolean kx_apparmor_allow(const char *profile, const char *path, GError **error);

/* Blocks. Loads the profile as libvirt has written it. */
void kx_apparmor_restore(const char *profile);

/* A profile's text with the rule in it; NULL: @text is none. */
char *kx_apparmor_with_rule(const char *text, const char *path);

/* Where AppArmor's compiler is; NULL: not installed. @root: "" or that of a fake. */
char *kx_apparmor_parser(const char *root);

#endif /* KX_APPARMOR_H */
