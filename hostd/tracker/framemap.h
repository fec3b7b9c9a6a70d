/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two bits for each page frame of the host that they were put for: 0 for all others. The map has 1 KiB for each stretch of 4096
 * frames (16 MiB) in which there is one: where a VM's memory is dense, 1/16384 of that memory, and never more than 1/16384 of the
 * host's.
 */
#ifndef KX_FRAMEMAP_H
#define KX_FRAMEMAP_H

#include <glib.h>

typedef struct _KxFrameMap KxFrameMap;

KxFrameMap *kx_frame_map_new(void);
void kx_frame_map_free(KxFrameMap *m);
/* All frames have 0 again. */
void kx_frame_map_clear(KxFrameMap *m);

guint kx_frame_map_get(KxFrameMap *m, guint64 frame);
/* @value: 0 to 3. */
void kx_frame_map_put(KxFrameMap *m, guint64 frame, guint value);

gsize kx_frame_map_bytes(const KxFrameMap *m);

#endif /* KX_FRAMEMAP_H */
