/* SPDX-License-Identifier: GPL-2.0-only */
/* The events that a command means on this CPU. */
#ifndef KVM_EXT_EVENT_H
#define KVM_EXT_EVENT_H

#include <linux/perf_event.h>
#include <linux/types.h>
#include <kvm-ext/channel.h>

#define KX_EVENTS_MAX	2u

struct kx_event {
	struct perf_event_attr attr[KX_EVENTS_MAX];
	unsigned int nr;
	bool surrogate;
	/*
	 * The CPU writes records to a buffer; perf drains it at context switches, without calling
	 * the overflow handler (see sampler-events.c).
	 */
	bool buffered;
	u64 min_period;
	u64 period_step;		/* periods are multiples of this, a power of two */
	char name[48];
};

/*
 * -EOPNOTSUPP: this CPU has no event that samples addresses, or none of a supported kind (hybrid
 * CPUs). -ENODEV: the CPU has such an event, but this VM or kernel does not offer it. -ENODATA:
 * PEBS records have no addresses here. -ENXIO: there is no threshold of load latency.
 * -EPROTONOSUPPORT: there is a threshold, but perf would fail with it.
 */
int kx_event_choose(struct kx_event *event, const struct kvm_ext_channel_command *command);

/* True if the host has to keep the buffers mapped, because this CPU's PEBS must not fault. */
bool kx_event_buffers_must_stay(void);

#endif /* KVM_EXT_EVENT_H */
