// SPDX-License-Identifier: GPL-2.0-or-later
#include "timemap-internal.h"

/* The finest stretches of both axes: 256 KiB, which is a word of a bitmap, and 20 ms. */
#define ORDER_FIRST  6u
#define BIN_NS_FIRST G_GUINT64_CONSTANT(20000000)

/* A power of two, as in rangemap.c: memory that is plugged in later is mostly below it before its size is read. */
static guint64 bound_of(guint64 last_gfn)
{
	guint bits = last_gfn ? 64u - (guint)__builtin_clzll(last_gfn) : 0;

	return bits < 40 ? (1ull << bits) - 1 : KX_GFN_END - 1;
}

KxTimeMap *kx_timemap_new(KxTimeMapKind kind, gboolean apart, guint64 last_gfn, guint64 origin_ns)
{
	KxTimeMap *m = g_new0(KxTimeMap, 1);

	m->kind = kind;
	m->apart = apart;
	m->last_gfn = bound_of(last_gfn);
	m->origin_ns = origin_ns;
	m->bin_ns = BIN_NS_FIRST;
	m->order = ORDER_FIRST;
	m->bins = g_array_new(FALSE, FALSE, sizeof(guint64));
	m->slots = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	m->last_bin = G_MAXUINT64;
	m->rows = g_ptr_array_new_with_free_func(kx_access_row_free);
	m->sizes = g_array_new(FALSE, FALSE, sizeof(guint64));
	m->sizes_every = 1;
	if (kind != KX_TIMEMAP_EVENTS)
		m->ages = kx_ages_new(m->last_gfn);
	return m;
}

static void forget_pass(KxTimeMap *m)
{
	g_clear_pointer(&m->pass, kx_access_row_free);
	g_clear_pointer(&m->found, kx_gfnset_free);
	if (m->ages)
		kx_ages_drop_pass(m->ages);
	m->aggregation_pages = 0;
	m->regions = 0;
	m->complete = FALSE;
}

/* The current pass is kept: it may still end, and then counts. */
void kx_timemap_rest(KxTimeMap *m)
{
	g_clear_pointer(&m->before, kx_gfnset_free);
	m->follows = FALSE;
}

void kx_timemap_free(KxTimeMap *m)
{
	if (!m)
		return;
	kx_timemap_drop_pass(m);
	g_array_unref(m->bins);
	g_hash_table_unref(m->slots);
	g_ptr_array_unref(m->rows);
	g_array_unref(m->sizes);
	kx_ages_free(m->ages);
	g_free(m);
}

void kx_timemap_grow(KxTimeMap *m, guint64 last_gfn)
{
	m->last_gfn = MAX(m->last_gfn, bound_of(last_gfn));
	if (m->found)
		kx_gfnset_grow(m->found, m->last_gfn);
}

KxTimeMapKind kx_timemap_kind(const KxTimeMap *m)
{
	return m->kind;
}

/* --- columns ------------------------------------------------------------------------------------------------------------- */

static guint64 *cell_at(GArray *cells, guint slot)
{
	if (slot >= cells->len)
		g_array_set_size(cells, slot + 1); /* with zeros */
	return &g_array_index(cells, guint64, slot);
}

static guint new_slot(KxTimeMap *m, guint64 bin)
{
	g_array_append_val(m->bins, bin);
	g_hash_table_insert(m->slots, g_memdup2(&bin, sizeof(bin)), GUINT_TO_POINTER(m->bins->len));
	return m->bins->len - 1;
}

/* FALSE: the bin has no slot, and all slots are in use. */
static gboolean find_slot(KxTimeMap *m, guint64 bin, guint *slot)
{
	guint known;

	if (bin == m->last_bin) {
		*slot = m->last_slot;
		return TRUE;
	}
	known = GPOINTER_TO_UINT(g_hash_table_lookup(m->slots, &bin));
	if (!known && m->bins->len == KX_ACCESS_COLUMNS_MAX)
		return FALSE;
	*slot = m->last_slot = known ? known - 1 : new_slot(m, bin);
	m->last_bin = bin;
	return TRUE;
}

