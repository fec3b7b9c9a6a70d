// SPDX-License-Identifier: GPL-2.0-only
/* `off`: the session stays, nothing is examined. The control of every comparison. */
#include "tracker.h"

const struct kx_tracker kx_tracker_off = {
	.id = KVM_EXT_TRACKER_OFF,
};
