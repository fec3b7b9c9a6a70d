/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kdamond finds, from the kernel's trace event damon:damon_aggregated: at the end of each aggregation one event for each
 * region. `damo record` reads the same event. Unlike the files of sysfs (schemes' tried regions) it costs the kdamond no
 * wait for a reader, it leaves no aggregation out, and several readers do not wait for each other.
 *
 * The layout of the event is taken from its `format` file, because its fields have moved between kernels.
 */
#ifndef KX_DAMON_EVENTS_H
#define KX_DAMON_EVENTS_H

#include <glib.h>
#include <sys/types.h>

typedef struct {
	guint64 start, end; /* addresses in the process */
	guint32 accesses; /* checks that found their page accessed, after DAMON has merged regions */
	guint32 age;	  /* aggregations since @accesses or the size last changed much */
} KxDamonRegion;

typedef struct _KxDamonEvents KxDamonEvents;

/*
 * Reads the events of thread @kdamond, which has @regions_max regions at most. @root: directory with sys. KX_ERROR_NOT_SUPPORTED:
 * there is no such event, or the kernel does not let it be read.
 */
KxDamonEvents *kx_damon_events_open(const char *root, pid_t kdamond, guint32 regions_max,
				    GError **error);
void kx_damon_events_close(KxDamonEvents *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDamonEvents, kx_damon_events_close)

/*
 * The regions (KxDamonRegion, ascending, disjoint) of the next aggregation that is complete; NULL: there is none yet. They belong
 * to @e and are valid until the next call. Aggregations of which an event was lost or makes no sense are left out.
 */
const GArray *kx_damon_events_next(KxDamonEvents *e);
guint64 kx_damon_events_dropped(const KxDamonEvents *e); /* aggregations left out so far */

gsize kx_damon_events_bytes(
	const KxDamonEvents *e); /* the buffer, which the kernel shares with us */

/* Waits for at most @ms. FALSE: the kdamond has ended. */
gboolean kx_damon_events_wait(const KxDamonEvents *e, guint ms);

#endif /* KX_DAMON_EVENTS_H */
