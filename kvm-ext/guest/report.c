// SPDX-License-Identifier: GPL-2.0-only
/* Writes the results of an epoch to the channel. */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/string.h>

#include "agent.h"
#include "report.h"
#include "tables.h"

#define RANGES_MAX	((KVM_EXT_CHANNEL_REC_MAX - sizeof(struct kvm_ext_channel_ranges)) / \
			 sizeof(struct kvm_ext_channel_range))
#define HOT_MAX		64u	/* ranges whose pages are reported */
#define SPANS_MAX	1024u	/* in a record */
/* Number of table entries that are read to find the pages of one process. */
#define PAGES_BUDGET	(1ull << 18)

/* --- raw samples ------------------------------------------------------------------- */

void kx_report_raw(struct kx_agent *a, struct kx_process *p)
{
	u32 size = sizeof(struct kvm_ext_channel_samples) + p->nr_raw * sizeof(*p->raw);
	struct kvm_ext_channel_samples *rec;

	if (!p->nr_raw)
		return;
	rec = kx_link_reserve(&a->link, size);
	if (rec) {
		rec->epoch = a->command.epoch;
		rec->pid = p->tgid;
		rec->nr = p->nr_raw;
		memcpy(rec->sample, p->raw, p->nr_raw * sizeof(*p->raw));
		kx_link_commit(&a->link, KVM_EXT_CHANNEL_SAMPLES, size);
	}
	p->nr_raw = 0;
}

/* --- ranges -------------------------------------------------------------------------- */

/* Number of ranges with accesses: these come first among the @ranked ranges. */
static u32 report_count_hot(const struct kx_process *p, u32 ranked)
{
	struct kx_range range;
	u32 n;

	for (n = 0; n < ranked && n < RANGES_MAX; n++) {
		kx_ranges_ranked(&p->ranges, n, &range);
		if (!range.accesses)
			break;
	}
	return n;
}

static void report_put_ranges(struct kx_agent *a, struct kx_process *p, u32 nr)
{
	u32 i, size = sizeof(struct kvm_ext_channel_ranges) +
		      nr * sizeof(struct kvm_ext_channel_range);
	struct kvm_ext_channel_ranges *rec = kx_link_reserve(&a->link, size);
	struct kx_range range;

	if (!rec)
		return;
	rec->epoch = a->command.epoch;
	rec->number = a->epoch_number;
	rec->time_ns = ktime_get_ns();
	rec->pid = p->tgid;
	rec->samples = p->samples;
	memcpy(rec->name, p->name, sizeof(rec->name));
	rec->total = p->ranges.nr;
	rec->nr = nr;
	for (i = 0; i < nr; i++) {
		kx_ranges_ranked(&p->ranges, i, &range);
		rec->range[i] = (struct kvm_ext_channel_range){
			.start = range.start,
			.size = range.size,
			.accesses = range.accesses,
			.age = range.age,
		};
	}
	kx_link_commit(&a->link, KVM_EXT_CHANNEL_RANGES, size);
}

/* --- pages ----------------------------------------------------------------------------- */

/*
 * Only the pages of the hottest ranges are reported. A record of pages contains no heat, so pages
 * of ranges with few accesses would count as much as the others.
 */

/* Runs of guest-physical pages, collected in private memory, then copied to a record. */
struct pages {
	struct kx_tables_visit visit;
	struct kvm_ext_channel_span span[SPANS_MAX];
	u32 nr;
};

static bool report_add_span(struct kx_tables_visit *v, u64 vpn, u64 npages, u64 gfn)
{
	struct pages *p = container_of(v, struct pages, visit);
	struct kvm_ext_channel_span *last = p->nr ? &p->span[p->nr - 1] : NULL;

	if (last && last->gfn + last->npages == gfn) {
		last->npages += npages;
		return true;
	}
	if (p->nr == SPANS_MAX)
		return false;
	p->span[p->nr++] = (struct kvm_ext_channel_span){ .gfn = gfn, .npages = npages };
	return true;
}

static void report_put_pages(struct kx_agent *a, struct kx_process *p, u32 rank, u64 start,
			     const struct pages *pages)
{
	u32 size = sizeof(struct kvm_ext_channel_pages) + pages->nr * sizeof(*pages->span);
	struct kvm_ext_channel_pages *rec = kx_link_reserve(&a->link, size);

	if (!rec)
		return;
	rec->epoch = a->command.epoch;
	rec->number = a->epoch_number;
	rec->pid = p->tgid;
	rec->rank = rank;
	rec->start = start;
	rec->reserved = 0;
	rec->nr = pages->nr;
	memcpy(rec->span, pages->span, pages->nr * sizeof(*pages->span));
	kx_link_commit(&a->link, KVM_EXT_CHANNEL_PAGES, size);
}

/* How many of the hottest ranges together have three quarters of the accesses; at most HOT_MAX. */
static u32 report_count_hottest(const struct kx_process *p, u32 nr)
{
	u64 sum = 0, of_these = 0;
	struct kx_range range;
	u32 n;

	for (n = 0; n < nr; n++) {
		kx_ranges_ranked(&p->ranges, n, &range);
		sum += range.accesses;
	}
	for (n = 0; n < min(nr, HOT_MAX) && of_these < sum - sum / 4; n++) {
		kx_ranges_ranked(&p->ranges, n, &range);
		of_these += range.accesses;
	}
	return n;
}

static void report_put_all_pages(struct kx_agent *a, struct kx_process *p, u32 nr)
{
	struct kx_tables tables = kx_tables_of(p->mm);
	struct pages *pages = a->scratch;
	struct kx_range range;
	u32 rank, hottest = report_count_hottest(p, nr);

	pages->visit = (struct kx_tables_visit){ .leaf = report_add_span, .budget = PAGES_BUDGET };
	for (rank = 0; rank < hottest && pages->visit.budget; rank++) {
		kx_ranges_ranked(&p->ranges, rank, &range);
		pages->nr = 0;
		kx_tables_visit(&tables, range.start >> PAGE_SHIFT,
				(range.start + range.size) >> PAGE_SHIFT, &pages->visit);
		if (pages->nr)
			report_put_pages(a, p, rank, range.start, pages);
	}
}

/* --- an epoch ------------------------------------------------------------------------------ */

static void report_process(struct kx_agent *a, struct kx_process *p)
{
	u32 nr;

	kx_report_raw(a, p);
	nr = report_count_hot(p, kx_ranges_rank(&p->ranges));
	report_put_ranges(a, p, nr);
	/* A process that has exited has no pages. */
	if (mmget_not_zero(p->mm)) {
		report_put_all_pages(a, p, nr);
		mmput_async(p->mm);
	}
	p->samples = 0;
}

void kx_report_epoch(struct kx_agent *a)
{
	u64 mark = ktime_get_ns();
	u32 i;

	for (i = 0; i < a->watch.nr; i++)
		kx_ranges_epoch(&a->watch.process[i]->ranges);
	kx_charge(&a->account.classify_ns, &mark);
	for (i = 0; i < a->watch.nr; i++)
		report_process(a, a->watch.process[i]);
	kx_charge(&a->account.report_ns, &mark);
}

size_t kx_report_scratch_bytes(void)
{
	return sizeof(struct pages);
}
