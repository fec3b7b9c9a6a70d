/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's online CPUs, from sysfs. */
#ifndef KX_ONLINECPUS_H
#define KX_ONLINECPUS_H

#include <glib.h>

/* @root NULL: /. FALSE with KX_ERROR_INVALID_OPTION: @cpu is not online. TRUE if sysfs has no list. */
gboolean kx_online_cpus_check(const char *root, int cpu, GError **error);

#endif /* KX_ONLINECPUS_H */
