/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in a guest that is migrated while it samples: stores to a buffer, which one PEBS event
 * samples that stays open all the time. After each round of stores, the program prints a line with
 * the counts so far and the guest's PEBS MSRs:
 *
 *   round N samples COUNT inside COUNT lost COUNT ds-area X ld-lat X
 *
 * inside: samples whose address is in the buffer. This program writes ld-lat once, at the start,
 * without the guest kernel's knowledge. If the MSR still has the value after the migration, QEMU
 * has migrated it, because the guest's kernel cannot have written it again.
 *
 * usage: pebs-samples ROUNDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL_STORES	 0x82d0
#define PERIOD		 1009
#define RING_PAGES	 64
#define STORES		 4000000
#define MSR_PEBS_LD_LAT	 0x3f6
#define MSR_IA32_DS_AREA 0x600
#define LD_LAT		 0x45

static uint64_t buffer[32768];
static uint64_t samples, inside, lost;

static void die(const char *what)
{
	printf("pebs-samples: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_event(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_RAW,
		.size = sizeof(attr),
		.config = ALL_STORES,
		.sample_period = PERIOD,
		.sample_type = PERF_SAMPLE_ADDR,
		.precise_ip = 2,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		die("perf_event_open");
	return fd;
}

static uint64_t read_msr(int fd, uint32_t msr)
{
	uint64_t value;

	if (pread(fd, &value, sizeof(value), msr) != sizeof(value))
		die("reading an MSR");
	return value;
}

struct ring {
	const uint8_t *data;
	uint64_t size;
};

/* A record may wrap around the end of the ring. */
static void copy(void *to, size_t n, const struct ring *ring, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = ring->data[(at + i) % ring->size];
}

static void count(const struct ring *ring, const struct perf_event_header *header, uint64_t at)
{
	uint64_t value[2] = { 0 };

	copy(value, sizeof(value), ring, at + sizeof(*header));
	if (header->type == PERF_RECORD_SAMPLE) {
		samples++;
		inside += value[0] >= (uintptr_t)buffer &&
			  value[0] < (uintptr_t)buffer + sizeof(buffer);
	} else if (header->type == PERF_RECORD_LOST) {
		lost += value[1];
	}
}

static void drain(struct perf_event_mmap_page *page)
{
	const struct ring ring = { (uint8_t *)page + page->data_offset, page->data_size };
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), at = page->data_tail;

	while (at < head) {
		struct perf_event_header header = { 0 };

		copy(&header, sizeof(header), &ring, at);
		count(&ring, &header, at);
		at += header.size;
	}
	__atomic_store_n(&page->data_tail, at, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 0;
	long page = sysconf(_SC_PAGESIZE);
	int msrs = open("/dev/cpu/0/msr", O_RDWR | O_CLOEXEC), event = open_event();
	uint64_t value = LD_LAT;
	void *ring;

	if (msrs < 0)
		die("/dev/cpu/0/msr");
	if (pwrite(msrs, &value, sizeof(value), MSR_PEBS_LD_LAT) != sizeof(value))
		die("writing MSR_PEBS_LD_LAT_THRESHOLD");
	ring = mmap(NULL, (RING_PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, event, 0);
	if (ring == MAP_FAILED)
		die("the event's ring");
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (long round = 1; round <= rounds; round++) {
		/*
		 * The event is disabled while samples are counted, which also stores to memory.
		 * Disabling it also empties the CPU's PEBS buffer.
		 */
		if (ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
			die("starting the event");
		for (uint64_t i = 0; i < STORES; i++)
			((volatile uint64_t *)buffer)[i % (sizeof(buffer) / sizeof(buffer[0]))] = i;
		if (ioctl(event, PERF_EVENT_IOC_DISABLE, 0))
			die("stopping the event");
		drain(ring);
		printf("round %ld samples %" PRIu64 " inside %" PRIu64 " lost %" PRIu64
		       " ds-area %" PRIx64 " ld-lat %" PRIx64 "\n",
		       round, samples, inside, lost, read_msr(msrs, MSR_IA32_DS_AREA),
		       read_msr(msrs, MSR_PEBS_LD_LAT));
	}
	return 0;
}
