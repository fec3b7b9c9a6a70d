// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* memfd_create, seals */
#include "tapring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/gfnset.h"

/* --- the format, as in QEMU's migration/dirty-tap.h ------------------------------------------------------------------------ */

#define TAP_MAGIC   0x50415451u
#define TAP_VERSION 1u
#define TAP_DATA    4096u

enum {
	TAP_RUNS,
	TAP_STOPPED,
	TAP_TOO_SMALL,
	TAP_REPLACED,
	TAP_DEVICE
};

typedef struct {
	guint32 magic, version;
	guint64 size; /* of the data */
	guint64 head; /* bytes that QEMU has written since the start; release */
	guint32 state, page_size;
	guint64 needed; /* bytes of a record, when QEMU last looked */
	guint64 reserved[3];
	guint64 tail; /* bytes that the reader has read; release */
} TapHeader;

typedef struct {
	guint32 size; /* of this structure, which a newer QEMU may make longer */
	guint32 ranges;
	guint64 bytes; /* of the record with its ranges */
	guint64 syncs, began_ns, sync_ns, clear_ns, skipped, cpu_ns;
} TapHead;

typedef struct {
	guint64 address, pages; /* a bit for each page follows, in words */
} TapRange;

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1u << PAGE_SHIFT)

/* More than any machine type of QEMU has. */
#define RANGES_MAX 4096u

/* The ring has room for this number of records, because the reader may be late. */
#define RECORDS 4u

struct _KxTapRing {
	int fd;
	TapHeader *header;
	gsize bytes;
	guint64 size; /* of the data */
	guint64 tail; /* our own copy, because QEMU can write to the header */
};

/* --- making it ------------------------------------------------------------------------------------------------------------- */

static gboolean failed(const char *what, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "memory to share with QEMU: %s: %s", what,
		    g_strerror(errno));
	return FALSE;
}

/* Sealed, so that neither side can cut the memory that the other side has mapped. */
static gboolean make_memory(KxTapRing *r, GError **error)
{
	r->fd = memfd_create("kvm-ext-dirty-tap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->fd < 0)
		return failed("memfd_create", error);
	if (ftruncate(r->fd, (off_t)r->bytes) < 0)
		return failed("ftruncate", error);
	if (fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return failed("sealing", error);
	r->header = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->header != MAP_FAILED)
		return TRUE;
	r->header = NULL;
	return failed("mmap", error);
}

guint64 kx_tap_record_bytes(guint64 ram_pages)
{
	return PAGE_SIZE + ram_pages / 8;
}

KxTapRing *kx_tap_ring_new(guint64 record_bytes, GError **error)
{
	g_autoptr(KxTapRing) r = NULL;

	if (record_bytes > KX_TAP_RECORD_MAX) {
		g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
				    "memory to share with QEMU: the VM has more memory than the "
				    "daemon shares bits of");
		return NULL;
	}
	r = g_new0(KxTapRing, 1);
	r->fd = -1;
	r->size = RECORDS * record_bytes;
	r->size += -r->size % PAGE_SIZE;
	r->bytes = TAP_DATA + r->size;
	return make_memory(r, error) ? g_steal_pointer(&r) : NULL;
}

void kx_tap_ring_free(KxTapRing *r)
{
	if (!r)
		return;
	if (r->header)
		munmap(r->header, r->bytes);
	if (r->fd >= 0)
		close(r->fd);
	g_free(r);
}

int kx_tap_ring_fd(const KxTapRing *r)
{
	return r->fd;
}

gsize kx_tap_ring_bytes(const KxTapRing *r)
{
	return r->bytes;
}

gboolean kx_tap_ring_check(const KxTapRing *r, GError **error)
{
	const TapHeader *h = r->header;

	if (__atomic_load_n(&h->magic, __ATOMIC_ACQUIRE) == TAP_MAGIC &&
	    h->version == TAP_VERSION && h->page_size == PAGE_SIZE && h->size == r->size)
		return TRUE;
	g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "this QEMU's dirty-log tap is of another version than the daemon's");
	return FALSE;
}

gboolean kx_tap_ring_is_too_small(const KxTapRing *r, guint64 *record_bytes)
{
	*record_bytes = __atomic_load_n(&r->header->needed, __ATOMIC_RELAXED);
	return *record_bytes > r->size;
}

static guint32 state_of(const KxTapRing *r)
{
	return __atomic_load_n(&r->header->state, __ATOMIC_ACQUIRE);
}

