// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differences to DAMON: DAMON does not split at all above half of @max regions; here as
 * many random regions are split as there is room for, so that borders continue to move.
 * And the number of regions is within its bounds at all times.
 */
#include "regions.h"

/* Steele et al., "Fast splittable pseudorandom number generators", OOPSLA '14. */
static u64 regions_draw(struct kx_regions *s)
{
	u64 z = s->seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* A number from 0 to @n - 1. @n is below 2^52, so no value is more likely by 2^-12. */
static u64 regions_draw_below(struct kx_regions *s, u64 n)
{
	return regions_draw(s) % n;
}

/* Called for region number @n: a million regions take many milliseconds. */
static void regions_step(u64 n)
{
	if (n % 1024 == 1023)
		port_rest();
}

static u64 regions_difference(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

/* The mean of @a with weight @na pages, and @b with weight @nb pages. */
static u32 regions_mean(u32 a, u64 na, u32 b, u64 nb)
{
	u32 part = mul_u64_u64_div_u64(regions_difference(a, b), nb, na + nb);

	return a < b ? a + part : a - part;
}

static u64 regions_end_of(const struct kx_region *r)
{
	return r->gfn + r->npages;
}

static bool regions_adjacent(const struct kx_region *l, const struct kx_region *r)
{
	return l->as_id == r->as_id && regions_end_of(l) == r->gfn;
}

/* Reduces @r to @npages of its pages, from @gfn on. */
static void regions_clip(struct kx_region *r, u64 gfn, u64 npages)
{
	r->gfn = gfn;
	r->npages = npages;
	if (r->watched < gfn || r->watched - gfn >= npages)
		r->watching = false;
}

/* Merges @r, which begins at the end of @l, into @l. */
static void regions_join(struct kx_region *l, const struct kx_region *r)
{
	l->accesses = regions_mean(l->accesses, l->npages, r->accesses, r->npages);
	l->last_accesses = regions_mean(l->last_accesses, l->npages, r->last_accesses, r->npages);
	l->age = regions_mean(l->age, l->npages, r->age, r->npages);
	l->npages += r->npages;
	if (!l->watching) {
		l->watching = r->watching;
		l->watched = r->watched;
	}
}

static u32 regions_least(const struct kx_regions *s)
{
	return min_t(u64, s->min, s->pages);
}

/* The size limit of a region. If all regions keep it, there are at least @min regions. */
static u64 regions_largest(const struct kx_regions *s)
{
	return s->pages ? div64_u64(s->pages, regions_least(s)) : 0;
}

size_t kx_regions_bytes(u32 max)
{
	return 2 * sizeof(struct kx_region) * max;
}

void kx_regions_init(struct kx_regions *s, void *memory, u32 min, u32 max, u64 seed)
{
	memset(s, 0, sizeof(*s));
	s->region = memory;
	s->spare = s->region + max;
	s->min = min;
	s->max = max;
	s->seed = seed;
}

/*
 * Goes over the present memory in pieces; each piece was completely in one old region,
 * or in none. Adjacent stretches count as one.
 */
struct sweep {
	const struct kx_stretch *stretch, *last_stretch;
	const struct kx_region *old, *last_old;
	struct kx_stretch rest;		/* rest of the current stretch */
};

static void regions_sweep_start(struct sweep *w, const struct kx_regions *s,
				const struct kx_stretch *stretches, u32 nr)
{
	memset(w, 0, sizeof(*w));
	w->stretch = stretches;
	w->last_stretch = stretches + nr;
	w->old = s->region;
	w->last_old = s->region + s->nr;
}

static bool regions_sweep_stretch(struct sweep *w)
{
	w->rest.npages = 0;
	while (w->stretch < w->last_stretch) {
		if (!w->rest.npages)
			w->rest = *w->stretch;
		else if (w->stretch->as_id == w->rest.as_id &&
			 w->stretch->gfn == w->rest.gfn + w->rest.npages)
			w->rest.npages += w->stretch->npages;
		else
			break;
		w->stretch++;
	}
	return w->rest.npages;
}

/* The next @piece; @first: it is the first of its stretch. */
static bool regions_sweep_next(struct sweep *w, struct kx_region *piece, bool *first)
{
	u64 npages;

	*first = !w->rest.npages;
	if (*first && !regions_sweep_stretch(w))
		return false;
	while (w->old < w->last_old &&
	       (w->old->as_id < w->rest.as_id ||
		(w->old->as_id == w->rest.as_id && regions_end_of(w->old) <= w->rest.gfn)))
		w->old++;

	npages = w->rest.npages;
	memset(piece, 0, sizeof(*piece));
	if (w->old < w->last_old && w->old->as_id == w->rest.as_id) {
		if (w->old->gfn <= w->rest.gfn) {
			*piece = *w->old;
			npages = min_t(u64, npages, regions_end_of(w->old) - w->rest.gfn);
		} else {
			npages = min_t(u64, npages, w->old->gfn - w->rest.gfn);
		}
	}
	piece->as_id = w->rest.as_id;
	regions_clip(piece, w->rest.gfn, npages);
	w->rest.gfn += npages;
	w->rest.npages -= npages;
	return true;
}

static bool regions_alike(const struct kx_region *l, const struct kx_region *r, u64 limit)
{
	return regions_difference((u64)l->accesses + l->last_accesses,
				  (u64)r->accesses + r->last_accesses) < limit;
}

struct tally {
	u64 pages;
	u32 pieces, stretches;
	u32 pairs;			/* pairs of similar neighbours */
};

static void regions_count_pieces(struct tally *t, const struct kx_regions *s,
				 const struct kx_stretch *stretches, u32 nr, u64 limit)
{
	struct kx_region piece, before;
	struct sweep w;
	bool first;

	memset(t, 0, sizeof(*t));
	regions_sweep_start(&w, s, stretches, nr);
	while (regions_sweep_next(&w, &piece, &first)) {
		regions_step(t->pieces);
		t->pages += piece.npages;
		t->pieces++;
		if (first)
			t->stretches++;
		else
			t->pairs += regions_alike(&before, &piece, limit);
		before = piece;
	}
}

/* Puts the pieces into the spare array, and joins @excess of @t->pairs, evenly distributed. */
static u32 regions_collect_pieces(struct kx_regions *s, const struct kx_stretch *stretches, u32 nr,
				  const struct tally *t, u32 excess, u64 limit)
{
	struct kx_region piece, before;
	struct sweep w;
	u64 due = 0;
	bool first;
	u32 n = 0;

	regions_sweep_start(&w, s, stretches, nr);
	while (regions_sweep_next(&w, &piece, &first)) {
		regions_step(n);
		if (!first && regions_alike(&before, &piece, limit))
			due += excess;
		if (due >= t->pairs && due) {
			due -= t->pairs;
			regions_join(&s->spare[n - 1], &piece);
			s->merges++;
		} else {
			s->spare[n++] = piece;
		}
		before = piece;
	}
	return n;
}

/* Divides @r into @k parts of equal size at @to. */
static void regions_cut_one(struct kx_region *to, const struct kx_region *r, u32 k)
{
	u64 size = div64_u64(r->npages, k), longer = r->npages - size * k, gfn = r->gfn;
	u32 i;

	for (i = 0; i < k; i++) {
		u64 npages = size + (i < longer);

		to[i] = *r;
		regions_clip(&to[i], gfn, npages);
		gfn += npages;
	}
}

/*
 * Puts the @n regions of the spare array back and divides regions that are too large, as far as
 * there is room, in proportion to the number of cuts that each region needs.
 */
static void regions_cut_to_size(struct kx_regions *s, u32 n)
{
	u64 limit = regions_largest(s), wanted = 0, due = 0, cuts;
	const struct kx_region *r;

	for (r = s->spare; r < s->spare + n; r++)
		wanted += div64_u64(r->npages - 1, limit);
	cuts = min_t(u64, wanted, s->max - n);

	s->nr = 0;
	for (r = s->spare; r < s->spare + n; r++) {
		u64 before = due, k = 1;

		regions_step(r - s->spare);
		due += div64_u64(r->npages - 1, limit);
		if (wanted)
			k += mul_u64_u64_div_u64(due, cuts, wanted) -
			     mul_u64_u64_div_u64(before, cuts, wanted);
		regions_cut_one(s->region + s->nr, r, k);
		s->nr += k;
	}
}

int kx_regions_set(struct kx_regions *s, const struct kx_stretch *stretches, u32 nr)
{
	struct tally t;
	u64 limit = 0;
	u32 excess;

	regions_count_pieces(&t, s, stretches, nr, limit);
	if (t.stretches > s->max)
		return -E2BIG;
	excess = t.pieces > s->max ? t.pieces - s->max : 0;
	/* If there is no room, borders between the most similar regions are removed. */
	while (t.pairs < excess) {
		limit = 2 * limit + 1;
		regions_count_pieces(&t, s, stretches, nr, limit);
	}
	s->pages = t.pages;
	regions_cut_to_size(s, regions_collect_pieces(s, stretches, nr, &t, excess, limit));
	return 0;
}

u64 kx_region_choose(struct kx_regions *s, struct kx_region *r)
{
	r->watched = r->gfn + regions_draw_below(s, r->npages);
	r->watching = true;
	return r->watched;
}

/* Counts that differ by more than a tenth of the maximum count are different. */
static u32 regions_tolerance(const struct kx_regions *s)
{
	return s->checks / 10;
}

void kx_regions_age(struct kx_regions *s)
{
	struct kx_region *r;

	for (r = s->region; r < s->region + s->nr; r++) {
		regions_step(r - s->region);
		if (regions_difference(r->accesses, r->last_accesses) > regions_tolerance(s))
			r->age = 0;
		else if (r->age < (u32)-1)
			r->age++;
	}
}

static void regions_merge(struct kx_regions *s)
{
	u64 limit = regions_largest(s);
	u32 least = regions_least(s), nr = s->nr, i;
	struct kx_region *l = s->region;

	for (i = 1; i < s->nr; i++) {
		const struct kx_region *r = &s->region[i];

		regions_step(i);
		if (nr > least && regions_adjacent(l, r) && l->npages + r->npages <= limit &&
		    regions_difference(l->accesses, r->accesses) <= regions_tolerance(s)) {
			regions_join(l, r);
			nr--;
		} else {
			*++l = *r;
		}
	}
	s->merges += s->nr - nr;
	s->nr = nr;
}

/* Splits @r into two parts, each with at least a tenth of the pages. */
static void regions_split_one(struct kx_regions *s, struct kx_region *r, struct kx_region *right)
{
	u64 least = max_t(u64, div64_u64(r->npages, 10), 1);
	u64 left = least + regions_draw_below(s, r->npages - 2 * least + 1);

	*right = *r;
	regions_clip(right, r->gfn + left, r->npages - left);
	regions_clip(r, r->gfn, left);
	s->splits++;
}

static void regions_split(struct kx_regions *s)
{
	u32 room = s->max - s->nr, parts = 2, n = 0, i, k;
	struct kx_region *to = s->spare;

	/* A difference may lie in the middle of a region, where no half shows it. There is room. */
	if (s->nr == s->last_nr && s->nr < s->max / 3)
		parts = 3;
	s->last_nr = s->nr;

	for (i = 0; i < s->nr; i++) {
		bool chosen = regions_draw_below(s, s->nr - i) < room;

		regions_step(i);
		to[n++] = s->region[i];
		for (k = 1; chosen && k < parts && to[n - 1].npages > 1; k++, n++, room--)
			regions_split_one(s, &to[n - 1], &to[n]);
	}
	s->spare = s->region;
	s->region = to;
	s->nr = n;
}

void kx_regions_adapt(struct kx_regions *s)
{
	struct kx_region *r;

	regions_merge(s);
	regions_split(s);
	for (r = s->region; r < s->region + s->nr; r++) {
		regions_step(r - s->region);
		r->last_accesses = r->accesses;
		r->accesses = 0;
		r->watching = false;
	}
	s->checks = 0;
}
