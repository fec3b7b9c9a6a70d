/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one run of the test program was asked for, and small things its parts share. */
#ifndef MIGRATE_TEST_H
#define MIGRATE_TEST_H

#include "vm.h"

typedef struct {
	VmSettings vm;
	char **backings;    /* directories for guest memory, taken in turn */
	char *tracker;	    /* a name of track.c */
	gint64 interval_ns; /* of its passes */
	int migrations;
	int cancel_every; /* before every n-th migration one is started and called off; 0: none */
	int rate;	  /* pages that the guest writes per second, about */
	gboolean meddle;  /* attach, detach and change the tracker in the middle of migrations */
	gboolean dirty_rate; /* QEMU's calc-dirty-rate instead of migrations */
	gint64 seed;
	GRand *random;
} Test;

/* Sleeps a random time between the two. */
void test_pause(const Test *test, int min_ms, int max_ms);

/* A VM whose guest runs, has written all its pages once and then writes at about the rate asked for. */
Vm *test_first_vm(const Test *test);

void migrations(const Test *test);
void dirty_rate(const Test *test);

#endif /* MIGRATE_TEST_H */
