// SPDX-License-Identifier: GPL-2.0-or-later
#include "recorder.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "format.h"

/* The bytes that may wait for the file. */
#define QUEUE_MAX (64u << 20)
/* Level 1 takes a quarter of the time of level 6 for files that are a tenth larger. */
#define LEVEL 1

typedef struct {
	guint type;
	GBytes *raw;
} Item;

struct _KxRecorder {
	gatomicrefcount refs; /* also the thread's */
	int fd;
	/* the caller's */
	GByteArray *batch; /* records of samples that are not in a frame yet */
	guint64 batch_records;
	guint64 records, lost, lost_told, reports_lost, reports_lost_told;
	/* of caller and thread */
	GAsyncQueue *queue;    /* Item; type 0: the end */
	gsize waiting;	       /* bytes, atomic */
	guint64 bytes, cpu_ns; /* atomic */
	gboolean failed;       /* atomic */
	gboolean ending;       /* the caller's */
	guint32 number;	       /* the thread's */
	GMutex lock;	       /* protects: */
	GCond closed;
	gboolean is_closed;
	char *error; /* the thread's, until it has ended */
	gboolean asked;
	/* the main loop's */
	void (*ended)(gpointer data);
	gpointer data;
};

/* --- the thread ---------------------------------------------------------------------------------------------------------- */

static void note_time(KxRecorder *r)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	__atomic_store_n(&r->cpu_ns, (guint64)ts.tv_sec * 1000000000u + (guint64)ts.tv_nsec,
			 __ATOMIC_RELAXED);
}

static gboolean write_all(KxRecorder *r, const void *data, gsize len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(r->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r->error = g_strdup(n ? g_strerror(errno) : "nothing was written");
			return FALSE;
		}
		at += n;
		len -= (gsize)n;
		__atomic_add_fetch(&r->bytes, (guint64)n, __ATOMIC_RELAXED);
	}
	return TRUE;
}

static gboolean write_frame(KxRecorder *r, const Item *item)
{
	gsize raw;
	const Bytef *data = g_bytes_get_data(item->raw, &raw);
	uLongf stored = compressBound(raw);
	g_autofree guint8 *frame = g_malloc(sizeof(KxRecordFrame) + stored);
	KxRecordFrame f = { KX_RECORD_SYNC, item->type, r->number, 0, (guint32)raw, 0 };

	if (compress2(frame + sizeof(f), &stored, data, raw, LEVEL) != Z_OK) {
		r->error = g_strdup("zlib cannot compress");
		return FALSE;
	}
	r->number++;
	f.stored = (guint32)stored;
	f.crc = kx_record_crc(&f, frame + sizeof(f));
	memcpy(frame, &f, sizeof(f));
	return write_all(r, frame, sizeof(f) + stored);
}

static gboolean on_notice(gpointer data)
{
	KxRecorder *r = data;

	if (r->ended)
		r->ended(r->data);
	return G_SOURCE_REMOVE;
}

void kx_recorder_ask_end(KxRecorder *r)
{
	g_mutex_lock(&r->lock);
	if (!r->asked)
		g_idle_add_full(G_PRIORITY_DEFAULT, on_notice, kx_recorder_ref(r),
				(GDestroyNotify)kx_recorder_unref);
	r->asked = TRUE;
	g_mutex_unlock(&r->lock);
}

/* Some file systems report only here that there is no space. */
static void close_file(KxRecorder *r)
{
	if (!r->error && fsync(r->fd) && errno != EINVAL && errno != EROFS)
		r->error = g_strdup(g_strerror(errno));
	if (close(r->fd) && !r->error)
		r->error = g_strdup(g_strerror(errno));
	note_time(r);
	g_mutex_lock(&r->lock);
	r->is_closed = TRUE;
	g_cond_broadcast(&r->closed);
	g_mutex_unlock(&r->lock);
}

/* After a failure the queue is emptied, and nothing is written behind the gap. */
static gpointer run(gpointer data)
{
	KxRecorder *r = data;
	const KxRecordHeader header = { KX_RECORD_MAGIC, KX_RECORD_ORDER, KX_RECORD_VERSION };
	gboolean ok = write_all(r, &header, sizeof(header));

	for (;;) {
		g_autofree Item *item = g_async_queue_pop(r->queue);
		gboolean last = !item->type;
		gsize raw = item->raw ? g_bytes_get_size(item->raw) : 0;

		ok = ok && (last || write_frame(r, item));
		if (!ok && !__atomic_exchange_n(&r->failed, TRUE, __ATOMIC_RELEASE))
			kx_recorder_ask_end(r);
		g_clear_pointer(&item->raw, g_bytes_unref);
		__atomic_sub_fetch(&r->waiting, raw, __ATOMIC_RELAXED);
		note_time(r);
		if (last)
			break;
	}
	close_file(r);
	kx_recorder_unref(r);
	return NULL;
}

/* --- the caller ---------------------------------------------------------------------------------------------------------- */

