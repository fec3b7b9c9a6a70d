/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that measure a comparison. */
#ifndef KX_COMPARE_INTERNAL_H
#define KX_COMPARE_INTERNAL_H

#include "compare-run.h"
#include "compare/design.h"
#include "compare/setting.h"
#include "progress.h"
#include "vm/vcpuevents.h"

/* Values of the host that are read together with a window. */
typedef struct {
	gint64 realtime_ns;
	double progress;		       /* the counter's value; NAN: not known */
	double vcpu_guest_ns;		       /* time of the vCPUs in guest mode; NAN: not known */
	double llc_misses, guest_instructions; /* in guest mode; NAN: not counted */
} CompareReading;

/* A VM, and its state before the comparison, to which it returns. */
typedef struct {
	char *target, *shown;
	CliBefore before;
	gboolean gone; /* the VM takes part in no further window */
	gboolean done; /* nothing has to be restored */
	guint32 held;  /* the VM's process; 0: the VM is not held */
	/*
	 * QEMU's measurement of the dirty rate: the time that one takes, if the setting uses it, else 0; and until when the last one may
	 * continue
	 */
	gint64 rate_us, rate_until_us;
	Counter *counter; /* NULL: none */
	/* NULL: the host cannot count them */
	KxVcpuEvents *llc_misses, *instructions;
	KxWindow *begin;	/* the first reading of the measured window */
	CompareReading reading; /* likewise */
	char *failed;		/* why the current window does not count; NULL: it counts */
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
	guint first; /* the first round to run: earlier rounds were run before an interruption */
	guint interrupts;
	gboolean terminal;
	guint signals[3];
} CompareRun;

void compare_vm_free(gpointer vm);
KxComparedVm *compare_vm(const CompareRun *r, guint i);

/* Notes the state of all VMs, attaches them, chooses the measure of guest progress. FALSE: *@code is set, the error printed. */
gboolean compare_begin_vms(CompareRun *r, int *code);
/* Restores the VM's state before the comparison. An error is only printed, so that the measurements are not lost. */
void compare_leave_vm(CompareRun *r, CompareVm *vm);

/* Takes over the rounds of the comparison that goes on. FALSE: host or VMs differ; *@code is set, the error printed. */
gboolean compare_go_on(CompareRun *r, int *code);

/* Asks the daemon for the VM and its open window; NULL: @error is set. */
KxVmReport *compare_look(CompareRun *r, const CompareVm *vm, GError **error);
KxWindow *compare_open_window(const KxVmReport *v);
/* Fills in the time of the vCPUs of process @pid, which the daemon's answer does not contain. */
void compare_read_vcpus(KxWindow *w, guint32 pid);
/* Time in guest mode; NAN: the kernel does not account it, so the parts of a slowdown have no exits. */
double compare_read_guest_time(guint32 pid);
/* Switches the VM to the setting, and notes until when QEMU may still measure for the setting before. */
gboolean compare_switch(CompareRun *r, CompareVm *vm, const KxSetting *s, GError **error);
/* The time from which on no VM's QEMU measures for an earlier setting. */
gint64 compare_quiet_us(const CompareRun *r);
/* Adds the ID under which this comparison is kept to its holds, so that other commands can name it. */
void compare_tell_id(CompareRun *r);
/* Whether the error means that the VM does not come back, or that the daemon cannot be reached. */
gboolean compare_is_gone(const GError *error);
/* Whether the error means that the daemon is busy with the VM, or that the VM is not attached; compare_look() shows which. */
gboolean compare_is_state(const GError *error);

#endif /* KX_COMPARE_INTERNAL_H */
