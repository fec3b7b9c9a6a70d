/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes: sentences that a reader must know to understand a VM's rows. */
#include "base/textfmt.h"
#include "cells.h"
#include "tracker/blind.h"

static void add(GPtrArray *notes, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(GPtrArray *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(notes, g_strdup_vprintf(format, args));
	va_end(args);
}

/* --- the dirty log ---------------------------------------------------------- */

static void note_candidates(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->log_candidates.na)
		return;
	add(notes,
	    "%s tests the accessed bits of those pages only that the "
	    "dirty log has named; at the end these were %.0f pages.",
	    label, row->log_candidates.value);
}

/* Sentences for figures of the log that are not 0: "LABEL: BEFORE value AFTER." */
static const struct {
	gsize figure; /* offset in KxRow */
	const char *before, *after;
	int decimals;
	gboolean names_error; /* ends with the text of log_last_errno */
} untracked[] = {
	{ G_STRUCT_OFFSET(KxRow, log_vmm_pages), "",
	  " pages were not tracked at the end, because the VMM logs them itself", 0, FALSE },
	{ G_STRUCT_OFFSET(KxRow, log_other_pages), "",
	  " pages were not tracked, because KVM keeps no log of their memslots", 0, FALSE },
	{ G_STRUCT_OFFSET(KxRow, log_errors), "KVM refused ",
	  " of the tracker's own ioctls, the last with: ", 0, TRUE },
	{ G_STRUCT_OFFSET(KxRow, log_aside_passes), "",
	  " passes were skipped, because the VMM was in an ioctl on its dirty log that did not "
	  "return",
	  0, FALSE },
	{ G_STRUCT_OFFSET(KxRow, log_stuck_pages), "KVM refused to switch off the log of ",
	  " pages: their log stays on, and each of these pages is marked dirty", 0, FALSE },
	{ G_STRUCT_OFFSET(KxRow, log_yielded_seconds), "yielded for ",
	  " s, in which the VMM logged its memory; this time counts nowhere", 3, FALSE },
};

static void note_untracked(GPtrArray *notes, const char *label, const KxRow *row)
{
	for (guint i = 0; i < G_N_ELEMENTS(untracked); i++) {
		double value = kx_row_figure(row, untracked[i].figure)->value;

		if (value > 0)
			add(notes, "%s: %s%.*f%s%s.", label, untracked[i].before,
			    untracked[i].decimals, value, untracked[i].after,
			    untracked[i].names_error ? g_strerror(row->log_last_errno) : "");
	}
}

static void note_log(GPtrArray *notes, const KxVmReport *v)
{
	add(notes, "The dirty log also contains pages that the guest's CPU writes by itself "
		   "(A/D bits in page tables), and pages that are mapped for the first time "
		   "while the log is on, even if they are only read.");
	if (v->address_spaces > 1)
		add(notes,
		    "The VM has %u address spaces (SMM has its own), each with a "
		    "log of its own: pages are tested and counted in each of them.",
		    v->address_spaces);
}

static void note_logging(GPtrArray *notes, const char *label, const KxRow *row)
{
	note_candidates(notes, label, row);
	note_untracked(notes, label, row);
}

/* --- the other parts -------------------------------------------------------- */

static void explain_missed(GPtrArray *notes, const KxVmReport *v)
{
	add(notes, "A missed access set no A bit, because the vCPU still had the translation "
		   "cached. Passes come in pairs, in random order: one pass follows the "
		   "policy, the other follows a control, which flushes after each page. The "
		   "figure is the share by which the first of these finds less than the "
		   "second. If the workload changes between the passes of a pair, the "
		   "figure's interval becomes wider, but the figure is not biased.");
}

static void note_missed(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->staleness && row->missed_dropped.value > 0)
		add(notes,
		    "%s: pairs of passes that were dropped, because one of the two was "
		    "cut short or its record is missing: %.0f.",
		    label, row->missed_dropped.value);
}

static void note_regions(GPtrArray *notes, const char *label, const KxRow *row)
{
	add(notes,
	    "A sample of %s is a check that found its page accessed; "
	    "that page stands for its region.",
	    label);
}

