// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's end of the channel against guests in memory: one that behaves, many that do not, and one that writes over
 * all of the shared memory while it is read. KX_HOSTILE_SECONDS says how long that one has (default 2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-guest.h"
#include "guest/channel.h"
#include "tracker/stream.h"

#define SECOND G_GUINT64_CONSTANT(1000000000)

typedef struct {
	FakeGuest guest;
	KxChannel *c;
} Fixture;

typedef struct {
	guint ranges, pages, samples;
	guint64 npages, accesses;
	char name[64];
} Seen;

static void on_ranges(void *data, const struct kvm_ext_channel_ranges *r)
{
	Seen *s = data;

	s->ranges++;
	for (guint32 i = 0; i < r->nr; i++) {
		assert_true(r->range[i].size &&
			    r->range[i].start + (r->range[i].size - 1) >= r->range[i].start);
		assert_true(r->range[i].accesses <= KX_CHANNEL_ACCESSES_MAX);
		s->accesses += r->range[i].accesses;
	}
	assert_true(memchr(r->name, 0, sizeof(r->name)) != NULL);
	for (const char *p = r->name; *p; p++)
		assert_true(g_ascii_isprint(*p));
	g_strlcpy(s->name, r->name, sizeof(s->name));
}

static void on_pages(void *data, const struct kvm_ext_channel_pages *r)
{
	Seen *s = data;

	s->pages++;
	for (guint32 i = 0; i < r->nr; i++) {
		assert_true(r->span[i].gfn + r->span[i].npages <= KX_GFN_END);
		s->npages += r->span[i].npages;
	}
}

static void on_samples(void *data, const struct kvm_ext_channel_samples *r)
{
	volatile guint64 sum = 0;

	((Seen *)data)->samples++;
	for (guint32 i = 0; i < r->nr; i++)
		sum += r->sample[i].address;
}

static const KxChannelOps ops = { on_ranges, on_pages, on_samples };

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	fake_guest_at(&f->guest, g_malloc0(KVM_EXT_CHANNEL_SIZE));
	f->c = kx_channel_new(f->guest.map, KVM_EXT_CHANNEL_SIZE, 77, NULL);
	assert_non_null(f->c);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	kx_channel_free(f->c);
	g_free(f->guest.map);
	g_free(f);
	return 0;
}

static KxChannelCounts counts(const Fixture *f)
{
	KxChannelCounts n;

	kx_channel_counts(f->c, &n);
	return n;
}

static Seen drained(const Fixture *f)
{
	KxChannelStatus st;
	Seen seen = { 0 };

	kx_channel_look(f->c, SECOND, &st);
	kx_channel_drain(f->c, &ops, &seen);
	return seen;
}

/* --- a guest that behaves ----------------------------------------------------------------------------------------- */

static void identifies_itself(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	assert_int_equal(f->guest.id->magic, KVM_EXT_CHANNEL_MAGIC);
	assert_int_equal(f->guest.id->version, KVM_EXT_CHANNEL_VERSION);
	assert_int_equal(f->guest.id->size, KVM_EXT_CHANNEL_SIZE);
	assert_int_equal(f->guest.id->instance, 77);
	assert_int_equal(f->guest.tail->instance, 0);
	assert_null(kx_channel_new(f->guest.map, 4096, 1, &error));
	assert_non_null(error);
}

static void commands(void **state)
{
	const Fixture *f = *state;
	struct kvm_ext_channel_command set = { .sampler = KVM_EXT_SAMPLER_ABIT,
					       .epoch = 5,
					       .names = { "kx-workload" },
					       .nr_names = 1 },
				       got;
	guint32 seq = kx_channel_command(f->c, &set);

	assert_int_equal(f->guest.command->seq, seq);
	assert_int_equal(seq % 2, 0);
	assert_int_equal(f->guest.command->sampler, KVM_EXT_SAMPLER_ABIT);
	assert_string_equal(f->guest.command->names[0], "kx-workload");
	kx_channel_commanded(f->c, &got);
	assert_int_equal(got.epoch, 5);
	assert_int_equal(kx_channel_command(f->c, &set), seq + 2);
}

