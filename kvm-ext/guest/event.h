/* SPDX-License-Identifier: GPL-2.0-only */
/* The perf events with which a command is carried out on this CPU. */
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
	 * The CPU writes records to a buffer, which perf drains at context switches without a call
	 * of the overflow handler (see sampler-events.c).
	 */
	bool buffered;
	u64 min_period;
	u64 period_step;		/* a power of two: periods are multiples of this number */
	char name[48];
};

/**
 * kx_event_choose() - choose the events for a command
 * @event: result
 * @command: the command, which was checked
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP: this CPU has no event that samples addresses, or the CPU is not supported
 * (an unknown model, a hybrid CPU); -ENODEV: the CPU has such an event, but this VM or kernel does
 * not offer it; -ENODATA: PEBS records have no addresses here; -ENXIO: there is no threshold of
 * load latency; -EPROTONOSUPPORT: there is a threshold, but perf would crash the kernel with it.
 */
int kx_event_choose(struct kx_event *event, const struct kvm_ext_channel_command *command);

/**
 * kx_event_buffers_must_stay() - does the host have to keep perf's PEBS buffers mapped?
 *
 * Context: any.
 * Return: true if no EPT violation may occur while PEBS of this CPU writes a record.
 */
bool kx_event_buffers_must_stay(void);

#endif /* KVM_EXT_EVENT_H */
