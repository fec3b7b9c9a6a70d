// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of keys, in the order in which they are set. */
#include "options-internal.h"

static guint64 default_interval_ns(const KxTrackerRow *t)
{
	return t->defaults.interval_ns ? t->defaults.interval_ns : kx_options_defaults.interval_ns;
}

/* An option that has the default of the tracker before @t gets the default of @t. */
static void take_defaults(KxOptions *o, const KxTrackerRow *t)
{
	const KxTrackerRow *before = o->tracker;

	if (o->interval_ns == default_interval_ns(before))
		o->interval_ns = default_interval_ns(t);
	if (o->regions.min == before->defaults.regions_min &&
	    o->regions.max == before->defaults.regions_max) {
		o->regions.min = t->defaults.regions_min;
		o->regions.max = t->defaults.regions_max;
	}
}

gboolean kx_option_set_tracker(KxOptions *o, const char *key, const char *value, GError **error)
{
	const KxTrackerRow *t = kx_tracker_by_name(value);

	if (!t) {
		g_autofree char *names = kx_trackers_that(0);

		return kx_option_bad_value(error, key, value, names);
	}
	/* Heat is finer on the host than in the guest, and so are the defaults: values for one side are not kept for the other. */
	if ((t->can ^ o->tracker->can) & KX_CAN_GUEST) {
		o->epoch_ns = kx_options_defaults.epoch_ns;
		o->range_order = kx_options_defaults.range_order;
	}
	take_defaults(o, t);
	o->mechanism = t->mechanism;
	o->tracker = kx_tracker_meant(value);
	return TRUE;
}

#define MEMBERS(member) \
	.offset = G_STRUCT_OFFSET(KxOptions, member), .size = sizeof(((KxOptions *)NULL)->member)
#define TRACKERS_OF_PAGES     .needs = KX_CAN_PASS | KX_CAN_FIND, .lack = "finds no pages"
#define TRACKERS_OF_TIME      .needs = KX_CAN_PASS | KX_CAN_TIME, .lack = "has no interval"
#define TRACKERS_OF_CPUS      .needs = KX_CAN_PASS | KX_CAN_CPU, .lack = "runs on any CPU"
#define TRACKERS_OF_RANGES    .needs = KX_CAN_PASS | KX_CAN_RANGE, .lack = "looks at all RAM"
#define TRACKERS_THAT_FLUSH   .needs = KX_CAN_FLUSH, .lack = "does not flush"
#define TRACKERS_WITH_REGIONS .needs = KX_CAN_REGIONS, .lack = "does not sample regions"
#define TRACKERS_THAT_TRAP    .needs = KX_CAN_TRAP, .lack = "sets no traps"
#define TRACKERS_OF_GUESTS    .needs = KX_CAN_GUEST, .lack = "does not run in the guest"
#define TRACKERS_THAT_FIND    .needs = KX_CAN_FIND, .lack = "finds nothing"
#define TRACKERS_OF_EVENTS    .needs = KX_CAN_EVENTS, .lack = "samples no events"
#define TRACKERS_OF_TAPS      .needs = KX_CAN_TAP, .lack = "cannot use QEMU's copy of the dirty log"
#define TRACKERS_OF_RATES     .needs = KX_CAN_RATE, .lack = "does not have QEMU measure"

