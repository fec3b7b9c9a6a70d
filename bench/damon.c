// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "damon.h"

#define ADMIN	"/sys/kernel/mm/damon/admin/kdamonds"
#define CONTEXT "0/contexts/0/"
#define SCHEME	CONTEXT "schemes/0/"

/* An instance of the kernel's tracing has its own buffers, without events for other users. */
#define INSTANCE "/sys/kernel/tracing/instances/kvm-ext-bench"

/* --- files below ADMIN -------------------------------------------------------------- */

static int put(struct damon *d, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int put(struct damon *d, const char *value, const char *fmt, ...)
{
	char path[160];
	ssize_t n, length = (ssize_t)strlen(value);
	va_list args;
	int fd;

	n = snprintf(path, sizeof(path), "%s/", ADMIN);
	va_start(args, fmt);
	vsnprintf(path + n, sizeof(path) - n, fmt, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : write(fd, value, length);
	if (n != length) {
		int error = n < 0 ? errno : EIO;

		snprintf(d->failed, sizeof(d->failed), "%s", path + strlen(ADMIN) + 1);
		if (fd >= 0)
			close(fd);
		return -error;
	}
	close(fd);
	return 0;
}

static int put_number(struct damon *d, uint64_t value, const char *file)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return put(d, text, "%s", file);
}

static int64_t get_number(struct damon *d, const char *file)
{
	char path[160], text[32];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", ADMIN, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0) {
		snprintf(d->failed, sizeof(d->failed), "%s", file);
		return errno ? -errno : -EIO;
	}
	text[n] = 0;
	return strtoll(text, NULL, 10);
}

/* --- setting it up -------------------------------------------------------------------- */

static int put_attrs(struct damon *d)
{
	const struct {
		const char *file;
		uint64_t value;
	} all[] = {
		{ CONTEXT "monitoring_attrs/intervals/sample_us", d->attrs.sample_us },
		{ CONTEXT "monitoring_attrs/intervals/aggr_us", d->attrs.aggregation_us },
		/* The interval after which addresses are looked up again; the addresses are fixed. */
		{ CONTEXT "monitoring_attrs/intervals/update_us", 1000 * d->attrs.aggregation_us },
		/* A new limit must not be below (above) the old other one. */
		{ CONTEXT "monitoring_attrs/nr_regions/max", d->attrs.max_regions },
		{ CONTEXT "monitoring_attrs/nr_regions/min", d->attrs.min_regions },
	};
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(all) / sizeof(all[0]); i++)
		ret = put_number(d, all[i].value, all[i].file);
	return ret;
}

static int put_regions(struct damon *d, const struct damon_region *initial, size_t nr)
{
	char text[24];
	int ret = put_number(d, nr, CONTEXT "targets/0/regions/nr_regions");

	for (size_t i = 0; !ret && i < nr; i++) {
		snprintf(text, sizeof(text), "%" PRIu64, initial[i].start);
		ret = put(d, text, CONTEXT "targets/0/regions/%zu/start", i);
		snprintf(text, sizeof(text), "%" PRIu64, initial[i].end);
		if (!ret)
			ret = put(d, text, CONTEXT "targets/0/regions/%zu/end", i);
	}
	return ret;
}

/* A scheme that does nothing to any region: the regions that it was tried on are all regions. */
static int put_scheme(struct damon *d)
{
	static const char *const no_limit[] = { "sz", "nr_accesses", "age" };
	int ret = put_number(d, 1, CONTEXT "schemes/nr_schemes");

	if (!ret)
		ret = put(d, "stat", SCHEME "action");
	for (size_t i = 0; !ret && i < sizeof(no_limit) / sizeof(no_limit[0]); i++) {
		ret = put(d, "0", SCHEME "access_pattern/%s/min", no_limit[i]);
		if (!ret)
			ret = put(d, "4294967295000", SCHEME "access_pattern/%s/max", no_limit[i]);
	}
	return ret;
}

int damon_start(struct damon *d, pid_t pid, const struct damon_attrs *attrs,
		const struct damon_region *initial, size_t nr)
{
	int ret;

	*d = (struct damon){ .attrs = *attrs, .trace = d->trace };
	/* 0 first: the files of one made anew have their defaults. */
	if ((ret = put_number(d, 0, "nr_kdamonds")) || (ret = put_number(d, 1, "nr_kdamonds")) ||
	    (ret = put_number(d, 1, "0/contexts/nr_contexts")) ||
	    (ret = put(d, "fvaddr", CONTEXT "operations")) || (ret = put_attrs(d)) ||
	    (ret = put_number(d, 1, CONTEXT "targets/nr_targets")) ||
	    (ret = put_number(d, (uint64_t)pid, CONTEXT "targets/0/pid_target")) ||
	    (ret = put_regions(d, initial, nr)) || (ret = put_scheme(d)) ||
	    (ret = put(d, "on", "0/state")))
		return ret;
	d->thread = (pid_t)get_number(d, "0/pid");
	return d->thread > 0 ? 0 : -ESRCH;
}