KxRecorder *kx_recorder_new(int fd, void (*ended)(gpointer data), gpointer data)
{
	KxRecorder *r = g_new0(KxRecorder, 1);

	r->fd = fd;
	r->batch = g_byte_array_new();
	r->queue = g_async_queue_new();
	g_atomic_ref_count_init(&r->refs);
	g_mutex_init(&r->lock);
	g_cond_init(&r->closed);
	r->ended = ended;
	r->data = data;
	g_thread_unref(g_thread_new("recorder", run, kx_recorder_ref(r)));
	return r;
}

void kx_recorder_forget_callback(KxRecorder *r)
{
	r->ended = NULL;
}

static gboolean is_full(KxRecorder *r)
{
	return __atomic_load_n(&r->waiting, __ATOMIC_RELAXED) > QUEUE_MAX;
}

/* Takes @raw. */
static void push(KxRecorder *r, guint type, GBytes *raw)
{
	Item *item = g_new(Item, 1);

	*item = (Item){ type, raw };
	if (raw)
		__atomic_add_fetch(&r->waiting, g_bytes_get_size(raw), __ATOMIC_RELAXED);
	g_async_queue_push(r->queue, item);
}

static void push_text(KxRecorder *r, guint type, const char *json)
{
	push(r, type, g_bytes_new(json, strlen(json)));
}

static void tell_lost(KxRecorder *r)
{
	g_autofree char *json = NULL;

	if (r->lost == r->lost_told && r->reports_lost == r->reports_lost_told)
		return;
	json = g_strdup_printf("{\"records\":%" G_GUINT64_FORMAT ",\"reports\":%" G_GUINT64_FORMAT
			       "}",
			       r->lost - r->lost_told, r->reports_lost - r->reports_lost_told);
	r->lost_told = r->lost;
	r->reports_lost_told = r->reports_lost;
	push_text(r, KX_FRAME_LOST, json);
}

void kx_recorder_flush(KxRecorder *r)
{
	if (!r->batch_records)
		return;
	if (__atomic_load_n(&r->failed, __ATOMIC_ACQUIRE) || is_full(r)) {
		r->lost += r->batch_records;
		g_byte_array_set_size(r->batch, 0);
	} else {
		tell_lost(r);
		r->records += r->batch_records;
		push(r, KX_FRAME_SAMPLES, g_byte_array_free_to_bytes(r->batch));
		r->batch = g_byte_array_new();
	}
	r->batch_records = 0;
}

void kx_recorder_put(KxRecorder *r, guint type, const char *json)
{
	kx_recorder_flush(r);
	if (__atomic_load_n(&r->failed, __ATOMIC_ACQUIRE))
		return;
	tell_lost(r);
	push_text(r, type, json);
}

void kx_recorder_put_report(KxRecorder *r, const char *json, gboolean last)
{
	kx_recorder_flush(r);
	if (is_full(r) && !last)
		r->reports_lost++;
	else
		kx_recorder_put(r, KX_FRAME_REPORT, json);
}

void kx_recorder_sample(KxRecorder *r, const struct kvm_ext_record *record)
{
	if (r->batch->len + record->size > KX_FRAME_SAMPLES_MAX)
		kx_recorder_flush(r);
	g_byte_array_append(r->batch, (const guint8 *)record, record->size);
	r->batch_records++;
}

KxRecorderStats kx_recorder_stats(KxRecorder *r)
{
	return (KxRecorderStats){
		.bytes = __atomic_load_n(&r->bytes, __ATOMIC_RELAXED),
		.cpu_ns = __atomic_load_n(&r->cpu_ns, __ATOMIC_RELAXED),
		.records = r->records + r->batch_records,
		.lost = r->lost,
		.reports_lost = r->reports_lost,
	};
}

void kx_recorder_end(KxRecorder *r)
{
	if (r->ending)
		return;
	r->ending = TRUE;
	kx_recorder_flush(r);
	tell_lost(r);
	push(r, 0, NULL);
}

gboolean kx_recorder_wait(KxRecorder *r, gint64 timeout_us, GError **error)
{
	gint64 until = g_get_monotonic_time() + timeout_us;
	gboolean closed;

	g_mutex_lock(&r->lock);
	while (!r->is_closed && timeout_us < 0)
		g_cond_wait(&r->closed, &r->lock);
	while (!r->is_closed && g_cond_wait_until(&r->closed, &r->lock, until))
		;
	closed = r->is_closed;
	g_mutex_unlock(&r->lock);
	if (closed && !r->error)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "the recording cannot be written: %s; what was written before can be read",
		    closed ? r->error : "the file does not take it in time");
	return FALSE;
}

KxRecorder *kx_recorder_ref(KxRecorder *r)
{
	g_atomic_ref_count_inc(&r->refs);
	return r;
}

void kx_recorder_unref(KxRecorder *r)
{
	if (!r || !g_atomic_ref_count_dec(&r->refs))
		return;
	g_mutex_clear(&r->lock);
	g_cond_clear(&r->closed);
	g_async_queue_unref(r->queue);
	g_byte_array_unref(r->batch);
	g_free(r->error);
	g_free(r);
}
