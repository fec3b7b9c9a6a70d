/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ratio of two settings whose windows took turns.
 *
 * If all windows of one setting came first, a change with time (a busy hour, a guest that warms up) looks like a difference between the
 * two settings. If their windows took turns, the change shows in the windows themselves, and can be removed: fitted are a straight line
 * through the logarithms of the rates over the places of the windows, and a step between the two settings, which is the ratio. compare
 * (compare/effect.h) can remove more, because it chooses the order of its windows; here the order is the user's.
 *
 * The unit is a run: windows of one setting between two windows of the other.
 */
#ifndef KX_TURNS_H
#define KX_TURNS_H

#include "figure.h"

#define KX_TURNS_LEAST 2u /* runs of each of the two */

/* A window's part of a rate: @y for each @x. */
typedef struct {
	guint place; /* of the window among all of its VM */
	double y, x;
} KxTurn;

/**
 * kx_turns_ratio() - the rate of @own divided by the rate of @reference
 * @own: KxTurn, by place
 * @reference: likewise
 * @f: the ratio with its interval; n is the number of runs
 *
 * Return: NULL, or why there is no such ratio: a clause, static text.
 */
const char *kx_turns_ratio(const GArray *own, const GArray *reference, KxFigure *f);

#endif /* KX_TURNS_H */
