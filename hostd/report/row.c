// SPDX-License-Identifier: GPL-2.0-or-later
#include "row.h"

/* --- figures and parts as data -------------------------------------------------------------------------------------- */

#define PART_OF(part) KX_PART_##part
#define PART_IS(part) PART_OF(part)
#define OTHER(member) G_STRUCT_OFFSET(KxRow, member)
#define HIDDEN	      .title = NULL
#define COLUMN(text, kind, bits, ...) \
	.title = (text), .cell = KX_CELL_##kind, .flags = (bits), .others = { __VA_ARGS__ }
#define SPEC(name, member, measure, is_given, sentences, ...)                                      \
	{                                                                                          \
		.key = (name), .unit = (measure), .offset = G_STRUCT_OFFSET(KxRow, member),        \
		.part = PART_IS(PART_NOW), .given = (is_given), .manual = (sentences), __VA_ARGS__ \
	}

const KxFigureSpec kx_figures[] = {
#define FIGURE(member, unit, column, formula, manual) \
	SPEC(#member, member, unit, FALSE, manual, column),
#define GIVEN(member, unit, column, manual) SPEC(#member, member, unit, TRUE, manual, column),
#define SHOWN(member, column, manual)	    SPEC(NULL, member, NULL, TRUE, manual, column),
#include "model/row.def"
	{ .offset = 0 },
};

const KxPartSpec kx_parts[KX_PARTS] = {
	[KX_PART_ANY] = { .has = -1 },
#define PART(id, name, member, why, title, sentences) \
	[KX_PART_##id] = { .none = (why),             \
			   .heading = (title),        \
			   .manual = (sentences),     \
			   .has = G_STRUCT_OFFSET(KxWindow, member) },
#define TABLE(id, name, title, sentences) \
	[KX_PART_##id] = { .heading = (title), .manual = (sentences), .has = -1 },
#include "model/parts.def"
};

/* --- rows ------------------------------------------------------------------------------------------------------------- */

void kx_row_free(KxRow *row)
{
	if (!row)
		return;
	for (const KxFigureSpec *f = kx_figures; f->offset; f++)
		kx_figure_clear(kx_row_figure(row, f->offset));
	g_free(row->tracker);
	g_free(row->options);
	g_free(row->mechanism);
	g_free(row);
}

char *kx_row_label(const GPtrArray *rows, guint index)
{
	const KxRow *row = rows->pdata[index];
	g_autofree char *name = kx_tracker_label(row->tracker, row->mechanism);
	guint same = 0, before = 0;

	for (guint i = 0; i < rows->len; i++) {
		if (!g_str_equal(((const KxRow *)rows->pdata[i])->tracker, row->tracker))
			continue;
		same++;
		before += i < index;
	}
	return same == 1 ? g_steal_pointer(&name) : g_strdup_printf("%s #%u", name, before + 1);
}

guint kx_row_called(const GPtrArray *rows, const char *name)
{
	guint by_tracker = rows->len, same = 0;

	for (guint i = 0; i < rows->len; i++) {
		g_autofree char *label = kx_row_label(rows, i);

		if (g_str_equal(label, name))
			return i;
		if (!g_str_equal(((const KxRow *)rows->pdata[i])->tracker, name))
			continue;
		by_tracker = i;
		same++;
	}
	return same == 1 ? by_tracker : rows->len;
}
