/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An axis in pieces: of a long axis, only what has something to show is shown, in proportion, with gaps of one size between. Time
 * in which a tracker did not run, and memory that was never found, would else be most of a picture.
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
/* Adds what follows; ranges that are nearer than @near to each other become one piece. */
void kx_pieces_add(KxPieces *p, double from, double until, double near);
/* Call this after all pieces were added: gives each its place. */
void kx_pieces_arrange(KxPieces *p);
/* In percent; a value between two pieces is in the gap. -1: outside of all pieces. */
double kx_pieces_place(const KxPieces *p, double value);

#endif /* KX_HTML_PIECES_H */
