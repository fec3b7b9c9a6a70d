// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "command.h"

#define FLAGS	(KVM_EXT_COMMAND_RAW_SAMPLES | KVM_EXT_COMMAND_FLUSH)

/* The default of a field, and its smallest and largest value. */
struct bounds {
	u64 otherwise, min, max;
};

static const struct bounds period = { 4093, 1, 1ull << 40 };
static const struct bounds epoch_ns = { 500 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC,
					10 * NSEC_PER_SEC };
static const struct bounds interval_ns = { 0, NSEC_PER_MSEC, 60ull * NSEC_PER_SEC };
static const struct bounds budget_ppm = { 30000, 100, 1000000 };
static const struct bounds granularity = { 21, 12, 30 };
static const struct bounds max_ranges = { 500, 2, 4096 };

static bool command_settle(u64 *value, const struct bounds *b)
{
	if (!*value) {
		*value = b->otherwise;
		return true;
	}
	return *value >= b->min && *value <= b->max;
}

static bool command_settle32(u32 *value, const struct bounds *b)
{
	u64 wide = *value;
	bool good = command_settle(&wide, b);

	*value = wide;
	return good;
}

static bool command_names_are_good(const struct kvm_ext_channel_command *c)
{
	size_t length;
	u32 i;

	for (i = 0; i < c->nr_names; i++) {
		length = strnlen(c->names[i], KVM_EXT_CHANNEL_NAME);
		if (!length || length == KVM_EXT_CHANNEL_NAME)
			return false;
	}
	return true;
}

static bool command_pids_are_good(const struct kvm_ext_channel_command *c)
{
	u32 i;

	for (i = 0; i < c->nr_pids; i++) {
		if (c->pids[i] <= 0)
			return false;
	}
	return true;
}

int kx_command_check(struct kvm_ext_channel_command *c)
{
	if (c->sampler > KVM_EXT_SAMPLER_ABIT || c->event > KVM_EXT_EVENT_ACCESSES ||
	    c->policy > KVM_EXT_POLICY_POLL || c->flags & ~FLAGS)
		return -EINVAL;
	if (!command_settle(&c->period, &period) || !command_settle(&c->epoch_ns, &epoch_ns) ||
	    !command_settle(&c->interval_ns, &interval_ns) ||
	    !command_settle32(&c->budget_ppm, &budget_ppm) ||
	    !command_settle32(&c->granularity, &granularity) ||
	    !command_settle32(&c->max_ranges, &max_ranges))
		return -ERANGE;
	if (c->nr_pids > KVM_EXT_CHANNEL_PROCESSES || c->nr_names > KVM_EXT_CHANNEL_PROCESSES)
		return -E2BIG;
	if (!command_pids_are_good(c) || !command_names_are_good(c))
		return -EINVAL;
	return 0;
}
