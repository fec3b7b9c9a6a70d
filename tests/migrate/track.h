/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session of kvm_ext.ko on one of the QEMUs, as a daemon would hold it, and what can be asked of it. */
#ifndef MIGRATE_TRACK_H
#define MIGRATE_TRACK_H

#include "kx.h"
#include "test.h"

/* The name of a tracker, or "none". */
gboolean track_knows(const char *tracker);

typedef struct _Track Track;

/* Attaches to @vm and sets the tracker; NULL if it is "none". */
Track *track_new(const Test *test, const Vm *vm);
void track_free(Track *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Track, track_free)

/* Sets another one, or the same one anew. */
void track_set(const Test *test, Track *t, const char *tracker);

/* It gives way to QEMU by contract (and NULL does not). */
gboolean track_yields(const Track *t);
struct kvm_ext_stats track_stats(const Track *t);

/*
 * Is what it finds right? Over a window in which the guest runs on: every page that the guest wrote is found, and none
 * that it did not write. Prints two lines of TAP that start with @when.
 */
void track_check_samples(const Test *test, Track *t, const Vm *vm, const char *when);

/* Has it given way with all memory? It may have been set only now, and gets the time to find out. */
gboolean track_has_yielded(Track *t);
/* Waits until it works again after having given way; FALSE if it does not. */
gboolean track_resumed(Track *t);

#endif /* MIGRATE_TRACK_H */