static void move_cells(GArray **cells, const guint *to)
{
	GArray *moved = g_array_new(FALSE, TRUE, sizeof(guint64));

	for (guint i = 0; i < (*cells)->len; i++)
		*cell_at(moved, to[i]) += g_array_index(*cells, guint64, i);
	g_array_unref(*cells);
	*cells = moved;
}

static void move_row(KxAccessRow *r, const guint *to)
{
	move_cells(&r->cells, to);
	if (r->writes)
		move_cells(&r->writes, to);
}

/* Columns become twice as large. */
static void coarsen(KxTimeMap *m)
{
	g_autoptr(GArray) old = m->bins;
	guint to[KX_ACCESS_COLUMNS_MAX];

	m->order++;
	m->last_bin = G_MAXUINT64;
	m->bins = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_hash_table_remove_all(m->slots);
	for (guint i = 0; i < old->len; i++)
		find_slot(m, g_array_index(old, guint64, i) / 2, &to[i]);
	for (guint i = 0; i < m->rows->len; i++)
		move_row(m->rows->pdata[i], to);
	if (m->pass)
		move_row(m->pass, to);
}

static guint slot_of(KxTimeMap *m, guint64 gfn)
{
	guint slot;

	while (!find_slot(m, gfn >> m->order, &slot))
		coarsen(m);
	return slot;
}

/* --- samples ------------------------------------------------------------------------------------------------------------- */

static void begin_pass(KxTimeMap *m)
{
	if (m->pass)
		return;
	m->pass = kx_access_row_new();
	if (m->apart)
		m->pass->writes = g_array_new(FALSE, TRUE, sizeof(guint64));
	if (m->kind == KX_TIMEMAP_PAGES)
		m->found = kx_gfnset_new(m->last_gfn);
}

/* The part of a run that exists; FALSE: none does. Prepares columns for it. */
static gboolean clip(KxTimeMap *m, guint64 gfn, guint64 *npages)
{
	if (gfn > m->last_gfn || !*npages)
		return FALSE;
	*npages = MIN(*npages, m->last_gfn - gfn + 1);
	while (*npages >> m->order > KX_ACCESS_COLUMNS_MAX)
		coarsen(m);
	return TRUE;
}

/* Pages from @gfn on in the same column, at most @npages. */
static guint64 in_column(const KxTimeMap *m, guint64 gfn, guint64 npages)
{
	guint64 mask = (1ull << m->order) - 1;

	return MIN(npages, mask + 1 - (gfn & mask));
}

/* A page counts once per pass, even if the pass names it twice. */
void kx_timemap_add(KxTimeMap *m, guint64 gfn, guint64 npages)
{
	begin_pass(m);
	if (!clip(m, gfn, &npages))
		return;
	kx_ages_add(m->ages, gfn, npages);
	for (guint64 n; npages; gfn += n, npages -= n) {
		guint slot = slot_of(m, gfn);
		guint64 known = kx_gfnset_count(m->found);

		n = in_column(m, gfn, npages);
		kx_gfnset_add(m->found, gfn, n);
		*cell_at(m->pass->cells, slot) += kx_gfnset_count(m->found) - known;
	}
}

/* @gfn is a multiple of 64, so the word lies in one column. */
static void add_word(KxTimeMap *m, guint64 gfn, guint64 word)
{
	guint64 known = kx_gfnset_count(m->found);
	guint slot;

	if (!word || gfn > m->last_gfn)
		return;
	slot = slot_of(m, gfn);
	kx_ages_add_bits(m->ages, gfn, &word, 1);
	kx_gfnset_add_bits(m->found, gfn, &word, 1);
	*cell_at(m->pass->cells, slot) += kx_gfnset_count(m->found) - known;
}

void kx_timemap_add_bits(KxTimeMap *m, guint64 gfn, const guint64 *bits, gsize nwords)
{
	guint shift = gfn & 63;

	begin_pass(m);
	gfn -= shift;
	for (gsize i = 0; i < nwords; i++, gfn += 64) {
		add_word(m, gfn, bits[i] << shift);
		if (shift)
			add_word(m, gfn + 64, bits[i] >> (64 - shift));
	}
}

