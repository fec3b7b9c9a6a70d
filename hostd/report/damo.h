/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat over time as a record of DAMON's user-space tool damo (3.x), which `damo report access`, `heatmap` and `wss` read: one
 * record for each map, with a snapshot for each row. Snapshots have regions over all of the memory, in ascending order.
 */
#ifndef KX_DAMO_H
#define KX_DAMO_H

#include "model/vm.h"

typedef struct {
	guint records, snapshots; /* in the whole file; below: the fewest snapshots of a record */
	guint snapshots_min;
	guint64 clamped; /* accesses that would be more than a snapshot's checks can have: see the manual */
} KxDamoSum;

/* damo's wss skips the first 20 snapshots. */
#define KX_DAMO_SNAPSHOTS_MIN 30u

/*
 * The text (JSON) of all maps of @vms (KxVmReport) whose cells count pages. @tracker: only maps of this tracker; NULL: of all trackers.
 * Returns NULL if there is no such map. Appends to @targets "vm: tracker" for each record, in the order of target_id from 0 on.
 */
char *kx_damo_text(const GPtrArray *vms, const char *tracker, GPtrArray *targets, KxDamoSum *sum);
/* Compresses the text as damo expects it: one zlib stream. */
GBytes *kx_damo_pack(const char *text);

#endif /* KX_DAMO_H */
