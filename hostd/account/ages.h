/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For how long memory has not been accessed: for each page the number of the pass that found it last (stepmap.h). Memory and work
 * are bounded like those of the step map. There are 255 numbers. When all are in use, neighbouring passes get one number: the older
 * they are, the more of them, so that the error of an age stays a small share of the age.
 */
#ifndef KX_AGES_H
#define KX_AGES_H

#include <glib.h>

typedef struct _KxAges KxAges;

KxAges *kx_ages_new(guint64 last_gfn);
void kx_ages_free(KxAges *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxAges, kx_ages_free)

/* Pages of the current pass, which counts when kx_ages_end_pass() is called; the times are CLOCK_MONOTONIC. */
void kx_ages_add(KxAges *a, guint64 gfn, guint64 npages);
void kx_ages_add_bits(KxAges *a, guint64 gfn, const guint64 *bits, gsize nwords);
void kx_ages_drop_pass(KxAges *a);
void kx_ages_end_pass(KxAges *a, guint64 time_ns);

/*
 * Appends to both arrays (guint64) the ages, ascending, and how many pages have each: the time from the end of the pass that found
 * a page last to the end of the last pass. Pages beyond @last_gfn, which do not exist, are left out.
 */
void kx_ages_report(const KxAges *a, guint64 last_gfn, GArray *ages_ns, GArray *pages);
/* How many neighbouring pages share one age, which is the age of the page that was found last. */
guint64 kx_ages_grain(const KxAges *a);
gsize kx_ages_bytes(const KxAges *a);

#endif /* KX_AGES_H */