/* If a record of an aggregation was lost, the aggregation does not describe the whole memory, and is dropped. */
void kx_timemap_add_regions(KxTimeMap *m, const struct kvm_ext_rec_regions *r,
			    const struct kvm_ext_region *regions)
{
	if (!r->first)
		forget_pass(m);
	begin_pass(m);
	if (r->first != m->regions)
		return;
	m->regions += r->nr;
	m->checks = r->checks;
	m->complete = m->regions == r->total;
	for (guint32 i = 0; i < r->nr; i++) {
		guint64 gfn = regions[i].gfn, npages = regions[i].npages;
		guint64 accesses = regions[i].accesses;

		if (!accesses || !clip(m, gfn, &npages))
			continue;
		m->aggregation_pages += npages * accesses;
		kx_ages_add(m->ages, gfn, npages);
		for (guint64 n; npages; gfn += n, npages -= n) {
			guint slot = slot_of(m, gfn);

			n = in_column(m, gfn, npages);
			*cell_at(m->pass->cells, slot) += n * accesses;
		}
	}
}

void kx_timemap_add_events(KxTimeMap *m, guint64 gfn, guint64 npages, guint64 accesses,
			   gboolean writes)
{
	guint64 all = npages, done = 0, given = 0;

	begin_pass(m);
	if (!clip(m, gfn, &npages))
		return;
	for (guint64 n; npages; gfn += n, npages -= n) {
		guint slot = slot_of(m, gfn);
		guint64 until;

		n = in_column(m, gfn, npages);
		done += n;
		until = (guint64)((unsigned __int128)accesses * done / all);
		*cell_at(m->pass->cells, slot) += until - given;
		if (writes && m->apart)
			*cell_at(m->pass->writes, slot) += until - given;
		given = until;
	}
}

void kx_timemap_drop_pass(KxTimeMap *m)
{
	forget_pass(m);
	kx_timemap_rest(m);
}

/* --- rows ---------------------------------------------------------------------------------------------------------------- */

static void add_cells(GArray *to, const GArray *from)
{
	for (guint i = 0; i < from->len; i++)
		*cell_at(to, i) += g_array_index(from, guint64, i);
}

static void add_row(KxAccessRow *to, const KxAccessRow *from)
{
	if (from->passes) {
		to->found_min = to->passes ? MIN(to->found_min, from->found_min) : from->found_min;
		to->found_max = MAX(to->found_max, from->found_max);
	}
	to->passes += from->passes;
	to->looks += from->looks;
	to->lost += from->lost;
	to->found += from->found;
	to->pairs += from->pairs;
	to->before += from->before;
	to->stayed += from->stayed;
	to->blocks += from->blocks;
	add_cells(to->cells, from->cells);
	if (from->writes)
		add_cells(to->writes, from->writes);
}

/* Rows become twice as long. */
static void widen(KxTimeMap *m)
{
	guint kept = 0;

	m->bin_ns *= 2;
	for (guint i = 0; i < m->rows->len; i++) {
		KxAccessRow *r = m->rows->pdata[i];
		KxAccessRow *last = kept ? m->rows->pdata[kept - 1] : NULL;

		r->bin /= 2;
		if (last && last->bin == r->bin) {
			add_row(last, r);
			continue;
		}
		m->rows->pdata[i] = m->rows->pdata[kept];
		m->rows->pdata[kept++] = r;
	}
	g_ptr_array_set_size(m->rows, (gint)kept); /* frees the rows that were added to others */
}

static KxAccessRow *row_at(KxTimeMap *m, guint64 time_ns)
{
	KxAccessRow *last = m->rows->len ? m->rows->pdata[m->rows->len - 1] : NULL;
	guint64 bin = time_ns > m->origin_ns ? (time_ns - m->origin_ns) / m->bin_ns : 0;

	if (last && bin <= last->bin)
		return last;
	last = kx_access_row_new();
	last->bin = bin;
	if (m->apart)
		last->writes = g_array_new(FALSE, TRUE, sizeof(guint64));
	g_ptr_array_add(m->rows, last);
	while (m->rows->len > KX_ACCESS_ROWS_MAX)
		widen(m);
	return m->rows->pdata[m->rows->len - 1];
}

