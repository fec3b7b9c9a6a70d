/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buffer whose accesses are known: populated, locked, and with the numbers of the
 * (guest-)physical pages that back it.
 */
#ifndef WL_ARENA_H
#define WL_ARENA_H

#include <stdbool.h>

#include "truth.h"

struct wl_arena {
	unsigned char *base;   /* 2 MiB aligned */
	unsigned char *locked; /* where the pages are mapped all the time: the same, or an alias */
	struct wl_frames frames;
	int pagemap_fd; /* -1: frames are virtual page numbers */
	char why[160];	/* after a failure: what failed, for a human */
};

/*
 * Returns 0 or a negative errno with @arena->why set. Frames are not known yet. With @aliased
 * the pages may be unmapped at @base at any time (MADV_DONTNEED), and stay what they are.
 */
int wl_arena_create(struct wl_arena *arena, uint32_t pages, bool thp, bool aliased);

/* Makes the frames the arena's virtual page numbers, for tests outside a guest. */
int wl_arena_use_virtual(struct wl_arena *arena);

/*
 * Makes the frames the guest-physical page numbers. -ENXIO where this system does not tell them
 * (no privilege, or no hypervisor, so that they would not be guest-physical).
 */
int wl_arena_use_gfns(struct wl_arena *arena);

/* Reads the frames again. Returns 0 if none moved, 1 if some did, or a negative errno. */
int wl_arena_check_frames(struct wl_arena *arena);

/* Bytes of the arena that huge pages back, or -1 if this kernel does not tell. */
long long wl_arena_huge_bytes(const struct wl_arena *arena);

/*
 * Tells the kernel not to compact locked memory. Without the right to, pages may move: then
 * wl_arena_check_frames() sees it. Undone by wl_arena_allow_compaction().
 */
void wl_arena_forbid_compaction(void);
void wl_arena_allow_compaction(void);

#endif
