// SPDX-License-Identifier: GPL-2.0-or-later
#include "timemap.h"

#include "ages.h"
#include "base/gfnset.h"

/* The finest stretches of both axes: 256 KiB, which is a word of a bitmap, and 20 ms. */
#define ORDER_FIRST  6u
#define BIN_NS_FIRST G_GUINT64_CONSTANT(20000000)

/* While a pass runs, and in the rows, cells are in the order in which their columns were found first (slots). */
struct _KxTimeMap {
	KxTimeMapKind kind;
	gboolean apart;
	guint64 last_gfn; /* frames beyond it do not exist */
	guint64 origin_ns, bin_ns;
	guint order;	   /* log2 of a column's pages */
	GArray *bins;	   /* guint64: the bin of each slot */
	GHashTable *slots; /* bin → slot + 1 */
	guint64 last_bin; /* of the last page: memory is found in ascending order, so the next page is mostly in the same bin */
	guint last_slot;
	GPtrArray *rows; /* KxAccessRow; a row has no cells for slots that were made after it */
	/* the current pass */
	KxAccessRow *pass;
	KxGfnSet *found;	   /* for KX_TIMEMAP_PAGES */
	guint64 aggregation_pages; /* regions: pages × accesses */
	guint32 checks, regions;   /* of the aggregation: checks of a region; regions so far */
	gboolean complete;	   /* all regions of the aggregation were received */
	/* the pass before, if the current one follows it directly */
	KxGfnSet *before;
	gboolean follows;
	guint64 last_pass, last_start_ns;
	guint64 between_ns, between_n;	   /* sums over passes that follow each other */
	guint64 first_end_ns, last_end_ns; /* of the passes in the rows; 0: none yet */
	KxAges *ages; /* NULL for KX_TIMEMAP_EVENTS: single accesses give no ages */
	GArray *sizes;
	guint32 sizes_every, sizes_skipped;
	guint64 block_use[KX_ACCESS_BLOCK_CLASSES];
};

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

/* --- report -------------------------------------------------------------------------------------------------------------- */

typedef struct {
	guint64 bin;
	guint slot;
} Column;

static gint lower_bin(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Column *)a)->bin, y = ((const Column *)b)->bin;

	return x < y ? -1 : x > y;
}

/* A pass that did not count may have made a column in which nothing else was found. */
static gboolean is_used(const KxTimeMap *m, guint slot)
{
	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = m->rows->pdata[i];

		if (slot < r->cells->len && g_array_index(r->cells, guint64, slot))
			return TRUE;
	}
	return FALSE;
}

static GArray *columns_of(const KxTimeMap *m)
{
	GArray *columns = g_array_sized_new(FALSE, FALSE, sizeof(Column), m->bins->len);

	for (guint i = 0; i < m->bins->len; i++) {
		Column c = { g_array_index(m->bins, guint64, i), i };

		if (is_used(m, i))
			g_array_append_val(columns, c);
	}
	g_array_sort(columns, lower_bin);
	return columns;
}

static void name_columns(KxAccessMap *out, const GArray *columns)
{
	for (guint i = 0; i < columns->len; i++) {
		guint64 bin = g_array_index(columns, Column, i).bin;
		KxAccessColumns *last = out->columns->len
						? &g_array_index(out->columns, KxAccessColumns,
								 out->columns->len - 1)
						: NULL;
		KxAccessColumns next = { bin, 1 };

		if (last && last->first + last->n == bin)
			last->n++;
		else
			g_array_append_val(out->columns, next);
	}
	out->columns_nr = columns->len;
}

static GArray *in_order(const GArray *cells, const GArray *columns)
{
	GArray *sorted = g_array_sized_new(FALSE, TRUE, sizeof(guint64), columns->len);

	for (guint i = 0; i < columns->len; i++) {
		guint slot = g_array_index(columns, Column, i).slot;
		guint64 value = slot < cells->len ? g_array_index(cells, guint64, slot) : 0;

		g_array_append_val(sorted, value);
	}
	return sorted;
}

static KxAccessRow *row_out(const KxAccessRow *r, const GArray *columns)
{
	KxAccessRow *out = g_new(KxAccessRow, 1);

	*out = *r;
	out->cells = in_order(r->cells, columns);
	out->writes = r->writes ? in_order(r->writes, columns) : NULL;
	return out;
}

KxAccessMap *kx_timemap_report(const KxTimeMap *m, gint64 realtime_ns)
{
	KxAccessMap *out = kx_access_map_new();
	g_autoptr(GArray) columns = columns_of(m);

	out->unit = g_strdup(m->kind == KX_TIMEMAP_EVENTS ? KX_ACCESS_EVENTS : KX_ACCESS_PAGES);
	if (m->kind == KX_TIMEMAP_EVENTS)
		out->size_na = g_strdup("single accesses are known, not all pages that were used");
	if (m->kind != KX_TIMEMAP_PAGES)
		out->pairs_na = g_strdup(m->kind == KX_TIMEMAP_EVENTS
						 ? out->size_na
						 : "one page stands for its region, so it is not "
						   "known which pages were used");
	out->origin_realtime_ns = (gint64)m->origin_ns + realtime_ns;
	out->bin_ns = m->bin_ns;
	out->bin_pages = 1ull << m->order;
	out->interval_ns = m->between_n ? m->between_ns / m->between_n : 0;
	name_columns(out, columns);
	for (guint i = 0; i < m->rows->len; i++)
		g_ptr_array_add(out->rows, row_out(m->rows->pdata[i], columns));
	out->first_end_ns = m->first_end_ns - MIN(m->origin_ns, m->first_end_ns);
	out->last_end_ns = m->last_end_ns - MIN(m->origin_ns, m->last_end_ns);
	if (m->ages) {
		kx_ages_report(m->ages, m->last_gfn, out->ages_ns, out->age_pages);
		out->age_grain = kx_ages_grain(m->ages);
	} else {
		out->ages_na = g_strdup(out->size_na);
	}
	g_array_append_vals(out->sizes, m->sizes->data, m->sizes->len);
	out->sizes_every = m->sizes_every;
	for (guint i = 0; i < KX_ACCESS_BLOCK_CLASSES; i++)
		out->block_use[i] = m->block_use[i];
	return out;
}

gsize kx_timemap_bytes(const KxTimeMap *m)
{
	gsize row = m->bins->len * sizeof(guint64) * (m->apart ? 2 : 1) + sizeof(KxAccessRow);

	return sizeof(*m) + (m->ages ? kx_ages_bytes(m->ages) : 0) + m->rows->len * row +
	       m->bins->len * 64 + m->sizes->len * sizeof(guint64) +
	       (m->found ? kx_gfnset_bytes(m->found) : 0) +
	       (m->before ? kx_gfnset_bytes(m->before) : 0);
}