static void explain_trap(GPtrArray *notes, const KxVmReport *v)
{
	add(notes, "A sample of trap is the first access to a page, or 2M/1G leaf, whose "
		   "mapping was removed. The vCPU spends the time of the fault, not the pass "
		   "thread: this time is a figure of its own. While pages were armed, "
		   "KVM's tracepoints of page faults and VM entries were on. All VMs share "
		   "these tracepoints, so each page fault and VM entry of any VM of this host "
		   "called the tracker.");
}

static void note_trap(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->trap_lost.value > 0)
		add(notes,
		    "%s: for %.0f of its faults there was no room until the next "
		    "pass collected faults: they are counted, but their pages are "
		    "not known.",
		    label, row->trap_lost.value);
	if (row->trap_max_vcpu_percent.value > 1.1 * row->trap_budget_vcpu_percent.value)
		add(notes,
		    "%s: OVER ITS BUDGET: in one second faults took %.2f %% "
		    "of the vCPUs' time; the budget is %.2f %%.",
		    label, row->trap_max_vcpu_percent.value, row->trap_budget_vcpu_percent.value);
	if (row->trap_max_faults_per_s.value > 1.1 * row->trap_budget_faults_per_s.value)
		add(notes,
		    "%s: OVER ITS BUDGET: %.0f faults in one second; the budget is "
		    "%.0f.",
		    label, row->trap_max_faults_per_s.value, row->trap_budget_faults_per_s.value);
}

static void explain_guest(GPtrArray *notes, const KxVmReport *v)
{
	add(notes, "A tracker in the guest uses CPU time of the guest, not of the host: its "
		   "cost per sample is this CPU time, as the guest's module counts it. The "
		   "host cannot check what the guest reports. Found pages are the pages of "
		   "the hottest ranges.");
}

/*
 * Linux switches off the PEBS of guests while a program on the host samples with PEBS on the same CPU, and notifies neither side.
 * The only visible sign is an epoch without a sample.
 */
static void note_host_pebs(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->guest_empty_epochs > 0)
		add(notes,
		    "%s: %.0f of its epochs had no sample of any process of the guest. "
		    "Either nothing ran in the guest, or a program on the host sampled "
		    "with PEBS: during that time Linux lets guests have no records, and "
		    "notifies nobody.",
		    label, row->guest_empty_epochs);
	else
		add(notes,
		    "%s: if a program on the host samples with PEBS, Linux lets guests "
		    "have no records during that time, and notifies nobody. %s cannot be "
		    "known.",
		    label,
		    row->guest_empty_epochs_na
			    ? "Whether it happened"
			    : "No epoch was without a sample; whether it happened for less than "
			      "an epoch, or on some CPUs only,");
}

static void note_guest(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->mechanism && g_str_has_suffix(row->mechanism, "surrogate"))
		add(notes,
		    "%s: the event is a surrogate, not %s: its cost and its findings are not "
		    "those of PEBS.",
		    label,
		    /* IBS, too, samples memory accesses. */
		    g_str_has_prefix(row->mechanism, "sw:") ? "a memory access that the CPU samples"
							    : "PEBS");
	else if (row->mechanism)
		note_host_pebs(notes, label, row);
	if (row->guest_dropped_queue.value > 0 || row->guest_dropped_ring.value > 0)
		add(notes,
		    "%s: the guest dropped %.0f samples before they were "
		    "classified, and %.0f records that did not fit the "
		    "channel.",
		    label, row->guest_dropped_queue.value, row->guest_dropped_ring.value);
	if (row->guest_no_address.value > 0)
		add(notes,
		    "%s: %.0f samples had no address: "
		    "they cost time, but name no page.",
		    label, row->guest_no_address.value);
	if (row->guest_bad_records > 0)
		add(notes,
		    "%s: %.0f records of the guest were left out, because they "
		    "contradict themselves or name several times more memory "
		    "than the VM has.",
		    label, row->guest_bad_records);
	if (row->guest_silent)
		add(notes, "%s: %s", label, row->guest_silent);
}