static void reads_the_status(void **state)
{
	Fixture *f = *state;
	KxChannelStatus st;

	assert_false(kx_channel_status(f->c, &st));
	assert_int_equal(kx_channel_look(f->c, SECOND, &st), KX_CHANNEL_UNCLAIMED);
	fake_guest_claims(&f->guest, 9);
	fake_guest_beats(&f->guest, SECOND);
	assert_true(kx_channel_status(f->c, &st));
	assert_int_equal(st.state, KVM_EXT_GUEST_IDLE);
	assert_int_equal(st.instance, 9);
	assert_string_equal(st.release, "6.1.0-guest");
	assert_int_equal(kx_channel_look(f->c, SECOND, &st), KX_CHANNEL_ALIVE);
	/* a status for an earlier daemon */
	f->guest.status->host_instance = 76;
	assert_false(kx_channel_status(f->c, &st));
}

/* What was read stays known while the guest writes its status anew. */
static void remembers_the_status(void **state)
{
	Fixture *f = *state;
	KxChannelStatus st;

	kx_channel_told(f->c, &st);
	assert_int_equal(st.instance, 0);
	fake_guest_claims(&f->guest, 9);
	f->guest.status->epoch = 5;
	strcpy(f->guest.status->event, "icelake-x:stores");
	assert_true(kx_channel_status(f->c, &st));
	f->guest.status->seq = 1;
	f->guest.status->epoch = 6;
	assert_false(kx_channel_status(f->c, &st));
	kx_channel_told(f->c, &st);
	assert_int_equal(st.instance, 9);
	assert_int_equal(st.epoch, 5);
	assert_string_equal(st.event, "icelake-x:stores");
}

static void texts_are_printable(void **state)
{
	Fixture *f = *state;
	KxChannelStatus st;

	fake_guest_claims(&f->guest, 9);
	memset(f->guest.status->event, 0x1b, sizeof(f->guest.status->event));
	memcpy(f->guest.status->release, "6.1\n\xff\x1b[2J", 10);
	assert_true(kx_channel_status(f->c, &st));
	assert_int_equal(strlen(st.event), sizeof(st.event) - 1);
	assert_string_equal(st.release, "6.1???[2J");
	for (const char *p = st.event; *p; p++)
		assert_int_equal(*p, '?');
}

static void drains_all_kinds(void **state)
{
	Fixture *f = *state;
	struct {
		struct kvm_ext_channel_samples r;
		struct kvm_ext_channel_sample sample[2];
	} samples = { .r = { .h = { KVM_EXT_CHANNEL_SAMPLES, 0, sizeof(samples) }, .nr = 2 } };
	const struct kvm_ext_channel_range range = { 0x7f0000000000, 1 << 21, 42, 1, 0 };
	struct kvm_ext_channel_record newer = { 99, 0, sizeof(newer) };
	Seen s;

	fake_guest_claims(&f->guest, 9);
	fake_guest_puts_range(&f->guest, 0, 12, "kx\twork", range);
	fake_guest_puts_pages(&f->guest, 0, 12, 0x7f0000000000, 0x1000, 512);
	fake_guest_puts(&f->guest, &newer, sizeof(newer));
	fake_guest_puts(&f->guest, &samples, sizeof(samples));
	s = drained(f);
	assert_int_equal(s.ranges, 1);
	assert_string_equal(s.name, "kx?work");
	assert_int_equal(s.accesses, 42);
	assert_int_equal(s.npages, 512);
	assert_int_equal(s.samples, 1);
	assert_int_equal(counts(f).bad, 0);
	assert_int_equal(f->guest.tail->bytes, f->guest.head->bytes);
	assert_int_equal(f->guest.tail->instance, 9);
	assert_int_equal(drained(f).ranges, 0);
}

/* More than once around, each record seen once. */
static void wraps(void **state)
{
	Fixture *f = *state;
	guint64 pages = 0, put = 0;

	fake_guest_claims(&f->guest, 9);
	for (guint round = 0; round < 50; round++) {
		for (guint i = 0; i < 997; i++, put += 3)
			fake_guest_puts_pages(&f->guest, round, 1, 0, i, 3);
		pages += drained(f).npages;
	}
	assert_true(f->guest.head->bytes > KVM_EXT_CHANNEL_RING_SIZE);
	assert_int_equal(pages, put);
	assert_int_equal(counts(f).resyncs + counts(f).bad, 0);
}

