/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording of one VM, as docs/record-format.md describes it: a header, then frames. Each frame is compressed by itself and has
 * a checksum, so that a recording that ends anywhere can be read up to its last whole frame. Numbers are little endian.
 */
#ifndef KX_RECORD_FORMAT_H
#define KX_RECORD_FORMAT_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#define KX_RECORD_MAGIC	  "KXREC\r\n\x1a" /* 8 bytes; shows damage by conversions of text */
#define KX_RECORD_ORDER	  0x01020304u
#define KX_RECORD_VERSION 1u
#define KX_RECORD_SYNC	  0x4652584bu /* "KXRF" */

typedef struct {
	char magic[8];
	guint32 order;	 /* KX_RECORD_ORDER */
	guint32 version; /* readers refuse a greater one */
} KxRecordHeader;

enum {
	KX_FRAME_HEAD = 1,    /* JSON, the first frame: what is recorded, where and when */
	KX_FRAME_SETTING = 2, /* JSON: a tracker's setting began, or recording began while it ran */
	KX_FRAME_MEMORY = 3,  /* JSON: the VM has more memory now */
	KX_FRAME_SAMPLES = 4, /* records of the sample ring */
	KX_FRAME_LOST = 5,    /* JSON: records that were dropped because the file was too slow */
	KX_FRAME_REPORT = 6,  /* JSON: the report, with the account as it was then */
	KX_FRAME_END = 7,     /* JSON, the last frame: why recording ended, and what it cost */
};

typedef struct {
	guint32 sync;	/* KX_RECORD_SYNC */
	guint32 type;	/* KX_FRAME_*; readers skip others */
	guint32 number; /* from 0 */
	guint32 stored; /* bytes that follow: a zlib stream */
	guint32 raw;	/* bytes that it becomes */
	guint32 crc;	/* CRC-32 of the members above and of the bytes that follow */
} KxRecordFrame;

#define KX_FRAME_RAW_MAX     (100u << 20)
#define KX_FRAME_SAMPLES_MAX (256u << 10)
/* zlib's best compression: a frame that claims more is damaged, or made to use up memory. */
#define KX_FRAME_RATIO_MAX 1100u

/* Among the records of the ring: a tracker with its own ranking reports accesses of a run (ranked in tracker/stream.h). */
#define KX_RECORD_RANKED 0x8001u
struct kx_rec_ranked {
	struct kvm_ext_record h;
	guint64 gfn, npages, accesses;
};

guint32 kx_record_crc(const KxRecordFrame *f, const void *stored);

#endif /* KX_RECORD_FORMAT_H */
