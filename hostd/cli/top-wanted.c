// SPDX-License-Identifier: GPL-2.0-or-later
#include "top-run.h"

static gboolean is_wanted(const TopOptions *o, const TopRow *row)
{
	const char *name = "";

	g_variant_lookup(row->vm, "name", "&s", &name);
	for (char **t = o->wanted; *t; t++) {
		if (cli_is_called(name, row->vm, *t))
			return TRUE;
	}
	return !*o->wanted;
}

GPtrArray *top_wanted_rows(const TopOptions *o, GVariant *list, GVariant *stats, GHashTable **seen)
{
	GPtrArray *rows = top_rows(list, stats, seen);

	for (guint i = rows->len; i-- > 0;) {
		if (!is_wanted(o, rows->pdata[i]))
			g_ptr_array_remove_index(rows, i);
	}
	top_sort(rows, o->sort, FALSE);
	return rows;
}
