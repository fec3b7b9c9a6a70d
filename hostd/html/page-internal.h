/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that write the page. */
#ifndef KX_HTML_PAGE_INTERNAL_H
#define KX_HTML_PAGE_INTERNAL_H

#include "axis.h"
#include "page.h"
#include "report/row.h"
#include "write.h"

/* A VM of the report. */
typedef struct {
	const KxVmReport *v;
	GPtrArray *rows; /* KxRow */
	char *name;
	char *scope; /* "vm-0": where in the page its values are */
} KxPageVm;

/* A comparison, or a point of an experiment. */
typedef struct {
	const KxComparison *c;
	const KxExperimentPoint *point; /* NULL: a comparison by itself */
	GPtrArray *runs;		/* KxRunRow; NULL without @point */
	GPtrArray *rows;		/* KxComparedRow */
	char *heading;			/* of a point */
	char *scope;			/* "comparison-0" */
} KxPageTrial;

typedef struct {
	KxHtml *h;
	const KxPageOf *of;
	const KxReport *host; /* the header with the host of the measurements; NULL: not known */
	GPtrArray *vms;	      /* KxPageVm */
	GPtrArray *trials;    /* KxPageTrial */
	GPtrArray *footnotes; /* char *, of the whole page; number = index + 1 */
} KxPage;

/* Why a page without a report has none of its pictures. */
#define KX_PAGE_NO_HEAT                                                                       \
	"a comparison keeps no heat of memory; the report of the VMs has it (kvm-ext report " \
	"--html FILE --comparison ID)"

/* --- sections, in the order of the page (page.c): one file each ------------------------------------------------------- */

void kx_page_answer(KxPage *p);
void kx_page_cost(KxPage *p);
void kx_page_accuracy(KxPage *p);
void kx_page_timeline(KxPage *p);
void kx_page_map(KxPage *p);
void kx_page_working_set(KxPage *p);
void kx_page_ages(KxPage *p);
void kx_page_placement(KxPage *p);
void kx_page_agreement(KxPage *p);
void kx_page_environment(KxPage *p);
void kx_page_notes(KxPage *p);

/* --- words, values and tables (values.c) ------------------------------------------------------------------------------ */

/* "n/a: REASON.", instead of a picture. */
void kx_page_absent(KxPage *p, const char *reason);
/* A heading inside a section, of a VM or a point; nothing if the page has only one of them. */
void kx_page_vm_heading(KxPage *p, const KxPageVm *v);
void kx_page_trial_heading(KxPage *p, const KxPageTrial *t);
/* A paragraph. */
void kx_page_say(KxPage *p, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A link to a footnote. */
void kx_page_footnote(KxPage *p, const char *words);
/*
 * A figure as @text (ignored if the figure is n/a), with its footnote, and with all its digits in attributes, for programs. @key: as in
 * JSON; NULL: without these attributes.
 */
void kx_page_value(KxPage *p, const char *key, const KxFigure *f, const char *text);

/* A table that can be hidden, below a picture. @scope: of its values; may be NULL. */
void kx_page_table_open(KxPage *p, const char *summary, const char *scope);
void kx_page_table_close(KxPage *p);
/* The head; @titles ends with NULL; a title has up to two lines. */
void kx_page_table_head(KxPage *p, const char *const *titles);
/* A row, whose first cell is @label. */
void kx_page_row_open(KxPage *p, const char *label);
void kx_page_row_close(KxPage *p);
void kx_page_cell(KxPage *p, const char *text);
/* Takes @text. */
void kx_page_cell_take(KxPage *p, char *text);
void kx_page_cell_figure(KxPage *p, const char *key, const KxFigure *f, const char *text);

/* All figures of a VM's rows, or of a comparison's rows, in the columns of the text report (tables.c). */
void kx_page_vm_tables(KxPage *p, const KxPageVm *v);
void kx_page_trial_tables(KxPage *p, const KxPageTrial *t);

/* "2026-11-30 06:00:00 UTC" */
char *kx_page_time(gint64 realtime_ns);

/* --- pictures (plot.c): rows with a label, a lane and a value --------------------------------------------------------- */

void kx_plot_open(KxPage *p, const char *title, const char *scope);
void kx_plot_close(KxPage *p);
/* The legend: what each mark or colour means. */
void kx_plot_legend_open(KxPage *p);
void kx_plot_legend(KxPage *p, const char *class, const char *words);
void kx_plot_legend_close(KxPage *p);
/* A row: between open and value, elements are drawn into the lane; between value and close, the value is written. */
void kx_plot_lane_open(KxPage *p, const char *label, const KxAxis *a, guint height);
void kx_plot_lane_value(KxPage *p);
void kx_plot_lane_close(KxPage *p);
void kx_plot_axis(KxPage *p, const KxAxis *a, char *(*tick)(double value), const char *title);

/* Marks in the lane, in the place of a value; @y: pixels from above. */
void kx_plot_mark(KxPage *p, const KxAxis *a, const char *class, double value, double y);
/* The figure with its interval; what is not on the axis is shown as arrows. Nothing if it is n/a. */
void kx_plot_figure(KxPage *p, const KxAxis *a, const char *class, const KxFigure *f, double y);
/* A bar from @from to @to. */
void kx_plot_bar(KxPage *p, const KxAxis *a, const char *class, double from, double to, double y,
		 double height);
/* A tooltip of the element that is open. */
void kx_plot_title(KxPage *p, const char *words);

/* Dots with intervals, a lane for each series. */
typedef struct {
	const char *class;  /* "host", "guest", "total": shape and colour */
	const char *legend; /* NULL: none */
	const char *key;
	gboolean is_of_few; /* rows without the figure do not say so */
} KxPlotSeries;

#define KX_SERIES_MAX 3u

typedef struct {
	char *label;
	const KxFigure *figures[KX_SERIES_MAX];
	char *texts[KX_SERIES_MAX]; /* of values that are not n/a */
} KxPlotRow;

typedef struct {
	const char *scope, *title, *axis_title;
	const KxPlotSeries *series;
	guint n;
	gboolean is_log;
	double also; /* a value that the axis includes; NAN: none */
	char *(*tick)(double value);
} KxPlot;

GPtrArray *kx_plot_rows_new(void);
/* Takes @label. */
KxPlotRow *kx_plot_row_add(GPtrArray *rows, char *label);
void kx_plot_dots(KxPage *p, const KxPlot *plot, const GPtrArray *rows);

#endif /* KX_HTML_PAGE_INTERNAL_H */
