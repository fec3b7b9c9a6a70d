// SPDX-License-Identifier: GPL-2.0-or-later
#include "format.h"

#include <zlib.h>

G_STATIC_ASSERT(sizeof(KxRecordHeader) == 16);
G_STATIC_ASSERT(sizeof(KxRecordFrame) == 24);
G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN); /* x86 is the only architecture of the project */

guint32 kx_record_crc(const KxRecordFrame *f, const void *stored)
{
	uLong crc = crc32_z(0, (const Bytef *)f, G_STRUCT_OFFSET(KxRecordFrame, crc));

	return (guint32)crc32_z(crc, stored, f->stored);
}
