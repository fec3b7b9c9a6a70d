// SPDX-License-Identifier: GPL-2.0-or-later
#include "framemap.h"

#define PIECE_FRAMES 4096u
#define PER_WORD     32u

typedef struct {
	guint64 index; /* its first frame / PIECE_FRAMES; the key */
	guint64 words[PIECE_FRAMES / PER_WORD];
} Piece;

struct _KxFrameMap {
	GHashTable *pieces; /* &Piece.index: Piece */
	Piece *last;	    /* that was asked for: frames near each other follow each other */
};

KxFrameMap *kx_frame_map_new(void)
{
	KxFrameMap *m = g_new0(KxFrameMap, 1);

	m->pieces = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	return m;
}

void kx_frame_map_free(KxFrameMap *m)
{
	if (!m)
		return;
	g_hash_table_unref(m->pieces);
	g_free(m);
}

void kx_frame_map_clear(KxFrameMap *m)
{
	m->last = NULL;
	g_hash_table_remove_all(m->pieces);
}

static Piece *piece_of(KxFrameMap *m, guint64 frame)
{
	guint64 index = frame / PIECE_FRAMES;

	if (!m->last || m->last->index != index)
		m->last = g_hash_table_lookup(m->pieces, &index);
	return m->last;
}

guint kx_frame_map_get(KxFrameMap *m, guint64 frame)
{
	const Piece *p = piece_of(m, frame);

	return p ? p->words[frame % PIECE_FRAMES / PER_WORD] >> frame % PER_WORD * 2 & 3 : 0;
}

void kx_frame_map_put(KxFrameMap *m, guint64 frame, guint value)
{
	Piece *p = piece_of(m, frame);
	guint64 *word;
	guint shift = frame % PER_WORD * 2;

	if (!p) {
		p = g_new0(Piece, 1);
		p->index = frame / PIECE_FRAMES;
		g_hash_table_insert(m->pieces, &p->index, p);
		m->last = p;
	}
	word = p->words + frame % PIECE_FRAMES / PER_WORD;
	*word = (*word & ~(3ull << shift)) | (guint64)(value & 3) << shift;
}

gsize kx_frame_map_bytes(const KxFrameMap *m)
{
	return sizeof(*m) + g_hash_table_size(m->pieces) * sizeof(Piece);
}
