/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that track VMs and are killed: one that holds a session of the module, or kvm-extd. */
#ifndef MIGRATE_HUNTED_H
#define MIGRATE_HUNTED_H

#include "test.h"

typedef struct _Hunted Hunted;

Hunted *hunted_new(const Test *test);
void hunted_free(Hunted *h);

/* Starts a process that tracks @vm with the tracker of the test; returns when the tracker runs. */
void hunted_hold(Hunted *h, const Vm *vm);

/* Starts kvm-extd, without libvirt; returns when it answers. */
void hunted_start_daemon(Hunted *h);
/* Has kvm-extd track @vm; returns when the tracker runs. */
void hunted_attach(Hunted *h, const Vm *vm);
/* Asks kvm-extd for another tracker of @vm, and does not wait for the answer. */
void hunted_set(Hunted *h, const Vm *vm, const char *tracker);

/* SIGKILL; returns when the process has ended. */
void hunted_kill(Hunted *h);
/* Waits until no session of the module is left; returns FALSE if this takes too long. */
gboolean hunted_left_nothing(void);

#endif /* MIGRATE_HUNTED_H */
