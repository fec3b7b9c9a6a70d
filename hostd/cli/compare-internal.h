/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that measure a comparison share. */
#ifndef KX_COMPARE_INTERNAL_H
#define KX_COMPARE_INTERNAL_H

#include "compare-run.h"
#include "compare/design.h"
#include "progress.h"

/* How a VM was found, to be left so. */
typedef struct {
	char *target, *shown;
	gboolean was_attached;
	gboolean gone; /* it is asked for no further window */
	gboolean done; /* nothing of it is left to be restored */
	char *tracker, *options; /* that ran before */
	Counter *counter;	 /* NULL: none */
	KxWindow *begin;	 /* the first reading of the window that is measured */
	double progress;	 /* likewise */
	gint64 begin_realtime_ns;
	char *failed; /* why the window that is under way is none; NULL: it is one */
} CompareVm;

typedef struct {
	Cli *cli;
	const CompareArguments *a;
	KxComparison *c;
	KxDesign *design;
	GArray *active; /* guint: indices of settings that run */
	GPtrArray *vms; /* CompareVm */
	GMainLoop *loop;
	gint64 start_us, deadline_us; /* deadline 0: none */
	guint interrupts;
	gboolean terminal;
	guint signals[3];
} CompareRun;

void compare_vm_free(gpointer vm);
KxComparedVm *compare_vm(const CompareRun *r, guint i);

/* All VMs as they were found, and attached; what guest progress is. FALSE: *@code, the error is printed. */
gboolean compare_begin_vms(CompareRun *r, int *code);
/* As it was before; that it could not be is printed, and no reason to lose what was measured. */
void compare_leave_vm(CompareRun *r, CompareVm *vm);

/* The VM as the daemon has it now, with its open window; NULL: @error. */
KxVmReport *compare_look(CompareRun *r, const CompareVm *vm, GError **error);
KxWindow *compare_open_window(const KxVmReport *v);
/* @options: floating. */
gboolean compare_switch(CompareRun *r, const CompareVm *vm, GVariant *options, GError **error);
/* The VM does not come back from this error, or nobody is there to ask. */
gboolean compare_is_gone(const GError *error);
/* The daemon is busy with the VM, or the VM is not attached any more: compare_look() tells which. */
gboolean compare_is_state(const GError *error);

#endif /* KX_COMPARE_INTERNAL_H */
