// SPDX-License-Identifier: GPL-2.0-or-later
/* Recordings: reading gives what was written; a cut or damage is noticed, and everything before it can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "account/heat.h"
#include "record/format.h"
#include "record/recorder.h"
#include "record/replay.h"
#include "report/json.h"

#define MS 1000000ull

/* --- a recording by hand ------------------------------------------------------------------------------------------------- */

static const char head[] =
	"{\"schema\":\"kvm-ext-record/1\",\"name\":\"vm1\",\"last_gfn\":1048575,"
	"\"ram_pages\":1048576,\"vcpus\":2,\"realtime_offset_ns\":1000,\"over_time\":"
	"{\"parts_na\":null,\"parts\":[{\"gfn\":0,\"npages\":1048576}],\"maps\":[]}}";
static const char setting[] = "{\"epoch\":7,\"tracker\":\"abit-flush\",\"options\":"
			      "\"interval=100ms\",\"mechanism\":null}";

static char *report_json(guint64 samples)
{
	g_autoptr(KxReport) r = kx_report_new();
	KxVmReport *v = kx_vm_report_new();
	KxWindow *w = kx_window_new();

	w->id = 1;
	w->tracker = g_strdup("abit-flush");
	w->options = g_strdup("interval=100ms");
	w->samples = samples;
	w->has_stats = TRUE;
	v->name = g_strdup("vm1");
	v->attached = TRUE;
	g_ptr_array_add(v->windows, w);
	g_ptr_array_add(r->vms, v);
	return kx_report_to_json(r);
}

/* Where a record goes: to a heat, and to a recorder. */
typedef struct {
	KxHeat *heat;
	KxRecorder *recorder;
} Both;

static void one_pass(const Both *b, guint64 pass, guint16 flags)
{
	const guint64 bits[2] = { 0xff00ff00ff00ff00ull, 1 };
	const struct kvm_ext_rec_pass_begin begin = {
		.h = { KVM_EXT_REC_PASS_BEGIN, flags & KVM_EXT_PASS_PRIME, sizeof(begin) },
		.epoch = 7,
		.pass = pass,
		.time_ns = pass * 100 * MS + 5
	};
	const struct kvm_ext_rec_run run = { .h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
					     .pass = pass,
					     .gfn = 4096 + pass / 10 * 1024,
					     .npages = 1024 };
	union {
		struct kvm_ext_rec_bitmap r;
		guint64 words[sizeof(struct kvm_ext_rec_bitmap) / 8 + 2];
	} bitmap = { .r = { .h = { KVM_EXT_REC_BITMAP, 0, sizeof(bitmap) },
			    .pass = pass,
			    .gfn = 64 * pass,
			    .nbits = 65 } };
	const struct kvm_ext_rec_pass_end end = { .h = { KVM_EXT_REC_PASS_END, flags, sizeof(end) },
						  .pass = pass,
						  .time_ns = pass * 100 * MS + 2005,
						  .wall_ns = 2000 };

	memcpy(bitmap.r.bits, bits, sizeof(bits));
	kx_heat_sink.pass_begin(b->heat, &begin);
	kx_heat_sink.run(b->heat, &run);
	kx_heat_sink.bitmap(b->heat, &bitmap.r, bits, 2);
	kx_heat_sink.ranked(b->heat, 99, 1, 3);
	kx_heat_sink.pass_end(b->heat, &end);
	if (b->recorder) {
		const struct kx_rec_ranked ranked = {
			{ KX_RECORD_RANKED, 0, sizeof(ranked) }, 99, 1, 3
		};

		kx_recorder_sample(b->recorder, &begin.h);
		kx_recorder_sample(b->recorder, &run.h);
		kx_recorder_sample(b->recorder, &bitmap.r.h);
		kx_recorder_sample(b->recorder, &ranked.h);
		kx_recorder_sample(b->recorder, &end.h);
	}
}

static KxHeat *open_heat(void)
{
	KxHeat *h = kx_heat_new(1048575, 2);
	KxOptions o;

	kx_options_init(&o);
	assert_true(kx_options_set(&o, "tracker", "abit-flush", NULL));
	assert_true(kx_options_set(&o, "interval", "100ms", NULL));
	kx_heat_open(h, 7, &o, NULL);
	return h;
}

