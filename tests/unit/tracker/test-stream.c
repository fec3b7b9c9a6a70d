// SPDX-License-Identifier: GPL-2.0-or-later
/* The ring reader against synthetic rings, whole and broken ones; random corruption under ASan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "tracker/stream.h"

#define DATA   8192u
#define OFFSET 4096u

typedef struct {
	guint8 *map;
	struct kvm_ext_ring *ring;
	KxStream *stream;
} Ring;

typedef struct {
	guint begins, runs, bitmaps, ends, losts, faults, regions;
	guint64 pages, last_pass, bits;
} Seen;

static void on_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	Seen *s = data;

	s->begins++;
	s->last_pass = r->pass;
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	Seen *s = data;

	s->runs++;
	s->pages += r->npages;
	assert_true(r->gfn + r->npages <= KX_GFN_END);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	Seen *s = data;
	gsize i;

	s->bitmaps++;
	for (i = 0; i < nwords; i++)
		s->bits += __builtin_popcountll(bits[i]);
	assert_true(nwords == (r->nbits + 63u) / 64);
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	((Seen *)data)->ends++;
}

static void on_lost(void *data, const struct kvm_ext_rec_lost *r)
{
	((Seen *)data)->losts++;
}

static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	Seen *s = data;

	for (guint32 i = 0; i < r->nr; i++) {
		assert_true(faults[i].gfn < KX_GFN_END && faults[i].access <= KVM_EXT_ACCESS_EXEC);
		s->faults++;
	}
}

static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	Seen *s = data;

	for (guint32 i = 0; i < r->nr; i++) {
		assert_true(regions[i].gfn + regions[i].npages <= KX_GFN_END);
		s->regions++;
	}
}

static const KxStreamOps ops = { on_begin, on_run,    on_bitmap,  on_end,
				 on_lost,  on_faults, on_regions, NULL };

static void ring_init(Ring *r)
{
	r->map = g_malloc0(OFFSET + DATA);
	r->ring = (struct kvm_ext_ring *)r->map;
	*r->ring = (struct kvm_ext_ring){
		.magic = KVM_EXT_RING_MAGIC,
		.api_version = KVM_EXT_API_VERSION,
		.data_offset = OFFSET,
		.data_size = DATA,
	};
	r->stream = kx_stream_new(r->map, OFFSET + DATA, NULL);
	assert_non_null(r->stream);
}

static void ring_clear(Ring *r)
{
	kx_stream_free(r->stream);
	g_free(r->map);
}

/* Like the kernel: writes a pad if the record would wrap. */
static gboolean put(Ring *r, const void *record)
{
	const struct kvm_ext_record *h = record;
	guint64 head = r->ring->data_head, at = head & (DATA - 1),
		pad = DATA - at < h->size ? DATA - at : 0;

	if (head + pad + h->size - r->ring->data_tail > DATA)
		return FALSE;
	if (pad) {
		struct kvm_ext_record p = { KVM_EXT_REC_PAD, 0, (guint32)pad };

		memcpy(r->map + OFFSET + at, &p, sizeof(p));
		at = 0;
	}
	memcpy(r->map + OFFSET + at, record, h->size);
	r->ring->data_head = head + pad + h->size;
	return TRUE;
}

static struct kvm_ext_rec_run run_of(guint64 gfn, guint64 npages)
{
	return (struct kvm_ext_rec_run){ .h = { KVM_EXT_REC_RUN, 0,
						sizeof(struct kvm_ext_rec_run) },
					 .gfn = gfn,
					 .npages = npages };
}

static gboolean drain(Ring *r, Seen *s, guint64 *n)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = kx_stream_drain(r->stream, &ops, s, n, &error);

	assert_int_equal(ok, error == NULL);
	if (error)
		assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_FAILED));
	return ok;
}

static void delivers_every_kind(void **state)
{
	struct kvm_ext_rec_pass_begin begin = { .h = { KVM_EXT_REC_PASS_BEGIN, 0, sizeof(begin) },
						.pass = 3 };
	struct kvm_ext_rec_run run = run_of(10, 5);
	struct {
		struct kvm_ext_rec_bitmap b;
		guint64 bits[2];
	} bitmap = {
		.b = { .h = { KVM_EXT_REC_BITMAP, 0, sizeof(bitmap) }, .gfn = 64, .nbits = 70 },
		.bits = { 7, 0x20 }
	};
	struct kvm_ext_rec_pass_end end = { .h = { KVM_EXT_REC_PASS_END, 0, sizeof(end) },
					    .pass = 3 };
	struct kvm_ext_rec_lost lost = { .h = { KVM_EXT_REC_LOST, 0, sizeof(lost) }, .samples = 1 };
	struct kvm_ext_record unknown = { 99, 0, sizeof(unknown) };
	Seen s = { 0 };
	guint64 n;
	Ring r;

	ring_init(&r);
	assert_true(put(&r, &begin) && put(&r, &run) && put(&r, &bitmap) && put(&r, &unknown) &&
		    put(&r, &end) && put(&r, &lost));
	assert_true(drain(&r, &s, &n));
	assert_int_equal(n, 6);
	assert_int_equal(s.begins, 1);
	assert_int_equal(s.last_pass, 3);
	assert_int_equal(s.pages, 5);
	assert_int_equal(s.bits, 4);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.losts, 1);
	assert_int_equal(r.ring->data_tail, r.ring->data_head);
	assert_true(drain(&r, &s, &n));
	assert_int_equal(n, 0);
	ring_clear(&r);
}

