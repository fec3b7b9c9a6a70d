/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A comparison: the settings that ran, the VMs, the order, the measurements of each window, and the conclusions. The
 * measurements are kept and saved. The conclusions (rows) are computed from the measurements each time they are shown, so that
 * a newer program can read a saved comparison.
 *
 * The JSON form is the only description of a saved comparison: a file has it as a whole, and the store (store/store.h) in parts.
 */
#ifndef KX_COMPARISON_H
#define KX_COMPARISON_H

#include <glib.h>

#include "compare/stretch.h"
#include "model/figure.h"
#include "model/report.h"

#define KX_COMPARISON_SCHEMA "kvm-ext-compare/1"
/* No comparison has more: a file that claims more is refused. */
#define KX_COMPARISON_ROUNDS_MAX   1000u
#define KX_COMPARISON_SETTINGS_MAX 64u
#define KX_COMPARISON_WINDOWS_MAX  (1u << 20) /* VMs x rounds x settings, of one that is read */

/* How settings are distributed over the VMs. */
typedef enum {
	KX_TOGETHER, /* all VMs run the same setting at a time */
	KX_LATIN,    /* each VM runs a different setting */
} KxLayout;

typedef struct {
	char *label, *text; /* as in setting.h */
	char *sees;	    /* footnote on recall and precision; NULL: none */
	char *left_out;	    /* why the setting did not run; NULL: it ran */
} KxComparedSetting;

typedef struct {
	char *name, *uuid;
	guint32 pid, vcpus;
	guint64 started; /* of the process @pid: kx_procstat_started(); 0: not known */
	guint64 ram_pages;
	char *emulated_by; /* who emulates the vCPUs, as in model/vm.h; NULL: KVM runs them, or an older version did not note it */
	char *ended;	   /* why the VM ended before the comparison; NULL: it did not */
	GPtrArray *doubts; /* char * */
	/* KxStretch, [round * settings + setting]; NULL: not measured yet */
	GPtrArray *stretches;
} KxComparedVm;

/* What the user asked for, beside the settings. A comparison that was interrupted goes on with it. */
typedef struct {
	guint rounds;
	double precision;	/* 0: none */
	char *progress_command; /* NULL: none */
	char **logs;		/* "[NAME=]FILE"; NULL: none */
	char *directory; /* where file names and the command above are valid; NULL: not known */
} KxComparedPlan;

typedef struct {
	char *id;	/* in the store; NULL: not kept */
	KxReport *host; /* a report's header without VMs: the host of the measurements */
	guint64 seed, window_ns, settle_ns;
	gint64 start_realtime_ns, end_realtime_ns;
	KxLayout layout;
	guint rounds; /* begun rounds */
	guint whole;  /* of these, the first ones in which every window was run */
	KxComparedPlan asked;
	GPtrArray *environment; /* KxFact (vm/environment.h) */
	char *progress; /* the measure of guest progress: "units of work by the workload's log"; NULL: @progress_na */
	char *progress_na;
	char *llc_na; /* why last-level-cache misses were not counted, of the first VM; NULL: they were */
	char *stopped;	     /* why there are fewer rounds than requested; NULL: there are not */
	char *command;	     /* the command line */
	GPtrArray *settings; /* KxComparedSetting; the first is the reference */
	GPtrArray *vms;	     /* KxComparedVm */
	GPtrArray *doubts;   /* char *: on the host, and on changes meanwhile */
} KxComparison;

KxComparison *kx_comparison_new(void);
void kx_comparison_free(KxComparison *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxComparison, kx_comparison_free)

KxComparedSetting *kx_comparison_add_setting(KxComparison *c, const char *label, const char *text);
/* Call this after all settings were added. */
KxComparedVm *kx_comparison_add_vm(KxComparison *c, const char *name);
/* Takes ownership of @s. */
void kx_comparison_put(KxComparison *c, guint vm, guint round, guint setting, KxStretch *s);
/* NULL: this window was not measured. */
const KxStretch *kx_comparison_at(const KxComparison *c, guint vm, guint round, guint setting);

/* Forgets all rounds from @rounds on. */
void kx_comparison_cut(KxComparison *c, guint rounds);

char *kx_comparison_to_json(const KxComparison *c);
KxComparison *kx_comparison_from_json(const char *json, GError **error);

/*
 * The same in parts. The head has everything but windows and conclusions; kx_comparison_from_json() reads it as a comparison
 * without windows. kx_comparison_take_round() adds the windows of one round to that comparison; FALSE: @json is no round of it.
 */
char *kx_comparison_head_to_json(const KxComparison *c);
char *kx_comparison_round_to_json(const KxComparison *c, guint round);
gboolean kx_comparison_take_round(KxComparison *c, const char *json, GError **error);

/* --- conclusions -------------------------------------------------------------------------------------------------- */

