// SPDX-License-Identifier: GPL-2.0-or-later
#include "pieces.h"

#define GAP	 1.5  /* percent */
#define GAPS_MAX 25.0 /* of the picture, all gaps together */

static KxPiece *piece(const KxPieces *p, guint i)
{
	return &g_array_index(p, KxPiece, i);
}

KxPieces *kx_pieces_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(KxPiece));
}

void kx_pieces_add(KxPieces *p, double from, double until, double near)
{
	KxPiece *last = p->len ? piece(p, p->len - 1) : NULL;
	KxPiece next = { .from = from, .until = until };

	if (last && from - last->until <= near)
		last->until = MAX(last->until, until);
	else
		g_array_append_val(p, next);
}

void kx_pieces_arrange(KxPieces *p)
{
	double sum = 0, gap, scale, at = 0;

	if (!p->len)
		return;
	gap = p->len > 1 ? MIN(GAP, GAPS_MAX / (p->len - 1)) : 0;
	for (guint i = 0; i < p->len; i++)
		sum += piece(p, i)->until - piece(p, i)->from;
	scale = (100 - gap * (p->len - 1)) / sum;
	for (guint i = 0; i < p->len; i++) {
		KxPiece *x = piece(p, i);

		x->at = at;
		x->end = at + (x->until - x->from) * scale;
		at = x->end + gap;
	}
}

double kx_pieces_place(const KxPieces *p, double value)
{
	for (guint i = 0; i < p->len; i++) {
		const KxPiece *x = piece(p, i);

		if (value < x->from)
			return i ? (piece(p, i - 1)->end + x->at) / 2 : -1;
		if (value <= x->until)
			return x->at + (x->end - x->at) * (value - x->from) / (x->until - x->from);
	}
	return -1;
}
