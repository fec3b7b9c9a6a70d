/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics over HTTP for Prometheus: GET /metrics, on a loopback address or a UNIX socket. */
#ifndef KX_METRICS_H
#define KX_METRICS_H

#include "service.h"

typedef struct _KxMetrics KxMetrics;

/* @listen: as in the configuration. NULL: @error is set. */
KxMetrics *kx_metrics_new(KxService *service, const char *listen, GError **error);
/* Call this function before the service is freed. */
void kx_metrics_free(KxMetrics *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxMetrics, kx_metrics_free)

#endif /* KX_METRICS_H */
