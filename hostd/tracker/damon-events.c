// SPDX-License-Identifier: GPL-2.0-or-later
#include "damon-events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "damon-kernel.h"

#define EVENT "events/damon/damon_aggregated"
/* Longest raw event that is read; the longest that any kernel has is below 100 bytes. */
#define RAW_MAX 512u
/* The size of an event in the buffer, and the number of aggregations for which the buffer has space, at least. */
#define EVENT_BYTES  96u
#define AGGREGATIONS 4u
#define BUFFER_MIN   (1u << 17)
#define BUFFER_MAX   (1u << 26)

enum {
	START,
	END,
	ACCESSES,
	AGE,
	REGIONS,
	FIELDS
};

static const char *const field_names[FIELDS] = {
	[START] = "start",	  [END] = "end", [ACCESSES] = "nr_accesses", [AGE] = "age",
	[REGIONS] = "nr_regions",
};

typedef struct {
	guint offset, size;
} Field;

struct _KxDamonEvents {
	Field fields[FIELDS];
	int fd;
	struct perf_event_mmap_page *control;
	const guint8 *data;
	gsize bytes;	/* of @data, a power of two */
	GArray *coming; /* KxDamonRegion, of the aggregation that is being read */
	GArray *complete;
	guint64 expected; /* the number of regions that the aggregation has */
	gboolean torn;	  /* the aggregation lacks events, and is already counted as dropped */
	guint64 dropped;
};

/* --- the event's layout ----------------------------------------------------------------------------------------------- */

/* A line of the format file: "field:unsigned long start;	offset:24;	size:8;	signed:0;" */
static gboolean read_field(const char *line, Field *fields)
{
	g_autoptr(GRegex) regex = g_regex_new(
		"^\\s*field:[^;]*\\b(\\w+);\\s*offset:(\\d+);\\s*size:(\\d+);", 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;

	if (!g_regex_match(regex, line, 0, &match))
		return FALSE;
	for (guint i = 0; i < FIELDS; i++) {
		g_autofree char *name = g_match_info_fetch(match, 1);
		g_autofree char *offset = g_match_info_fetch(match, 2);
		g_autofree char *size = g_match_info_fetch(match, 3);
		guint64 at, len;

		if (!g_str_equal(name, field_names[i]) ||
		    !g_ascii_string_to_unsigned(offset, 10, 0, RAW_MAX, &at, NULL) ||
		    !g_ascii_string_to_unsigned(size, 10, 4, 8, &len, NULL) || len % 4 ||
		    at + len > RAW_MAX)
			continue;
		fields[i] = (Field){ (guint)at, (guint)len };
		return TRUE;
	}
	return FALSE;
}

static gboolean read_format(const char *text, Field *fields)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++)
		read_field(*line, fields);
	for (guint i = 0; i < FIELDS; i++) {
		if (!fields[i].size)
			return FALSE;
	}
	return TRUE;
}

/* Where tracing is mounted on kernels of all ages. */
static char *read_event_file(const char *root, const char *name)
{
	static const char *const mounts[] = { "sys/kernel/tracing", "sys/kernel/debug/tracing" };
	char *text = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(mounts) && !text; i++) {
		g_autofree char *path = g_build_filename(root, mounts[i], EVENT, name, NULL);

		if (!g_file_get_contents(path, &text, NULL, NULL))
			text = NULL;
	}
	return text;
}

static gboolean read_event(const char *root, Field *fields, guint64 *id, GError **error)
{
	g_autofree char *format = read_event_file(root, "format");
	g_autofree char *number = read_event_file(root, "id");

	if (number && format && read_format(format, fields) &&
	    g_ascii_string_to_unsigned(g_strchomp(number), 10, 1, G_MAXINT32, id, NULL))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "tracker damon: the trace event damon:damon_aggregated %s",
		    number && format
			    ? "of this kernel has another form than this version can read"
			    : "cannot be found in /sys/kernel/tracing: mount it (mount -t tracefs "
			      "none /sys/kernel/tracing)");
	return FALSE;
}

/* --- opening ----------------------------------------------------------------------------------------------------------- */

static gsize buffer_bytes(guint32 regions_max)
{
	gsize want = (gsize)regions_max * EVENT_BYTES * AGGREGATIONS, bytes = BUFFER_MIN;

	while (bytes < want && bytes < BUFFER_MAX)
		bytes *= 2;
	return bytes;
}

KxDamonEvents *kx_damon_events_open(const char *root, pid_t kdamond, guint32 regions_max,
				    GError **error)
{
	Field fields[FIELDS] = { 0 };
	gsize bytes = buffer_bytes(regions_max);
	KxDamonEvents *e;
	void *map;
	guint64 id;
	int fd;

	if (!read_event(root, fields, &id, error))
		return NULL;
	fd = kx_damon_kernel->open_events(id, kdamond, bytes, &map);
	if (fd < 0) {
		g_set_error(error, KX_ERROR,
			    errno == EACCES || errno == EPERM ? KX_ERROR_ACCESS_DENIED
							      : KX_ERROR_NOT_SUPPORTED,
			    "tracker damon: reading the trace event damon:damon_aggregated: %s",
			    g_strerror(errno));
		return NULL;
	}
	e = g_new0(KxDamonEvents, 1);
	memcpy(e->fields, fields, sizeof(fields));
	e->fd = fd;
	e->control = map;
	e->data = (const guint8 *)map + sysconf(_SC_PAGESIZE);
	e->bytes = bytes;
	e->coming = g_array_new(FALSE, FALSE, sizeof(KxDamonRegion));
	e->complete = g_array_new(FALSE, FALSE, sizeof(KxDamonRegion));
	return e;
}