static void explain_rate(GPtrArray *notes, const KxVmReport *v)
{
	add(notes,
	    "The dirty rate is QEMU's own, in whole MiB/s. The work is QEMU's and KVM's: "
	    "host CPU is only the time that it took to ask; what the rest costs shows in the "
	    "time of QEMU's other threads and in the guest's work, against off. QEMU cannot "
	    "end a measurement early: after the tracker was left, the last one went on, at "
	    "most for its calc-time.");
}

static void note_rate(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->rate_dropped.value > 0)
		add(notes, "%s: %.0f measurements were dropped, the last because %s.", label,
		    row->rate_dropped.value,
		    row->rate_dropped_for ? row->rate_dropped_for : "of what is not known");
	if (row->rate_why)
		add(notes, "%s: nothing is measured at the end: %s.", label, row->rate_why);
}

static void explain_ages(GPtrArray *notes, const KxVmReport *v)
{
	add(notes,
	    "mglru counts pages of the VM's memory cgroup, and names none: the guest's memory, "
	    "QEMU's own, and page cache charged to the group. A sample is a page that was used "
	    "since the pass before, or had not been in memory then. Ageing changes which "
	    "pages the kernel reclaims first.");
}

static void note_ages(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->ages_others > 0)
		add(notes,
		    "%s: the memory cgroup %s holds %.0f other processes as well, whose pages are "
		    "counted with the VM's.",
		    label, row->ages_group ? row->ages_group : "of the VM", row->ages_others);
}

static void explain_idle(GPtrArray *notes, const KxVmReport *v)
{
	add(notes, "idle-page finds a page if an access took away the kernel's mark that the page "
		   "is idle: of the "
		   "guest, of QEMU, or of another process that maps the page. A large page of the "
		   "host has one "
		   "mark, and is one sample. What else marks pages or clears accessed bits "
		   "meanwhile (DAMON, "
		   "MGLRU, page-types), or removes KVM's mappings (NUMA balancing), hides "
		   "accesses. Sessions of other VMs with idle-page take accesses to pages that "
		   "VMs share (KSM, one file) from each other.");
}

static void note_idle(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->idle_merged_pages > 0)
		add(notes,
		    "%s: KSM has merged %.0f pages of the VM with equal pages: an access by "
		    "another VM "
		    "counts for them as well, and an idle-page session of that VM may take "
		    "accesses from this one.",
		    label, row->idle_merged_pages);
}

/* --- time in which the VM did not run ------------------------------------------ */

static void note_paused(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->paused_seconds.na || !(row->paused_seconds.value > 0))
		return;
	add(notes, "%s: the VM was paused for %.3f s (%s): this time counts nowhere%s.", label,
	    row->paused_seconds.value, row->paused_for ? row->paused_for : "reason not known",
	    row->paused_passes.value > 0 ? ", nor do the passes that could find nothing in it"
					 : "");
}

static void note_unknown_pauses(GPtrArray *notes, const GPtrArray *rows)
{
	gboolean any = FALSE;

	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];

		any |= row->paused_seconds.na || row->paused_seconds.note;
	}
	if (any)
		add(notes, "It is not known for all of the time whether the VM ran: if it "
			   "was paused without a report of the pause, all figures per "
			   "second are too low.");
}

/* The notes of each part: one said once for a VM, others for each row that has the part. */
static const struct {
	void (*explain)(GPtrArray *notes, const KxVmReport *v);
	void (*of_row)(GPtrArray *notes, const char *label, const KxRow *row);
} parts[KX_PARTS] = {
	[KX_PART_LOG] = { note_log, note_logging },
	[KX_PART_MISSED] = { explain_missed, note_missed },
	[KX_PART_REGIONS] = { NULL, note_regions },
	[KX_PART_TRAP] = { explain_trap, note_trap },
	[KX_PART_GUEST] = { explain_guest, note_guest },
	[KX_PART_RATE] = { explain_rate, note_rate },
	[KX_PART_AGES] = { explain_ages, note_ages },
	[KX_PART_IDLE] = { explain_idle, note_idle },
};