static void add_size(KxTimeMap *m, guint64 pages)
{
	guint kept = 0;

	if (m->sizes_skipped++ % m->sizes_every)
		return;
	if (m->sizes->len == KX_ACCESS_SIZES_MAX) {
		for (guint i = 0; i < m->sizes->len; i += 2)
			g_array_index(m->sizes, guint64, kept++) =
				g_array_index(m->sizes, guint64, i);
		g_array_set_size(m->sizes, kept);
		m->sizes_every *= 2;
	}
	g_array_append_val(m->sizes, pages);
}

/* How the working set of this pass differs from that of the pass before, and how densely this pass uses blocks of memory. */
static void compare_sets(KxTimeMap *m, KxAccessRow *pass)
{
	guint64 use[KX_ACCESS_BLOCK_CLASSES] = { 0 };

	kx_gfnset_count_blocks(m->found, KX_ACCESS_BLOCK_CLASSES, use);
	for (guint i = 0; i < KX_ACCESS_BLOCK_CLASSES; i++) {
		m->block_use[i] += use[i];
		pass->blocks += use[i];
	}
	if (m->before) {
		pass->pairs = 1;
		pass->before = kx_gfnset_count(m->before);
		pass->stayed = kx_gfnset_count_common(m->before, m->found, NULL);
	}
	g_clear_pointer(&m->before, kx_gfnset_free);
	m->before = g_steal_pointer(&m->found);
}

/* FALSE: the pass ends no aggregation. */
static gboolean finish(KxTimeMap *m)
{
	KxAccessRow *pass = m->pass;

	switch (m->kind) {
	case KX_TIMEMAP_PAGES:
		pass->looks = 1;
		pass->found = kx_gfnset_count(m->found);
		compare_sets(m, pass);
		break;
	case KX_TIMEMAP_REGIONS:
	case KX_TIMEMAP_AGGREGATES:
		if (!m->complete || !m->checks)
			return FALSE;
		pass->looks = m->checks;
		pass->found = m->aggregation_pages / m->checks;
		break;
	case KX_TIMEMAP_EVENTS:
		break;
	}
	pass->passes = 1;
	pass->found_min = pass->found_max = pass->found;
	if (m->kind != KX_TIMEMAP_EVENTS)
		add_size(m, pass->found);
	return TRUE;
}

static void take_interval(KxTimeMap *m, const struct kvm_ext_rec_pass_end *r)
{
	guint64 start_ns = r->time_ns - MIN(r->wall_ns, r->time_ns);

	if (m->follows && r->pass == m->last_pass + 1 && start_ns > m->last_start_ns) {
		m->between_ns += start_ns - m->last_start_ns;
		m->between_n += m->kind == KX_TIMEMAP_AGGREGATES ? MAX(m->checks, 1) : 1;
	}
	m->follows = TRUE;
	m->last_pass = r->pass;
	m->last_start_ns = start_ns;
}

void kx_timemap_end_pass(KxTimeMap *m, const struct kvm_ext_rec_pass_end *r)
{
	begin_pass(m); /* a pass that has found nothing has no row yet */
	if (m->follows && r->pass != m->last_pass + 1)
		g_clear_pointer(&m->before, kx_gfnset_free);
	take_interval(m, r);
	m->pass->lost = r->lost_samples;
	if (finish(m)) {
		add_row(row_at(m, r->time_ns), m->pass);
		if (m->ages)
			kx_ages_end_pass(m->ages, r->time_ns);
		m->first_end_ns = m->first_end_ns ? m->first_end_ns : r->time_ns;
		m->last_end_ns = r->time_ns;
	}
	forget_pass(m);
}

gsize kx_timemap_bytes(const KxTimeMap *m)
{
	gsize row = m->bins->len * sizeof(guint64) * (m->apart ? 2 : 1) + sizeof(KxAccessRow);

	return sizeof(*m) + (m->ages ? kx_ages_bytes(m->ages) : 0) + m->rows->len * row +
	       m->bins->len * 64 + m->sizes->len * sizeof(guint64) +
	       (m->found ? kx_gfnset_bytes(m->found) : 0) +
	       (m->before ? kx_gfnset_bytes(m->before) : 0);
}