gboolean kx_tap_ring_may_restart(const KxTapRing *r, guint64 *record_bytes)
{
	switch (state_of(r)) {
	case TAP_TOO_SMALL:
		return kx_tap_ring_is_too_small(r, record_bytes);
	case TAP_DEVICE:
		*record_bytes = r->size / RECORDS;
		return TRUE;
	default:
		return FALSE;
	}
}

gboolean kx_tap_ring_is_replaced(const KxTapRing *r)
{
	return state_of(r) == TAP_REPLACED;
}

const char *kx_tap_ring_ended(const KxTapRing *r)
{
	switch (state_of(r)) {
	case TAP_STOPPED:
		return "somebody has stopped the tap";
	case TAP_TOO_SMALL:
		return "the shared memory is too small";
	case TAP_REPLACED:
		return "somebody else has replaced the tap by another one";
	case TAP_DEVICE:
		return "a device that logs memory by itself was plugged in";
	default:
		return NULL;
	}
}

/* --- reading --------------------------------------------------------------------------------------------------------------- */

/* A part of the ring. Each byte is read once. */
typedef struct {
	const KxTapRing *r;
	guint64 at, end;
} Cursor;

static gboolean nonsense(const char *what, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "QEMU's copy of the dirty log is not valid: %s", what);
	return FALSE;
}

static gboolean take(Cursor *c, gpointer to, guint64 len)
{
	const guint8 *data = (const guint8 *)c->r->header + TAP_DATA;
	guint64 at = c->at % c->r->size, first = MIN(len, c->r->size - at);

	if (len > c->end - c->at)
		return FALSE;
	memcpy(to, data + at, first);
	memcpy((guint8 *)to + first, data, len - first);
	c->at += len;
	return TRUE;
}

static guint64 head_of(const KxTapRing *r)
{
	return __atomic_load_n(&r->header->head, __ATOMIC_ACQUIRE);
}

gboolean kx_tap_ring_is_empty(const KxTapRing *r)
{
	return head_of(r) == r->tail;
}

static gboolean take_bits(Cursor *c, guint64 gfn, guint64 pages, KxTapFound found, gpointer data,
			  GError **error)
{
	guint64 bits[KX_TAP_WORDS];

	while (pages) {
		guint64 n = MIN(pages, KX_TAP_WORDS * 64);
		guint words = (guint)((n + 63) / 64);

		if (!take(c, bits, words * sizeof(*bits)))
			return nonsense("a range is longer than its record", error);
		/* Bits after the last page belong to no page. */
		if (n % 64)
			bits[words - 1] &= (G_GUINT64_CONSTANT(1) << n % 64) - 1;
		found(data, gfn, bits, words);
		gfn += n;
		pages -= n;
	}
	return TRUE;
}

static gboolean take_range(Cursor *c, KxTapRecord *record, KxTapFound found, gpointer data,
			   GError **error)
{
	TapRange range;
	guint64 gfn;

	if (!take(c, &range, sizeof(range)))
		return nonsense("there are more ranges than the record holds", error);
	gfn = range.address >> PAGE_SHIFT;
	if (range.address % PAGE_SIZE || gfn >= KX_GFN_END || range.pages > KX_GFN_END - gfn)
		return nonsense("a range is no range of guest memory", error);
	record->pages += range.pages;
	return take_bits(c, gfn, range.pages, found, data, error);
}

static gboolean take_head(Cursor *c, TapHead *head, GError **error)
{
	guint64 begin = c->at;

	if (c->end - begin > c->r->size || !take(c, head, sizeof(*head)))
		return nonsense("it has more data than its ring, or less than a record", error);
	if (head->size < sizeof(*head) || head->bytes < head->size || head->bytes % 8 ||
	    head->size % 8 || head->bytes > c->end - begin || head->ranges > RANGES_MAX)
		return nonsense("the length of a record", error);
	c->at = begin + head->size;
	c->end = begin + head->bytes;
	return TRUE;
}

gboolean kx_tap_ring_take(KxTapRing *r, KxTapRecord *record, KxTapFound found, gpointer data,
			  GError **error)
{
	Cursor c = { r, r->tail, head_of(r) };
	TapHead head;

	if (!take_head(&c, &head, error))
		return FALSE;
	*record = (KxTapRecord){
		.skipped = head.skipped,
		.sync_ns = head.sync_ns,
		.clear_ns = head.clear_ns,
		.cpu_ns = head.cpu_ns,
	};
	for (guint32 i = 0; i < head.ranges; i++) {
		if (!take_range(&c, record, found, data, error))
			return FALSE;
	}
	r->tail = c.end;
	__atomic_store_n(&r->header->tail, r->tail, __ATOMIC_RELEASE);
	return TRUE;
}
