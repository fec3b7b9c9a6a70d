/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment of a measurement, beyond what a report's header has (hostinfo.h): whatever changes what trackers cost from
 * one host, or one boot, to another. A list of facts, each with a value or the reason why the value is not known.
 */
#ifndef KX_ENVIRONMENT_H
#define KX_ENVIRONMENT_H

#include <glib.h>

#include "libvirt.h"

/*
 * @key: "microcode", "CONFIG_PREEMPT", "kvm.tdp_mmu" (a parameter of a module), "kvm_ext.build", "libvirt", "qemu".
 * @value: NULL with @na set, a clause.
 */
typedef struct {
	char *key, *value, *na;
} KxFact;

/* An empty list of KxFact. */
GPtrArray *kx_environment_new(void);
/* One of @value and @na is NULL. */
void kx_environment_add(GPtrArray *environment, const char *key, const char *value, const char *na);
const KxFact *kx_environment_find(const GPtrArray *environment, const char *key);

/*
 * Blocks (reads the kernel's configuration, asks libvirt). @root: the directory with proc, sys and boot, NULL for /. @libvirt:
 * NULL if there is no connection. A parameter of a module that is not loaded is not in the list.
 */
GPtrArray *kx_environment_read(const char *root, KxLibvirt *libvirt);

/* a{sv}, floating: each fact is a string KEY, or a string KEY_na with the reason. The second function ignores other values. */
GVariant *kx_environment_to_variant(const GPtrArray *environment);
GPtrArray *kx_environment_from_variant(GVariant *facts);

#endif /* KX_ENVIRONMENT_H */