static void comes_back_after_a_restart(void **state)
{
	Fixture *f = *state;

	fake_guest_claims(&f->guest, 9);
	fake_guest_puts_pages(&f->guest, 0, 1, 0, 1, 3);
	assert_int_equal(drained(f).npages, 3);
	/* module loaded anew */
	fake_guest_claims(&f->guest, 10);
	assert_int_equal(drained(f).npages, 0);
	assert_int_equal(f->guest.tail->bytes, 0);
	assert_int_equal(f->guest.tail->instance, 10);
	fake_guest_puts_pages(&f->guest, 0, 1, 0, 1, 4);
	assert_int_equal(drained(f).npages, 4);
	/* daemon started anew: nothing is read before the guest has seen it */
	kx_channel_free(f->c);
	f->c = kx_channel_new(f->guest.map, KVM_EXT_CHANNEL_SIZE, 78, NULL);
	assert_int_equal(f->guest.command->sampler, KVM_EXT_SAMPLER_NONE);
	fake_guest_puts_pages(&f->guest, 0, 1, 0, 1, 5);
	assert_int_equal(drained(f).npages, 0);
	fake_guest_claims(&f->guest, 11);
	fake_guest_puts_pages(&f->guest, 0, 1, 0, 1, 6);
	assert_int_equal(drained(f).npages, 6);
	assert_int_equal(counts(f).resyncs, 0);
}

static void a_heartbeat_that_stops_is_noticed(void **state)
{
	Fixture *f = *state;
	KxChannelStatus st;
	guint64 now = SECOND;

	fake_guest_claims(&f->guest, 9);
	for (int i = 0; i < 5; i++, now += SECOND) {
		fake_guest_beats(&f->guest, now);
		assert_int_equal(kx_channel_look(f->c, now, &st), KX_CHANNEL_ALIVE);
	}
	assert_int_equal(kx_channel_look(f->c, now + SECOND, &st), KX_CHANNEL_ALIVE);
	assert_int_equal(kx_channel_look(f->c, now + 4 * SECOND, &st), KX_CHANNEL_SILENT);
	assert_non_null(strstr(kx_channel_state_text(KX_CHANNEL_SILENT), "not answering"));
	fake_guest_beats(&f->guest, now);
	assert_int_equal(kx_channel_look(f->c, now + 5 * SECOND, &st), KX_CHANNEL_ALIVE);
}

/* Each reading of the status and each command increments the heartbeat. */
static void gives_signs_of_life(void **state)
{
	const Fixture *f = *state;
	const struct kvm_ext_channel_command set = { .sampler = KVM_EXT_SAMPLER_ABIT };
	KxChannelStatus st;
	guint64 beat = f->guest.id->heartbeat;

	assert_true(beat > 0);
	kx_channel_look(f->c, SECOND, &st);
	assert_true(f->guest.id->heartbeat > beat);
	beat = f->guest.id->heartbeat;
	kx_channel_command(f->c, &set);
	assert_true(f->guest.id->heartbeat > beat);
	beat = f->guest.id->heartbeat;
	g_array_unref(kx_channel_declared(f->c));
	assert_true(f->guest.id->heartbeat > beat);
}

/* The memory is a file that somebody truncates: there is no signal, the channel's data is no longer used, and the state says so. */
static void memory_that_is_cut_breaks_the_channel(void **state)
{
	char path[] = "/dev/shm/kx-test-channel.XXXXXX";
	int fd = g_mkstemp(path);
	FakeGuest guest;
	KxChannelStatus st;
	KxChannel *c;
	Seen seen = { 0 };
	void *map;

	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, KVM_EXT_CHANNEL_SIZE), 0);
	map = mmap(NULL, KVM_EXT_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	c = kx_channel_new(map, KVM_EXT_CHANNEL_SIZE, 5, NULL);
	fake_guest_at(&guest, map);
	fake_guest_claims(&guest, 9);
	fake_guest_beats(&guest, SECOND);
	fake_guest_puts_pages(&guest, 0, 1, 0, 1, 3);
	assert_int_equal(kx_channel_look(c, SECOND, &st), KX_CHANNEL_ALIVE);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(kx_channel_look(c, 2 * SECOND, &st), KX_CHANNEL_BROKEN);
	assert_true(kx_channel_is_broken(c));
	kx_channel_drain(c, &ops, &seen);
	assert_int_equal(seen.pages, 0);
	assert_null(kx_channel_declared(c));
	assert_false(kx_channel_status(c, &st));
	assert_non_null(strstr(kx_channel_state_text(KX_CHANNEL_BROKEN), "cut short"));
	/* The channel stays broken when the file has its length again, because the guest's data is lost. */
	assert_int_equal(ftruncate(fd, KVM_EXT_CHANNEL_SIZE), 0);
	assert_int_equal(kx_channel_look(c, 3 * SECOND, &st), KX_CHANNEL_BROKEN);
	kx_channel_free(c);
	munmap(map, KVM_EXT_CHANNEL_SIZE);
	close(fd);
}

