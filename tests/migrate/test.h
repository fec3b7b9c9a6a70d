/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of a run of the test program, and functions that its parts share. */
#ifndef MIGRATE_TEST_H
#define MIGRATE_TEST_H

#include "vm.h"

typedef struct {
	VmSettings vm;
	char **backings;    /* directories for guest memory, used alternately */
	char *tracker;	    /* a name that track_knows() */
	gint64 interval_ns; /* interval of its passes */
	int migrations;
	int cancel_every;    /* before every n-th migration another one is cancelled; 0: never */
	int rate;	     /* pages that the guest writes per second, approximately */
	gboolean meddle;     /* attach, detach and change the tracker during migrations */
	gboolean kill;	     /* kill what tracks the VMs during migrations */
	gboolean dirty_rate; /* test QEMU's calc-dirty-rate instead of migrations */
	int hold;	     /* only hold a session on the VM of this process; 0: no */
	char *hostd;	     /* directory of kvm-extd and kvm-ext */
	gint64 seed;
	GRand *random;
} Test;

/* Sleeps for a random time between @min_ms and @max_ms. */
void test_pause(const Test *test, int min_ms, int max_ms);

/*
 * Starts a VM and waits until its guest has written all pages once; the guest then writes at about
 * @test->rate.
 */
Vm *test_first_vm(const Test *test);

void migrations(const Test *test);
void dirty_rate(const Test *test);

#endif /* MIGRATE_TEST_H */
