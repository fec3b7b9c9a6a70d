// SPDX-License-Identifier: GPL-2.0-or-later
#include "rangemap.h"

#include "../../kvm-ext/common/ranges.h"

#define PAGE_SHIFT 12u

struct _KxRangeMap {
	struct kx_ranges ranges;
	void *memory;
	guint64 epoch_ns;
	guint64 ended_ns; /* when the last epoch ended; 0: none has ended */
	gboolean in_pass;
	struct kx_ranges_mark mark; /* the state before the current pass */
};

static guint64 or_default(guint64 value, guint64 otherwise)
{
	return value ? value : otherwise;
}

/* The address space ends at a power of two, so that its halves, and the halves of halves, are aligned like memory. */
static guint64 last_address(guint64 last_gfn)
{
	guint bits = PAGE_SHIFT + (last_gfn ? 64u - (guint)__builtin_clzll(last_gfn) : 0);

	return bits < 64 ? (1ull << bits) - 1 : G_MAXUINT64;
}

KxRangeMap *kx_rangemap_new(guint64 last_gfn, guint vcpus, guint64 epoch_ns, guint order)
{
	const struct kx_ranges_config config = {
		.last = last_address(last_gfn),
		.granularity = (guint)or_default(order, KX_RANGEMAP_ORDER),
		.vcpus = vcpus,
	};
	KxRangeMap *m = g_new0(KxRangeMap, 1);

	m->epoch_ns = or_default(epoch_ns, KX_RANGEMAP_EPOCH_NS);
	m->memory = g_malloc(kx_ranges_bytes(config.max));
	if (kx_ranges_init(&m->ranges, m->memory, &config))
		g_error("the range classifier refuses its configuration");
	m->mark.fresh = g_new(u64, m->ranges.config.max);
	return m;
}

void kx_rangemap_free(KxRangeMap *m)
{
	if (!m)
		return;
	g_free(m->mark.fresh);
	g_free(m->memory);
	g_free(m);
}

gsize kx_rangemap_bytes(const KxRangeMap *m)
{
	guint32 max = m->ranges.config.max;

	return sizeof(*m) + kx_ranges_bytes(max) + max * sizeof(*m->mark.fresh);
}

gboolean kx_rangemap_is(const KxRangeMap *m, guint64 epoch_ns, guint order)
{
	return m->epoch_ns == or_default(epoch_ns, KX_RANGEMAP_EPOCH_NS) &&
	       m->ranges.config.granularity == or_default(order, KX_RANGEMAP_ORDER);
}

void kx_rangemap_grow(KxRangeMap *m, guint64 last_gfn)
{
	kx_ranges_grow(&m->ranges, last_address(last_gfn));
}

/* --- samples -------------------------------------------------------------------------------------------------------- */

static void begin_pass(KxRangeMap *m)
{
	if (m->in_pass)
		return;
	m->in_pass = TRUE;
	kx_ranges_mark(&m->ranges, &m->mark);
}

void kx_rangemap_drop_pass(KxRangeMap *m)
{
	if (m->in_pass)
		kx_ranges_back(&m->ranges, &m->mark);
	m->in_pass = FALSE;
}

/* Frames beyond 64 bits of address are cut off; their addresses do not wrap. */
void kx_rangemap_add(KxRangeMap *m, guint64 gfn, guint64 npages, guint64 accesses)
{
	const guint64 end = 1ull << (64 - PAGE_SHIFT);

	begin_pass(m);
	if (gfn >= end || !npages) {
		m->ranges.outside++;
		return;
	}
	kx_ranges_add_run(&m->ranges, gfn << PAGE_SHIFT, MIN(npages, end - gfn) << PAGE_SHIFT,
			  accesses);
}

static gboolean inside(const KxRangeMap *m, guint64 gfn, guint64 npages)
{
	guint64 last = m->ranges.config.last >> PAGE_SHIFT;

	return gfn <= last && npages - 1 <= last - gfn;
}

/* Most words lie inside one range, the same range as the word before: so these words are added together, in one step. */
void kx_rangemap_add_bits(KxRangeMap *m, guint64 gfn, const guint64 *bits, gsize nwords)
{
	guint64 until = 0; /* the last frame of the preceding word's range */
	guint64 weight = 0, at = gfn;

	begin_pass(m);
	for (gsize i = 0; i < nwords; i++, gfn += 64) {
		if (!bits[i])
			continue;
		if (weight && gfn + 63 <= until) {
			weight += (guint)__builtin_popcountll(bits[i]);
			continue;
		}
		if (weight)
			kx_ranges_add(&m->ranges, at << PAGE_SHIFT, weight);
		weight = 0;
		until = inside(m, gfn, 64)
				? kx_ranges_until(&m->ranges, gfn << PAGE_SHIFT) >> PAGE_SHIFT
				: 0;
		if (until && gfn + 63 <= until) {
			at = gfn;
			weight = (guint)__builtin_popcountll(bits[i]);
			continue;
		}
		for (guint64 word = bits[i]; word; word &= word - 1)
			kx_rangemap_add(m, gfn + (guint)__builtin_ctzll(word), 1, 1);
	}
	if (weight)
		kx_ranges_add(&m->ranges, at << PAGE_SHIFT, weight);
}

/* An epoch may end up to a tenth early: timers, not this function, keep the intervals. */
void kx_rangemap_end_pass(KxRangeMap *m, guint64 time_ns)
{
	m->in_pass = FALSE;
	if (m->ended_ns && time_ns - m->ended_ns < m->epoch_ns - m->epoch_ns / 10)
		return;
	kx_ranges_epoch(&m->ranges);
	m->ended_ns = time_ns;
}

/* --- report --------------------------------------------------------------------------------------------------------- */

KxHeatMap *kx_rangemap_report(KxRangeMap *m)
{
	KxHeatMap *out = kx_heat_map_new();
	guint nr = kx_ranges_rank(&m->ranges);

	out->granularity_bytes = 1ull << m->ranges.config.granularity;
	out->epoch_ns = m->epoch_ns;
	out->epochs = m->ranges.epochs;
	out->samples = m->in_pass ? m->mark.added : m->ranges.added;
	out->outside = m->in_pass ? m->mark.outside : m->ranges.outside;
	out->ranges_total = nr;
	for (guint i = 0; i < nr; i++) {
		struct kx_range r;
		KxHeatRange range;

		kx_ranges_ranked(&m->ranges, i, &r);
		if (!r.accesses)
			break;
		range = (KxHeatRange){ r.start, r.size, r.accesses, r.age, 0 };
		g_array_append_val(out->ranges, range);
	}
	return out;
}
