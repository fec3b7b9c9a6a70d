/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A measured stretch of a window: the changes of a VM's figures between two readings of its open window, after the wash-out
 * (the priming pass, and the time in which the effects of the previous setting fade) and before the next switch.
 */
#ifndef KX_STRETCH_H
#define KX_STRETCH_H

#include <glib.h>
#include <json-glib/json-glib.h>

#include "model/report.h"

/* Sums over the stretch; NAN: not known, or the tracker has no such figure. */
typedef struct {
	guint64 window;				   /* the window's id */
	gint64 start_realtime_ns, end_realtime_ns; /* host CLOCK_REALTIME, of the two readings */
	double run_ns;				   /* time in which the VM ran: without pauses */
	double paused_ns; /* as far as it is known; NAN: nothing is known */
	double passes, samples, lost_samples;
	double cpu_ns, drain_cpu_ns,
		guest_cpu_ns; /* the tracker's thread, the daemon's draining, samplers in the guest */
	double exits, kvm_flushes, flushes, flush_ipis;
	double vcpu_run_ns, vcpu_steal_ns;
	double vmm_cpu_ns;		       /* the VMM's threads that run no vCPU */
	double vcpu_guest_ns;		       /* the part of vcpu_run_ns in guest mode */
	double llc_misses, guest_instructions; /* of the vCPUs in guest mode, by the host's PMU */
	double progress; /* guest progress: units of work, or the count of --progress-command */
	/* at the end: bytes that the tracker and the daemon's maps of what it found hold; pages that are tracked */
	double memory_bytes, tracked_pages;
	/* of the whole window, the wash-out included: pages */
	double truth, truth_hit, found, found_true;
	char *failed; /* why there is no measurement: "the VM was paused", …; NULL: there is one */
} KxStretch;

KxStretch *kx_stretch_new(void);
void kx_stretch_free(KxStretch *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxStretch, kx_stretch_free)

/* The difference of @before and @after, two readings of one window. If there is none, or time was not tracked, @failed says why. */
KxStretch *kx_stretch_between(const KxWindow *before, const KxWindow *after);
/* A stretch that was not measured. */
KxStretch *kx_stretch_failed(const char *why);

void kx_stretch_add_json(JsonBuilder *b, const KxStretch *s);
KxStretch *kx_stretch_from_json(JsonObject *o);

#endif /* KX_STRETCH_H */
