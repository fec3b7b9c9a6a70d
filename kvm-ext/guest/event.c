// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "event.h"

/* MEM_TRANS_RETIRED.LOAD_LATENCY: loads that took longer than so many cycles; and all stores. */
#define LOAD_LATENCY	0x01cd
#define LDLAT		64
#define ALL_STORES	0x82d0

/* An interrupt for every sample, or a buffer that fills in no time: nothing slower is useful. */
#define MIN_PERIOD	100

/*
 * Server and client cores from Ice Lake to Granite Rapids, whose PEBS writes its records
 * through the EPT like any access (before, it could not fault). Intel SDM volume 4,
 * table 2-1 has the models.
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
 * Nothing but the address is asked for: anything that is not in the record would cost
 * the buffer (perf calls it large PEBS), and an interrupt for each sample.
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

/* On a hybrid CPU an event means different things on different cores. */
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

static int event_choose_pebs(struct kx_event *event)
{
	const char *model = event_intel_model();

	if (!model)
		return -EOPNOTSUPP;
	/* The model has it; the VM was not given it. */
	if (!event_has_pebs())
		return -ENODEV;
	event_add_precise(event, LOAD_LATENCY)->config1 = LDLAT;
	event_add_precise(event, ALL_STORES);
	event->buffered = true;
	event->min_period = MIN_PERIOD;
	snprintf(event->name, sizeof(event->name), "%s:load-latency,ldlat=%u+stores", model, LDLAT);
	return 0;
}

static int event_choose_raw(struct kx_event *event, const struct kvm_ext_channel_command *command)
{
	if (!event_has_pebs())
		return -EOPNOTSUPP;
	event_add_precise(event, command->config)->config1 = command->config1;
	event->buffered = true;
	event->min_period = MIN_PERIOD;
	snprintf(event->name, sizeof(event->name), "raw:%llx,%llx", command->config,
		 command->config1);
	return 0;
}

/* --- AMD -------------------------------------------------------------------------------- */

/* A PMU's number, as perf gave it: only sysfs tells. */
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
 * Micro-ops, tagged by cycle count (AMD APM volume 2, "Instruction-Based Sampling"): those
 * that access memory bring an address, the others none. An interrupt for each.
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
	/* The PMU knows no such distinction, and refuses who asks for it. */
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
	default:
		return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ? event_choose_pebs(event) :
								      event_choose_ibs(event);
	}
}
