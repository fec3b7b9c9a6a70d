/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own DAMON on a process's memory, by its sysfs interface
 * (Documentation/admin-guide/mm/damon/usage.rst): one kernel thread that samples
 * the given stretches of addresses, and what it found and cost.
 *
 * DAMON passes over memory that is on no LRU list, such as the zero page.
 * Whatever else uses that interface on this machine is in the way, and is removed.
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

/* Addresses of the process; checks that found it accessed in one aggregation; for how many aggregations about so. */
struct damon_region {
	uint64_t start, end;
	uint32_t accesses;
	uint32_t age;
};

struct damon {
	struct damon_attrs attrs;
	pid_t thread;	  /* kdamond */
	FILE *trace;	  /* what it says of each aggregation; damon_follow() */
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
 * The regions at the end of the aggregation under way, by address: waits for it.
 * Returns how many, at most @max, or a negative errno. What the thread takes to
 * hand them over counts among its CPU time.
 */
ssize_t damon_regions(struct damon *d, struct damon_region *regions, size_t max);

/*
 * Every aggregation instead of one now and then: after damon_follow(), to be called
 * before damon_start(), the kernel writes them down (an instance of its tracing), and each
 * call of damon_next() gives one, the oldest first, and waits for it at most @ms. Returns
 * how many regions, 0: none came, or a negative errno. They are as before the split.
 */
int damon_follow(struct damon *d);
ssize_t damon_next(struct damon *d, struct damon_region *regions, size_t max, unsigned int ms);

/* Regions summed up over all aggregations so far, as each found them at its end; or a negative errno. */
int64_t damon_regions_seen(struct damon *d);

/*
 * Tests of accessed bits per sampling, counted over @ms by the tracepoint in KVM that
 * each comes to. That costs the thread time. 0: the kernel does not let us count.
 */
double damon_checks(struct damon *d, unsigned int ms);

/* CPU time of the thread so far; 0: it is gone. */
uint64_t damon_cpu_ns(const struct damon *d);

/* Times that the thread has slept so far: once between the two halves of each sampling. 0: it is gone. */
uint64_t damon_sleeps(const struct damon *d);

#endif /* DAMON_H */
