/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the heat: records and reports (heat.c), choosing pages (heat-pick.c). */
#ifndef KX_HEAT_INTERNAL_H
#define KX_HEAT_INTERNAL_H

#include "base/stepmap.h"
#include "heat.h"

struct _KxHeat {
	guint64 last_gfn;
	guint vcpus;
	GPtrArray *finders;    /* Finder, ordered by last use, the latest at the end */
	struct _KxFinder *now; /* the finder of the current pass; NULL: none */
	KxStepMap *pages; /* for each page the number of passes that found it, halved regularly */
	guint64 passes;
	guint64 origin_ns; /* CLOCK_MONOTONIC at the first pass, where the time axis of all maps begins; 0: no pass yet */
	gboolean counts; /* the current pass is not a priming pass */
};

#endif /* KX_HEAT_INTERNAL_H */
