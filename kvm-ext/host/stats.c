// SPDX-License-Identifier: GPL-2.0-only
/* Sums over passes, and the distribution of their wall time. */
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "stats.h"

/* A value below 8 has its own bucket; otherwise the three bits after the leading bit choose it. */
static unsigned int stats_bucket_of(u64 value)
{
	int shift;

	if (value < BIT(KX_HIST_SUB_BITS))
		return value;
	shift = fls64(value) - 1 - KX_HIST_SUB_BITS;
	return ((shift + 1) << KX_HIST_SUB_BITS) + ((value >> shift) & (BIT(KX_HIST_SUB_BITS) - 1));
}

/* The largest value that belongs to @bucket. */
static u64 stats_upper_edge(unsigned int bucket)
{
	unsigned int shift;
	u64 lower;

	if (bucket < BIT(KX_HIST_SUB_BITS))
		return bucket;
	shift = (bucket >> KX_HIST_SUB_BITS) - 1;
	lower = BIT_ULL(KX_HIST_SUB_BITS) + (bucket & (BIT(KX_HIST_SUB_BITS) - 1));
	return (lower << shift) + BIT_ULL(shift) - 1;
}

static u64 stats_percentile(const struct kx_stats *stats, unsigned int percent)
{
	u64 rank = div_u64(stats->sum.passes * percent + 99, 100), seen = 0;
	unsigned int i;

	for (i = 0; i < KX_HIST_BUCKETS; i++) {
		seen += stats->pass_ns[i];
		if (seen && seen >= rank)
			return stats_upper_edge(i);
	}
	return 0;
}

void kx_stats_open(struct kx_stats *stats, u32 tracker, u64 interval_ns, u64 now_ns)
{
	u64 epoch = stats->sum.epoch;

	memset(stats, 0, sizeof(*stats));
	stats->sum.epoch = epoch;
	stats->sum.tracker = tracker;
	stats->sum.interval_ns = interval_ns;
	stats->sum.start_ns = now_ns;
}

static void stats_add_counted(struct kx_stats *stats, const struct kx_pass_account *pass)
{
	const struct kvm_ext_rec_pass_end *end = &pass->end;
	struct kvm_ext_stats *sum = &stats->sum;

	if (!sum->passes)
		sum->first_start_ns = pass->start_ns;
	sum->last_start_ns = pass->start_ns;
	sum->pass_ns_min = sum->passes ? min(sum->pass_ns_min, end->wall_ns) : end->wall_ns;
	sum->pass_ns_max = max(sum->pass_ns_max, end->wall_ns);
	sum->pass_ns_sum += end->wall_ns;
	sum->passes++;
	sum->pages_scanned += end->pages_scanned;
	sum->leaves_tested += end->leaves_tested;
	sum->samples += end->samples;
	sum->sample_pages += end->sample_pages;
	sum->lost_samples += end->lost_samples;
	stats->pass_ns[stats_bucket_of(end->wall_ns)]++;
}

static void stats_add_to_pair(struct kx_stats *stats, const struct kvm_ext_rec_pass_end *end)
{
	struct kvm_ext_staleness_stats *sum = &stats->sum.staleness;

	if (end->h.flags & KVM_EXT_PASS_CONTROL) {
		sum->control_passes++;
		sum->control_samples += end->samples;
	} else {
		sum->passes++;
		sum->samples += end->samples;
	}
}

static void stats_add_walk(struct kvm_ext_walk_stats *sum, const struct kvm_ext_walk_stats *pass)
{
	sum->tables_read += pass->tables_read;
	sum->subtrees_skipped += pass->subtrees_skipped;
	sum->pages_skipped += pass->pages_skipped;
	sum->upper_cleared += pass->upper_cleared;
	sum->upper_restored += pass->upper_restored;
	sum->holds += pass->holds;
	sum->hold_ns += pass->hold_ns;
	sum->max_hold_ns = max(sum->max_hold_ns, pass->max_hold_ns);
	sum->contended += pass->contended;
}

void kx_stats_add(struct kx_stats *stats, const struct kx_pass_account *pass)
{
	const struct kvm_ext_rec_pass_end *end = &pass->end;
	struct kvm_ext_stats *sum = &stats->sum;

	sum->cpu_ns += end->cpu_ns;
	sum->flushes += end->flushes;
	sum->flush_ipis += end->flush_ipis;
	sum->flush_ns += end->flush_ns;
	sum->max_hold_ns = max(sum->max_hold_ns, pass->max_hold_ns);
	sum->slot_changes += pass->slots_changed;
	sum->dropped_pages += pass->dropped_pages;
	sum->state |= pass->state;
	stats_add_walk(&sum->walk, &pass->walk);
	sum->regions = pass->regions;
	sum->trap = pass->trap;
	sum->trap_listened_ns = pass->trap_listened_ns;
	sum->trap_more = pass->trap_more;
	if (end->h.flags & KVM_EXT_PASS_PRIME) {
		sum->prime_cpu_ns += end->cpu_ns;
		sum->prime_ns += end->wall_ns;
	} else if (!(end->h.flags & (KVM_EXT_PASS_CUT | KVM_EXT_PASS_YIELDED))) {
		stats_add_counted(stats, pass);
		if (pass->staleness)
			stats_add_to_pair(stats, end);
	}
}

void kx_stats_get(const struct kx_stats *stats, struct kvm_ext_stats *out)
{
	*out = stats->sum;
	out->pass_ns_p99 = stats_percentile(stats, 99);
}