/* Guest's clock is 1000 s behind ours; stamps are seen up to 30 ms late; the TSC runs at 3 GHz. */
static void aligns_time(void **state)
{
	Fixture *f = *state;
	const struct kvm_ext_channel_command set = { .sampler = KVM_EXT_SAMPLER_ABIT };
	guint64 now, behind = 1000 * SECOND, host, error;
	KxChannelStatus st;

	fake_guest_claims(&f->guest, 9);
	kx_channel_command(f->c, &set);
	now = (guint64)g_get_monotonic_time() * 1000 + 5000000 + behind;
	for (guint i = 0; i < 20; i++, now += SECOND / 10) {
		fake_guest_beats(&f->guest, now - behind);
		kx_channel_look(f->c, now + (i * 7 % 30 + 1) * 1000000, &st);
	}
	/* The command was written at the real now: between 0 and 1005 s before the first stamp seen. */
	assert_true(kx_channel_time(f->c, now - behind, &host, &error));
	assert_true(host >= now - error && host <= now + error);
	assert_true(kx_channel_tsc_time(f->c, (now - behind) * 3, &host, &error));
	assert_true(host + 1000 >= now - error && host <= now + error + 1000);
	/* A guest that reports any time: there is no answer, or one whose error is that of the guest's own data. */
	f->guest.status->time_ns = G_MAXUINT64;
	f->guest.status->heartbeat++;
	kx_channel_look(f->c, now, &st);
	kx_channel_time(f->c, G_MAXUINT64, &host, &error);
	f->guest.status->time_ns = 1;
	f->guest.status->heartbeat++;
	kx_channel_look(f->c, now, &st);
	kx_channel_tsc_time(f->c, G_MAXUINT64, &host, &error);
}

static void reads_lists(void **state)
{
	Fixture *f = *state;
	struct kvm_ext_channel_declared *d = (void *)(f->guest.map + KVM_EXT_CHANNEL_DECLARED_AT);
	g_autoptr(GArray) spans = NULL;

	d->nr = 0xffffffff; /* more than there can be */
	d->span[0] = (struct kvm_ext_channel_span){ 5, 2 };
	d->span[1] = (struct kvm_ext_channel_span){ G_MAXUINT64, 2 };
	spans = kx_channel_declared(f->c);
	assert_int_equal(spans->len, 1);
	d->seq = 1; /* its writer never comes to an end */
	assert_null(kx_channel_declared(f->c));
	f->guest.status->seq = 1;
	fake_guest_claims(&f->guest, 9);
	f->guest.status->seq = 1;
	assert_false(kx_channel_status(f->c, &(KxChannelStatus){ 0 }));
}

/* --- guests that do not behave ------------------------------------------------------------------------------------ */

static void spoil_size(FakeGuest *g)
{
	((struct kvm_ext_channel_record *)(g->map + KVM_EXT_CHANNEL_RING_AT))->size = 4;
}

static void spoil_long(FakeGuest *g)
{
	((struct kvm_ext_channel_record *)(g->map + KVM_EXT_CHANNEL_RING_AT))->size = 0x80000000;
}

static void spoil_head(FakeGuest *g)
{
	g->head->bytes = G_MAXUINT64 - 7;
}

static void spoil_odd_head(FakeGuest *g)
{
	g->head->bytes += 3;
}

static void spoil_nr(FakeGuest *g)
{
	((struct kvm_ext_channel_pages *)(g->map + KVM_EXT_CHANNEL_RING_AT))->nr = 0xffffffff;
}

static void spoil_span(FakeGuest *g)
{
	((struct kvm_ext_channel_pages *)(g->map + KVM_EXT_CHANNEL_RING_AT))->span[0].npages =
		G_MAXUINT64;
}