static void passes(const Both *b, guint from, guint until)
{
	for (guint i = from; i < until; i++)
		one_pass(b, i, !i ? KVM_EXT_PASS_PRIME : i % 17 == 3 ? KVM_EXT_PASS_CUT : 0);
}

/* The JSON of heat and heat over time, for comparisons. */
static char *text_of(KxHeatReport *heat, KxOverTime *t)
{
	g_autoptr(KxReport) r = kx_report_new();
	KxVmReport *v = kx_vm_report_new();

	v->name = g_strdup("vm1");
	v->heat = heat;
	v->over_time = t;
	if (!t->parts->len) {
		const KxAccessPart part = { 0, 1048576 };

		g_array_append_val(t->parts, part);
	}
	g_ptr_array_add(r->vms, v);
	return kx_report_to_json(r);
}

typedef struct {
	char *path, *live; /* the JSON of a heat that got the same records */
	guint8 *data;
	gsize len;
} State;

static int setup(void **state)
{
	State *s = g_new0(State, 1);
	g_autofree char *first = report_json(1), *last = report_json(2);
	g_autoptr(GError) error = NULL;
	Both b = { open_heat(), NULL };
	int fd = g_file_open_tmp("record-XXXXXX", &s->path, NULL);

	assert_true(fd >= 0);
	b.recorder = kx_recorder_new(fd, NULL, NULL);
	kx_recorder_put(b.recorder, KX_FRAME_HEAD, head);
	kx_recorder_put(b.recorder, KX_FRAME_SETTING, setting);
	kx_recorder_put(b.recorder, KX_FRAME_REPORT, first);
	passes(&b, 0, 30);
	kx_recorder_put(b.recorder, 77, "of a later version");
	passes(&b, 30, 50);
	kx_recorder_put(b.recorder, KX_FRAME_REPORT, last);
	kx_recorder_put(b.recorder, KX_FRAME_END, "{\"why\":\"asked to\"}");
	kx_recorder_end(b.recorder);
	assert_true(kx_recorder_wait(b.recorder, -1, &error));
	assert_int_equal(kx_recorder_stats(b.recorder).records, 250);
	assert_int_equal(kx_recorder_stats(b.recorder).lost, 0);
	kx_recorder_unref(b.recorder);
	s->live = text_of(kx_heat_report(b.heat, 7, 1048576), kx_heat_over_time(b.heat, 7, 1000));
	kx_heat_free(b.heat);
	assert_true(g_file_get_contents(s->path, (char **)&s->data, &s->len, NULL));
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	g_unlink(s->path);
	g_free(s->path);
	g_free(s->live);
	g_free(s->data);
	g_free(s);
	return 0;
}

static KxReplay *replay_data(const guint8 *data, gsize len, const KxReplayPart *part)
{
	g_autoptr(KxRecordReader) r = kx_record_reader_new_data(data, len, NULL);

	return r ? kx_replay(r, part, NULL) : NULL;
}

static char *replayed_text(KxReplay *r)
{
	KxVmReport *v = r->report->vms->pdata[0];

	return text_of(g_steal_pointer(&v->heat), g_steal_pointer(&v->over_time));
}

/* --- whole --------------------------------------------------------------------------------------------------------------- */

static void gives_what_it_gave_live(void **state)
{
	const State *s = *state;
	g_autoptr(KxRecordReader) reader = kx_record_reader_new(s->path, NULL);
	g_autoptr(KxReplay) r = NULL;
	g_autofree char *text = NULL;
	const KxVmReport *v;

	assert_true(kx_record_is(s->path));
	assert_non_null(reader);
	r = kx_replay(reader, NULL, NULL);
	assert_non_null(r);
	assert_null(r->broken);
	assert_int_equal(r->records, 250);
	assert_string_equal(r->end_json, "{\"why\":\"asked to\"}");
	v = r->report->vms->pdata[0];
	assert_int_equal(((KxWindow *)v->windows->pdata[0])->samples, 2);
	text = replayed_text(r);
	assert_string_equal(text, s->live);
}

