// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan.h"

KxPoint *kx_point_copy(const KxPoint *p)
{
	KxPoint *copy = g_new0(KxPoint, 1);

	*copy = *p;
	copy->working_set = g_strdup(p->working_set);
	copy->label = g_strdup(p->label);
	return copy;
}

void kx_point_free(KxPoint *p)
{
	g_free(p->working_set);
	g_free(p->label);
	g_free(p);
}
