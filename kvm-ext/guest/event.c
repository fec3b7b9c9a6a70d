// SPDX-License-Identifier: GPL-2.0-only
/* Chooses perf events that sample the addresses of memory accesses. */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor.h>

#include "event.h"

/*
 * MEM_TRANS_RETIRED.LOAD_LATENCY (loads that took more than LDLAT cycles) and the events for all
 * loads and all stores.
 */
#define LOAD_LATENCY	0x01cd
#define LDLAT		64
#define ALL_LOADS	0x81d0
#define ALL_STORES	0x82d0
#define EVENT_AND_UMASK	0xffff

/* From this PEBS format on, only adaptive records contain the address of the data. */
#define FORMAT_ADAPTIVE	4u

/* With a shorter period the buffer would be full at once, or each sample would interrupt. */
#define MIN_PERIOD	100

/*
 * The models of server and client cores from Ice Lake to Granite Rapids (Intel SDM volume 4, table
 * 2-1). On these cores an EPT violation while PEBS writes a record loses nothing. On older cores no
 * EPT violation may occur there.
 */
static const struct {
	u8 model;
	const char *name;
} intel_models[] = {
	{ 0x6a, "icelake-x" },
	{ 0x6c, "icelake-d" },
	{ 0x7d, "icelake" },
	{ 0x7e, "icelake-l" },
	{ 0x8c, "tigerlake-l" },
	{ 0x8d, "tigerlake" },
	{ 0xa7, "rocketlake" },
	{ 0x8f, "sapphirerapids-x" },
	{ 0xcf, "emeraldrapids-x" },
	{ 0xad, "graniterapids-x" },
	{ 0xae, "graniterapids-d" },
};

/*
 * Only the address is requested. If data were requested that is not in the CPU's record, perf could
 * not use the buffer (large PEBS), and each sample would cost an interrupt.
 */
static const struct perf_event_attr base = {
	.size = sizeof(struct perf_event_attr),
	.sample_type = PERF_SAMPLE_ADDR,
	.exclude_hv = 1,
	.pinned = 1,
};

static struct perf_event_attr *event_add(struct kx_event *event, u32 type, u64 config)
{
	struct perf_event_attr *attr = &event->attr[event->nr++];

	*attr = base;
	attr->type = type;
	attr->config = config;
	return attr;
}

static struct perf_event_attr *event_add_precise(struct kx_event *event, u64 config)
{
	struct perf_event_attr *attr = event_add(event, PERF_TYPE_RAW, config);

	attr->precise_ip = 2;
	attr->exclude_kernel = 1;
	return attr;
}

/* --- the surrogate --------------------------------------------------------------------- */

static int event_choose_page_faults(struct kx_event *event)
{
	event_add(event, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS);
	event->surrogate = true;
	event->min_period = 1;
	strscpy(event->name, "sw:page-faults", sizeof(event->name));
	return 0;
}

/* --- Intel ------------------------------------------------------------------------------ */

/* Hybrid CPUs are left out, because an event has different meanings on their cores. */
static bool event_has_pebs(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL && boot_cpu_data.x86 == 6 &&
	       boot_cpu_has(X86_FEATURE_PEBS) && !boot_cpu_has(X86_FEATURE_HYBRID_CPU);
}

static const char *event_intel_model(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(intel_models); i++) {
		if (intel_models[i].model == boot_cpu_data.x86_model)
			return intel_models[i].name;
	}
	return NULL;
}

bool kx_event_buffers_must_stay(void)
{
	return event_has_pebs() && !event_intel_model();
}

/* Intel SDM volume 3, "Processor Event Based Sampling (PEBS) Facility". */
static u64 event_perf_capabilities(void)
{
	u64 capabilities = 0;

	if (boot_cpu_has(X86_FEATURE_PDCM))
		kx_rdmsr_safe(MSR_IA32_PERF_CAPABILITIES, &capabilities);
	return capabilities;
}

static bool event_is_adaptive(void)
{
	return event_perf_capabilities() & PERF_CAP_PEBS_BASELINE;
}

/* Do records contain an address? With an adaptive format, KVM may hide the bit for this. */
static bool event_has_addresses(void)
{
	return (event_perf_capabilities() & PERF_CAP_PEBS_FORMAT) >> 8 < FORMAT_ADAPTIVE ||
	       event_is_adaptive();
}

/*
 * Before version 5 of performance monitoring, IA32_PEBS_ENABLE has a bit for load latency for each
 * counter, 32 positions above the counter's own bit. Since version 5 these bits belong to fixed
 * counters. Perf decides by the version that CPUID shows, which is 2 in a VM of KVM. With adaptive
 * records, when perf drains an empty buffer, perf takes the bit for load latency for the bit of a
 * fixed counter, and reads the event of this counter. There is no such event: the kernel oopses
 * with its run queue locked (6.1, 6.12).
 */
#define LATENCY_VERSION	5u

