/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How hot the VM's memory is now. The heat is fed from the stream, like the account, and is kept in two ways:
 *
 * - For each page, the number of passes since attach in which any tracker found it accessed, halved every KX_HEAT_PASSES
 *   passes that look for pages (those of traps do not). By this count pages are chosen (for trap).
 * - For each tracker separately, ranges of memory (rangemap.h). They are shown to people, and trackers are compared by them.
 *
 * Memory and work grow with the found spans, not with their pages, and both are bounded: see stepmap.h. Only passes that the
 * account counts have an effect, and only when they end.
 */
#ifndef KX_HEAT_H
#define KX_HEAT_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "guest/guestview.h"
#include "model/accessmap.h"
#include "model/heatmap.h"
#include "tracker/options.h"
#include "tracker/pick.h"
#include "tracker/stream.h"

/* The count of a page that is found in every pass stays below twice this number, so it fits in a byte. */
#define KX_HEAT_PASSES 64u

typedef struct _KxHeat KxHeat;

/* @last_gfn: the VM's highest frame now. */
KxHeat *kx_heat_new(guint64 last_gfn, guint vcpus);
/* The VM has more memory now: its last frame is @last_gfn. */
void kx_heat_grow(KxHeat *h, guint64 last_gfn);
void kx_heat_free(KxHeat *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeat, kx_heat_free)

/* The callbacks for kx_stream_drain; their data is the heat. */
extern const KxStreamOps kx_heat_sink;

/* Records with @epoch come from a tracker with the setting @o. @mechanism: as in a window; NULL: none. */
void kx_heat_open(KxHeat *h, guint64 epoch, const KxOptions *o, const char *mechanism);
/* The memory that holds what the tracker with @epoch finds: its own maps, and the map of pages, which all trackers share. */
gsize kx_heat_bytes(const KxHeat *h, guint64 epoch);
/* @processes: the ranges of guest processes, in their virtual addresses, from the guest's tracker with @epoch. */
void kx_heat_take_processes(KxHeat *h, guint64 epoch, const GPtrArray *processes);
/*
 * The trackers' maps, ordered by last use (the latest at the end), followed by the maps of guest processes. @running: the
 * epoch of the running tracker; 0: none.
 */
KxHeatReport *kx_heat_report(KxHeat *h, guint64 running, guint64 ram_pages);
/* The VM has nested guests: adds a note to the maps of trackers that cannot see the accesses of nested guests. */
void kx_heat_note_nested(KxHeatReport *r);

/* Heat over time, by the same rules, of guest-physical memory. @realtime_ns: CLOCK_REALTIME - CLOCK_MONOTONIC. */
KxOverTime *kx_heat_over_time(const KxHeat *h, guint64 running, gint64 realtime_ns);
void kx_heat_note_nested_over_time(KxOverTime *t);

/* The count of a page; 0: the page was not found for a long time, or never. */
guint kx_heat_of(const KxHeat *h, guint64 gfn);

/* A KxPickFunc; @heat: a KxHeat. */
gboolean kx_heat_pick(gconstpointer heat, gboolean hottest, guint64 first_gfn, guint64 npages,
		      guint64 want, guint max_ranges, KxPick *pick);

#endif /* KX_HEAT_H */
