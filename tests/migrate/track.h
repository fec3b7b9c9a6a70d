/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session of kvm_ext.ko on one of the QEMUs, and checks of its state and samples. */
#ifndef MIGRATE_TRACK_H
#define MIGRATE_TRACK_H

#include "kx.h"
#include "test.h"

/* Is @tracker the name of a known tracker, or "none"? */
gboolean track_knows(const char *tracker);

typedef struct _Track Track;

/* Attaches to the VM of the process @vmm_pid and sets the tracker of @test; returns NULL if it is "none". */
Track *track_new(const Test *test, int vmm_pid);
void track_free(Track *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Track, track_free)

/* The same in a process that is to be killed: prints the line TRACK_HOLDS when the tracker runs, and reads what it finds. */
#define TRACK_HOLDS "holds"
__attribute__((noreturn)) void track_hold(const Test *test, int vmm_pid);

/* Sets another tracker, or the same again. */
void track_set(const Test *test, Track *t, const char *tracker);

/* Must the tracker yield the dirty log to QEMU? */
gboolean track_yields(const Track *t);
struct kvm_ext_stats track_stats(const Track *t);

/*
 * Checks the samples of a window in which the guest runs: every page that the guest wrote is found,
 * and no other page. Prints two TAP lines that begin with @when.
 */
void track_check_samples(const Test *test, Track *t, const Vm *vm, const char *when);

/* Waits until the tracker has yielded all memory; returns FALSE if this takes too long. */
gboolean track_has_yielded(Track *t);
/* Waits until the tracker works again after it yielded; returns FALSE if this takes too long. */
gboolean track_resumed(Track *t);

#endif /* MIGRATE_TRACK_H */