static void note_part(GPtrArray *notes, const KxVmReport *v, const KxRow *row, const char *label,
		      guint *said)
{
	for (guint i = 0; i < KX_PARTS; i++) {
		if (!(row->parts & 1u << i) || !parts[i].of_row)
			continue;
		if (parts[i].explain && !(*said & 1u << i))
			parts[i].explain(notes, v);
		*said |= 1u << i;
		parts[i].of_row(notes, label, row);
	}
}

/* --- what is not seen ------------------------------------------------------- */

static GPtrArray *trackers_of(const GPtrArray *rows)
{
	GPtrArray *names = g_ptr_array_new();

	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];

		if (!g_ptr_array_find_with_equal_func(names, row->tracker, g_str_equal, NULL))
			g_ptr_array_add(names, row->tracker);
	}
	return names;
}

/* Nested guests were seen, so it is known that there were accesses that some trackers cannot see. */
static void note_nested(GPtrArray *notes, const KxVmReport *v, const GPtrArray *trackers)
{
	g_autofree char *blind = kx_blind_of(trackers, KX_BLIND_NESTED, NULL);
	gboolean seen = FALSE;

	for (guint i = 0; i < v->windows->len; i++) {
		const KxWindow *w = v->windows->pdata[i];

		seen |= w->has_walk && w->walk_nested;
	}
	if (seen && *blind)
		add(notes,
		    "NESTED GUESTS WERE SEEN: pages that these map in "
		    "tables of their own (L2) are missing from what %s "
		    "found.",
		    blind);
}

static void note_blind(GPtrArray *notes, const KxVmReport *v, const GPtrArray *rows)
{
	g_autoptr(GPtrArray) trackers = trackers_of(rows), blind = kx_blind_notes(trackers);

	note_nested(notes, v, trackers);
	g_ptr_array_extend_and_steal(notes, g_steal_pointer(&blind));
}

static void note_recording(GPtrArray *notes, const KxVmReport *v)
{
	guint64 cpu_ns = 0, bytes = 0, lost = 0;
	g_autofree char *cpu = NULL, *dropped = NULL;

	for (guint i = 0; i < v->windows->len; i++) {
		const KxWindow *w = v->windows->pdata[i];

		cpu_ns += w->record_cpu_ns;
		bytes += w->record_bytes;
		lost += w->record_lost;
	}
	if (!cpu_ns)
		return;
	cpu = kx_text_ns((double)cpu_ns);
	add(notes,
	    "The samples were recorded for a time (%.3g MiB): the recorder's thread took %s of CPU "
	    "time, which is in no cost per sample.",
	    (double)bytes / (1 << 20), cpu);
	if (!lost)
		return;
	dropped = kx_text_count((double)lost);
	add(notes, "%s records are missing in the recording, because its file was too slow.",
	    dropped);
}

GPtrArray *kx_vm_notes(const KxVmReport *v, const GPtrArray *rows)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);
	guint said = 0;

	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		g_autofree char *label = kx_row_label(rows, i);

		note_paused(notes, label, row);
		note_part(notes, v, row, label, &said);
	}
	note_unknown_pauses(notes, rows);
	note_recording(notes, v);
	note_blind(notes, v, rows);
	return notes;
}

/* --- losses ----------------------------------------------------------------- */

GPtrArray *kx_row_losses(const GPtrArray *rows)
{
	GPtrArray *losses = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		const KxFigure *cost = &row->cost_per_sample_ns;
		g_autofree char *label = kx_row_cell(rows, i);
		g_autofree char *lost = kx_text_count(row->lost_samples.value);
		g_autofree char *samples = kx_text_count(row->samples.value);

		if (!row->lost_samples.na && row->lost_samples.value > 0)
			add(losses,
			    "%s: %s of %s samples did not fit the ring. They are counted, but "
			    "missing from pages found, recall and precision.",
			    label, lost, samples);
		if (!cost->na && (double)cost->n < row->passes.value)
			add(losses,
			    "%s: the records of %.0f of %.0f passes are missing; cost per sample "
			    "is from the others.",
			    label, row->passes.value - (double)cost->n, row->passes.value);
	}
	return losses;
}
