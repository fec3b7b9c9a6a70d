/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of the account that only some trackers have: the dirty log, the walk of the page table, traps, …
 *
 * A part is one file, part-NAME.def. It describes each of its counters and figures once; everything else is made of that:
 * the members of KxWindow (window.h) and KxRow (report/row.h), what is read from the statistics (account-stats.c), JSON both
 * ways (fields.c, json-*.c), how windows pool (report/figures-parts.c), the tables of the text (report/text-tables.c) and
 * the manual (docs/man/kvm-ext-report.1). A new part is a new file and its line in parts-list.def; a new counter is one entry.
 *
 * An entry is one of these. Whoever includes a .def file defines the kinds it is about; part-begin.def makes nothing of the
 * others.
 *
 *	PART(id, name, has, none, heading, manual) … PART_END, and PART_NOW defined as @id in between
 *		KX_PART_<id>. @name: in JSON has_<name> says that it is there (statistics are has_module there, as in
 *		reports from when only the module had any). @has: the gboolean of KxWindow without which nothing of it is valid. @none: why a row without
 *		the part has none of its figures. @heading: of its table. @manual: what the manual says before its columns.
 *	TABLE(id, name, heading, manual) … PART_END
 *		A table of figures that all rows have; the part says of which rows the table speaks.
 *
 *	STAT(type, member, source)
 *		A counter of the window, read from the statistics of the module: @source is an expression of @st, struct
 *		kvm_ext_stats. @type: U64, U32, I64, DOUBLE, BOOL, STRING.
 *	PASS_STAT(member)
 *		A STAT of the same name that the record of each pass has, too (struct kvm_ext_rec_pass_end).
 *	TOLD(type, member, source)
 *		The same of a tracker that is not the module's: its own file says what @source is an expression of.
 *	KEPT(type, member)
 *		What the account keeps itself: from records, or from what was asked for.
 *	KEPT_NA(type, member, na)
 *		@na: the KEPT(STRING) that says why this is not known; while that is set, JSON has no value.
 *	LATER(type, member, source)
 *		A STAT of which earlier versions wrote reports without it: its member <member>_na says so where one is read.
 *
 *	FIGURE(member, unit, column, formula, manual)
 *		A figure of the row, in JSON by the name of its member. @formula: how windows pool, in the words of
 *		report/formula.h. @column: COLUMN(title, cell, flags, others) in the part's table (report/row.h), or HIDDEN.
 *		@manual: sentences, mdoc(7); where they are empty the column before it speaks for this one.
 *	GIVEN(member, unit, column, manual)
 *		A figure that has more to it than a formula: report/figures*.c computes it, in rows without the part as well.
 *	SHOWN(member, column, manual)
 *		Another column that shows a figure which is described already.
 *	ASIDE(type, member, value)
 *		A member of the row that is no figure: sentences are made of it.
 */
#ifndef KX_PARTS_H
#define KX_PARTS_H

typedef enum {
	KX_PART_ANY, /* all rows */
#define PART(id, name, has, none, heading, manual) KX_PART_##id,
#define TABLE(id, name, heading, manual)	   KX_PART_##id,
#include "model/parts.def"
	KX_PARTS
} KxPart;

#define KX_PART_BIT(id) (1u << KX_PART_##id)

/* Types of members, as C has them. */
#define KX_TYPE_U64    guint64
#define KX_TYPE_U32    guint32
#define KX_TYPE_I64    gint64
#define KX_TYPE_DOUBLE double
#define KX_TYPE_BOOL   gboolean
#define KX_TYPE_STRING char *

/* Sets a member of a type to a value: a string is copied. */
#define KX_PUT_U64(to, value)	 ((to) = (value))
#define KX_PUT_U32(to, value)	 ((to) = (value))
#define KX_PUT_I64(to, value)	 ((to) = (value))
#define KX_PUT_DOUBLE(to, value) ((to) = (value))
#define KX_PUT_BOOL(to, value)	 ((to) = (value))
#define KX_PUT_STRING(to, value) kx_set_text(&(to), value)

#endif /* KX_PARTS_H */
