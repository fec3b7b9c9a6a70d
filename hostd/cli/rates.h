/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rates of a VM's last window: since its tracker was set, or since the counters were read before. */
#ifndef KX_RATES_H
#define KX_RATES_H

#include "model/vm.h"

typedef enum {
	RATE_PASSES,
	RATE_SAMPLES,
	RATE_CPU, /* includes the daemon's share, as in the report */
	RATE_FLUSHES,
	RATE_IPIS,
	RATE_EXITS,
	RATE_GUEST,
	RATES
} RateKind;

/* The counters of a VM's last window at the preceding tick. */
typedef struct {
	guint64 window;
	double run_ns, tracked_ns;
	guint64 yielded_ns, yielded_passes;
	guint64 values[RATES];
	gboolean valid[RATES];
} RateSeen;

const char *rate_title(guint i);
const char *rate_key(guint i); /* in JSON */
/* The rate since @before, or since the window began. @why: the reason if there is no rate; NULL: there is one. */
double rate_since(guint i, const KxVmReport *v, const KxWindow *w, const RateSeen *before,
		  const char **why);
RateSeen *rate_seen(const KxWindow *w); /* g_free() it */
char *rate_vm_key(const KxVmReport *v); /* the same at each tick, and of no other VM */

#endif /* KX_RATES_H */