/* A part of the time has finer rows than the whole. */
static void gives_a_part(void **state)
{
	const State *s = *state;
	const KxReplayPart part = { .from_ns = 2000 * MS, .until_ns = 3000 * MS };
	g_autoptr(KxReplay) r = replay_data(s->data, s->len, &part);
	const KxVmReport *v;
	const KxAccessMap *m;
	guint64 looks = 0;

	assert_non_null(r);
	v = r->report->vms->pdata[0];
	m = v->over_time->maps->pdata[0];
	for (guint i = 0; i < m->rows->len; i++)
		looks += kx_access_row(m, i)->looks;
	assert_int_equal(looks, 9); /* passes 20 to 29, of which pass 20 was cut */
}

/* --- cut off, damaged ---------------------------------------------------------------------------------------------------- */

/* Cut at each byte: exactly the whole frames are read. */
static void survives_truncation_at_each_byte(void **state)
{
	const State *s = *state;
	guint64 records = 0, last = 0;
	gboolean any = FALSE;

	for (gsize len = 0; len < s->len; len++) {
		g_autofree guint8 *cut = g_memdup2(s->data, MAX(len, 1));
		g_autoptr(KxReplay) r = replay_data(cut, len, NULL);

		assert_true(r || !any); /* once there is a report, there always is one */
		if (!r)
			continue;
		any = TRUE;
		assert_non_null(r->broken);
		assert_true(r->records >= last);
		last = records = r->records;
	}
	assert_true(any);
	assert_int_equal(records, 250);
}

/* Every byte of the headers, and every 29th of what they describe. */
static gsize next_flip(const State *s, gsize at)
{
	gsize frame = sizeof(KxRecordHeader), end = frame;

	while (end <= at) {
		KxRecordFrame f;

		memcpy(&f, s->data + end, sizeof(f));
		frame = end;
		end += sizeof(f) + f.stored;
	}
	return at < frame + sizeof(KxRecordFrame) ? at + 1 : MIN(at + 29, end);
}

/* The checksum finds each flipped bit, and everything before that frame is read unchanged. */
static void notices_each_flipped_bit(void **state)
{
	const State *s = *state;

	for (gsize at = 0; at < s->len; at = next_flip(s, at)) {
		g_autofree guint8 *bad = g_memdup2(s->data, s->len);
		g_autoptr(KxReplay) r = NULL;

		bad[at] ^= (guint8)(1u << at % 8);
		r = replay_data(bad, s->len, NULL);
		assert_true(!r || r->broken);
	}
}

/* Correct checksums over wrong contents, which only somebody with bad intent makes. */
/* TRUE: the reader noticed. */
static gboolean lie(const State *s, guint32 frame, guint32 type, const void *raw, gsize len)
{
	gboolean noticed;
	GByteArray *out = g_byte_array_new();
	gsize at = sizeof(KxRecordHeader);
	g_autoptr(KxReplay) r = NULL;

	g_byte_array_append(out, s->data, sizeof(KxRecordHeader));
	for (guint32 i = 0; at < s->len; i++) {
		KxRecordFrame f;

		memcpy(&f, s->data + at, sizeof(f));
		if (i == frame) {
			g_autofree guint8 *stored = g_malloc0(len + 1024);
			const guint8 begin[2] = { 0x78, 0x01 };
			/* one stored block of zlib's, so that the test needs no compressor */
			guint8 block[5] = { 1, (guint8)len, (guint8)(len >> 8), (guint8)~len,
					    (guint8)(~len >> 8) };
			guint32 a = 1, b = 0;
			guint8 sum[4];
			KxRecordFrame own = { KX_RECORD_SYNC,	 type,	       i,
					      (guint32)len + 11, (guint32)len, 0 };

			for (gsize k = 0; k < len; k++) {
				a = (a + ((const guint8 *)raw)[k]) % 65521;
				b = (b + a) % 65521;
			}
			sum[0] = (guint8)(b >> 8);
			sum[1] = (guint8)b;
			sum[2] = (guint8)(a >> 8);
			sum[3] = (guint8)a;
			memcpy(stored, begin, 2);
			memcpy(stored + 2, block, 5);
			memcpy(stored + 7, raw, len);
			memcpy(stored + 7 + len, sum, 4);
			own.crc = kx_record_crc(&own, stored);
			g_byte_array_append(out, (guint8 *)&own, sizeof(own));
			g_byte_array_append(out, stored, own.stored);
		} else {
			g_byte_array_append(out, s->data + at, sizeof(f) + f.stored);
		}
		at += sizeof(f) + f.stored;
	}
	r = replay_data(out->data, out->len, NULL);
	noticed = !r || r->broken;
	g_byte_array_unref(out);
	return noticed;
}

