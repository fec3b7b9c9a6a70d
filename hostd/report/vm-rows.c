// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes the rows of a report: windows with the same tracker and options are pooled into one row. */
#include "pool.h"

GPtrArray *kx_vm_rows(const KxVmReport *v, const char *reference)
{
	g_autoptr(GPtrArray) pools = kx_pools_new(v);
	GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_row_free);

	for (guint i = 0; i < pools->len; i++) {
		KxPool *p = pools->pdata[i];

		kx_row_figures(p);
		kx_truth_figures(p);
		kx_part_figures(p);
	}
	kx_lend_missed(pools);
	kx_compare_figures(pools, reference);
	kx_note_figures(pools, v);
	for (guint i = 0; i < pools->len; i++) {
		kx_note_truth(((KxPool *)pools->pdata[i])->row);
		g_ptr_array_add(rows, g_steal_pointer(&((KxPool *)pools->pdata[i])->row));
	}
	return rows;
}
