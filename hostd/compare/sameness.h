/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether two comparisons were made under the same conditions: what has to be known before their figures are put side by side. */
#ifndef KX_SAMENESS_H
#define KX_SAMENESS_H

#include "compare/comparison.h"

typedef enum {
	KX_DIFFERS_HOST, /* kernel, CPU, firmware, versions, options */
	KX_DIFFERS_VM,	 /* number and sizes of VMs */
	KX_DIFFERS_PLAN, /* windows, layout, measure of progress */
} KxDiffersIn;

/* One condition that both comparisons name, and with different values. */
typedef struct {
	KxDiffersIn in;
	char *what, *a, *b;
} KxDiffers;

/* KxDiffers. A condition that one of the two does not know is not in the list: it may be the same. */
GPtrArray *kx_comparison_differs(const KxComparison *a, const KxComparison *b);

/*
 * KxDiffers, for a comparison @then that is to be continued: the above, and VMs that are not the same processes, as @now found
 * them.
 */
GPtrArray *kx_comparison_moved_on(const KxComparison *then, const KxComparison *now);

#endif /* KX_SAMENESS_H */