static void is_not_fooled(void **state)
{
	const State *s = *state;
	const struct kvm_ext_rec_run wraps = { .h = { KVM_EXT_REC_RUN, 0, sizeof(wraps) },
					       .gfn = G_MAXUINT64 - 5,
					       .npages = 100 };
	const struct kvm_ext_record endless = { KVM_EXT_REC_RUN, 0, 0 },
				    long_one = { KVM_EXT_REC_RUN, 0, 65528 };
	const char no_tracker[] = "{\"epoch\":7,\"tracker\":\"warp\",\"options\":\"\"}";
	const char bad_option[] = "{\"epoch\":7,\"tracker\":\"abit\",\"options\":\"x=y =\"}";
	const char numbers[] = "{\"epoch\":\"x\"}";

	assert_true(lie(s, 3, KX_FRAME_SAMPLES, &wraps, sizeof(wraps)));
	assert_true(lie(s, 3, KX_FRAME_SAMPLES, &endless, sizeof(endless)));
	assert_true(lie(s, 3, KX_FRAME_SAMPLES, &long_one, sizeof(long_one)));
	assert_true(lie(s, 3, KX_FRAME_SAMPLES, &wraps, 5));
	assert_true(lie(s, 3, KX_FRAME_SETTING, no_tracker, strlen(no_tracker)));
	assert_true(lie(s, 3, KX_FRAME_SETTING, bad_option, strlen(bad_option)));
	assert_true(lie(s, 3, KX_FRAME_SETTING, numbers, strlen(numbers)));
	assert_true(lie(s, 3, KX_FRAME_MEMORY, "[", 1));
	assert_true(lie(s, 3, KX_FRAME_LOST, "null", 4));
	assert_true(lie(s, 3, KX_FRAME_REPORT, "{}", 2));
	assert_true(lie(s, 3, KX_FRAME_HEAD, head, strlen(head)));
	assert_true(lie(s, 0, KX_FRAME_SAMPLES, &wraps, sizeof(wraps)));
	assert_true(lie(s, 0, KX_FRAME_HEAD, "{}", 2));
}

