/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a figure is n/a in rows of a comparison or an experiment: each reason once, with all rows that it applies to. */
#ifndef KX_REASONS_H
#define KX_REASONS_H

#include <glib.h>

typedef struct _KxReasons KxReasons;

KxReasons *kx_reasons_new(void);
void kx_reasons_free(KxReasons *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxReasons, kx_reasons_free)

/* A row of a tracker. @why: why the figure is n/a there; NULL: the row has it. Both texts must live as long as @r. */
void kx_reasons_add(KxReasons *r, const char *label, const char *why);
/* Adds a sentence (char *) to @notes for each reason, in the order in which these were added. @name: the figure's. */
void kx_reasons_tell(const KxReasons *r, const char *name, GPtrArray *notes);

#endif /* KX_REASONS_H */