static void wraps_with_pads(void **state)
{
	guint64 expect = 0, n, total = 0;
	Seen s = { 0 };
	Ring r;
	int i;

	ring_init(&r);
	for (i = 0; i < 5000; i++) {
		struct kvm_ext_rec_run run = run_of(i, 1 + i % 7);

		if (!put(&r, &run)) {
			assert_true(drain(&r, &s, &n));
			total += n;
			assert_true(put(&r, &run));
		}
		expect += run.npages;
	}
	assert_true(drain(&r, &s, &n));
	assert_int_equal(total + n, 5000);
	assert_int_equal(s.pages, expect);
	ring_clear(&r);
}

/* Counters run free: they may pass 2^64. */
static void survives_counter_overflow(void **state)
{
	struct kvm_ext_rec_run run = run_of(1, 1);
	Seen s = { 0 };
	guint64 n;
	Ring r;

	ring_init(&r);
	kx_stream_free(r.stream);
	r.ring->data_head = r.ring->data_tail =
		G_MAXUINT64 - 47; /* a record's size short of the wrap, and aligned */
	r.stream = kx_stream_new(r.map, OFFSET + DATA, NULL);
	assert_true(put(&r, &run) && put(&r, &run));
	assert_true(drain(&r, &s, &n));
	assert_int_equal(n, 2);
	ring_clear(&r);
}

static void refuses_what_is_no_ring(void **state)
{
	static const struct {
		guint64 magic;
		guint32 version, offset;
		guint64 size;
	} bad[] = {
		{ 0, 1, OFFSET, DATA },
		{ KVM_EXT_RING_MAGIC, 2, OFFSET, DATA },
		{ KVM_EXT_RING_MAGIC, 1, 8, DATA },
		{ KVM_EXT_RING_MAGIC, 1, OFFSET + 4, DATA },
		{ KVM_EXT_RING_MAGIC, 1, G_MAXUINT32 - 7, DATA },
		{ KVM_EXT_RING_MAGIC, 1, OFFSET, DATA * 2 },
		{ KVM_EXT_RING_MAGIC, 1, OFFSET, DATA - 8 },
		{ KVM_EXT_RING_MAGIC, 1, OFFSET, 0 },
		{ KVM_EXT_RING_MAGIC, 1, OFFSET, 1ull << 63 },
	};
	guint i;
	Ring r;

	ring_init(&r);
	for (i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		r.ring->magic = bad[i].magic;
		r.ring->api_version = bad[i].version;
		r.ring->data_offset = bad[i].offset;
		r.ring->data_size = bad[i].size;
		assert_null(kx_stream_new(r.map, OFFSET + DATA, &error));
		assert_non_null(error);
	}
	{
		g_autoptr(GError) error = NULL;

		assert_null(kx_stream_new(r.map, sizeof(struct kvm_ext_ring) - 1, &error));
		assert_non_null(error);
	}
	ring_clear(&r);
}

