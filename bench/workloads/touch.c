// SPDX-License-Identifier: GPL-2.0-or-later
#include "touch.h"

#include "truth.h"

void wl_touch(unsigned char *arena, const wl_pick *picks, size_t n, uint64_t epoch,
	      uint64_t *touched, uint64_t *written)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t page = wl_pick_page(picks[i]);
		volatile uint64_t *word = (volatile uint64_t *)(arena + page * WL_PAGE_BYTES +
								wl_pick_line(picks[i]) * 64) +
					  1;

		wl_bitmap_set(touched, page);
		if (wl_pick_is_write(picks[i])) {
			wl_bitmap_set(written, page);
			*word = epoch;
		} else {
			(void)*word;
		}
	}
}
