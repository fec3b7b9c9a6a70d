/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How hot the VM's memory is now, fed from the stream, next to the account. In two ways: for each page, in how many passes
 * it was found accessed since attach, halved every KX_HEAT_PASSES passes, whichever tracker found it, which is what pages
 * are chosen by; and for each tracker by itself, as ranges (rangemap.h), which is what people are shown and trackers
 * compared by. Memory and work go with the spans that are found, not with their pages, and are bounded: see stepmap.h.
 * Only passes that the account counts have an effect, and only when they end.
 */
#ifndef KX_HEAT_H
#define KX_HEAT_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "guest/guestview.h"
#include "model/heatmap.h"
#include "tracker/options.h"
#include "tracker/pick.h"
#include "tracker/stream.h"

/* Steady access of every pass comes to twice as much: it fits a byte. */
#define KX_HEAT_PASSES 64u

typedef struct _KxHeat KxHeat;

/* @last_gfn: the highest frame there is now. */
KxHeat *kx_heat_new(guint64 last_gfn, guint vcpus);
/* Memory has appeared up to @last_gfn. */
void kx_heat_grow(KxHeat *h, guint64 last_gfn);
void kx_heat_free(KxHeat *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeat, kx_heat_free)

/* What kx_stream_drain calls with the heat as data. */
extern const KxStreamOps kx_heat_sink;

/* Records that bear @epoch come from a tracker with this setting. @mechanism as of a window; NULL: none. */
void kx_heat_open(KxHeat *h, guint64 epoch, const KxOptions *o, const char *mechanism);
/* What the guest's tracker with @epoch knows of its processes by their own addresses. */
void kx_heat_take_processes(KxHeat *h, guint64 epoch, const GPtrArray *processes);
/* The maps, that used last at the end, and behind them those of guest processes. @running: its epoch; 0: none. */
KxHeatReport *kx_heat_report(KxHeat *h, guint64 running, guint64 ram_pages);
/* The VM has nested guests: maps of trackers that cannot see what these access say so. */
void kx_heat_note_nested(KxHeatReport *r);

/* Of a page. 0: not found for long, or never. */
guint kx_heat_of(const KxHeat *h, guint64 gfn);

/* A KxPickFunc; @heat: a KxHeat. */
gboolean kx_heat_pick(gconstpointer heat, gboolean hottest, guint64 first_gfn, guint64 npages,
		      guint64 want, guint max_ranges, KxPick *pick);

#endif /* KX_HEAT_H */
