// SPDX-License-Identifier: GPL-2.0-only
/* `off`: the session stays, and no pass runs. This is the reference of every comparison. */
#include "tracker.h"

const struct kx_tracker kx_tracker_off = {
	.id = KVM_EXT_TRACKER_OFF,
};
