/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An axis in pieces: only the parts of a long axis that have something to show are drawn, in proportion, with gaps of equal size between
 * them. Otherwise time in which a tracker did not run, or memory that was never found, could be most of a picture.
 */
#ifndef KX_HTML_PIECES_H
#define KX_HTML_PIECES_H

#include <glib.h>

typedef struct {
	double from, until; /* values */
	double at, end;	    /* percent of the picture */
} KxPiece;

/* KxPiece, ascending. */
typedef GArray KxPieces;

KxPieces *kx_pieces_new(void);
/* Adds the next range, in ascending order; ranges that are nearer to each other than @near become one piece. */
void kx_pieces_add(KxPieces *p, double from, double until, double near);
/* Gives each piece its place; call this after all ranges were added. */
void kx_pieces_arrange(KxPieces *p);
/* The place of a value in percent; that of a value between two pieces is in the gap. -1: the value is outside of all pieces. */
double kx_pieces_place(const KxPieces *p, double value);

#endif /* KX_HTML_PIECES_H */
