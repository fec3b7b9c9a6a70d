/* SPDX-License-Identifier: GPL-2.0-only */
/* Which events a command means on this CPU. */
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
	 * The CPU gathers records in a buffer; perf takes them out at context switches, not
	 * through the overflow handler (see sampler-events.c).
	 */
	bool buffered;
	u64 min_period;
	u64 period_step;		/* periods are multiples of this, a power of two */
	char name[48];
};

/*
 * -EOPNOTSUPP: this CPU has no event that samples addresses, or of a kind that is not
 * supported (hybrid). -ENODEV: the CPU has, this VM or kernel does not offer it. -ENODATA:
 * it has PEBS, whose records are without addresses. -ENXIO: there is no threshold of load
 * latency. -EPROTONOSUPPORT: there is, but perf must not be asked for it.
 */
int kx_event_choose(struct kx_event *event, const struct kvm_ext_channel_command *command);

/* True if a CPU with this one's PEBS must find its buffers mapped by the host. */
bool kx_event_buffers_must_stay(void);

#endif /* KVM_EXT_EVENT_H */
