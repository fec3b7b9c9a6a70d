// SPDX-License-Identifier: GPL-2.0-or-later
#include "ages.h"

#include "base/stepmap.h"

/* 512 KiB */
#define STEPS_MAX (1u << 16)
/* When all numbers are in use, neighbours are merged until at most this many are left. */
#define KEPT_MAX (KX_STEPMAP_TOP / 2)

/* The time in which the passes ended that have the same number. */
typedef struct {
	guint64 from_ns, until_ns;
} Stamp;

struct _KxAges {
	KxStepMap *pages;
	Stamp stamps[KX_STEPMAP_TOP + 1]; /* from 1 on, ascending */
	guint used;
};

KxAges *kx_ages_new(guint64 last_gfn)
{
	KxAges *a = g_new0(KxAges, 1);

	a->pages = kx_stepmap_new_latest((guint)CLAMP(last_gfn, 1024, STEPS_MAX));
	return a;
}

void kx_ages_free(KxAges *a)
{
	if (!a)
		return;
	kx_stepmap_free(a->pages);
	g_free(a);
}

/* --- numbers ------------------------------------------------------------------------------------------------------------- */

/*
 * Neighbours become one number as long as the time of both is at most 1 / @share of their age. Returns how many are left; @to says
 * which number each number becomes.
 */
static guint merged(const KxAges *a, double share, guint8 to[KX_STEPMAP_TOP + 1])
{
	const Stamp *last = &a->stamps[a->used];
	guint64 until = 0;
	guint n = 0, first[KX_STEPMAP_TOP + 1] = { 0 };

	/* from the newest on, because the age is the distance from there */
	for (guint i = a->used; i > 0; i--) {
		double age = (double)(last->until_ns - a->stamps[i].from_ns);

		if (!n || (double)(until - a->stamps[i].from_ns) > age / share) {
			until = a->stamps[i].until_ns;
			n++;
		}
		first[i] = n;
	}
	to[0] = 0;
	for (guint i = 1; i <= a->used; i++)
		to[i] = (guint8)(n + 1 - first[i]);
	for (guint i = a->used + 1; i <= KX_STEPMAP_TOP; i++)
		to[i] = (guint8)n;
	return n;
}

static void condense(KxAges *a)
{
	guint8 to[KX_STEPMAP_TOP + 1];
	double share = 64;
	guint n;

	while ((n = merged(a, share, to)) > KEPT_MAX)
		share *= 0.75;
	kx_stepmap_map(a->pages, to);
	for (guint i = 1, last = 0; i <= a->used; i++) {
		if (to[i] != last)
			a->stamps[to[i]].from_ns = a->stamps[i].from_ns;
		a->stamps[to[i]].until_ns = a->stamps[i].until_ns;
		last = to[i];
	}
	a->used = n;
}

/* --- samples ------------------------------------------------------------------------------------------------------------- */

/* The number that the current pass gets when it ends. */
static guint number(KxAges *a)
{
	return a->used + 1;
}

void kx_ages_add(KxAges *a, guint64 gfn, guint64 npages)
{
	kx_stepmap_add(a->pages, gfn, npages, number(a));
}

void kx_ages_add_bits(KxAges *a, guint64 gfn, const guint64 *bits, gsize nwords)
{
	for (gsize i = 0; i < nwords; i++, gfn += 64) {
		guint64 at = gfn, word = bits[i];

		while (word) {
			guint skip = (guint)__builtin_ctzll(word), n;

			word >>= skip;
			at += skip;
			n = ~word ? (guint)__builtin_ctzll(~word) : 64;
			kx_ages_add(a, at, n);
			word = n < 64 ? word >> n : 0;
			at += n;
		}
	}
}

void kx_ages_drop_pass(KxAges *a)
{
	kx_stepmap_drop(a->pages);
}

void kx_ages_end_pass(KxAges *a, guint64 time_ns)
{
	kx_stepmap_take(a->pages);
	a->used++;
	a->stamps[a->used] = (Stamp){ time_ns, time_ns };
	if (a->used == KX_STEPMAP_TOP)
		condense(a);
}

/* --- report -------------------------------------------------------------------------------------------------------------- */

static void count(gpointer data, guint64 gfn, guint64 npages, guint stamp)
{
	guint64 *pages = data;

	pages[stamp] += npages;
}

void kx_ages_report(const KxAges *a, guint64 last_gfn, GArray *ages_ns, GArray *pages)
{
	guint64 sums[KX_STEPMAP_TOP + 1] = { 0 };

	kx_stepmap_each(a->pages, 0, last_gfn + 1, count, sums);
	for (guint i = a->used; i > 0; i--) {
		guint64 age = a->stamps[a->used].until_ns - a->stamps[i].until_ns;

		if (!sums[i])
			continue;
		g_array_append_val(ages_ns, age);
		g_array_append_val(pages, sums[i]);
	}
}

guint64 kx_ages_grain(const KxAges *a)
{
	return kx_stepmap_grain(a->pages);
}

gsize kx_ages_bytes(const KxAges *a)
{
	return sizeof(*a) + kx_stepmap_bytes(a->pages);
}