static int event_check_load_latency(void)
{
	u64 threshold;

	/* KVM may not have this MSR. Perf, too, has tested for the MSR when the kernel started. */
	if (kx_rdmsr_safe(MSR_PEBS_LD_LAT_THRESHOLD, &threshold))
		return -ENXIO;
	return event_is_adaptive() && (cpuid_eax(0xa) & 0xff) < LATENCY_VERSION ?
		       -EPROTONOSUPPORT : 0;
}

/* Settings that all PEBS events have in common. */
static int event_settle_pebs(struct kx_event *event)
{
	event->buffered = true;
	event->min_period = MIN_PERIOD;
	return event_has_addresses() ? 0 : -ENODATA;
}

static int event_choose_latency_and_stores(struct kx_event *event, const char *model)
{
	int err = event_settle_pebs(event);

	if (!err)
		err = event_check_load_latency();
	if (err)
		return err;
	event_add_precise(event, LOAD_LATENCY)->config1 = LDLAT;
	event_add_precise(event, ALL_STORES);
	snprintf(event->name, sizeof(event->name), "%s:load-latency,ldlat=%u+stores", model, LDLAT);
	return 0;
}

/* Loads, stores or both. @which: KVM_EXT_EVENT_LOADS, _STORES or _ACCESSES. */
static int event_choose_accesses(struct kx_event *event, const char *model, u32 which)
{
	bool loads = which != KVM_EXT_EVENT_STORES, stores = which != KVM_EXT_EVENT_LOADS;

	if (loads)
		event_add_precise(event, ALL_LOADS);
	if (stores)
		event_add_precise(event, ALL_STORES);
	snprintf(event->name, sizeof(event->name), "%s:%s%s", model, loads ? "all-loads" : "",
		 !stores ? "" : loads ? "+stores" : "stores");
	return event_settle_pebs(event);
}

static int event_choose_pebs(struct kx_event *event, u32 which)
{
	const char *model = event_intel_model();

	if (boot_cpu_data.x86_vendor != X86_VENDOR_INTEL || !model)
		return -EOPNOTSUPP;
	/* The model has PEBS, but the VM does not. */
	if (!event_has_pebs())
		return -ENODEV;
	return which == KVM_EXT_EVENT_AUTO ? event_choose_latency_and_stores(event, model) :
					     event_choose_accesses(event, model, which);
}

static int event_choose_raw(struct kx_event *event, const struct kvm_ext_channel_command *command)
{
	int err;

	if (!event_has_pebs())
		return -EOPNOTSUPP;
	event_add_precise(event, command->config)->config1 = command->config1;
	snprintf(event->name, sizeof(event->name), "raw:%llx,%llx", command->config,
		 command->config1);
	err = event_settle_pebs(event);
	if (!err && (command->config & EVENT_AND_UMASK) == LOAD_LATENCY)
		err = event_check_load_latency();
	return err;
}

/* --- AMD -------------------------------------------------------------------------------- */

/* The number that perf has given to a PMU, which only sysfs shows. */
static int event_pmu_type(const char *pmu)
{
	struct file *file;
	char text[64];
	loff_t at = 0;
	ssize_t n;
	u32 type;

	snprintf(text, sizeof(text), "/sys/bus/event_source/devices/%s/type", pmu);
	file = filp_open(text, O_RDONLY, 0);
	if (IS_ERR(file))
		return -ENODEV;
	n = kernel_read(file, text, sizeof(text) - 1, &at);
	filp_close(file, NULL);
	if (n <= 0)
		return -ENODEV;
	text[n] = 0;
	return kstrtou32(strim(text), 10, &type) ? -ENODEV : type;
}

/*
 * IBS samples micro-ops, chosen by cycle count (AMD APM volume 2, "Instruction-Based Sampling").
 * Samples of micro-ops that access memory have an address, other samples have none. Each sample
 * causes an interrupt.
 */
static int event_choose_ibs(struct kx_event *event)
{
	int type;

	if (!boot_cpu_has(X86_FEATURE_IBS))
		return -EOPNOTSUPP;
	type = event_pmu_type("ibs_op");
	if (type < 0)
		return type;
	event_add(event, type, 0);
	/* The PMU refuses events with exclude_hv. */
	event->attr[0].exclude_hv = 0;
	event->surrogate = true;
	event->min_period = 16 * MIN_PERIOD;
	event->period_step = 16;
	strscpy(event->name, "ibs-op", sizeof(event->name));
	return 0;
}

int kx_event_choose(struct kx_event *event, const struct kvm_ext_channel_command *command)
{
	*event = (struct kx_event){ .period_step = 1 };
	switch (command->event) {
	case KVM_EXT_EVENT_PAGE_FAULTS:
		return event_choose_page_faults(event);
	case KVM_EXT_EVENT_RAW:
		return event_choose_raw(event, command);
	case KVM_EXT_EVENT_AUTO:
		if (boot_cpu_data.x86_vendor != X86_VENDOR_INTEL)
			return event_choose_ibs(event);
		fallthrough;
	default:
		return event_choose_pebs(event, command->event);
	}
}
