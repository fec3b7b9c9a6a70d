/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat over time as a record of DAMON's user-space tool damo (3.x), which `damo report access`, `heatmap` and `wss` read: one
 * record for each map, with a snapshot for each row. Snapshots have regions over all of the memory, in ascending order.
 */
#ifndef KX_DAMO_H
#define KX_DAMO_H

#include "model/vm.h"

typedef struct {
	guint records, snapshots; /* in the whole file; least snapshots of a record below */
	guint snapshots_min;
	guint64 clamped; /* accesses that would be more than a snapshot's checks can have: see the manual */
} KxDamoSum;

/* damo's wss skips the first 20 snapshots. */
#define KX_DAMO_SNAPSHOTS_MIN 30u

/*
 * The text (JSON) of all maps of @vms (KxVmReport) whose cells count pages; @tracker: of this tracker alone, NULL: of all. NULL:
 * there is no such map. @targets: appended to, for each record "vm: tracker", in the order of target_id from 0 on.
 */
char *kx_damo_text(const GPtrArray *vms, const char *tracker, GPtrArray *targets, KxDamoSum *sum);
/* As damo reads it: one zlib stream. */
GBytes *kx_damo_pack(const char *text);

#endif /* KX_DAMO_H */
