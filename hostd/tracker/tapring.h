/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring of shared memory to which a patched QEMU copies its dirty log (in QEMU with our patches: docs/interop/dirty-tap.rst). The
 * daemon creates the memory, sealed in its size, and passes it to QEMU.
 *
 * QEMU is not trusted: the daemon reads each number of QEMU once, checks the copy, and then uses only the copy.
 */
#ifndef KX_TAPRING_H
#define KX_TAPRING_H

#include <glib.h>

typedef struct _KxTapRing KxTapRing;

/* The largest record for which a ring is made: a bit for each page of 16 TiB. */
#define KX_TAP_RECORD_MAX (G_GUINT64_CONSTANT(1) << 29)

/* The size of a record of a VM with @ram_pages, as far as is known before QEMU says it. */
guint64 kx_tap_record_bytes(guint64 ram_pages);

/* A ring with room for some records of @record_bytes. KX_ERROR_NOT_SUPPORTED: more than KX_TAP_RECORD_MAX. */
KxTapRing *kx_tap_ring_new(guint64 record_bytes, GError **error);
void kx_tap_ring_free(KxTapRing *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxTapRing, kx_tap_ring_free)

/* The memory's descriptor, for QEMU; the ring owns it. */
int kx_tap_ring_fd(const KxTapRing *r);
gsize kx_tap_ring_bytes(const KxTapRing *r);

/* Call this when QEMU has accepted the memory. KX_ERROR_NOT_SUPPORTED: QEMU uses another version of the ring. */
gboolean kx_tap_ring_check(const KxTapRing *r, GError **error);
/* TRUE: no record fits into this ring, by what QEMU last wrote; *@record_bytes is what a record takes. */
gboolean kx_tap_ring_is_too_small(const KxTapRing *r, guint64 *record_bytes);
/*
 * TRUE: QEMU has ended the tap because the VM's memory or devices have changed, and another tap may take its place, with room for records
 * of *@record_bytes.
 */
gboolean kx_tap_ring_may_restart(const KxTapRing *r, guint64 *record_bytes);
/* TRUE: QEMU has ended the tap because another one was to take its place. */
gboolean kx_tap_ring_is_replaced(const KxTapRing *r);
/* Why QEMU has ended the tap, one clause; NULL: the tap runs, or QEMU itself has ended. */
const char *kx_tap_ring_ended(const KxTapRing *r);

gboolean kx_tap_ring_is_empty(const KxTapRing *r);

/* One reading of the dirty log by QEMU. */
typedef struct {
	guint64 skipped;	   /* intervals since the start without a reading */
	guint64 sync_ns, clear_ns; /* elapsed time in which QEMU fetched the log and cleared it */
	guint64 cpu_ns;		   /* CPU time of QEMU's thread for the reading */
	guint64 pages;		   /* logged pages */
} KxTapRecord;

#define KX_TAP_WORDS 64u
/* Bit i of @bits: page @gfn + i was written. At most KX_TAP_WORDS words. */
typedef void (*KxTapFound)(gpointer data, guint64 gfn, const guint64 *bits, guint nwords);

/* Takes the next record of a ring that is not empty, and calls @found for its pages. KX_ERROR_FAILED: the record is not valid. */
gboolean kx_tap_ring_take(KxTapRing *r, KxTapRecord *record, KxTapFound found, gpointer data,
			  GError **error);

#endif /* KX_TAPRING_H */
