/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that run an experiment. */
#ifndef KX_EXPERIMENT_INTERNAL_H
#define KX_EXPERIMENT_INTERNAL_H

#include <libvirt/libvirt.h>

#include "cli.h"
#include "compare-keep.h"
#include "compare/setting.h"
#include "experiment/clone.h"
#include "experiment/experiment.h"
#include "job.h"
#include "question.h"

/* One VM of a run, from its start to its end. */
typedef struct {
	char *name, *uuid;
	char **environment; /* of the file's commands */
	KxCloneWish wish;
	virDomainPtr dom; /* NULL: it was not started, or is gone */
	char *nvram;	  /* the file of UEFI variables that libvirt made for the VM; NULL: none */
	guint32 pid;
	gboolean attached;
	gboolean ready;
	Job *job;	    /* the command that runs now; NULL: none */
	Question *question; /* to the guest agent, not answered yet; NULL: none */
	gboolean started;   /* the guest agent has started the workload; */
	gint64 agent_pid;   /* the workload's process in the guest */
	gint64 ran_us; /* when the last question was asked to which the guest answered that the workload runs */
	gint64 asked_us;	 /* when the guest last answered whether the workload has ended */
	gint64 checked_us;	 /* when the VM's state was last read */
	char *unanswered;	 /* the last failed question to the guest; NULL: none */
	gint64 start_us, end_us; /* of the workload; 0: not yet */
	KxWindow *begin;
	gint64 begin_realtime_ns;
	KxStretch *stretch;
	GPtrArray *doubts; /* char *: what makes this run's values doubtful */
	char *failed;	   /* why this VM's run does not count; NULL: it counts */
} Clone;

typedef struct {
	Cli *cli;
	const KxPlan *plan;
	KxExperiment *e;
	virConnectPtr conn;
	guint start_flags; /* with QEMU, libvirt ends the clones if this program ends, and renews their UEFI variables */
	char *id; /* of this experiment, in the clones' markers */
	guint interrupts;
	gboolean terminal;
	guint done, runs;	  /* runs that ended, and all */
	guint bad;		  /* the last runs in a row without a measured VM */
	const KxSetting *setting; /* of the current run */
	char **refused; /* [setting]: why this host cannot have the setting; NULL: it can, as far as is known */
	char *last_failure;
	gint64 start_us;
	Keeper *keeper;
	const char *save; /* where the JSON text is written to after each round; NULL: nowhere */
	guint signals[3];
} Experiment;

/* Handles signals and the ends of commands for at most @ms. FALSE: everything is to end at once. */
gboolean experiment_wait(Experiment *x, guint ms);

Clone *experiment_clone_new(Experiment *x, const KxPoint *point, guint index, const KxSetting *s);
/* Makes the VM's run fail with this reason, unless it has failed already. */
void experiment_clone_fail(Clone *c, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Starts the VM. */
void experiment_clone_start(Experiment *x, Clone *c);
/* Fails the clone if its VM does not run any more. Reads libvirt's state a few times in a second, not more often. */
void experiment_clone_check(Clone *c);
/* Detaches the VM and destroys it, if it carries the marker of this experiment. */
void experiment_clone_end(Experiment *x, Clone *c);
void experiment_clone_free(gpointer clone);

/* Whether the VM is ready for the workload. */
gboolean experiment_is_ready(Experiment *x, Clone *c);
void experiment_start_work(Experiment *x, Clone *c);
/* Whether the workload has ended; @end_us of the clone is set. */
gboolean experiment_work_is_over(Experiment *x, Clone *c);

/*
 * Sets the run's tracker, and waits until it has completed a pass if it has passes. If the daemon says that this host cannot have it,
 * the reason is returned, and the caller frees it; else NULL.
 */
char *experiment_track(Experiment *x, GPtrArray *clones);
/* The readings around the workload. */
void experiment_begin_reading(Experiment *x, Clone *c);
void experiment_end_reading(Experiment *x, Clone *c);
/* Reads the host of the measurements and the size of the VMs; does nothing the second time. */
void experiment_learn_host(Experiment *x, KxComparison *into, GPtrArray *clones);

#endif /* KX_EXPERIMENT_INTERNAL_H */