static void spoil_pid(FakeGuest *g)
{
	((struct kvm_ext_channel_pages *)(g->map + KVM_EXT_CHANNEL_RING_AT))->pid = -1;
}

static void spoil_short(FakeGuest *g)
{
	struct kvm_ext_channel_record *r = (void *)(g->map + KVM_EXT_CHANNEL_RING_AT);

	r->size = 16;
	r[2] = (struct kvm_ext_channel_record){ KVM_EXT_CHANNEL_PAD, 0,
						(guint32)(sizeof(struct kvm_ext_channel_pages) +
							  sizeof(struct kvm_ext_channel_span) -
							  16) };
}

/* Each invalid record is left out and counted, and the next valid record is read. */
static void goes_on_after_nonsense(void **state)
{
	static const struct {
		void (*spoil)(FakeGuest *g);
		guint bad, resyncs;
	} cases[] = {
		{ spoil_size, 0, 1 },	  { spoil_long, 0, 1 },	 { spoil_head, 0, 1 },
		{ spoil_odd_head, 0, 1 }, { spoil_nr, 1, 0 },	 { spoil_span, 1, 0 },
		{ spoil_pid, 1, 0 },	  { spoil_short, 1, 0 },
	};
	Fixture *f = *state;

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		KxChannelCounts before = counts(f), after;

		fake_guest_claims(&f->guest, 100 + i);
		fake_guest_puts_pages(&f->guest, 0, 1, 0, 1, 2);
		cases[i].spoil(&f->guest);
		assert_int_equal(drained(f).npages, 0);
		after = counts(f);
		assert_int_equal(after.bad - before.bad, cases[i].bad);
		assert_int_equal(after.resyncs - before.resyncs, cases[i].resyncs);
		f->guest.head->bytes = f->guest.tail->bytes;
		fake_guest_puts_pages(&f->guest, 0, 1, 0, 1, 7);
		assert_int_equal(drained(f).npages, 7);
	}
}

static void a_range_that_wraps_is_none(void **state)
{
	Fixture *f = *state;
	const struct kvm_ext_channel_range wraps_around = { G_MAXUINT64, 2, 1, 1, 0 },
					   empty = { 5, 0, 1, 1, 0 },
					   hot = { G_MAXUINT64, 1, G_MAXUINT64, 1, 0 };
	Seen s;

	fake_guest_claims(&f->guest, 9);
	fake_guest_puts_range(&f->guest, 0, 1, "a", wraps_around);
	fake_guest_puts_range(&f->guest, 0, 1, "b", empty);
	fake_guest_puts_range(&f->guest, 0, 1, "a-name-without-an-end", hot);
	s = drained(f);
	assert_int_equal(s.ranges, 1);
	assert_string_equal(s.name, "a-name-without-");
	assert_int_equal(s.accesses, KX_CHANNEL_ACCESSES_MAX);
	assert_int_equal(counts(f).bad, 2);
}

/* --- one that writes over everything while it is read --------------------------------------------------------------- */

typedef struct {
	FakeGuest guest;
	gint stop;
	guint64 writes;
} Hostile;

/* Writes values near the bounds, mostly to the status, the head and the beginnings of records. */
static gpointer hostile_thread(gpointer data)
{
	static const guint64 nasty[] = { 0,
					 1,
					 7,
					 8,
					 16,
					 0x10001,
					 0x20001,
					 0x1800000001,
					 0x80000000,
					 0xffffffff,
					 0x100000000,
					 KVM_EXT_CHANNEL_RING_SIZE,
					 KVM_EXT_CHANNEL_REC_MAX,
					 G_MAXINT64,
					 G_MAXUINT64,
					 G_MAXUINT64 - 7,
					 KVM_EXT_CHANNEL_MAGIC,
					 77 };
	Hostile *h = data;
	g_autoptr(GRand) rand = g_rand_new_with_seed(4711);
	const struct kvm_ext_channel_range range = { 0x1000, 1 << 21, 3, 1, 0 };

	while (!g_atomic_int_get(&h->stop)) {
		guint what = g_rand_int(rand) % 16;
		guint64 *words = (guint64 *)h->guest.map;
		guint32 at = g_rand_int(rand) % (KVM_EXT_CHANNEL_SIZE / 8);

		if (what < 4)
			at = (KVM_EXT_CHANNEL_STATUS_AT + at % 512) / 8;
		else if (what < 6)
			at = KVM_EXT_CHANNEL_HEAD_AT / 8 + at % 2;
		else if (what < 10)
			at = (KVM_EXT_CHANNEL_RING_AT + at % 4096) / 8;
		if (what == 15) { /* for a moment all is valid, so that the ring is read at all */
			fake_guest_claims(&h->guest, g_rand_int(rand) | 1);
			fake_guest_puts_range(&h->guest, 0, 1, "evil\x1b[2J", range);
			fake_guest_puts_pages(&h->guest, 0, 1, 0, 1, 2);
			h->guest.head->bytes = g_rand_int(rand) % 65536 & ~7u;
		} else {
			__atomic_store_n(&words[at],
					 what & 1 ? nasty[g_rand_int(rand) % G_N_ELEMENTS(nasty)]
						  : (guint64)g_rand_int(rand) << 32 |
							    g_rand_int(rand),
					 __ATOMIC_RELAXED);
		}
		h->writes++;
	}
	return NULL;
}