void kx_damon_events_close(KxDamonEvents *e)
{
	if (!e)
		return;
	munmap(e->control, (gsize)sysconf(_SC_PAGESIZE) + e->bytes);
	close(e->fd);
	g_array_unref(e->coming);
	g_array_unref(e->complete);
	g_free(e);
}

/* --- aggregations ------------------------------------------------------------------------------------------------------- */

static guint64 field(const KxDamonEvents *e, guint i, const guint8 *raw)
{
	guint32 small;
	guint64 large;

	if (e->fields[i].size == 4) {
		memcpy(&small, raw + e->fields[i].offset, sizeof(small));
		return small;
	}
	memcpy(&large, raw + e->fields[i].offset, sizeof(large));
	return large;
}

/* An event of the current aggregation is missing. */
static void drop(KxDamonEvents *e)
{
	e->dropped += !e->torn;
	e->torn = TRUE;
	g_array_set_size(e->coming, 0);
}

/* FALSE: the event cannot be valid. */
static gboolean read_region(const KxDamonEvents *e, const guint8 *raw, gsize len, KxDamonRegion *r,
			    guint64 *regions)
{
	for (guint i = 0; i < FIELDS; i++) {
		if (e->fields[i].offset + e->fields[i].size > len)
			return FALSE;
	}
	*r = (KxDamonRegion){ field(e, START, raw), field(e, END, raw),
			      (guint32)field(e, ACCESSES, raw), (guint32)field(e, AGE, raw) };
	*regions = field(e, REGIONS, raw);
	return r->start < r->end && *regions && *regions <= G_MAXUINT32;
}

/* Events of one aggregation come in the order of addresses, and each has the number of regions. */
static gboolean begins_aggregation(const KxDamonEvents *e, const KxDamonRegion *r, guint64 regions)
{
	const GArray *c = e->coming;

	return !c->len || regions != e->expected ||
	       r->start < g_array_index(c, KxDamonRegion, c->len - 1).end;
}

/* TRUE: an aggregation is complete. */
static gboolean take_event(KxDamonEvents *e, const guint8 *raw, gsize len)
{
	GArray *done = e->coming;
	KxDamonRegion r;
	guint64 regions;

	if (!read_region(e, raw, len, &r, &regions)) {
		drop(e);
		return FALSE;
	}
	if (begins_aggregation(e, &r, regions)) {
		if (e->coming->len) { /* the aggregation before was not complete */
			e->dropped += !e->torn;
			e->torn = FALSE;
		}
		g_array_set_size(e->coming, 0);
		e->expected = regions;
	}
	g_array_append_val(e->coming, r);
	if (e->coming->len < e->expected)
		return FALSE;
	e->coming = e->complete;
	e->complete = done;
	g_array_set_size(e->coming, 0);
	e->torn = FALSE;
	return TRUE;
}

/* --- the buffer ---------------------------------------------------------------------------------------------------------- */

/* @len bytes at @at, which may wrap. */
static void copy_out(const KxDamonEvents *e, guint64 at, void *to, gsize len)
{
	gsize from = (gsize)(at & (e->bytes - 1)), first = MIN(len, e->bytes - from);

	memcpy(to, e->data + from, first);
	memcpy((guint8 *)to + first, e->data, len - first);
}

/* A sample: its time, the length of the event, the event. */
static gboolean take_sample(KxDamonEvents *e, guint64 at, gsize size)
{
	guint8 raw[RAW_MAX];
	guint32 len;
	const gsize before = sizeof(struct perf_event_header) + sizeof(guint64);

	if (size < before + sizeof(len)) {
		drop(e);
		return FALSE;
	}
	copy_out(e, at + before, &len, sizeof(len));
	if (len > size - before - sizeof(len)) {
		drop(e);
		return FALSE;
	}
	len = MIN(len, RAW_MAX);
	copy_out(e, at + before + sizeof(len), raw, len);
	return take_event(e, raw, len);
}

const GArray *kx_damon_events_next(KxDamonEvents *e)
{
	/* Pairs with the kernel's release: what lies before the head is complete. */
	guint64 head = __atomic_load_n(&e->control->data_head, __ATOMIC_ACQUIRE);
	guint64 tail = e->control->data_tail;
	gboolean complete = FALSE;

	while (tail != head && !complete) {
		struct perf_event_header h = { 0 };

		if (head - tail >= sizeof(h) && head - tail <= e->bytes)
			copy_out(e, tail, &h, sizeof(h));
		if (h.size < sizeof(h) || h.size > head - tail) {
			drop(e); /* the head is invalid, so the events before it cannot be trusted either */
			tail = head;
			break;
		}
		if (h.type == PERF_RECORD_SAMPLE)
			complete = take_sample(e, tail, h.size);
		else if (h.type == PERF_RECORD_LOST)
			drop(e);
		tail += h.size;
	}
	/* Only after this store may the kernel overwrite the events that were read. */
	__atomic_store_n(&e->control->data_tail, tail, __ATOMIC_RELEASE);
	return complete ? e->complete : NULL;
}

gsize kx_damon_events_bytes(const KxDamonEvents *e)
{
	return sizeof(*e) + (gsize)sysconf(_SC_PAGESIZE) + e->bytes;
}

guint64 kx_damon_events_dropped(const KxDamonEvents *e)
{
	return e->dropped;
}

gboolean kx_damon_events_wait(const KxDamonEvents *e, guint ms)
{
	struct pollfd p = { .fd = e->fd };

	return poll(&p, 1, (int)ms) <= 0 || !(p.revents & (POLLHUP | POLLERR));
}
