// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measures another process's stores with perf_event_open(): their number, and by PEBS the address
 * of one store in PERIOD. In a guest, this checks what kvm_ext_guest.ko reports of the same
 * process. On the host, this is another user of PEBS on all CPUs.
 *
 * usage: stores PID PERIOD FIRST BYTES
 *        stores all PERIOD
 *
 * FIRST (hexadecimal) and BYTES: a buffer of the process. Prints "counting" when all threads of the
 * process, or all CPUs, are watched. At SIGTERM prints one line:
 *
 *   stores N samples N inside N foreign N lost N
 *
 * stores: counted by counters that do not sample. inside: samples with an address in the buffer.
 * foreign: samples with an address to which no process can store (0, or an address of the kernel).
 * lost: samples that perf has lost.
 *
 * What it cannot show: threads that begin later are not watched.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL_STORES	 0x82d0 /* MEM_INST_RETIRED.ALL_STORES */
#define EVENTS_MAX	 64
#define USER_END	 (1ull << 47)
#define RING_PAGES	 64 /* a power of two */
#define PAGE_BYTES	 4096ul
#define RING_BYTES	 (RING_PAGES * PAGE_BYTES)
#define LOOKS_PER_SECOND 100

struct span {
	uint64_t first, end;
};

/* The events of one thread, or of one CPU. */
struct events {
	int counter, sampler;
	struct perf_event_mmap_page *ring;
};

static struct events all[EVENTS_MAX];
static unsigned int n_all;
static struct span buffer;
static uint64_t samples, inside, foreign, lost;

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("stores: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static bool is_in(const struct span *span, uint64_t address)
{
	return address >= span->first && address < span->end;
}

/* --- events ----------------------------------------------------------------------- */

/*
 * Requests only the address, and no wake-up at each sample, so that perf lets the CPU fill a
 * buffer. The counter leads the group, and the sampler is in it: both begin when the leader is
 * enabled and end when it is disabled, whenever this program runs.
 */
static int open_event(int tid, int cpu, uint64_t period, int leader)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_RAW,
		.config = ALL_STORES,
		.disabled = leader < 0,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.exclude_guest = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	int fd;

	if (period) {
		attr.sample_period = period;
		attr.sample_type = PERF_SAMPLE_ADDR;
		attr.precise_ip = 2;
		attr.watermark = 1;
		attr.wakeup_watermark = RING_BYTES / 2;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, tid, cpu, leader, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fail("perf_event_open for thread %d, CPU %d, period %" PRIu64 ": %s", tid, cpu,
		     period, strerror(errno));
	return fd;
}

static void watch(int tid, int cpu, uint64_t period)
{
	struct events *e = &all[n_all];

	if (n_all++ == EVENTS_MAX)
		fail("more than %u threads or CPUs", EVENTS_MAX);
	e->counter = open_event(tid, cpu, 0, -1);
	e->sampler = open_event(tid, cpu, period, e->counter);
	e->ring = mmap(NULL, RING_BYTES + PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		       e->sampler, 0);
	if (e->ring == MAP_FAILED)
		fail("perf's ring: %s", strerror(errno));
	if (ioctl(e->counter, PERF_EVENT_IOC_ENABLE, 0))
		fail("perf's counter cannot be enabled: %s", strerror(errno));
}

static void watch_cpus(uint64_t period)
{
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		watch(-1, cpu, period);
}

static void watch_process(int pid, uint64_t period)
{
	char path[32];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		fail("%s: %s", path, strerror(errno));
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] != '.')
			watch(atoi(entry->d_name), -1, period);
	}
	closedir(tasks);
}

static uint64_t read_event(int fd)
{
	struct {
		uint64_t value, enabled_ns, running_ns;
	} event;

	if (read(fd, &event, sizeof(event)) != sizeof(event))
		fail("a counter cannot be read: %s", strerror(errno));
	if (event.running_ns < event.enabled_ns)
		fail("other events had the counter for %" PRIu64 " of %" PRIu64 " ns",
		     event.enabled_ns - event.running_ns, event.enabled_ns);
	return event.value;
}

/* --- samples ------------------------------------------------------------------------ */

static void take_address(uint64_t address)
{
	samples++;
	inside += is_in(&buffer, address);
	foreign += !address || address >= USER_END;
}

/* The size of a record is a multiple of 8 bytes. A record may continue at the ring's start. */
static uint64_t word_at(const struct perf_event_mmap_page *ring, uint64_t at)
{
	uint64_t value;

	memcpy(&value, (const char *)ring + PAGE_BYTES + at % RING_BYTES, sizeof(value));
	return value;
}

static void drain(struct perf_event_mmap_page *ring)
{
	uint64_t head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = ring->data_tail;

	while (at < head) {
		uint64_t word = word_at(ring, at);
		struct perf_event_header header;

		memcpy(&header, &word, sizeof(header));
		if (header.type == PERF_RECORD_SAMPLE)
			take_address(word_at(ring, at + 8));
		else if (header.type ==
			 PERF_RECORD_LOST) /* the event's id, then the number of lost samples */
			lost += word_at(ring, at + 16);
		at += header.size;
	}
	__atomic_store_n(&ring->data_tail, at, __ATOMIC_RELEASE);
}

static void drain_all(void)
{
	for (unsigned int i = 0; i < n_all; i++)
		drain(all[i].ring);
}

static void watch_until_told(int told)
{
	struct pollfd fd = { .fd = told, .events = POLLIN };

	while (poll(&fd, 1, 1000 / LOOKS_PER_SECOND) == 0)
		drain_all();
}

static uint64_t end(void)
{
	uint64_t stores = 0;

	/* As the sampler ends, perf empties the CPU's buffer of records. */
	for (unsigned int i = 0; i < n_all; i++) {
		if (ioctl(all[i].counter, PERF_EVENT_IOC_DISABLE, 0))
			fail("perf's counter cannot be disabled: %s", strerror(errno));
		stores += read_event(all[i].counter);
		read_event(all[i].sampler);
	}
	drain_all();
	return stores;
}

static int signal_to_end(void)
{
	sigset_t term;
	int fd;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	fd = signalfd(-1, &term, SFD_CLOEXEC);
	if (fd < 0)
		fail("signalfd: %s", strerror(errno));
	return fd;
}

static void begin(char **argv, bool cpus)
{
	uint64_t period = strtoull(argv[2], NULL, 10);
	int pid = atoi(argv[1]);

	if (!period || (!cpus && pid <= 0))
		fail("the arguments have to be a process and a period");
	if (cpus) {
		watch_cpus(period);
		return;
	}
	buffer.first = strtoull(argv[3], NULL, 16);
	buffer.end = buffer.first + strtoull(argv[4], NULL, 10);
	watch_process(pid, period);
}

int main(int argc, char **argv)
{
	bool cpus = argc == 3 && !strcmp(argv[1], "all");
	uint64_t stores;
	int told;

	if (!cpus && argc != 5) {
		fputs("usage: stores PID PERIOD FIRST BYTES, or all PERIOD\n", stderr);
		return 2;
	}
	told = signal_to_end();
	begin(argv, cpus);
	puts("counting");
	fflush(stdout);
	watch_until_told(told);
	stores = end();
	printf("stores %" PRIu64 " samples %" PRIu64 " inside %" PRIu64 " foreign %" PRIu64
	       " lost %" PRIu64 "\n",
	       stores, samples, inside, foreign, lost);
	return 0;
}
