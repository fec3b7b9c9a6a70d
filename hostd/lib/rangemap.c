// SPDX-License-Identifier: GPL-2.0-or-later
#include "rangemap.h"

#include "../../kvm-ext/common/ranges.h"

#define PAGE_SHIFT 12u
#define BATCH	   256u

struct _KxRangeMap {
	struct kx_ranges ranges;
	void *memory;
	guint64 epoch_ns;
	guint64 ended_ns; /* when the last epoch did; 0: none has */
	struct kx_sample batch[BATCH];
	guint nr_batch;
};

static guint64 or_default(guint64 value, guint64 otherwise)
{
	return value ? value : otherwise;
}

/* All of the space up to the power of two, so that halves of halves are aligned as memory is. */
KxRangeMap *kx_rangemap_new(guint64 last_gfn, guint vcpus, guint64 epoch_ns, guint order)
{
	guint bits = PAGE_SHIFT + (last_gfn ? 64u - (guint)__builtin_clzll(last_gfn) : 0);
	const struct kx_ranges_config config = {
		.last = bits < 64 ? (1ull << bits) - 1 : G_MAXUINT64,
		.granularity = (guint)or_default(order, KX_RANGEMAP_ORDER),
		.vcpus = vcpus,
	};
	KxRangeMap *m = g_new0(KxRangeMap, 1);

	m->epoch_ns = or_default(epoch_ns, KX_RANGEMAP_EPOCH_NS);
	m->memory = g_malloc(kx_ranges_bytes(config.max));
	if (kx_ranges_init(&m->ranges, m->memory, &config))
		g_error("the range classifier refuses its configuration");
	return m;
}

void kx_rangemap_free(KxRangeMap *m)
{
	if (!m)
		return;
	g_free(m->memory);
	g_free(m);
}

gboolean kx_rangemap_is(const KxRangeMap *m, guint64 epoch_ns, guint order)
{
	return m->epoch_ns == or_default(epoch_ns, KX_RANGEMAP_EPOCH_NS) &&
	       m->ranges.config.granularity == or_default(order, KX_RANGEMAP_ORDER);
}

/* --- samples -------------------------------------------------------------------------------------------------------- */

/* Frames far beyond what memory has are cut, not wrapped. */
void kx_rangemap_add(KxRangeMap *m, guint64 gfn, guint64 npages, guint64 accesses)
{
	const guint64 end = 1ull << (64 - PAGE_SHIFT);

	if (gfn >= end || !npages) {
		m->ranges.outside++;
		return;
	}
	kx_ranges_add_run(&m->ranges, gfn << PAGE_SHIFT, MIN(npages, end - gfn) << PAGE_SHIFT,
			  accesses);
}

static void flush_batch(KxRangeMap *m)
{
	kx_ranges_add_batch(&m->ranges, m->batch, m->nr_batch);
	m->nr_batch = 0;
}

static void add_page(KxRangeMap *m, guint64 gfn)
{
	m->batch[m->nr_batch++] = (struct kx_sample){ .address = gfn << PAGE_SHIFT, .weight = 1 };
	if (m->nr_batch == BATCH)
		flush_batch(m);
}

void kx_rangemap_add_bits(KxRangeMap *m, guint64 gfn, const guint64 *bits, gsize nwords)
{
	for (gsize i = 0; i < nwords; i++, gfn += 64) {
		if (bits[i] == G_MAXUINT64) {
			kx_rangemap_add(m, gfn, 64, 64);
			continue;
		}
		for (guint64 word = bits[i]; word; word &= word - 1)
			add_page(m, gfn + (guint)__builtin_ctzll(word));
	}
	flush_batch(m);
}

/* A tenth early is in time: intervals are kept by timers, not by this. */
void kx_rangemap_end_pass(KxRangeMap *m, guint64 time_ns)
{
	if (m->ended_ns && time_ns - m->ended_ns < m->epoch_ns - m->epoch_ns / 10)
		return;
	kx_ranges_epoch(&m->ranges);
	m->ended_ns = time_ns;
}

/* --- what is known -------------------------------------------------------------------------------------------------- */

KxHeatMap *kx_rangemap_report(KxRangeMap *m)
{
	KxHeatMap *out = kx_heat_map_new();
	guint nr = kx_ranges_rank(&m->ranges);

	out->granularity_bytes = 1ull << m->ranges.config.granularity;
	out->epoch_ns = m->epoch_ns;
	out->epochs = m->ranges.epochs;
	out->samples = m->ranges.added;
	out->outside = m->ranges.outside;
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
