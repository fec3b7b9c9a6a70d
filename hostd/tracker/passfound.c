// SPDX-License-Identifier: GPL-2.0-or-later
/* What a pass finds: its records in the ring, and its account. The pass thread calls these functions. */
#include "passthread-internal.h"

#include <string.h>
#include <sys/eventfd.h>

#include "ring.h"

void kx_pass_thread_tell_reader(const PassThread *t)
{
	/* Fails only if the counter is at its maximum, and then the descriptor is readable already. */
	(void)!eventfd_write(t->event, 1);
}

gboolean kx_pass_primes(const KxPass *p)
{
	return p->primes;
}

gboolean kx_pass_is_cut(KxPass *p)
{
	p->cut |= g_atomic_int_get(&p->thread->stop);
	return p->cut;
}

gboolean kx_pass_wait(KxPass *p, guint64 ns)
{
	PassThread *t = p->thread;
	gint64 until_us = g_get_monotonic_time() + (gint64)(ns / 1000);

	g_mutex_lock(&t->lock);
	while (!g_atomic_int_get(&t->stop) && g_cond_wait_until(&t->wake, &t->lock, until_us))
		;
	g_mutex_unlock(&t->lock);
	return !kx_pass_is_cut(p);
}

void kx_pass_expect(KxPass *p, guint64 pages)
{
	g_mutex_lock(&p->thread->lock);
	p->thread->st.progress.total_pages = pages;
	g_mutex_unlock(&p->thread->lock);
}

void kx_pass_looked(KxPass *p, guint64 pages, guint64 present)
{
	p->sum.pages_scanned += pages;
	p->sum.leaves_tested += present;
	g_mutex_lock(&p->thread->lock);
	p->thread->st.progress.pages = p->sum.pages_scanned;
	g_mutex_unlock(&p->thread->lock);
}

void kx_pass_lost(KxPass *p, guint64 n, guint64 cpu_ns)
{
	g_mutex_lock(&p->thread->lock);
	p->thread->st.overruns += n;
	p->thread->st.cpu_ns += cpu_ns;
	g_mutex_unlock(&p->thread->lock);
}

void kx_pass_add_cpu(KxPass *p, guint64 ns)
{
	p->sum.cpu_ns += ns;
}

void kx_pass_put(KxPass *p, const struct kvm_ext_record *record, guint64 samples, guint64 pages)
{
	PassThread *t = p->thread;

	p->sum.samples += samples;
	p->sum.sample_pages += pages;
	if (!kx_ring_put(t->ring, record, samples))
		p->sum.lost_samples += samples;
	if (kx_ring_is_half_full(t->ring))
		kx_pass_thread_tell_reader(t);
}

void kx_pass_found_run(KxPass *p, guint64 gfn, guint64 npages, guint32 leaf_order)
{
	const struct kvm_ext_rec_run run = {
		.h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
		.pass = p->nr,
		.gfn = gfn,
		.npages = npages,
		.leaf_order = leaf_order,
	};

	if (!p->primes)
		kx_pass_put(p, &run.h, npages >> leaf_order, npages);
}

void kx_pass_found_range(KxPass *p, guint64 gfn, guint64 npages, guint64 samples)
{
	const struct kvm_ext_rec_run run = {
		.h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
		.pass = p->nr,
		.gfn = gfn,
		.npages = npages,
	};

	if (!p->primes)
		kx_pass_put(p, &run.h, samples, samples);
}

/* The number of regions in one record. */
#define REGIONS_PUT \
	((KVM_EXT_REC_MAX - sizeof(struct kvm_ext_rec_regions)) / sizeof(struct kvm_ext_region))

static void put_regions(KxPass *p, const struct kvm_ext_rec_regions *head,
			const struct kvm_ext_region *regions)
{
	union {
		struct kvm_ext_rec_regions r;
		guint64 room[KVM_EXT_REC_MAX / 8];
	} rec;

	rec.r = *head;
	rec.r.h.size = (guint32)(sizeof(*head) + head->nr * sizeof(*regions));
	memcpy(rec.room + sizeof(*head) / 8, regions, head->nr * sizeof(*regions));
	kx_pass_put(p, &rec.r.h, 0, 0);
}

void kx_pass_regions(KxPass *p, const struct kvm_ext_region *regions, guint32 n, guint32 checks)
{
	struct kvm_ext_regions_stats *st = &p->thread->st.regions;
	struct kvm_ext_rec_regions head = {
		.h = { KVM_EXT_REC_REGIONS, 0, 0 },
		.pass = p->nr,
		.aggregation = st->aggregations, /* written by this thread alone */
		.time_ns = clock_ns(CLOCK_MONOTONIC),
		.checks = checks,
		.total = n,
	};

	if (p->primes)
		return;
	for (; head.first < n; head.first += head.nr) {
		head.nr = (guint32)MIN(n - head.first, REGIONS_PUT);
		put_regions(p, &head, regions + head.first);
	}
	g_mutex_lock(&p->thread->lock);
	st->regions = n;
	st->aggregations++;
	g_mutex_unlock(&p->thread->lock);
}

void kx_pass_counted(KxPass *p, guint64 npages)
{
	if (p->primes)
		return;
	p->sum.samples += npages;
	p->sum.sample_pages += npages;
}

void kx_pass_found_bits(KxPass *p, guint64 gfn, const guint64 *bits, guint nwords)
{
	union {
		struct kvm_ext_rec_bitmap map;
		guint64 room[sizeof(struct kvm_ext_rec_bitmap) / 8 + KX_PASS_BITMAP_WORDS];
	} r;
	guint64 n = 0;

	g_return_if_fail(nwords <= KX_PASS_BITMAP_WORDS);
	for (; nwords && !bits[nwords - 1]; nwords--)
		;
	for (; nwords && !*bits; nwords--, bits++)
		gfn += 64;
	for (guint i = 0; i < nwords; i++)
		n += (guint)__builtin_popcountll(bits[i]);
	if (!n || p->primes)
		return;
	r.map = (struct kvm_ext_rec_bitmap){
		.h = { KVM_EXT_REC_BITMAP, 0, (guint32)(sizeof(r.map) + nwords * sizeof(*bits)) },
		.pass = p->nr,
		.gfn = gfn,
		.nbits = nwords * 64,
	};
	memcpy(r.room + sizeof(r.map) / 8, bits, nwords * sizeof(*bits));
	kx_pass_put(p, &r.map.h, n, n);
}
