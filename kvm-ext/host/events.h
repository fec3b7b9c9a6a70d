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

/*
 * Has @probe called with @data and the event's arguments, for as long as a VM with a
 * session keeps KVM loaded. -ENOENT: this KVM has no such event.
 */
int kx_event_probe(enum kx_event event, void *probe, void *data);
/* Has this KVM such an event? */
bool kx_event_is_known(enum kx_event event);
/* When it returns the probe does not run any more. */
void kx_event_unprobe(enum kx_event event, void *probe, void *data);

int kx_events_init(void);
void kx_events_exit(void);

#endif /* KVM_EXT_EVENTS_H */
