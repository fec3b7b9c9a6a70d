// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "format.h"

struct _KxRecordReader {
	int fd;		    /* -1: the caller's memory */
	const guint8 *data; /* that memory */
	gsize len, at;
	guint64 frames;
	gboolean ended; /* the last frame was read */
	char *broken;
	guint8 *stored, *raw; /* of the last frame */
};

gboolean kx_record_is(const char *path)
{
	char magic[sizeof(KX_RECORD_MAGIC) - 1];
	FILE *f = fopen(path, "re");
	gboolean is = f && fread(magic, 1, sizeof(magic), f) == sizeof(magic) &&
		      !memcmp(magic, KX_RECORD_MAGIC, sizeof(magic));

	if (f)
		fclose(f);
	return is;
}

/* FALSE: the file has become shorter, or cannot be read. The file is not mapped: if it were cut meanwhile, a signal would follow. */
static gboolean get(const KxRecordReader *r, gsize at, void *to, gsize len)
{
	if (r->fd < 0) {
		memcpy(to, r->data + at, len);
		return TRUE;
	}
	for (gsize got = 0; got < len;) {
		ssize_t n = pread(r->fd, (char *)to + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FALSE;
		got += (gsize)n;
	}
	return TRUE;
}

static gboolean check_header(KxRecordReader *r, GError **error)
{
	KxRecordHeader h;

	if (r->len < sizeof(h) || !get(r, 0, &h, sizeof(h)) ||
	    memcmp(h.magic, KX_RECORD_MAGIC, sizeof(h.magic)) != 0) {
		g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED,
				    "this is no recording of kvm-ext");
		return FALSE;
	}
	r->at = sizeof(h);
	if (h.order == KX_RECORD_ORDER && h.version == KX_RECORD_VERSION)
		return TRUE;
	if (h.order != KX_RECORD_ORDER)
		g_set_error_literal(
			error, KX_ERROR, KX_ERROR_FAILED,
			"the recording was written in another byte order, or is damaged");
	else
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "the recording has version %u of its format, this program reads "
			    "version %u",
			    h.version, KX_RECORD_VERSION);
	return FALSE;
}

/* Takes @r. */
static KxRecordReader *checked(KxRecordReader *r, GError **error)
{
	if (check_header(r, error))
		return r;
	kx_record_reader_free(r);
	return NULL;
}

KxRecordReader *kx_record_reader_new_data(const guint8 *data, gsize len, GError **error)
{
	KxRecordReader *r = g_new0(KxRecordReader, 1);

	r->fd = -1;
	r->data = data;
	r->len = len;
	return checked(r, error);
}

KxRecordReader *kx_record_reader_new(const char *path, GError **error)
{
	KxRecordReader *r = g_new0(KxRecordReader, 1);
	struct stat st;

	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0 || fstat(r->fd, &st)) {
		g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno), "%s: %s", path,
			    g_strerror(errno));
		kx_record_reader_free(r);
		return NULL;
	}
	r->len = S_ISREG(st.st_mode) ? (gsize)st.st_size : 0;
	r = checked(r, error);
	if (!r)
		g_prefix_error(error, "%s: ", path);
	return r;
}

void kx_record_reader_free(KxRecordReader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	g_free(r->broken);
	g_free(r->stored);
	g_free(r->raw);
	g_free(r);
}

/* NULL, or what is wrong. */
static const char *check_frame(KxRecordReader *r, const KxRecordFrame *f)
{
	if (f->sync != KX_RECORD_SYNC)
		return "a frame does not begin where it should";
	if (f->number != (guint32)r->frames)
		return "a frame is missing";
	if (f->stored > r->len - r->at - sizeof(*f))
		return "the last frame is cut off";
	if (f->raw > KX_FRAME_RAW_MAX || f->raw / KX_FRAME_RATIO_MAX > f->stored)
		return "a frame is larger than it can be";
	g_free(r->stored);
	r->stored = g_malloc(f->stored + 1u);
	if (!get(r, r->at + sizeof(*f), r->stored, f->stored))
		return "the file has become shorter";
	if (f->crc != kx_record_crc(f, r->stored))
		return "the checksum of a frame is wrong";
	return NULL;
}

static const guint8 *unpack(KxRecordReader *r, const KxRecordFrame *f)
{
	uLongf len = f->raw;

	g_free(r->raw);
	r->raw = g_malloc((gsize)f->raw + 1);
	if (uncompress(r->raw, &len, r->stored, f->stored) != Z_OK || len != f->raw)
		return NULL;
	r->raw[f->raw] = 0;
	return r->raw;
}

static const guint8 *stop(KxRecordReader *r, const char *why)
{
	r->broken =
		g_strdup_printf("%s after %" G_GUINT64_FORMAT " whole frames (byte %" G_GSIZE_FORMAT
				" of %" G_GSIZE_FORMAT ")",
				why, r->frames, r->at, r->len);
	return NULL;
}

const guint8 *kx_record_reader_next(KxRecordReader *r, guint *type, gsize *len)
{
	KxRecordFrame f;
	const char *wrong;
	const guint8 *raw;

	if (r->broken || (r->ended && r->at == r->len))
		return NULL;
	if (r->ended)
		return stop(r, "the file goes on behind its last frame,");
	if (r->at == r->len)
		return stop(r, "the recording was not finished: it ends");
	if (r->len - r->at < sizeof(f))
		return stop(r, "the last frame is cut off");
	if (!get(r, r->at, &f, sizeof(f)))
		return stop(r, "the file has become shorter");
	wrong = check_frame(r, &f);
	if (wrong)
		return stop(r, wrong);
	raw = unpack(r, &f);
	if (!raw)
		return stop(r, "a frame cannot be unpacked");
	r->at += sizeof(f) + f.stored;
	r->frames++;
	r->ended = f.type == KX_FRAME_END;
	*type = f.type;
	*len = f.raw;
	return raw;
}

const char *kx_record_reader_broken(const KxRecordReader *r)
{
	return r->broken;
}

guint64 kx_record_reader_frames(const KxRecordReader *r)
{
	return r->frames;
}

double kx_record_reader_share(const KxRecordReader *r)
{
	return r->len ? (double)r->at / (double)r->len : 1;
}
