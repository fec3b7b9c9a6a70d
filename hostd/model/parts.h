/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of the account that only some trackers have: the dirty log, the walk of the page table, traps, …
 *
 * A part is one file, part-NAME.def. The file describes each counter and figure of the part once, and everything else is
 * generated from it: the members of KxWindow (window.h) and KxRow (report/row.h), the reading of the statistics
 * (account-stats.c), writing and reading JSON (fields.c, json-*.c), the pooling of windows (report/figures-parts.c), the tables
 * of the text report (report/text-tables.c) and the manual (docs/man/kvm-ext-report.1). A new part is a new file and its line in
 * parts-list.def; a new counter is one entry.
 *
 * The kinds of entries follow. The code that includes a .def file defines the kinds that it needs; part-begin.def defines the
 * other kinds as empty.
 *
 *	PART(id, name, has, none, heading, manual) … PART_END, and PART_NOW defined as @id in between
 *		The part KX_PART_<id>. @name: in JSON has_<name> says whether a window has the part (the statistics are
 *		has_module in JSON, as in earlier versions, in which only the module had statistics). @has: the gboolean of
 *		KxWindow; if it is FALSE, no member of the part is valid. @none: why a row without the part has none of its
 *		figures. @heading: the heading of the part's table. @manual: the text of the manual before the columns.
 *	TABLE(id, name, heading, manual) … PART_END
 *		A table of figures that all rows have. For each row, row->parts says whether the table shows it.
 *
 *	STAT(type, member, source)
 *		A counter of the window, read from the statistics of the module: @source is an expression of @st, struct
 *		kvm_ext_stats. @type: U64, U32, I64, DOUBLE, BOOL, STRING.
 *	PASS_STAT(member)
 *		A STAT that the record of each pass (struct kvm_ext_rec_pass_end) also has, under the same name.
 *	TOLD(type, member, source)
 *		A counter of a tracker outside the module. The file of the tracker defines the variables in @source.
 *	KEPT(type, member)
 *		A member that the account itself sets: from records, or from the requested options.
 *	KEPT_AT(type, key, path)
 *		The same, for a number inside a struct of the window: @key in JSON, @path from the window.
 *	KEPT_NA(type, member, na)
 *		The same; @na is the KEPT(STRING) that says why this member is not known. If @na is set, JSON has no value.
 *	KEPT_LATER(type, member)
 *		The same, for a member that reports of earlier versions do not have. If it is missing, it is 0 or NULL.
 *	LATER(type, member, source)
 *		A STAT that reports of earlier versions do not have. After reading such a report, <member>_na is set.
 *	TOLD_LATER(type, member, source)
 *		The same for a TOLD.
 *
 *	TOTAL(name, unit, needs, value, help)
 *		A counter over all windows of a tracker, for Prometheus: kvm_ext_tracker_<name>[_<unit>]_total. @unit: "seconds", or ""
 *		for numbers of things. @value: a double, an expression of @w; NAN: not known. @needs: KX_TOTAL_ANY, or PASSES, SAMPLES:
 *		trackers without these do not have this counter. @help: a sentence; NULL: the manual's of the figure with this name.
 *
 *	FIGURE(member, unit, column, formula, manual)
 *		A figure of the row; its JSON key is @member. @formula: how windows are pooled, written with the macros of
 *		report/formula.h. @column: COLUMN(title, cell, flags, others) in the part's table (report/row.h), or HIDDEN.
 *		@manual: sentences in mdoc(7); if empty, the text of the previous column also describes this figure.
 *	GIVEN(member, unit, column, manual)
 *		A figure that cannot be written as a formula: report/figures*.c computes it, also in rows without the part.
 *	SHOWN(member, column, manual)
 *		A further column for a figure that another entry describes.
 *	ASIDE(type, member, value)
 *		A member of the row that is not a figure; the report uses it in sentences.
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
