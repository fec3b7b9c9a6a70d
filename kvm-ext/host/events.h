/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_EVENTS_H
#define KVM_EXT_EVENTS_H

#include <linux/types.h>

/* KVM's tracepoints that somebody here listens to. */
enum kx_event {
	KX_EVENT_PML_FULL,	/* (unsigned int vcpu_id) */
	KX_EVENT_PAGE_FAULT,	/* (struct kvm_vcpu *vcpu, u64 gpa, u64 error_code) */
	KX_EVENT_ENTRY,		/* (struct kvm_vcpu *vcpu, …) */
	KX_NR_EVENTS,
};

/**
 * kx_event_probe() - have a function called at an event
 * @event: the event
 * @probe: called with @data and the event's arguments
 * @data: the caller's
 *
 * For as long as a VM with a session keeps KVM loaded.
 *
 * Context: may sleep.
 * Return: 0; -ENOENT: this KVM has no such event; or what the kernel says.
 */
int kx_event_probe(enum kx_event event, void *probe, void *data);
/**
 * kx_event_is_known() - has this KVM such an event?
 * @event: the event
 */
bool kx_event_is_known(enum kx_event event);

/**
 * kx_event_unprobe() - have it called no more; when this returns it does not run any more
 * @event: the event
 * @probe: as in kx_event_probe()
 * @data: as in kx_event_probe()
 *
 * Context: may sleep.
 */
void kx_event_unprobe(enum kx_event event, void *probe, void *data);

/**
 * kx_events_init() - look for KVM's events, now and whenever a module comes or goes
 *
 * Return: 0 or -ENOMEM.
 */
int kx_events_init(void);

/**
 * kx_events_exit() - look no more
 */
void kx_events_exit(void);

#endif /* KVM_EXT_EVENTS_H */
