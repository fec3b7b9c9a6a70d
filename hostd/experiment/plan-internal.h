/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that read an experiment's file. */
#ifndef KX_PLAN_INTERNAL_H
#define KX_PLAN_INTERNAL_H

#include "plan.h"

/* The values of the keys that may be lists, and that make points. NULL: not given. */
typedef struct {
	GArray *vms, *vcpus;	/* guint */
	GArray *memory;		/* guint64, bytes */
	GPtrArray *working_set; /* char * */
} KxPlanLists;

/* Sets the error of a key, with its group and name. FALSE. */
gboolean kx_plan_bad(GError **error, const char *group, const char *key, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/* The same of the template. */
gboolean kx_plan_bad_template(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* FALSE: a key is there twice; the error has both lines. GKeyFile itself would silently take the last one. */
gboolean kx_plan_check_once(const char *text, GError **error);

/* All combinations of the lists. */
gboolean kx_plan_make_points(KxPlan *p, const KxPlanLists *lists, GError **error);
/* @trackers, and each tracker once for each combination of the values in [options] that it takes. */
gboolean kx_plan_make_settings(KxPlan *p, GKeyFile *file, const char *trackers, GError **error);

#endif /* KX_PLAN_INTERNAL_H */
