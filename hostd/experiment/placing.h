/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the memory and the vCPUs of an experiment's VMs are placed. The memory is split into two NUMA nodes of the guest: the first
 * has all vCPUs and lies on the host's fast node, the second has no CPU and lies on the slow node.
 */
#ifndef KX_PLACING_H
#define KX_PLACING_H

#include <glib.h>

typedef struct {
	gboolean split;
	guint64 fast_share[2]; /* numerator, denominator: of the memory on the fast node */
	guint fast_node, slow_node;
	gboolean preferred; /* the kernel may take memory of other nodes; FALSE: strict */
	GArray *cpus; /* guint: one for each vCPU, over all VMs of a point; NULL: vCPUs are not pinned */
	char *emulator_cpus; /* as libvirt writes a set; NULL: not pinned */
} KxPlacing;

void kx_placing_clear(KxPlacing *p);

/* A list of CPUs or nodes, "0-3,8": a GArray of guint, in the order of the text. NULL: @text is no such list. */
GArray *kx_placing_cpus(const char *text);

struct _xmlNode;
/**
 * kx_placing_apply() - write the placement into a domain
 * @domain: the XML's root
 * @vm: index of the VM, which decides the CPUs that it gets
 * @vcpus: of each VM
 * @memory_bytes: of each VM
 */
void kx_placing_apply(const KxPlacing *p, struct _xmlNode *domain, guint vm, guint vcpus,
		      guint64 memory_bytes);

#endif /* KX_PLACING_H */