/* The figures of one setting over rounds, with 95 % intervals. */
typedef struct {
	const char *label; /* the setting's */
	const char *left_out;
	guint windows; /* measured windows, of all VMs */
	guint failed;  /* windows that failed: see the stretches */
	guint stalled; /* of the measured ones, those in which the guest made no progress: the slowdown is without them */
	guint untold; /* of the measured ones, those of which the progress is not known: the slowdown is without them as well */
	KxFigure
		slowdown; /* the guest's time per unit of work, divided by that without tracking; 1.05: 5 % more */
	char *difference; /* "no difference found (smaller than 2.1 %)"; NULL: there is a difference, or nothing is known */
	/* CPU time per sample: of the host's threads; of the vCPUs, lost by the slowdown; the sum */
	KxFigure host_ns, guest_ns, total_ns;
	KxFigure samples_per_s, host_cpu_percent, guest_cpu_percent; /* of one CPU */
	KxFigure vmm_cpu_percent;   /* of the VMM's threads that run no vCPU */
	KxFigure recall, precision; /* relative to what the tracker can see */
	KxFigure exits_per_s, flushes_per_s, ipis_per_s;
	KxFigure lost_samples;	 /* in all */
	KxFigure memory_per_gib; /* bytes */
	KxFigure carry_over;	 /* p of the test whether the setting before mattered */
	/*
	 * Of what slowdown - 1 consists, in percent: exits (without those for flushes), interrupts for flushes, vCPUs waiting for a CPU,
	 * CPU time of samplers in the guest; their sum, and the rest. explained + unexplained = (slowdown - 1) * 100.
	 */
	KxFigure exits_percent, flushes_percent, waiting_percent, samplers_percent;
	KxFigure explained_percent, unexplained_percent;
	KxFigure ns_per_exit; /* vCPU time outside of the guest per additional exit */
	/*
	 * Misses of the last-level cache in guest mode; and the slowdown that is expected from them, which a host can know without
	 * the guest's help.
	 */
	KxFigure llc_per_s, llc_per_1000, llc_slowdown;
	gboolean marked; /* the setting before, or the position in the round, mattered */
	char *mark;	 /* which of the two; NULL: none */
} KxComparedRow;

/* Each figure of a row is described once: JSON, text and all other output go through this table. */
typedef enum {
	KX_COMPARED_RATIO,
	KX_COMPARED_NS,
	KX_COMPARED_RATE, /* a number, per second or in total */
	KX_COMPARED_BYTES,
	KX_COMPARED_PERCENT,
	KX_COMPARED_POINTS, /* percent, with its interval */
	KX_COMPARED_SHARE,  /* 0 to 1 */
	KX_COMPARED_P,
} KxComparedKind;

/* Tables of the text. */
typedef enum {
	KX_TABLE_MAIN,
	KX_TABLE_PARTS, /* of what the slowdown consists */
} KxComparedTable;

typedef struct {
	const char *key;   /* in the JSON */
	const char *title; /* of its column, up to two lines; NULL: not in the table */
	KxComparedKind kind;
	gboolean boxed; /* one of the main figures of a comparison */
	gsize offset;	/* of the KxFigure in KxComparedRow */
	KxComparedTable table;
} KxComparedFigure;

extern const KxComparedFigure kx_compared_figures[]; /* ends with key NULL */
KxFigure *kx_compared_figure(KxComparedRow *row, const KxComparedFigure *f);

/* A figure as text for users; the caller frees it. */
char *kx_compared_cell(KxComparedKind kind, const KxFigure *f);

void kx_compared_row_free(KxComparedRow *row);
/* Why the setting with this index has no samples, whatever it did; NULL: it has. */
const char *kx_compared_no_samples(const KxComparison *c, guint setting);
/* One row (KxComparedRow) per setting. @vm: G_MAXUINT for all VMs together, or the index of one VM. */
GPtrArray *kx_comparison_rows(const KxComparison *c, guint vm);
/* Total number of rounds after which each slowdown is known to @precision; G_MAXUINT: not known yet; 0: guest progress is not known. */
guint kx_comparison_rounds_for(const KxComparison *c, double precision);

/* --- text --------------------------------------------------------------------------------------------------------- */

/* As kx_text_fold(), with further lines two columns deeper; @mark stands before the text, if it is not 0. */
void kx_compared_fold(GString *out, guint width, guint indent, char mark, const char *text);
/* The same; takes @line. */
void kx_compared_line(GString *out, guint width, guint indent, char mark, char *line);
/* "4 rounds"; if an interrupt ended a round: "1 whole round and a part of another". The caller frees it. */
char *kx_rounds_text(guint whole, guint begun);
/* The title of a column, in one line; the caller frees it. */
char *kx_compared_title(const char *title);

/* "abit: @what takes 1.5 times as long [1.4, 1.6]", or that no difference was found; NULL: nothing is known. */
char *kx_compared_answer(const KxComparedRow *row, const char *what);
/* Whether any of the rows (KxComparedRow) has a value of the figure. */
gboolean kx_compared_anybody_has(const GPtrArray *rows, const KxComparedFigure *f);
/* What a reader must know to understand the rows, which are those of all VMs: sentences, char *. */
GPtrArray *kx_comparison_notes(const KxComparison *c, const GPtrArray *rows);

/* The comparison as text for users. @width: columns, 0 = no limit. */
char *kx_comparison_to_text(const KxComparison *c, guint width);

#endif /* KX_COMPARISON_H */
