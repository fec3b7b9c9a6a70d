// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement.h"

#include "fields.h"

KxPlacement *kx_placement_new(void)
{
	KxPlacement *p = g_new0(KxPlacement, 1);

	p->nodes = g_array_new(FALSE, TRUE, sizeof(KxPlacedNode));
	return p;
}

KxPlacement *kx_placement_unknown(char *reason)
{
	KxPlacement *p = kx_placement_new();

	p->na = reason;
	p->hot_na = g_strdup(reason);
	p->slow_na = g_strdup(reason);
	return p;
}

KxPlacement *kx_placement_copy(const KxPlacement *p)
{
	KxPlacement *c;

	if (!p)
		return NULL;
	c = g_new(KxPlacement, 1);
	*c = *p;
	kx_copy_strings(kx_placement_fields, c);
	c->nodes = g_array_copy(p->nodes);
	return c;
}

void kx_placement_free(KxPlacement *p)
{
	if (!p)
		return;
	kx_free_strings(kx_placement_fields, p);
	g_array_unref(p->nodes);
	g_free(p);
}
