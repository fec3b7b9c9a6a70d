/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On which NUMA nodes the hot and the cold memory of a VM lies: joins a heat map, the VMM's memory layout and the kernel's answer. */
#ifndef KX_ACCOUNT_PLACEMENT_H
#define KX_ACCOUNT_PLACEMENT_H

#include "model/heatmap.h"
#include "model/placement.h"
#include "vm/layout.h"
#include "vm/nodes.h"

typedef struct {
	const KxNumaSys *sys;
	const KxNodes *nodes;
	const char *proc_root;
	pid_t pid;
	const KxLayout *layout;
	const KxHeatReport *heat; /* with all ranges */
	guint32 seed;		  /* of the sample */
} KxPlacementQuery;

/* Blocks: call this on a thread. Never NULL: na has the reason if the kernel does not answer. */
KxPlacement *kx_placement_find(const KxPlacementQuery *q);

#endif /* KX_ACCOUNT_PLACEMENT_H */
