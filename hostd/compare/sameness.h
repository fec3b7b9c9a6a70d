/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conditions under which two comparisons were made, and in which of them the two differ. */
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
 * KxDiffers, for a comparison @then that is to go on: the list above, and the VMs that are other processes in @now.
 */
GPtrArray *kx_comparison_moved_on(const KxComparison *then, const KxComparison *now);

#endif /* KX_SAMENESS_H */
