/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_EVENTS_H
#define KVM_EXT_EVENTS_H

#include <linux/types.h>

/* KVM's tracepoints that this module uses. */
enum kx_event {
	KX_EVENT_PML_FULL,	/* (unsigned int vcpu_id) */
	KX_EVENT_PAGE_FAULT,	/* (struct kvm_vcpu *vcpu, u64 gpa, u64 error_code) */
	KX_EVENT_ENTRY,		/* (struct kvm_vcpu *vcpu, …) */
	KX_NR_EVENTS,
};

/**
 * kx_event_probe() - register a function for an event
 * @event: the event
 * @probe: called with @data and the event's arguments
 * @data: any pointer
 *
 * Only a VM with a session keeps KVM, and thereby the event, loaded: the caller removes the probe
 * before the session releases the VM.
 *
 * Context: may sleep.
 * Return: 0; -ENOENT: this KVM has no such event; or an error of the kernel.
 */
int kx_event_probe(enum kx_event event, void *probe, void *data);

/**
 * kx_event_is_known() - does this KVM have such an event?
 * @event: the event
 *
 * Context: any.
 */
bool kx_event_is_known(enum kx_event event);

/**
 * kx_event_unprobe() - remove a probe; when this function returns, the probe does not run any more
 * @event: the event
 * @probe: as in kx_event_probe()
 * @data: as in kx_event_probe()
 *
 * Context: may sleep.
 */
void kx_event_unprobe(enum kx_event event, void *probe, void *data);

/**
 * kx_events_init() - find KVM's events, now and whenever a module is loaded or unloaded
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_events_init(void);

/**
 * kx_events_exit() - undo kx_events_init()
 */
void kx_events_exit(void);

#endif /* KVM_EXT_EVENTS_H */
