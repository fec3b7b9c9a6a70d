/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A comparison: which settings ran on which VMs in which order, what was measured of each, and what is concluded from it.
 * What was measured is kept and saved; what is concluded (rows) is computed from it wherever it is shown, so that a saved
 * comparison can be read by a newer program.
 */
#ifndef KX_COMPARISON_H
#define KX_COMPARISON_H

#include <glib.h>

#include "compare/stretch.h"
#include "model/report.h"

#define KX_COMPARISON_SCHEMA "kvm-ext-compare/1"

/* How a setting's windows lie over the VMs. */
typedef enum {
	KX_TOGETHER, /* all run the same setting at a time */
	KX_LATIN,    /* each another one */
} KxLayout;

typedef struct {
	char *label, *text; /* as in setting.h */
	char *sees;	    /* footnote on its recall and precision; NULL: none */
	char *left_out;	    /* why it did not run; NULL: it did */
} KxComparedSetting;

typedef struct {
	char *name, *uuid;
	guint32 pid, vcpus;
	guint64 ram_pages;
	char *ended;	   /* why it ended before the comparison did; NULL: it did not */
	GPtrArray *doubts; /* char * */
	/* KxStretch, [round * settings + setting]; NULL where none was measured yet */
	GPtrArray *stretches;
} KxComparedVm;

typedef struct {
	KxReport *host; /* its header, without VMs: on what this was measured */
	guint64 seed, window_ns, settle_ns;
	gint64 start_realtime_ns, end_realtime_ns;
	KxLayout layout;
	guint rounds; /* that were begun */
	char *progress; /* what guest progress is: "units of work by the workload's log"; NULL: @progress_na */
	char *progress_na;
	char *stopped; /* why there are fewer rounds than were asked for; NULL: there are not */
	char *command; /* what was typed */
	GPtrArray *settings; /* KxComparedSetting; the first is the reference */
	GPtrArray *vms;	     /* KxComparedVm */
	GPtrArray *doubts;   /* char *: of the host, and what changed */
} KxComparison;

KxComparison *kx_comparison_new(void);
void kx_comparison_free(KxComparison *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxComparison, kx_comparison_free)

KxComparedSetting *kx_comparison_add_setting(KxComparison *c, const char *label, const char *text);
/* After all settings. */
KxComparedVm *kx_comparison_add_vm(KxComparison *c, const char *name);
/* Takes @s. */
void kx_comparison_put(KxComparison *c, guint vm, guint round, guint setting, KxStretch *s);
/* NULL: not measured. */
const KxStretch *kx_comparison_at(const KxComparison *c, guint vm, guint round, guint setting);

char *kx_comparison_to_json(const KxComparison *c);
KxComparison *kx_comparison_from_json(const char *json, GError **error);

/* --- what is concluded -------------------------------------------------------------------------------------------- */

/* Of one setting, over rounds; intervals are of 95 %. */
typedef struct {
	const char *label; /* the setting's */
	const char *left_out;
	guint windows; /* that were measured, of all VMs */
	guint failed;  /* that were not: see the stretches */
	KxFigure
		slowdown; /* the guest's time for a unit of work, over that without tracking; 1.05: 5 % more */
	char *difference; /* "no difference found (smaller than 2.1 %)"; NULL: there is one, or nothing is known */
	/* CPU time for each sample: the host's threads; what the vCPUs lost by the slowdown; both */
	KxFigure host_ns, guest_ns, total_ns;
	KxFigure samples_per_s, host_cpu_percent, guest_cpu_percent; /* of one CPU */
	KxFigure recall, precision; /* of what the tracker can see */
	KxFigure exits_per_s, flushes_per_s, ipis_per_s;
	KxFigure lost_samples; /* in all */
	KxFigure carry_over;   /* p of the test whether the setting before mattered */
	gboolean marked;       /* it did, or the place in the round */
	char *mark;	       /* which of them; NULL: none */
} KxComparedRow;

/* Each figure of a row, described once: JSON, text and whoever else shows them go through these. */
typedef enum {
	KX_CELL_RATIO,
	KX_CELL_NS,
	KX_CELL_RATE, /* a number, a second or in all */
	KX_CELL_PERCENT,
	KX_CELL_SHARE, /* 0 to 1 */
	KX_CELL_P,
} KxCellKind;

typedef struct {
	const char *key;   /* in the JSON */
	const char *title; /* of its column, up to two lines; NULL: not in the table */
	KxCellKind kind;
	gboolean boxed; /* what a comparison is made for */
	gsize offset;	/* of the KxFigure in KxComparedRow */
} KxComparedFigure;

extern const KxComparedFigure kx_compared_figures[]; /* ends with key NULL */
KxFigure *kx_compared_figure(KxComparedRow *row, const KxComparedFigure *f);

void kx_compared_row_free(KxComparedRow *row);
/* A row a setting (KxComparedRow), of all VMs together. @vm: G_MAXUINT, or of this one alone. */
GPtrArray *kx_comparison_rows(const KxComparison *c, guint vm);
/* Rounds in all after which each slowdown is known to @precision; G_MAXUINT: not known yet; 0: there is no progress to go by. */
guint kx_comparison_rounds_for(const KxComparison *c, double precision);

/* For people. @width: columns, 0 = no limit. */
char *kx_comparison_to_text(const KxComparison *c, guint width);

#endif /* KX_COMPARISON_H */
