/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference between two comparisons: what changed from A to B for the settings that both have, with 95 % intervals.
 *
 * The two are independent runs, so the variances of their estimates add (Welch): a change has the standard error
 * sqrt(se_a² + se_b²), with Satterthwaite's degrees of freedom. The unit of repetition is the round, as within each comparison.
 * A slowdown changes by a ratio, computed from logarithms; all other figures change by a difference.
 *
 * A figure that was measured under conditions that exclude a comparison has no change and the reason: times of an emulated
 * host are valid only as ratios within one run, and a slowdown depends on the measure of guest progress. Other conditions that
 * differ are listed: the change may come from them.
 */
#ifndef KX_DIFFERENCE_H
#define KX_DIFFERENCE_H

#include "compare/comparison.h"

#define KX_DIFFERENCE_SCHEMA "kvm-ext-diff/1"

/* One figure of one setting. */
typedef struct {
	const KxComparedFigure *figure;
	const KxFigure *a, *b; /* members of the rows */
	KxFigure change;       /* @value, @low, @high or @na; @n: rounds of both */
	gboolean is_ratio;     /* @change is B / A; otherwise B - A */
	gboolean changed;      /* the interval of @change does not include "no change" */
} KxChange;

typedef struct {
	char *setting;	    /* in canonical form, as in setting.h */
	GPtrArray *changes; /* KxChange, in the order of kx_compared_figures */
} KxChangedSetting;

typedef struct {
	GPtrArray *rows_a, *rows_b; /* KxComparedRow */
	GPtrArray *differs;	    /* KxDiffers (sameness.h) */
	GPtrArray *only_a, *only_b; /* char *: settings that ran in one of the two only */
	GPtrArray *settings;	    /* KxChangedSetting */
	guint intervals,
		changed; /* number of changes with an interval; of these, those that exclude "no change" */
} KxDifference;

/*
 * NULL: the two have nothing that could be compared; @error says why. @a and @b must outlive the result.
 */
KxDifference *kx_difference_new(const KxComparison *a, const KxComparison *b, GError **error);
void kx_difference_free(KxDifference *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDifference, kx_difference_free)

/*
 * The change of an estimate, for tests of the method. Values, standard errors and degrees of freedom are taken from @a and @b; of a
 * ratio @se is that of the logarithm.
 */
KxFigure kx_change_of(const KxFigure *a, const KxFigure *b, gboolean is_ratio);

/* @name_a, @name_b: how the user named the two. @width: columns, 0 = no limit. */
char *kx_difference_to_text(const KxDifference *d, const KxComparison *a, const char *name_a,
			    const KxComparison *b, const char *name_b, guint width);
char *kx_difference_to_json(const KxDifference *d, const KxComparison *a, const KxComparison *b);

#endif /* KX_DIFFERENCE_H */