/* Each broken record is an error, and the error stays. */
static void refuses_broken_records(void **state)
{
	static const struct {
		guint16 type;
		guint32 size;
		guint64 gfn, npages;
		guint32 leaf_order;
	} bad[] = {
		{ KVM_EXT_REC_RUN, 0, 1, 1, 0 },
		{ KVM_EXT_REC_RUN, 4, 1, 1, 0 },
		{ KVM_EXT_REC_RUN, 44, 1, 1, 0 },
		{ KVM_EXT_REC_RUN, 8, 1, 1, 0 },
		{ KVM_EXT_REC_RUN, 1u << 31, 1, 1, 0 },
		{ KVM_EXT_REC_RUN, 40, KX_GFN_END, 1, 0 },
		{ KVM_EXT_REC_RUN, 40, 1, G_MAXUINT64, 0 },
		{ KVM_EXT_REC_RUN, 40, 1, 0, 0 },
		{ KVM_EXT_REC_RUN, 40, 1, 1, 5 },
		{ KVM_EXT_REC_PAD, 0, 1, 1, 0 },
		{ KVM_EXT_REC_PAD, 48, 1, 1, 0 }, /* beyond the head */
		{ KVM_EXT_REC_PASS_BEGIN, 16, 1, 1, 0 },
	};
	guint i;

	for (i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct kvm_ext_rec_run run = run_of(bad[i].gfn, bad[i].npages);
		Seen s = { 0 };
		Ring r;

		ring_init(&r);
		run.h.type = bad[i].type;
		run.h.size = bad[i].size;
		run.leaf_order = bad[i].leaf_order;
		memcpy(r.map + OFFSET, &run, sizeof(run));
		r.ring->data_head = sizeof(run);
		assert_false(drain(&r, &s, NULL));
		assert_int_equal(s.runs + s.begins, 0);
		r.ring->data_head = r.ring->data_tail;
		assert_false(drain(&r, &s, NULL));
		ring_clear(&r);
	}
}

static void refuses_broken_bitmaps(void **state)
{
	static const struct {
		guint32 nbits;
		guint64 gfn, second;
	} bad[] = { { 129, 0, 0 },
		    { 0, 0, 0 },
		    { G_MAXUINT32, 0, 0 },
		    { 70, KX_GFN_END - 69, 0 },
		    { 70, 0, 1 << 6 } };
	guint i;

	for (i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct {
			struct kvm_ext_rec_bitmap b;
			guint64 bits[2];
		} rec = { .b = { .h = { KVM_EXT_REC_BITMAP, 0, sizeof(rec) },
				 .gfn = bad[i].gfn,
				 .nbits = bad[i].nbits },
			  .bits = { 1, bad[i].second } };
		Seen s = { 0 };
		Ring r;

		ring_init(&r);
		assert_true(put(&r, &rec));
		assert_false(drain(&r, &s, NULL));
		assert_int_equal(s.bitmaps, 0);
		ring_clear(&r);
	}
}

typedef struct {
	struct kvm_ext_rec_faults r;
	struct kvm_ext_fault faults[3];
} Faults;

static Faults faults_of(void)
{
	return (Faults){
		.r = { .h = { KVM_EXT_REC_FAULTS, 0, sizeof(Faults) }, .pass = 1, .nr = 3 },
		.faults = { { .gfn = 5, .access = KVM_EXT_ACCESS_READ },
			    { .gfn = KX_GFN_END - 1, .access = KVM_EXT_ACCESS_WRITE, .order = 9 },
			    { .gfn = 0, .access = KVM_EXT_ACCESS_EXEC, .order = 18 } }
	};
}

typedef struct {
	struct kvm_ext_rec_regions r;
	struct kvm_ext_region regions[3];
} Regions;

static Regions regions_of(void)
{
	return (Regions){ .r = { .h = { KVM_EXT_REC_REGIONS, 0, sizeof(Regions) },
				 .pass = 1,
				 .checks = 20,
				 .first = 2,
				 .total = 5,
				 .nr = 3 },
			  .regions = { { .gfn = 0, .npages = 16, .accesses = 20 },
				       { .gfn = 16, .npages = KX_GFN_END - 16 },
				       { .gfn = 3, .npages = 1, .as_id = 1 } } };
}

static void delivers_faults_and_regions(void **state)
{
	Regions regions = regions_of();
	Faults faults = faults_of();
	Seen s = { 0 };
	Ring r;

	ring_init(&r);
	assert_true(put(&r, &faults) && put(&r, &regions));
	faults.r.nr = 1; /* a record may have room to spare */
	regions.r.nr = 0;
	assert_true(put(&r, &faults) && put(&r, &regions));
	assert_true(drain(&r, &s, NULL));
	assert_int_equal(s.faults, 4);
	assert_int_equal(s.regions, 3);
	ring_clear(&r);
}

static void refused(const void *record)
{
	Seen s = { 0 };
	Ring r;

	ring_init(&r);
	assert_true(put(&r, record));
	assert_false(drain(&r, &s, NULL));
	assert_int_equal(s.faults + s.regions, 0);
	ring_clear(&r);
}

