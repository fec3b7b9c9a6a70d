// SPDX-License-Identifier: GPL-2.0-only
/*
 * `dirty-log`: the pages that were written since the previous pass, according to KVM's dirty log.
 * KVM decides whether the CPU logs writes (PML) or KVM logs them at write faults. The account shows
 * which; the content of the log is the same.
 *
 * A page in the log is reported, and then cleared in the log. A write before the clearing belongs
 * to this report; a later write is logged again.
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
