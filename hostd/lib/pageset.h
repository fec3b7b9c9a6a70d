/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of page frame numbers: bitmaps of 2^15 pages, made where there is a
 * page. Sets share a budget of such chunks, so that scattered numbers in a
 * file end in an error and not in all of memory.
 */
#ifndef KX_PAGESET_H
#define KX_PAGESET_H

#include <glib.h>

typedef struct _KxPageSet KxPageSet;

/* @budget: chunks left, 4 KiB each; shared by sets, outlives them. */
KxPageSet *kx_pageset_new(guint64 *budget);
void kx_pageset_free(KxPageSet *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPageSet, kx_pageset_free)

/* FALSE: the budget is used up, or the run wraps. The set then holds a part. */
gboolean kx_pageset_add(KxPageSet *s, guint64 gfn, guint64 npages);
gboolean kx_pageset_add_set(KxPageSet *s, const KxPageSet *other);
guint64 kx_pageset_count(const KxPageSet *s);
/* Pages in all of them; @c may be NULL. */
guint64 kx_pageset_count_common(const KxPageSet *a, const KxPageSet *b, const KxPageSet *c);

#endif /* KX_PAGESET_H */