/* One field wrong at a time. */
static void refuses_broken_faults(void **state)
{
	static const struct {
		guint32 nr;
		guint64 gfn;
		guint8 access, order;
	} bad[] = {
		{ 4, 0, 0, 0 },		  { G_MAXUINT32, 0, 0, 0 },
		{ 0x08000000, 0, 0, 0 },  { 3, KX_GFN_END, 0, 0 },
		{ 3, G_MAXUINT64, 0, 0 }, { 3, 0, KVM_EXT_ACCESS_EXEC + 1, 0 },
		{ 3, 0, 255, 0 },	  { 3, 0, 0, 1 },
		{ 3, 0, 0, 27 },
	};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		Faults f = faults_of();

		f.r.nr = bad[i].nr;
		f.faults[2].gfn = bad[i].gfn;
		f.faults[2].access = bad[i].access;
		f.faults[2].order = bad[i].order;
		refused(&f);
	}
}

static void refuses_broken_regions(void **state)
{
	static const struct {
		guint32 nr, first, total;
		struct kvm_ext_region last;
	} bad[] = {
		{ 4, 0, 5, { .gfn = 3, .npages = 1, .as_id = 1 } },
		{ G_MAXUINT32, 0, 5, { .gfn = 3, .npages = 1, .as_id = 1 } },
		{ 3, 3, 5, { .gfn = 3, .npages = 1, .as_id = 1 } },
		{ 3, G_MAXUINT32, 5, { .gfn = 3, .npages = 1, .as_id = 1 } },
		{ 3, 2, KVM_EXT_REGIONS_MAX + 1, { .gfn = 3, .npages = 1, .as_id = 1 } },
		{ 3, 2, 5, { .gfn = 3, .npages = 0, .as_id = 1 } },
		{ 3, 2, 5, { .gfn = 3, .npages = KX_GFN_END, .as_id = 1 } },
		{ 3, 2, 5, { .gfn = KX_GFN_END, .npages = 1, .as_id = 1 } },
		{ 3, 2, 5, { .gfn = 3, .npages = 1, .as_id = 1, .accesses = 21 } },
		{ 3, 2, 5, { .gfn = 3, .npages = 1 } }, /* below the region before it */
	};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		Regions g = regions_of();

		g.r.nr = bad[i].nr;
		g.r.first = bad[i].first;
		g.r.total = bad[i].total;
		g.regions[2] = bad[i].last;
		refused(&g);
	}
}

static void refuses_absurd_heads(void **state)
{
	static const guint64 heads[] = { DATA + 8, 4, G_MAXUINT64 - 7, 1ull << 40 };
	guint i;

	for (i = 0; i < G_N_ELEMENTS(heads); i++) {
		Seen s = { 0 };
		Ring r;

		ring_init(&r);
		r.ring->data_head = heads[i];
		assert_false(drain(&r, &s, NULL));
		ring_clear(&r);
	}
}

/* Random bytes: no crash, no read out of bounds (ASan checks this), and the reader ends. */
static void survives_random_bytes(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	const Regions regions = regions_of();
	const Faults faults = faults_of();
	guint errors = 0, round, i;

	for (round = 0; round < 3000; round++) {
		Seen s = { 0 };
		Ring r;

		ring_init(&r);
		for (i = 0; i < 150; i++) {
			struct kvm_ext_rec_run run = run_of(i, 1);

			put(&r, &run);
			if (i % 50 == 0)
				put(&r, i ? (const void *)&regions : &faults);
		}
		for (i = g_rand_int_range(rand, 1, 40); i-- > 0;) {
			guint at = (guint)g_rand_int_range(rand, 0, 150 * 40);

			r.map[OFFSET + at] = (guint8)g_rand_int_range(rand, 0, 256);
		}
		if (round % 3 == 0)
			r.ring->data_head = (guint64)g_rand_int_range(rand, 0, DATA + 64) & ~7ull;
		if (round % 7 == 0)
			r.ring->data_size = g_rand_int(rand); /* checked once, not read again */
		errors += !drain(&r, &s, NULL);
		ring_clear(&r);
	}
	assert_in_range(errors, 1000, 3000);
}

static void counts_losses(void **state)
{
	Ring r;

	ring_init(&r);
	r.ring->lost_samples = 5;
	r.ring->lost_records = 2;
	assert_int_equal(kx_stream_lost_samples(r.stream), 5);
	assert_int_equal(kx_stream_lost_records(r.stream), 2);
	ring_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_every_kind),
		cmocka_unit_test(wraps_with_pads),
		cmocka_unit_test(survives_counter_overflow),
		cmocka_unit_test(refuses_what_is_no_ring),
		cmocka_unit_test(refuses_broken_records),
		cmocka_unit_test(refuses_broken_bitmaps),
		cmocka_unit_test(delivers_faults_and_regions),
		cmocka_unit_test(refuses_broken_faults),
		cmocka_unit_test(refuses_broken_regions),
		cmocka_unit_test(refuses_absurd_heads),
		cmocka_unit_test(survives_random_bytes),
		cmocka_unit_test(counts_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