const KxOptionKey kx_option_keys[] = {
	{ .key = "tracker",
	  .value = "TRACKER",
	  .help = "Tracker to run",
	  MEMBERS(tracker),
	  .set = kx_option_set_tracker },
	{ .key = "interval",
	  .value = "TIME",
	  .help = "Start of a pass to start of the next, such as 100ms; 0: only on request",
	  TRACKERS_OF_TIME,
	  MEMBERS(interval_ns),
	  .set = kx_option_set_interval,
	  .text = kx_option_text_interval },
	{ .key = "granularity",
	  .value = "SIZE",
	  .help = "Size of what is tested: 4K, or 2M for abit, abit-flush and ept-walk without "
		  "regions",
	  TRACKERS_OF_PAGES,
	  MEMBERS(granularity),
	  .set = kx_option_set_granularity,
	  .text = kx_option_text_granularity,
	  .fits = kx_option_fits_granularity },
	{ .key = "range",
	  .value = "GFN+PAGES",
	  .help = "Guest page frames to track, or 'all'",
	  TRACKERS_OF_RANGES,
	  MEMBERS(range),
	  .set = kx_option_set_range,
	  .text = kx_option_text_range },
	{ .key = "cpu",
	  .value = "CPU",
	  .help = "CPU that the passes run on, or 'any'",
	  TRACKERS_OF_CPUS,
	  MEMBERS(cpu),
	  .set = kx_option_set_cpu,
	  .text = kx_option_text_cpu },
	{ .key = "flush-scope",
	  .value = "SCOPE",
	  .help = "When to flush: page, batch or pass; ept-walk: or none, and then it skips "
		  "nothing",
	  TRACKERS_THAT_FLUSH,
	  MEMBERS(flush_scope),
	  .set = kx_option_set_flush_scope,
	  .text = kx_option_text_flush_scope,
	  .fits = kx_option_fits_flush_scope },
	{ .key = "batch-pages",
	  .value = "N",
	  .help = "Pages in a batch of --flush-scope batch",
	  TRACKERS_THAT_FLUSH,
	  MEMBERS(batch_pages),
	  .set = kx_option_set_batch_pages,
	  .text = kx_option_text_batch_pages,
	  .fits = kx_option_fits_batch_pages },
	{ .key = "skip",
	  .value = "yes|no",
	  .help = "Skip the tables below an entry that was not used",
	  .needs = KX_CAN_SKIP,
	  .lack = "walks no page table",
	  MEMBERS(skip),
	  .set = kx_option_set_skip,
	  .text = kx_option_text_skip },
	{ .key = "staleness",
	  .value = "yes|no",
	  .help = "Measure how many accesses stale TLB entries hide; costs are n/a then",
	  .needs = KX_CAN_ABITS,
	  .lack = "tests no accessed bits",
	  MEMBERS(staleness),
	  .set = kx_option_set_staleness,
	  .text = kx_option_text_staleness },
	{ .key = "regions",
	  .value = "MIN:MAX",
	  .help = "Check one page of each of MIN to MAX regions instead of every page, or 'none'",
	  TRACKERS_WITH_REGIONS,
	  MEMBERS(regions),
	  .set = kx_option_set_regions,
	  .text = kx_option_text_regions },
	{ .key = "aggregation",
	  .value = "TIME",
	  .help = "Time after which regions are read, merged and split (20 intervals)",
	  TRACKERS_WITH_REGIONS,
	  MEMBERS(aggregation_ns),
	  .set = kx_option_set_aggregation,
	  .text = kx_option_text_aggregation,
	  .fits = kx_option_fits_aggregation },
	{ .key = "pages",
	  .value = "PAGES",
	  .help = "Pages to set traps on: all, random:5%, hottest:5%, coldest:5%, GFN+PAGES,…",
	  TRACKERS_THAT_TRAP,
	  MEMBERS(pages),
	  .set = kx_option_set_pages,
	  .text = kx_option_text_pages },
	{ .key = "fault-budget",
	  .value = "N",
	  .help = "Maximum number of faults in a second (1000)",
	  TRACKERS_THAT_TRAP,
	  MEMBERS(faults_per_s),
	  .set = kx_option_set_fault_budget,
	  .text = kx_option_text_fault_budget },
	{ .key = "vcpu-budget",
	  .value = "PERCENT",
	  .help = "Maximum share of the vCPUs' time that faults may take (1%)",
	  TRACKERS_THAT_TRAP,
	  MEMBERS(vcpu_ppm),
	  .set = kx_option_set_vcpu_budget,
	  .text = kx_option_text_vcpu_budget },
	{ .key = "event",
	  .value = "EVENT",
	  .help = "What is sampled: auto, loads, stores, loads+stores, page-faults (a surrogate), "
		  "raw:CONFIG[:CONFIG1]",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.event),
	  .set = kx_option_set_event,
	  .text = kx_option_text_event },
	{ .key = "policy",
	  .value = "POLICY",
	  .help = "How samples are collected: fixed, budget or poll",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.policy),
	  .set = kx_option_set_policy,
	  .text = kx_option_text_policy },
	{ .key = "period",
	  .value = "N",
	  .help = "Events per sample (4093)",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.period),
	  .set = kx_option_set_period,
	  .text = kx_option_text_period },
	{ .key = "budget",
	  .value = "PERCENT",
	  .help = "With --policy budget: the guest's CPU time that sampling may take (3%)",
	  TRACKERS_OF_EVENTS,
	  MEMBERS(guest.budget_ppm),
	  .set = kx_option_set_budget,
	  .text = kx_option_text_budget,
	  .fits = kx_option_fits_budget },
	{ .key = "flush",
	  .value = "yes|no",
	  .help = "Flush the guest's TLB after each scan",
	  .needs = KX_CAN_SCAN,
	  .lack = "does not scan the guest's page tables",
	  MEMBERS(guest.flush),
	  .set = kx_option_set_flush,
	  .text = kx_option_text_flush },
	{ .key = "epoch",
	  .value = "TIME",
	  .help = "Time after which ranges of heat are split and merged, and reported by a guest "
		  "(500ms)",
	  TRACKERS_THAT_FIND,
	  MEMBERS(epoch_ns),
	  .set = kx_option_set_epoch,
	  .text = kx_option_text_epoch },
	{ .key = "range-size",
	  .value = "SIZE",
	  .help = "Size of the smallest range of heat, from 4K to 1G (4K; in the guest 2M)",
	  TRACKERS_THAT_FIND,
	  MEMBERS(range_order),
	  .set = kx_option_set_range_size,
	  .text = kx_option_text_range_size },
	{ .key = "processes",
	  .value = "NAMES",
	  .help = "The guest's processes to watch, by name or number, or 'largest'",
	  TRACKERS_OF_GUESTS,
	  MEMBERS(guest.processes),
	  .set = kx_option_set_processes,
	  .text = kx_option_text_processes },
	{ .key = "mode",
	  .value = "MODE",
	  .help = "How QEMU measures: page-sampling, dirty-bitmap, or dirty-ring if the VM has one",
	  TRACKERS_OF_RATES,
	  MEMBERS(dirty_rate.mode),
	  .set = kx_option_set_mode,
	  .text = kx_option_text_mode },
	{ .key = "calc-time",
	  .value = "TIME",
	  .help = "How long QEMU measures, in whole seconds from 1s to 60s (1s)",
	  TRACKERS_OF_RATES,
	  MEMBERS(dirty_rate.seconds),
	  .set = kx_option_set_calc_time,
	  .text = kx_option_text_calc_time },
	{ .key = "log-via",
	  .value = "WAY",
	  .help = "Who reads KVM's dirty log: module, qemu (needs our patches, see doctor), or "
		  "auto: QEMU if it can",
	  TRACKERS_OF_TAPS,
	  MEMBERS(log_via),
	  .set = kx_option_set_log_via,
	  .text = kx_option_text_log_via },
	{ .key = "ring-size",
	  .value = "SIZE",
	  .help = "Room for samples until they are read, from 64K to 256M; 'auto': by the VM's "
		  "memory",
	  .at_attach = TRUE,
	  MEMBERS(ring_pages),
	  .set = kx_option_set_ring_size },
	{ .key = "wait",
	  .value = "TIME",
	  .help = "How long to wait for the guest's module, or 'auto': as long as the guest makes "
		  "progress",
	  TRACKERS_OF_GUESTS,
	  MEMBERS(wait_ns),
	  .set = kx_option_set_wait },
	{ .key = NULL },
};

const KxOptionKey *kx_option_key(const char *key)
{
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		if (g_str_equal(k->key, key))
			return k;
	}
	return NULL;
}
