// SPDX-License-Identifier: GPL-2.0-only
/*
 * `dirty-log`: the pages that KVM's dirty log says were written since the pass
 * before. Whether the CPU logs them (PML) or KVM finds out by a fault is KVM's
 * choice and one figure of the account; the log is the same.
 *
 * A page in the log is reported and then cleared there. What is written between
 * the two is part of what is reported; what is written after is logged again.
 */
#include <linux/bitmap.h>

#include "log.h"
#include "log-mode.h"
#include "log-walk.h"
#include "pass.h"
#include "tracker.h"

static u64 dirty_log_block(struct kx_pass *p, struct kx_log_slot *s, u64 first, unsigned int npages,
			   unsigned long *bits)
{
	kx_log_found(p, s, first, npages, bits);
	return bitmap_weight(bits, npages);
}

static void dirty_log_pass(struct kx_pass *p)
{
	static const struct kx_log_walk walk = { .block = dirty_log_block };

	kx_log_walk(p, &walk);
}

const struct kx_tracker kx_tracker_dirty_log = {
	.id = KVM_EXT_TRACKER_DIRTY_LOG,
	.pages_only = true,
	.check = kx_log_check,
	.pass = dirty_log_pass,
	.leave = kx_log_walk_leave,
};
