// SPDX-License-Identifier: GPL-2.0-or-later
#include "rows.h"

#define SEES_ACCESSES                                             \
	{                                                         \
		.finds = KX_SEEN_TOUCHED, .says = KX_SEEN_TOUCHED \
	}
#define SEES_RANGES(tells)                                                          \
	{                                                                           \
		.finds = KX_SEEN_TOUCHED, .says = KX_SEEN_TOUCHED, .recall = tells, \
		.precision = tells                                                  \
	}

static const char ranges_are_found[] =
	"the guest reports its hottest ranges, not pages, and all mapped pages of a range count as "
	"found: this is the figure of ranges, which are halved epoch by epoch down to range-size";

static const char a_page_stands_for_a_region[] = "DAMON reports regions, not pages: it checks one "
						 "page of a region, and all pages of a region "
						 "with accesses count as found";
static const char counts_only[] = "lru_gen reports how many pages were used, and not which";
static const char rate_only[] = "QEMU reports a rate in MB/s, and neither samples nor pages";

/* Abilities of every tracker of the module with passes. */
#define ON_HOST (KX_CAN_FIND | KX_CAN_PASS | KX_CAN_TIME | KX_CAN_CPU | KX_CAN_RANGE)

/* Abilities of every tracker without the module that works on the VMM's address space, on a thread of the daemon. */
#define ON_VMM (ON_HOST | KX_CAN_ALONE | KX_CAN_VMM)

#define BLIND_ALL  (KX_BLIND_DMA | KX_BLIND_VMM)
#define BLIND_HOST (BLIND_ALL | KX_BLIND_KVM)

