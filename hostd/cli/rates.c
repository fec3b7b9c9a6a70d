// SPDX-License-Identifier: GPL-2.0-or-later
#include "rates.h"

#include <math.h>

typedef struct {
	const char *title, *key;
	gsize offset; /* guint64 in KxWindow */
	gssize also;  /* another counter that is added; -1: none */
	gssize na_offset;
	gboolean module,
		passes; /* the statistics have this counter; only trackers with passes have it */
	double scale;
} Rate;

#define MODULE_RATE(title, key, member, passes, scale)                                     \
	{                                                                                  \
		title, key, G_STRUCT_OFFSET(KxWindow, member), -1, -1, TRUE, passes, scale \
	}

static const Rate rates[] = {
	MODULE_RATE("passes/s", "passes_per_s", passes, TRUE, 1e9),
	MODULE_RATE("samples/s", "samples_per_s", samples, TRUE, 1e9),
	/* includes the daemon's share, as in the report */
	{ "cpu%", "cpu_percent", G_STRUCT_OFFSET(KxWindow, cpu_ns),
	  G_STRUCT_OFFSET(KxWindow, drain_cpu_ns), -1, TRUE, FALSE, 100 },
	MODULE_RATE("flushes/s", "flushes_per_s", flushes, FALSE, 1e9),
	MODULE_RATE("ipis/s", "flush_ipis_per_s", flush_ipis, FALSE, 1e9),
	{ "exits/s", "exits_per_s", G_STRUCT_OFFSET(KxWindow, exits), -1,
	  G_STRUCT_OFFSET(KxWindow, exits_na), FALSE, FALSE, 1e9 },
	MODULE_RATE("guest%", "guest_cpu_percent", guest_cpu_ns, FALSE, 100),
};

G_STATIC_ASSERT(G_N_ELEMENTS(rates) == RATES);

const char *rate_title(guint i)
{
	return rates[i].title;
}

const char *rate_key(guint i)
{
	return rates[i].key;
}

static const char *why_not(const Rate *r, const KxWindow *w)
{
	if (r->na_offset >= 0)
		return *(char *const *)((const char *)w + r->na_offset);
	if (r->module && !w->has_stats)
		return "the module gave no figures";
	if (r->offset == G_STRUCT_OFFSET(KxWindow, guest_cpu_ns) && !w->has_guest)
		return "the tracker does not run in the guest";
	if (r->passes && g_str_equal(w->tracker, "off"))
		return "off takes no samples";
	return NULL;
}

static guint64 value_of(const Rate *r, const KxWindow *w)
{
	guint64 value = *(const guint64 *)((const char *)w + r->offset);

	return r->also < 0 ? value : value + *(const guint64 *)((const char *)w + r->also);
}

/*
 * While the tracker yields, it finds nothing, but this does not mean 0 pages. And the VM's own counters do not say whether the
 * tracker or the VMM's own log caused an event, as in the report.
 */
static const char *why_yielded(const Rate *r, const KxVmReport *v, const KxWindow *w,
			       const RateSeen *before)
{
	if (v->yielded && r->passes)
		return "yielded to the VMM's own use of the dirty log";
	if (!r->module && w->has_log &&
	    (w->log_yielded_ns > (before ? before->yielded_ns : 0) ||
	     w->log_yielded_passes > (before ? before->yielded_passes : 0)))
		return "the VMM logged its memory itself for a part of the time";
	return NULL;
}

/* The time of a rate, the same as in the report: in which the VM ran; for counters of the module, in which it was tracked. */
static double time_of(const Rate *r, const KxWindow *w, const RateSeen *before)
{
	return r->module ? kx_window_tracked_ns(w) - (before ? before->tracked_ns : 0)
			 : kx_window_run_ns(w) - (before ? before->run_ns : 0);
}

double rate_since(guint i, const KxVmReport *v, const KxWindow *w, const RateSeen *before,
		  const char **why)
{
	const RateSeen *same = before && before->window == w->id ? before : NULL;
	double ns = time_of(&rates[i], w, same);
	guint64 value;

	*why = why_not(&rates[i], w);
	if (!*why)
		*why = why_yielded(&rates[i], v, w, same);
	if (!*why && same && !same->valid[i])
		*why = "not measured at the tick before";
	if (!*why && ns <= 0)
		*why = v->paused ? "the VM is paused" : "no time has passed";
	if (*why)
		return NAN;
	value = value_of(&rates[i], w);
	if (same && value < same->values[i]) {
		*why = "the counter went back";
		return NAN;
	}
	return (double)(value - (same ? same->values[i] : 0)) * rates[i].scale / ns;
}

RateSeen *rate_seen(const KxWindow *w)
{
	RateSeen *seen = g_new0(RateSeen, 1);

	seen->window = w->id;
	seen->run_ns = kx_window_run_ns(w);
	seen->tracked_ns = kx_window_tracked_ns(w);
	seen->yielded_ns = w->log_yielded_ns;
	seen->yielded_passes = w->log_yielded_passes;
	for (guint i = 0; i < RATES; i++) {
		seen->valid[i] = !why_not(&rates[i], w);
		seen->values[i] = value_of(&rates[i], w);
	}
	return seen;
}

char *rate_vm_key(const KxVmReport *v)
{
	return g_strdup_printf("%s/%u/%s", v->uuid ? v->uuid : "", v->pid, v->name);
}
