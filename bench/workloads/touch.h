/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WL_TOUCH_H
#define WL_TOUCH_H

#include "pattern.h"

#define WL_PAGE_BYTES 4096ul

/*
 * What an arena page holds, for a checker outside that can read the memory: word 0 is
 * WL_STAMP | page and never changes; word 1 of each of its 64 cache lines is the number of the
 * last epoch that wrote the line (0: none).
 */
#define WL_STAMP 0x4b58574c00000000ull /* "KXWL" */

/*
 * Touches the arena pages of @picks and sets their bits, in @written too for writes. This is the
 * only code that touches the arena once it is populated, so the bitmaps are exact.
 */
void wl_touch(unsigned char *arena, const wl_pick *picks, size_t n, uint64_t epoch,
	      uint64_t *touched, uint64_t *written);

#endif
