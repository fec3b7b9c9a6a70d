/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics of all attached VMs as text: OpenMetrics 1.0, or Prometheus' older text format. */
#ifndef KX_METRICS_TEXT_H
#define KX_METRICS_TEXT_H

#include "model/vm.h"

typedef enum {
	KX_OPENMETRICS,
	KX_METRICS_PLAIN, /* version 0.0.4 */
} KxMetricsFormat;

/* Metrics of the daemon itself. */
typedef struct {
	const char *version;
	gboolean libvirt;   /* connected */
	double cpu_seconds; /* of the daemon */
	gint64 realtime_ns; /* now: figures can be older */
} KxDaemonMetrics;

/*
 * @vms: KxVmReport with totals and its newest window. Values that are not available are left out. VMs with the same name get their pids
 * in the label, because two series must not have the same labels. The caller frees the text.
 */
char *kx_metrics_text(const GPtrArray *vms, const KxDaemonMetrics *about, KxMetricsFormat format);

#endif /* KX_METRICS_TEXT_H */