void damon_stop(struct damon *d)
{
	if (d->trace) {
		fclose(d->trace);
		rmdir(INSTANCE);
	}
	d->trace = NULL;
	put(d, "off", "0/state");
	put_number(d, 0, "nr_kdamonds");
	d->thread = 0;
}

/* --- what it found -------------------------------------------------------------------- */

static int read_region(struct damon *d, size_t i, struct damon_region *region)
{
	char file[96];
	int64_t value[4];
	static const char *const names[] = { "start", "end", "nr_accesses", "age" };

	for (size_t k = 0; k < 4; k++) {
		snprintf(file, sizeof(file), SCHEME "tried_regions/%zu/%s", i, names[k]);
		value[k] = get_number(d, file);
		if (value[k] < 0)
			return (int)value[k];
	}
	*region = (struct damon_region){ .start = (uint64_t)value[0],
					 .end = (uint64_t)value[1],
					 .accesses = (uint32_t)value[2],
					 .age = (uint32_t)value[3] };
	return 0;
}

ssize_t damon_regions(struct damon *d, struct damon_region *regions, size_t max)
{
	size_t n;
	int ret = put(d, "update_schemes_tried_regions", "0/state");

	for (n = 0; !ret && n < max; n++) {
		ret = read_region(d, n, &regions[n]);
		if (ret == -ENOENT)
			return (ssize_t)n;
	}
	return ret ? ret : (ssize_t)n;
}

int damon_follow(struct damon *d)
{
	static const char event[] = INSTANCE "/events/damon/damon_aggregated/enable";
	int fd = -1;

	snprintf(d->failed, sizeof(d->failed), "%s", event);
	if (!mkdir(INSTANCE, 0700) || errno == EEXIST)
		fd = open(event, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return -errno;
	close(fd);
	fd = open(INSTANCE "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	d->trace = fd < 0 ? NULL : fdopen(fd, "r");
	return d->trace ? 0 : -errno;
}

/* A line of the trace; waits for the rest of a line of which a part is there. */
static bool next_line(struct damon *d, char *line, int size, unsigned int ms)
{
	size_t length = 0;

	for (;;) {
		if (fgets(line + length, size - (int)length, d->trace))
			length = strlen(line);
		if (length && line[length - 1] == '\n')
			return true;
		if (!length && !ms)
			return false;
		clearerr(d->trace);
		usleep(1000);
		ms -= ms > 0;
	}
}

ssize_t damon_next(struct damon *d, struct damon_region *regions, size_t max, unsigned int ms)
{
	struct damon_region r;
	size_t n = 0, total;
	char line[256];
	const char *event;

	while (next_line(d, line, sizeof(line), ms)) {
		event = strstr(line, "damon_aggregated: ");
		if (!event || sscanf(event,
				     "damon_aggregated: target_id=%*u nr_regions=%zu %" SCNu64
				     "-%" SCNu64 ": %" SCNu32 " %" SCNu32,
				     &total, &r.start, &r.end, &r.accesses, &r.age) != 5)
			continue;
		if (n == max)
			return -E2BIG;
		regions[n++] = r;
		if (n == total)
			return (ssize_t)n;
	}
	return 0;
}

int64_t damon_regions_seen(struct damon *d)
{
	int ret = put(d, "update_schemes_stats", "0/state");

	return ret ? ret : get_number(d, SCHEME "stats/nr_tried");
}

/* --- what it cost --------------------------------------------------------------------- */

uint64_t damon_cpu_ns(const struct damon *d)
{
	char path[40];
	uint64_t ns = 0;
	FILE *f;

	/* The first figure is the time on a CPU: Documentation/scheduler/sched-stats.rst. */
	snprintf(path, sizeof(path), "/proc/%d/schedstat", d->thread);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%" SCNu64, &ns) != 1)
			ns = 0;
		fclose(f);
	}
	return ns;
}

uint64_t damon_sleeps(const struct damon *d)
{
	char path[40], line[128];
	uint64_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", d->thread);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &n) == 1)
			break;
	}
	if (f)
		fclose(f);
	return n;
}

/* --- what it did ---------------------------------------------------------------------- */

#define CHECK_EVENT "/sys/kernel/tracing/events/kvm/kvm_test_age_hva"
#define COUNTER	    "hist:keys=common_pid"

static bool set_counter(const char *value)
{
	int fd = open(CHECK_EVENT "/trigger", O_WRONLY | O_APPEND | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static uint64_t counted(const struct damon *d)
{
	uint64_t hits = 0;
	char line[128];
	int pid;
	FILE *f = fopen(CHECK_EVENT "/hist", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "{ common_pid: %d } hitcount: %" SCNu64, &pid, &hits) == 2 &&
		    pid == d->thread)
			break;
		hits = 0;
	}
	if (f)
		fclose(f);
	return hits;
}

double damon_checks(struct damon *d, unsigned int ms)
{
	uint64_t sleeps;
	double checks;

	if (!set_counter(COUNTER))
		return 0;
	sleeps = damon_sleeps(d);
	usleep(ms * 1000);
	checks = (double)counted(d);
	sleeps = damon_sleeps(d) - sleeps;
	set_counter("!" COUNTER);
	return sleeps ? checks / (double)sleeps : 0;
}
