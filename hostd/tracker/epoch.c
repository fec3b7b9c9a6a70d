// SPDX-License-Identifier: GPL-2.0-or-later
#include "epoch.h"

/* The module's own numbers stay below: they would reach this one after 50 days with a switch in each millisecond. */
#define EPOCH_FIRST (1ull << 32)

guint64 kx_tracker_new_epoch(void)
{
	static gsize given;

	return EPOCH_FIRST + g_atomic_pointer_add(&given, 1);
}
