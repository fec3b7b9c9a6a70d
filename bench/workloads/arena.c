// SPDX-License-Identifier: GPL-2.0-or-later
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "touch.h"

#define HUGE_BYTES	(2ul << 20)
#define PAGEMAP_FRAME	((1ull << 55) - 1)
#define PAGEMAP_PRESENT (1ull << 63)
#define COMPACT_KNOB	"/proc/sys/vm/compact_unevictable_allowed"

static int fail(struct wl_arena *arena, int err, const char *what)
{
	snprintf(arena->why, sizeof(arena->why), "%s: %s", what, strerror(err));
	return -err;
}

/* Refuses now, with a message, a size with which the guest's OOM killer would end the run later. */
static bool memory_suffices(uint64_t bytes)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return true;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(file);
	return !kib || bytes <= kib * 1024;
}

static unsigned char *map_aligned(size_t bytes)
{
	unsigned char *raw = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t head;

	if (raw == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)raw % HUGE_BYTES;
	if (head)
		munmap(raw, head);
	munmap(raw + head + bytes, HUGE_BYTES - head);
	return raw + head;
}

/* A write gives every page a frame of its own; reads would all map the zero page. */
static void populate(unsigned char *base, uint32_t pages)
{
	for (uint32_t page = 0; page < pages; page++)
		*(volatile uint64_t *)(base + page * WL_PAGE_BYTES) = WL_STAMP | page;
}

/* Maps the same shared pages twice: a page that is unmapped in one mapping stays in the other. */
static int map_alias(struct wl_arena *arena, size_t bytes)
{
	int fd = memfd_create("kx-workload", MFD_CLOEXEC);
	void *base = MAP_FAILED, *locked = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, bytes)) {
		base = mmap(arena->base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			    0);
		locked = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (base == MAP_FAILED || locked == MAP_FAILED)
		return fail(arena, errno, "cannot map the arena twice");
	close(fd);
	arena->locked = locked;
	return 0;
}

int wl_arena_create(struct wl_arena *arena, uint32_t pages, bool thp, bool aliased)
{
	size_t bytes = pages * WL_PAGE_BYTES;

	*arena = (struct wl_arena){ .pagemap_fd = -1, .frames.pages = pages };
	if (!memory_suffices(bytes))
		return fail(arena, ENOMEM, "the arena is larger than the memory available");
	arena->frames.frame = calloc(pages, sizeof(*arena->frames.frame));
	arena->frames.order = calloc(pages, sizeof(*arena->frames.order));
	arena->base = map_aligned(bytes);
	if (!arena->frames.frame || !arena->frames.order || !arena->base)
		return fail(arena, ENOMEM, "cannot map the arena");
	arena->locked = arena->base;
	if (aliased && map_alias(arena, bytes))
		return -ENOMEM;
	/* EINVAL: a kernel without huge pages, which is what "off" asks for. */
	if (madvise(arena->base, bytes, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) &&
	    (thp || errno != EINVAL))
		return fail(arena, errno, "madvise for huge pages");
	populate(arena->locked, pages);
	if (mlock(arena->locked, bytes))
		return fail(arena, errno, "mlock of the arena (root, or raise the limit)");
	return 0;
}

int wl_arena_use_virtual(struct wl_arena *arena)
{
	for (uint32_t page = 0; page < arena->frames.pages; page++)
		arena->frames.frame[page] = (uintptr_t)arena->base / WL_PAGE_BYTES + page;
	return wl_frames_sort(&arena->frames);
}

/* Physical page numbers are guest-physical only below a hypervisor. */
static bool in_a_guest(void)
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c >> 31;
#else
	return false;
#endif
}

/* Calls for a chunk of pagemap entries at a time; returns 1 once @same is false at the end. */
static int scan_frames(struct wl_arena *arena, bool *same)
{
	uint64_t entries[4096];
	uint64_t first = (uintptr_t)arena->locked / WL_PAGE_BYTES;

	*same = true;
	for (uint32_t done = 0; done < arena->frames.pages;) {
		uint32_t n = arena->frames.pages - done;
		ssize_t got;

		if (n > 4096)
			n = 4096;
		got = pread(arena->pagemap_fd, entries, n * sizeof(*entries),
			    (first + done) * sizeof(*entries));
		if (got != (ssize_t)(n * sizeof(*entries)))
			return fail(arena, got < 0 ? errno : EIO, "cannot read /proc/self/pagemap");
		for (uint32_t i = 0; i < n; i++) {
			uint64_t frame = entries[i] & PAGEMAP_FRAME;

			if (!(entries[i] & PAGEMAP_PRESENT) || !frame)
				return fail(arena, ENXIO,
					    "/proc/self/pagemap shows no page frames (not root?)");
			*same &= arena->frames.frame[done + i] == frame;
			arena->frames.frame[done + i] = frame;
		}
		done += n;
	}
	return 0;
}

static int sort_frames(struct wl_arena *arena)
{
	if (wl_frames_sort(&arena->frames))
		return fail(arena, EEXIST, "two arena pages share a page frame");
	return 0;
}

int wl_arena_use_gfns(struct wl_arena *arena)
{
	bool same;
	int err;

	if (!in_a_guest())
		return fail(arena, ENXIO,
			    "no hypervisor: page frames are not guest-physical here (--virtual?)");
	arena->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (arena->pagemap_fd < 0) {
		fail(arena, errno, "cannot open /proc/self/pagemap");
		return -ENXIO;
	}
	err = scan_frames(arena, &same);
	return err ? err : sort_frames(arena);
}

int wl_arena_check_frames(struct wl_arena *arena)
{
	bool same;
	int err;

	if (arena->pagemap_fd < 0)
		return 0;
	err = scan_frames(arena, &same);
	if (err || same)
		return err;
	err = sort_frames(arena);
	return err ? err : 1;
}

long long wl_arena_huge_bytes(const struct wl_arena *arena)
{
	uintptr_t base = (uintptr_t)arena->base, end = base + arena->frames.pages * WL_PAGE_BYTES;
	long long kib, sum = -1;
	bool inside = false;
	char line[512];
	FILE *file = fopen("/proc/self/smaps", "re");

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			inside = from < end && to > base;
		else if (inside && sscanf(line, "AnonHugePages: %lld kB", &kib) == 1)
			sum = (sum < 0 ? 0 : sum) + kib * 1024;
	}
	fclose(file);
	return sum;
}

static char compaction_before;

static void set_compaction(char value)
{
	int fd = open(COMPACT_KNOB, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!compaction_before && read(fd, &compaction_before, 1) != 1)
		compaction_before = 0;
	/* If this is refused, pages may move; that is checked at the end of each epoch. */
	if (pwrite(fd, &value, 1, 0) != 1)
		compaction_before = 0;
	close(fd);
}

void wl_arena_forbid_compaction(void)
{
	set_compaction('0');
}

void wl_arena_allow_compaction(void)
{
	if (compaction_before)
		set_compaction(compaction_before);
}
