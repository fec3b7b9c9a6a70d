/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An experiment: for each point a comparison (compare/comparison.h) whose windows are whole runs of the workload in fresh VMs. The
 * time of a window is the run's elapsed time, and its progress is 1. So slowdown, cost per sample and their intervals are computed as
 * in every other comparison. This header describes what an experiment has in addition.
 */
#ifndef KX_EXPERIMENT_H
#define KX_EXPERIMENT_H

#include <glib.h>

#include "compare/comparison.h"
#include "plan.h"

#define KX_EXPERIMENT_SCHEMA "kvm-ext-experiment/1"

typedef struct {
	KxPoint *at;
	KxComparison *c;
} KxExperimentPoint;

typedef struct {
	char *id; /* in the store; NULL: not kept */
	char *name;
	char *file;    /* the text of the experiment's file */
	char *command; /* the command line */
	char *stopped; /* why there are fewer runs than the file asks for; NULL: there are not */
	guint64 seed;
	guint rounds; /* requested */
	gint64 start_realtime_ns, end_realtime_ns;
	GPtrArray *points; /* KxExperimentPoint */
} KxExperiment;

/* Without any run. */
KxExperiment *kx_experiment_new(const KxPlan *plan);
void kx_experiment_free(KxExperiment *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxExperiment, kx_experiment_free)

/* Adds a point; takes ownership of both. */
void kx_experiment_add_point(KxExperiment *e, KxPoint *at, KxComparison *c);

/* The order of the points in a round, drawn from the seed. The array has as many indices as there are points. */
guint *kx_experiment_order(const KxExperiment *e, guint round);

/* Turns a measured stretch into a whole run of the workload, which took @elapsed_ns. */
void kx_experiment_whole_run(KxStretch *s, double elapsed_ns);

char *kx_experiment_to_json(const KxExperiment *e);
KxExperiment *kx_experiment_from_json(const char *json, GError **error);

/* Rounds in which every point had every setting. */
guint kx_experiment_whole(const KxExperiment *e);
/* Records that the first @rounds are such rounds. */
void kx_experiment_set_whole(KxExperiment *e, guint rounds);
/* Number of rounds that have begun. */
guint kx_experiment_begun(const KxExperiment *e);

/*
 * The JSON form in parts, as of a comparison (compare/comparison.h). The head has everything but runs and conclusions;
 * kx_experiment_from_json() reads it as an experiment without runs. kx_experiment_take_round() adds the runs of one round to that
 * experiment; FALSE: @json is no round of it.
 */
char *kx_experiment_head_to_json(const KxExperiment *e);
char *kx_experiment_round_to_json(const KxExperiment *e, guint round);
gboolean kx_experiment_take_round(KxExperiment *e, const char *json, GError **error);

/* --- conclusions -------------------------------------------------------------------------------------------------- */

/* One setting at one point. All figures are of one VM in one run: means over the VMs and rounds. */
typedef struct {
	const char *where; /* the tracker runs: "host", "guest"; "-": nothing runs */
	KxFigure elapsed_ns;
	KxFigure extra_percent; /* of the elapsed time, compared with `off` */
	KxFigure flushes, kvm_flushes, ipis;
	KxFigure exits, samples, host_cpu_ns;
	/* host CPU time in percent of one CPU: of all VMs together; of one VM, per GiB and per vCPU */
	KxFigure cpu_all, cpu_per_gib, cpu_per_vcpu;
	KxComparedRow *compared; /* the figures that every comparison has */
} KxRunRow;

/* Each additional figure is described once, as in kx_compared_figures[]. */
/* Tables of the text. */
enum {
	KX_RUN_MAIN = 1 << 0,
	KX_RUN_GROWTH = 1 << 1, /* how the cost grows from point to point */
};

typedef struct {
	const char *key, *title; /* in JSON; of the column */
	KxComparedKind kind;
	guint tables; /* KX_RUN_* */
	gsize offset; /* of the KxFigure in KxRunRow */
} KxRunFigure;

extern const KxRunFigure kx_run_figures[]; /* ends with key NULL */
KxFigure *kx_run_figure(KxRunRow *row, const KxRunFigure *f);

/* The bytes by which cpu_per_gib divides: the working set if the file has one, else the VM's memory; 0: not known. */
guint64 kx_experiment_bytes(const KxExperimentPoint *p);

/* One row (KxRunRow) for each setting. */
GPtrArray *kx_experiment_rows(const KxExperimentPoint *p);

/* What a reader must know to understand a point's rows (KxRunRow): sentences, char *. */
GPtrArray *kx_experiment_notes(const KxExperimentPoint *p, const GPtrArray *rows);
/* The figure as a cell of a table. */
char *kx_run_cell(KxComparedKind kind, const KxFigure *f);

/* The experiment as text for users. @width: columns, 0 = no limit. */
char *kx_experiment_to_text(const KxExperiment *e, guint width);

#endif /* KX_EXPERIMENT_H */