static long peak_kib(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_maxrss;
}

/* It depends on chance whether invalid data is seen as a bad record or as a lost record boundary. */
static gboolean met_sense_and_nonsense(const Fixture *f, const Seen *seen)
{
	return seen->ranges > 0 && counts(f).bad + counts(f).resyncs > 0;
}

static void survives_a_hostile_guest(void **state)
{
	Fixture *f = *state;
	Hostile h = { .guest = f->guest };
	const char *seconds = getenv("KX_HOSTILE_SECONDS");
	gint64 end = g_get_monotonic_time() +
		     (seconds ? g_ascii_strtoll(seconds, NULL, 10) : 2) * G_USEC_PER_SEC;
	const struct kvm_ext_channel_command set = { .sampler = KVM_EXT_SAMPLER_ABIT };
	guint64 looks = 0, host, error;
	long peak = 0;
	GThread *thread = g_thread_new("guest", hostile_thread, &h);
	Seen seen = { 0 };

	/* It also depends on chance when a whole record is read: waits for one, with a bound. */
	while (g_get_monotonic_time() < end ||
	       (!met_sense_and_nonsense(f, &seen) &&
		g_get_monotonic_time() < end + 120 * G_USEC_PER_SEC)) {
		g_autoptr(GArray) declared = NULL;
		KxChannelStatus st;

		kx_channel_look(f->c, (guint64)g_get_monotonic_time() * 1000, &st);
		assert_true(memchr(st.event, 0, sizeof(st.event)) != NULL);
		kx_channel_drain(f->c, &ops, &seen);
		kx_channel_time(f->c, st.time_ns, &host, &error);
		kx_channel_tsc_time(f->c, st.tsc, &host, &error);
		declared = kx_channel_declared(f->c);
		kx_channel_command(f->c, &set);
		if (++looks == 200)
			peak = peak_kib();
	}
	g_atomic_int_set(&h.stop, 1);
	g_thread_join(thread);
	print_message("%" G_GUINT64_FORMAT " looks, %" G_GUINT64_FORMAT
		      " writes, %" G_GUINT64_FORMAT " records, %" G_GUINT64_FORMAT
		      " bad, %" G_GUINT64_FORMAT " resyncs\n",
		      looks, h.writes, counts(f).records, counts(f).bad, counts(f).resyncs);
	assert_true(looks > 200);
	assert_true(met_sense_and_nonsense(f, &seen));
	/* The sanitizer keeps freed memory for a while; beyond that nothing may grow. */
	assert_true(peak_kib() - peak < 320 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(identifies_itself),
		CASE(commands),
		CASE(reads_the_status),
		CASE(remembers_the_status),
		CASE(texts_are_printable),
		CASE(drains_all_kinds),
		CASE(wraps),
		CASE(comes_back_after_a_restart),
		CASE(a_heartbeat_that_stops_is_noticed),
		CASE(gives_signs_of_life),
		cmocka_unit_test(memory_that_is_cut_breaks_the_channel),
		CASE(aligns_time),
		CASE(reads_lists),
		CASE(goes_on_after_nonsense),
		CASE(a_range_that_wraps_is_none),
		CASE(survives_a_hostile_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
