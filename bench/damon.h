/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own DAMON on a process's memory, through its sysfs interface
 * (Documentation/admin-guide/mm/damon/usage.rst): one kernel thread samples
 * the given stretches of addresses; functions read what it found and what it cost.
 *
 * DAMON skips memory that is on no LRU list, such as the zero page.
 * A setup of another user of DAMON on this machine is removed.
 */
#ifndef DAMON_H
#define DAMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct damon_attrs {
	uint64_t sample_us;
	uint64_t aggregation_us;
	uint64_t min_regions, max_regions;
};

/*
 * Addresses of the process; number of checks in an aggregation that found the region accessed; number
 * of aggregations since this number last changed much.
 */
struct damon_region {
	uint64_t start, end;
	uint32_t accesses;
	uint32_t age;
};

struct damon {
	struct damon_attrs attrs;
	pid_t thread;	  /* kdamond */
	FILE *trace;	  /* its events of each aggregation; see damon_follow() */
	char failed[128]; /* after an error: the file that refused */
};

/*
 * Starts monitoring, by a zeroed @d, the @nr stretches of @pid's memory: of these @initial
 * only start and end are read, and they are the first regions. Return 0 or a negative
 * errno; the kernel without DAMON is -ENOENT.
 */
int damon_start(struct damon *d, pid_t pid, const struct damon_attrs *attrs,
		const struct damon_region *initial, size_t nr);
/* Forgets the regions and ends the thread. */
void damon_stop(struct damon *d);

/*
 * Waits for the end of the current aggregation and reads its regions, ordered by address.
 * Returns their number, at most @max, or a negative errno. The time that the thread needs
 * to hand the regions over is part of its CPU time.
 */
ssize_t damon_regions(struct damon *d, struct damon_region *regions, size_t max);

/*
 * For every aggregation instead of single ones: damon_follow(), called before damon_start(),
 * makes the kernel record all of them (in an instance of its tracing). Each call of
 * damon_next() then returns the regions of one aggregation, the oldest first, and waits for
 * it for at most @ms. Returns the number of regions, 0 if there was none, or a negative
 * errno. The regions are those before the split.
 */
int damon_follow(struct damon *d);
ssize_t damon_next(struct damon *d, struct damon_region *regions, size_t max, unsigned int ms);

/* Regions summed up over all aggregations so far, as each found them at its end; or a negative errno. */
int64_t damon_regions_seen(struct damon *d);

/*
 * Tests of accessed bits per sampling interval, counted for @ms with the tracepoint in KVM
 * that each test reaches. Counting costs the thread time. 0: the kernel does not permit it.
 */
double damon_checks(struct damon *d, unsigned int ms);

/* CPU time of the thread so far; 0: it is gone. */
uint64_t damon_cpu_ns(const struct damon *d);

/* Times that the thread has slept so far: once between the two halves of each sampling. 0: it is gone. */
uint64_t damon_sleeps(const struct damon *d);

#endif /* DAMON_H */
