/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a recording, frame by frame. The file may be anybody's: every number is checked, and memory is bounded by the file. */
#ifndef KX_RECORD_READER_H
#define KX_RECORD_READER_H

#include <glib.h>

typedef struct _KxRecordReader KxRecordReader;

/* Whether the file begins like a recording, of any version. */
gboolean kx_record_is(const char *path);
/* G_IO_ERROR or KX_ERROR_FAILED: the file cannot be read, or is no recording that this version reads. */
KxRecordReader *kx_record_reader_new(const char *path, GError **error);
/* @data of @len bytes belongs to the caller and must outlive the reader. */
KxRecordReader *kx_record_reader_new_data(const guint8 *data, gsize len, GError **error);
void kx_record_reader_free(KxRecordReader *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRecordReader, kx_record_reader_free)

/* The next frame, followed by a zero byte that is not in *@len; valid until the next call. NULL: there is none. */
const guint8 *kx_record_reader_next(KxRecordReader *r, guint *type, gsize *len);
/* After the last frame: why nothing follows; NULL: the recording is whole. */
const char *kx_record_reader_broken(const KxRecordReader *r);
guint64 kx_record_reader_frames(const KxRecordReader *r);
/* How much of the file has been read, from 0 to 1. */
double kx_record_reader_share(const KxRecordReader *r);

#endif /* KX_RECORD_READER_H */
