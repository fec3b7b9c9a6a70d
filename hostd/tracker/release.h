/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the parts of kvm-ext that run are of the same version as this program. */
#ifndef KX_RELEASE_H
#define KX_RELEASE_H

#include <glib.h>

/*
 * The version of the loaded module kvm_ext. @root: the folder with /sys, NULL: /. NULL: the version is not known, and *@why is the
 * reason (not owned by the caller).
 */
char *kx_release_of_module(const char *root, const char **why);

/*
 * What to tell users if the daemon, or the loaded module, has another version than @program, which has the version of this build.
 * NULL: it has the same version, or it does not run. A module without a version has another one.
 */
char *kx_release_daemon_warning(const char *daemon_version, const char *program);
char *kx_release_module_warning(const char *root, const char *program);

#endif /* KX_RELEASE_H */