/* Random contents with correct checksums: the readers of the contents must cope with them. */
static void survives_noise(void **state)
{
	const State *s = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(14);

	for (guint n = 0; n < 1000; n++) {
		guint8 noise[512];
		gsize len = (gsize)g_rand_int_range(rand, 1, sizeof(noise));

		for (gsize i = 0; i < len; i++)
			noise[i] = (guint8)(g_rand_int(rand) & (n % 3 ? 0xff : 0x07));
		if (n % 2) {
			/* a record of a known type and of the right size */
			const struct kvm_ext_record h = { (guint16)g_rand_int_range(rand, 0, 9), 0,
							  (guint32)len & ~7u };

			memcpy(noise, &h, MIN(len, sizeof(h)));
		}
		/* frame 3 is the first frame of samples: whatever it is now, nothing may crash */
		lie(s, 3, n % 5 ? KX_FRAME_SAMPLES : KX_FRAME_REPORT, noise, len);
	}
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

static void on_ended(gpointer data)
{
	*(gboolean *)data = TRUE;
}

static void full_disk_is_an_error(void **state)
{
	gboolean told = FALSE;
	KxRecorder *r = kx_recorder_new(open("/dev/full", O_WRONLY), on_ended, &told);
	g_autoptr(GError) error = NULL;

	kx_recorder_put(r, KX_FRAME_HEAD, head);
	while (!told)
		g_main_context_iteration(NULL, TRUE);
	kx_recorder_put(r, KX_FRAME_SETTING, setting);
	kx_recorder_end(r);
	assert_false(kx_recorder_wait(r, -1, &error));
	assert_non_null(strstr(error->message, "No space left on device"));
	kx_recorder_unref(r);
}

static gboolean says_reports_lost(const GByteArray *recording, const char *what)
{
	g_autoptr(KxRecordReader) reader =
		kx_record_reader_new_data(recording->data, recording->len, NULL);
	gboolean found = FALSE;
	const guint8 *data;
	guint type;
	gsize len;

	while ((data = kx_record_reader_next(reader, &type, &len)))
		found |= type == KX_FRAME_LOST &&
			 g_strstr_len((const char *)data, (gssize)len, what);
	return found;
}

/* The other end of a pipe does not read: samples are dropped and counted, and the recording says so. */
static void slow_file_loses_samples(void **state)
{
	Both b = { open_heat(), NULL };
	g_autofree guint8 *noise = g_malloc(4096);
	struct kvm_ext_record *bulk = (struct kvm_ext_record *)noise;
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) got = g_byte_array_new();
	g_autoptr(KxReplay) replay = NULL;
	g_autofree char *report = report_json(1), *bulky = g_strnfill(1 << 20, ' ');
	KxRecorderStats stats;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	b.recorder = kx_recorder_new(fds[1], NULL, NULL);
	kx_recorder_put(b.recorder, KX_FRAME_HEAD, head);
	kx_recorder_put(b.recorder, KX_FRAME_SETTING, setting);
	passes(&b, 0, 5);
	for (guint i = sizeof(*bulk); i < 4096; i++)
		noise[i] = (guint8)g_rand_int(rand);
	*bulk = (struct kvm_ext_record){ 999, 0, 4096 }; /* of a type that readers skip */
	for (guint i = 0; i < (100u << 20) / 4096; i++)
		kx_recorder_sample(b.recorder, bulk);
	one_pass(&b, 5, 0); /* its begin may be lost */
	/* Reports of a large VM are large: when the queue is full, it takes only the last one. */
	for (guint i = 0; i < 1000; i++)
		kx_recorder_put_report(b.recorder, bulky, FALSE);
	kx_recorder_put_report(b.recorder, report, TRUE);
	kx_recorder_put(b.recorder, KX_FRAME_END, "{}");
	kx_recorder_end(b.recorder);
	stats = kx_recorder_stats(b.recorder);
	assert_true(stats.lost > 0);
	assert_int_equal(stats.reports_lost, 1000);
	assert_false(kx_recorder_wait(b.recorder, 0, &error));
	for (;;) {
		guint8 buffer[65536];
		gssize n = read(fds[0], buffer, sizeof(buffer));

		assert_true(n >= 0);
		if (!n)
			break;
		g_byte_array_append(got, buffer, (guint)n);
	}
	assert_true(kx_recorder_wait(b.recorder, -1, NULL));
	close(fds[0]);
	replay = replay_data(got->data, got->len, NULL);
	assert_non_null(replay);
	assert_null(replay->broken);
	assert_true(says_reports_lost(got, "\"reports\":1000}"));
	assert_int_equal(replay->lost, stats.lost);
	assert_int_equal(replay->records, stats.records);
	kx_recorder_unref(b.recorder);
	kx_heat_free(b.heat);
}

static void refuses_other_files(void **state)
{
	static const char newer[16] = "KXREC\r\n\x1a\x04\x03\x02\x01\x02";
	g_autoptr(GError) error = NULL;

	assert_false(kx_record_is("/dev/null"));
	assert_false(kx_record_is("/no/such/file"));
	assert_null(kx_record_reader_new("/no/such/file", &error));
	g_clear_error(&error);
	assert_null(kx_record_reader_new("/dev/zero", &error));
	g_clear_error(&error);
	assert_null(kx_record_reader_new_data((const guint8 *)newer, sizeof(newer), &error));
	assert_non_null(strstr(error->message, "version 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_it_gave_live),
		cmocka_unit_test(gives_a_part),
		cmocka_unit_test(survives_truncation_at_each_byte),
		cmocka_unit_test(notices_each_flipped_bit),
		cmocka_unit_test(is_not_fooled),
		cmocka_unit_test(survives_noise),
		cmocka_unit_test(full_disk_is_an_error),
		cmocka_unit_test(slow_file_loses_samples),
		cmocka_unit_test(refuses_other_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
