/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What trackers cannot see, however long they run. Each blind spot is described once, here: a tracker's row in kx_trackers[]
 * has the bits, and reports, help and manual print the texts.
 */
#ifndef KX_BLIND_H
#define KX_BLIND_H

#include <glib.h>

enum {
	KX_BLIND_DMA = 1 << 0,
	KX_BLIND_VMM = 1 << 1,
	KX_BLIND_KVM = 1 << 2,
	KX_BLIND_READS = 1 << 3,
	KX_BLIND_NESTED = 1 << 4,
	KX_BLIND_CACHED = 1 << 5,
	KX_BLIND_UNARMED = 1 << 6,
	KX_BLIND_KERNEL = 1 << 7,
	KX_BLIND_UNSAMPLED = 1 << 8,
	KX_BLIND_BETWEEN = 1 << 9,
	KX_BLIND_SHARED = 1 << 10,
	KX_BLIND_UNCHECKED = 1 << 11,
	KX_BLIND_UNCOMPARED = 1 << 12,
	KX_BLIND_UNLISTED = 1 << 13,
	KX_BLIND_DIRECT = 1 << 14,
	KX_BLIND_UNMAPPED = 1 << 15,
};

typedef struct {
	guint bit;
	const char *what; /* subject of the clause "... is not seen" */
	const char *why;  /* a clause */
} KxBlindSpot;

extern const KxBlindSpot kx_blind_spots[]; /* ends with what NULL */

/* Names of all trackers with @bit, "a, b"; NULL: every tracker that finds anything has it. */
char *kx_blind_trackers(guint bit);
/*
 * Names of those of @trackers (names) that have @bit, "a, b". *@all (may be NULL): TRUE if several of @trackers find anything,
 * and all of these have @bit.
 */
char *kx_blind_of(const GPtrArray *trackers, guint bit, gboolean *all);
/* A sentence (char *) for each blind spot of @trackers (names). */
GPtrArray *kx_blind_notes(const GPtrArray *trackers);

#endif /* KX_BLIND_H */