const KxTrackerRow kx_trackers[] = {
	{ .name = "off",
	  .summary = "no tracking: the control that every other tracker is compared with",
	  .module_id = KVM_EXT_TRACKER_OFF,
	  .can = KX_CAN_ALONE },
	{ .name = "abit",
	  .summary = "accessed bits through the MMU notifier; the guest's TLB is not flushed",
	  .module_id = KVM_EXT_TRACKER_ABIT,
	  .can = ON_HOST | KX_CAN_2M | KX_CAN_ABITS | KX_CAN_REGIONS,
	  .sees = SEES_ACCESSES,
	  .blind = BLIND_HOST | KX_BLIND_CACHED },
	{ .name = "abit-flush",
	  .summary = "accessed bits through the MMU notifier, then the guest's TLB is flushed",
	  .module_id = KVM_EXT_TRACKER_ABIT_FLUSH,
	  .can = ON_HOST | KX_CAN_2M | KX_CAN_ABITS | KX_CAN_REGIONS | KX_CAN_FLUSH,
	  .sees = SEES_ACCESSES,
	  .blind = BLIND_HOST },
	{ .name = "ept-walk",
	  .summary = "accessed bits from the nested page table itself; unused parts are skipped",
	  .module_id = KVM_EXT_TRACKER_EPT_WALK,
	  .can = ON_HOST | KX_CAN_2M | KX_CAN_ABITS | KX_CAN_REGIONS | KX_CAN_FLUSH |
		 KX_CAN_NOT_FLUSH | KX_CAN_SKIP,
	  .parts = KX_PART_BIT(WALK),
	  .sees = SEES_ACCESSES,
	  .blind = BLIND_HOST | KX_BLIND_NESTED },
	{ .name = "dirty-log",
	  .summary = "pages written, from KVM's dirty log: by PML, or by write protection",
	  .module_id = KVM_EXT_TRACKER_DIRTY_LOG,
	  .can = ON_HOST | KX_CAN_LOG | KX_CAN_TAP,
	  .parts = KX_PART_BIT(LOG),
	  .sees = { .finds = KX_SEEN_WRITTEN,
		    .says = KX_SEEN_WRITTEN,
		    .recall = "of the pages written: the dirty log names no reads",
		    .precision = "of the pages found, those written: KVM also names a page that is "
				 "mapped for the first time while the log is on, even if it is "
				 "only read" },
	  .blind = BLIND_ALL | KX_BLIND_READS },
	{ .name = "pml",
	  .summary = "dirty-log where the CPU logs the writes (PML); refused elsewhere",
	  .module_id = -1,
	  .means = "dirty-log",
	  .mechanism = KVM_EXT_LOG_PML },
	{ .name = "pml-abit",
	  .summary = "accessed bits, but only of the pages that the dirty log has named",
	  .module_id = KVM_EXT_TRACKER_PML_ABIT,
	  .can = ON_HOST | KX_CAN_ABITS | KX_CAN_FLUSH | KX_CAN_LOG,
	  .parts = KX_PART_BIT(LOG),
	  .sees = { .finds = KX_SEEN_WRITTEN,
		    .says = KX_SEEN_TOUCHED,
		    .recall = "of the pages written: a page that is only read is no candidate" },
	  .blind = BLIND_HOST | KX_BLIND_READS },
	{ .name = "trap",
	  .summary = "the first access to pages whose mapping was removed: when, by whom, how",
	  .module_id = KVM_EXT_TRACKER_TRAP,
	  .can = ON_HOST | KX_CAN_TRAP,
	  .parts = KX_PART_BIT(TRAP),
	  .sees = { .says = KX_SEEN_TOUCHED,
		    .no_recall = "traps: only pages that are armed can be found" },
	  .blind = BLIND_HOST | KX_BLIND_NESTED | KX_BLIND_UNARMED },
	{ .name = "soft-dirty",
	  .summary =
		  "pages written, from the soft-dirty bits of the VMM's page tables (clear_refs)",
	  .module_id = -1,
	  .can = ON_VMM,
	  .sees = { .finds = KX_SEEN_WRITTEN,
		    .says = KX_SEEN_WRITTEN,
		    .recall = "of the pages written: only writes set the bit",
		    .precision = "of the pages found, those that the guest wrote: pages that QEMU, "
				 "vhost or KVM wrote are found as well, and a huge page of the "
				 "host is found as a whole" },
	  .blind = KX_BLIND_DMA | KX_BLIND_READS | KX_BLIND_BETWEEN | KX_BLIND_SHARED },
	{ .name = "idle-page",
	  .summary = "pages accessed, from the kernel's idle page tracking (page_idle)",
	  .module_id = -1,
	  .can = ON_VMM,
	  .parts = KX_PART_BIT(IDLE),
	  .sees = { .finds = KX_SEEN_TOUCHED,
		    .says = KX_SEEN_TOUCHED,
		    .precision = "of the pages found, those that the guest touched: what QEMU and "
				 "others that map the memory access is found as well, and a large "
				 "page of the host whole" },
	  .blind = KX_BLIND_DMA | KX_BLIND_CACHED | KX_BLIND_UNLISTED | KX_BLIND_DIRECT |
		   KX_BLIND_UNMAPPED },
	{ .name = "damon",
	  .summary = "regions by the kernel's own monitor DAMON, on the VMM's process",
	  .module_id = -1,
	  .can = KX_CAN_FIND | KX_CAN_PASS | KX_CAN_TIME | KX_CAN_RANGE | KX_CAN_REGIONS |
		 KX_CAN_AGGREGATE | KX_CAN_ALONE | KX_CAN_VMM,
	  .sees = { .finds = KX_SEEN_TOUCHED,
		    .says = KX_SEEN_TOUCHED,
		    .recall = a_page_stands_for_a_region,
		    .precision = a_page_stands_for_a_region },
	  .blind = KX_BLIND_DMA | KX_BLIND_CACHED | KX_BLIND_SHARED | KX_BLIND_UNCHECKED |
		   KX_BLIND_UNLISTED | KX_BLIND_DIRECT | KX_BLIND_UNMAPPED,
	  .defaults = { 5000000, 10, 1000 } },
	{ .name = "qemu-dirty-rate",
	  .summary = "MB/s written, as QEMU measures it: a rate, no pages (libvirt's API)",
	  .module_id = -1,
	  .can = KX_CAN_PASS | KX_CAN_CPU | KX_CAN_ALONE | KX_CAN_RATE,
	  .parts = KX_PART_BIT(RATE),
	  .no_pages = rate_only,
	  .no_samples = rate_only,
	  .sees = { .no_recall = rate_only },
	  .blind = KX_BLIND_READS | KX_BLIND_UNCOMPARED },
	{ .name = "mglru",
	  .summary = "how many pages were used, by ageing the VM's memory cgroup (lru_gen)",
	  .module_id = -1,
	  .can = KX_CAN_PASS | KX_CAN_TIME | KX_CAN_CPU | KX_CAN_ALONE,
	  .parts = KX_PART_BIT(AGES),
	  .no_pages = counts_only,
	  .sees = { .no_recall = counts_only },
	  .blind = KX_BLIND_DMA | KX_BLIND_CACHED | KX_BLIND_SHARED | KX_BLIND_UNLISTED |
		   KX_BLIND_DIRECT | KX_BLIND_UNMAPPED },
	{ .name = "guest-pebs",
	  .summary = "in the guest: addresses of sampled memory accesses (PEBS, IBS)",
	  .module_id = -1,
	  .can = KX_CAN_FIND | KX_CAN_GUEST | KX_CAN_EVENTS,
	  .parts = KX_PART_BIT(GUEST),
	  .sees = SEES_RANGES(ranges_are_found),
	  .blind = BLIND_ALL | KX_BLIND_NESTED | KX_BLIND_KERNEL | KX_BLIND_UNSAMPLED },
	{ .name = "guest-abit",
	  .summary = "in the guest: accessed bits of the guest's own page tables",
	  .module_id = -1,
	  .can = KX_CAN_FIND | KX_CAN_GUEST | KX_CAN_SCAN,
	  .parts = KX_PART_BIT(GUEST),
	  .sees = SEES_RANGES(ranges_are_found),
	  .blind = BLIND_ALL | KX_BLIND_NESTED | KX_BLIND_CACHED | KX_BLIND_KERNEL },
	{ .module_id = -1 },
};

const KxTrackerRow *kx_tracker_by_name(const char *name)
{
	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if (g_str_equal(t->name, name))
			return t;
	}
	return NULL;
}

const KxTrackerRow *kx_tracker_meant(const char *name)
{
	const KxTrackerRow *t = kx_tracker_by_name(name);

	return t && t->means ? kx_tracker_by_name(t->means) : t;
}

const char *kx_tracker_more_memory(const KxTrackerRow *t)
{
	if (!t)
		return NULL;
	if (t->can & KX_CAN_LOG)
		return "without KVM's own bitmaps of the log, two bits for each page";
	if (t->can & KX_CAN_RATE)
		return "without the memory that QEMU and KVM hold for it, which they do not report";
	if (t->can & KX_CAN_AGGREGATE)
		return "without the memory that DAMON holds for it, which DAMON does not report";
	return NULL;
}

char *kx_trackers_that(guint can)
{
	GString *names = g_string_new(NULL);

	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if ((t->can & can) == can)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", t->name);
	}
	return g_string_free(names, FALSE);
}
