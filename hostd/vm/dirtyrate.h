/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own measurement of how much memory a VM writes per second, through libvirt. QEMU makes one measurement at a time for all of
 * its users, cannot end a measurement early, and keeps only the result of the last one.
 */
#ifndef KX_DIRTYRATE_H
#define KX_DIRTYRATE_H

#include "libvirt.h"

/* How QEMU measures. */
typedef enum {
	KX_DIRTY_RATE_SAMPLING, /* compares a few pages of each GiB before and after */
	KX_DIRTY_RATE_BITMAP,	/* KVM's dirty log is on meanwhile */
	KX_DIRTY_RATE_RING,	/* KVM's dirty ring, with which the VM has to run */
} KxDirtyRateMode;

/* QEMU's names, by KxDirtyRateMode; ends with NULL. */
extern const char *const kx_dirty_rate_modes[];

/* Bounds of a measurement's time, of QEMU and of libvirt. */
#define KX_DIRTY_RATE_SECONDS_MIN 1u
#define KX_DIRTY_RATE_SECONDS_MAX 60u

/* The last measurement, or the one that runs. */
typedef struct {
	gboolean measuring, measured; /* both FALSE: no measurement has begun yet */
	gint64 start_s;		      /* QEMU's monotonic clock; -1: not known (yet) */
	gint64 seconds;		      /* time that it takes */
	int mode;		      /* KxDirtyRateMode; -1: one that this version does not know */
	gint64 mib_per_s; /* if measured: whole, rounded down by QEMU; -1: QEMU has no result */
} KxDirtyRate;

/* Blocks. KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT; KX_ERROR_NOT_SUPPORTED: libvirt or QEMU has no such measurement. */
gboolean kx_dirty_rate_read(KxLibvirt *l, const char *uuid, KxDirtyRate *r, GError **error);
/*
 * Blocks until the measurement has begun. KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT; KX_ERROR_NOT_SUPPORTED: refused, in the
 * words of libvirt or QEMU.
 */
gboolean kx_dirty_rate_start(KxLibvirt *l, const char *uuid, KxDirtyRateMode mode, guint seconds,
			     GError **error);

#endif /* KX_DIRTYRATE_H */
