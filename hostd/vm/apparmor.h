/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AppArmor as libvirt uses it: every domain's QEMU is confined by a profile of its own, which names the domain's files. If
 * a domain is started with an ivshmem device, libvirt adds the device's memory to the profile. If the device is plugged into
 * a running domain, libvirt does not, and QEMU may not open the memory. So this file adds a rule to the profile of that domain
 * before the device is plugged in, by loading the profile again. Nothing below /etc is changed: QEMU opens the file only
 * once, so the rule may be lost afterwards when libvirt loads the profile for a reason of its own.
 */
#ifndef KX_APPARMOR_H
#define KX_APPARMOR_H

#include <glib.h>

/**
 * kx_apparmor_allow - permit a confined QEMU to open one more file. Blocks (some tenths of a second).
 * @profile: name of the profile, "libvirt-UUID"
 * @path: path of the file, which belongs to QEMU's user
 *
 * KX_ERROR_ACCESS_DENIED, KX_ERROR_NOT_SUPPORTED: the rule could not be added; the message says how to add it.
 */
gboolean kx_apparmor_allow(const char *profile, const char *path, GError **error);

/* Blocks. Loads the profile as libvirt has written it. */
void kx_apparmor_restore(const char *profile);

/* A profile's text with the rule added; NULL: @text is no profile. */
char *kx_apparmor_with_rule(const char *text, const char *path);

/* The path of AppArmor's compiler; NULL: not installed. @root: "", or the root directory of a fake host. */
char *kx_apparmor_parser(const char *root);

#endif /* KX_APPARMOR_H */
