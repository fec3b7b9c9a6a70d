/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top: the VMs as rows of a table, their order, and what is visible of them. Nothing here knows a terminal or the daemon. */
#ifndef KX_TOP_MODEL_H
#define KX_TOP_MODEL_H

#include <glib.h>

#include "model/figure.h"

typedef enum {
	TOP_NAME,
	TOP_TRACKER,
	TOP_STATE,
	TOP_SAMPLES,
	TOP_COST,
	TOP_CPU,
	TOP_FOUND,
	TOP_SETTING,
	TOP_COLUMNS
} TopColumn;

typedef struct {
	GVariant *vm; /* of the daemon's list */
	char *key;    /* the same at each refresh, and of no other VM */
	gboolean attached;
	char *cells[TOP_COLUMNS];      /* without characters that a terminal would interpret */
	KxFigure figures[TOP_COLUMNS]; /* only of columns that are numbers */
} TopRow;

/* "samples", the word of --sort; "SAMPLES/S". */
const char *top_column_word(TopColumn c);
const char *top_column_title(TopColumn c);
gboolean top_column_is_number(TopColumn c);
/* FALSE: there is no such column. */
gboolean top_column_from_word(const char *word, TopColumn *c);
char *top_column_words(void); /* "name, tracker, ..." */

/*
 * A row (TopRow) for each VM of @list, with the figures of @stats: both are the daemon's answers (aa{sv}). @seen: the counters of
 * the refresh before, by which rates are computed; replaced by those of this refresh. NULL: none.
 */
GPtrArray *top_rows(GVariant *list, GVariant *stats, GHashTable **seen);
/* Numbers: the largest first; texts: in alphabetical order. What is n/a comes last, also if @reverse. */
void top_sort(GPtrArray *rows, TopColumn by, gboolean reverse);

/* Widths of the columns, with one space between them, that fit in @width (0: no limit). A column may get 0: not shown. */
void top_widths(const GPtrArray *rows, guint width, guint widths[TOP_COLUMNS]);
/* @text in exactly @width columns: padded, or cut with a mark. */
char *top_fit(const char *text, guint width, gboolean right);
/* The cell of a row (NULL: the title) in exactly this width. */
char *top_cell(const TopRow *row, TopColumn c, guint width);
/* The table as text. */
char *top_table(const GPtrArray *rows, guint width);
/* Everything about a VM in one line. */
char *top_detail(const TopRow *row);

/* The selected row and the first visible one. */
typedef struct {
	guint selected, first;
	char *key; /* of the selected VM; NULL: none yet */
} TopView;

/* Finds the selected VM again after the rows changed; if it is gone, the row in its place is selected. */
void top_view_follow(TopView *v, const GPtrArray *rows);
/* Moves the selection by @by rows, as far as there are any. */
void top_view_move(TopView *v, const GPtrArray *rows, gint64 by);
/* Scrolls so that the selected row is one of @visible ones. */
void top_view_scroll(TopView *v, guint rows, guint visible);

/* The tracker after @now in the list of all trackers; after the last one, or if there is no @now, the first. */
const char *top_next_tracker(const char *now);
/* "abit interval=100ms" as the argument of Attach and SetTracker (a{sv}, floating); NULL: @error is set. */
GVariant *top_setting(const char *text, GError **error);
/* The TARGET string of the row's VM: its process, because several VMs may have the same name. */
char *top_target(const TopRow *row);

#endif /* KX_TOP_MODEL_H */
