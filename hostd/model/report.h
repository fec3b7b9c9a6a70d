/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report model: what the daemon's account hands out, what the CLI prints.
 * The daemon builds it and sends it as JSON; the CLI reads the JSON back, joins
 * the workload log where one is given, and renders text or JSON. Nothing else
 * computes a figure that a user sees.
 */
#ifndef KX_REPORT_H
#define KX_REPORT_H

#include <glib.h>
#include <json-glib/json-glib.h>

#define KX_REPORT_SCHEMA "kvm-ext-report/1"

/*
 * One figure. Either measured (@na is NULL) or not (@na says why, one clause,
 * no full stop). An estimate carries the 95 % confidence interval [@low, @high]
 * and the number of observations @n; low = high = NAN where it is no estimate.
 * @note: what must be known to read the value right, one clause; NULL: nothing.
 */
typedef struct {
	double value;
	double low, high;
	guint64 n;
	char *na;
	char *note;
} KxFigure;

typedef struct {
	guint64 gfn, npages;
	guint32 as_id;
	guint32 accesses; /* checks that found their page accessed */
	guint32 age;	  /* aggregations since that last changed much */
} KxRegion;

/* What an aggregation found. */
typedef struct {
	guint64 aggregation; /* from 0 in its window */
	guint32 checks;	     /* of each region */
	guint32 total;	     /* regions there were: of more than are kept, these are the hottest */
	GArray *list;	     /* KxRegion, by address space and gfn */
} KxRegions;

KxRegions *kx_regions_new(void);
KxRegions *kx_regions_copy(const KxRegions *r); /* NULL: NULL */
void kx_regions_free(KxRegions *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRegions, kx_regions_free)
/* Hottest first: by accesses, then the larger, then the older one. Of KxRegion. */
GArray *kx_regions_ranked(const KxRegions *r);
void kx_regions_sort(KxRegions *r); /* by address space and gfn */

/* A stretch in which the VM did not run. Host CLOCK_REALTIME. */
typedef struct {
	gint64 from_ns, until_ns;
} KxPause;

#define KX_PAUSES_KEPT 256u /* of a window: the latest */

/* One stretch of time with one tracker setting. Raw sums only. */
typedef struct {
	guint64 id;    /* unique within the VM's account, ascending */
	char *tracker; /* "off", "abit", … */
	char *options; /* canonical, "interval=100ms granularity=4K …"; equal text = equal setting */
	gboolean open;				   /* still running */
	gint64 start_realtime_ns, end_realtime_ns; /* host CLOCK_REALTIME */
	guint64 duration_ns;			   /* CLOCK_MONOTONIC */
	/*
	 * What happened between these is found, unless the tracker misses it: after priming, whose findings do not count, and
	 * before the last pass. Host CLOCK_REALTIME; both 0: not known.
	 */
	gint64 covered_start_realtime_ns, covered_end_realtime_ns;

	/* time in which the VM did not run, by its VMM's will: suspended, saved, stopped by an error, … */
	guint64 paused_ns; /* as far as it is known */
	char *paused_na;   /* why there may have been more; NULL: that is all */
	char *paused_for;  /* why it was paused, the last time; NULL: it was not */
	guint64 pauses_total;
	GArray *pauses;		   /* KxPause, in order; NULL: none */
	guint64 paused_yielded_ns; /* of paused_ns, in which the log was the VMM's as well */
	guint64 paused_passes;	   /* which had nothing to see: in none of the sums below */
	/* of counted passes, from their records: time from the start of the pass before, and of how many */
	guint64 between_ns, between_n;

	/* from the module (struct kvm_ext_stats); valid if has_module */
	gboolean has_module;
	guint64 interval_ns, passes, overruns, first_start_ns, last_start_ns;
	guint64 pages_scanned, leaves_tested, samples, sample_pages, lost_samples;
	guint64 cpu_ns, prime_cpu_ns, prime_ns;
	guint64 pass_ns_sum, pass_ns_min, pass_ns_max, pass_ns_p99;
	guint64 flushes, flush_ipis, flush_ns, max_hold_ns, slot_changes, dropped_pages;

	/* of trackers that use the dirty log (struct kvm_ext_log_stats); valid if has_log */
	gboolean has_log;
	char *log_mechanism,
		*log_mode; /* "pml", "write-protect"; "plain", "initially-all-set", … */
	guint64 log_pages, log_vmm_pages, log_other_pages;
	guint64 log_enable_ns, log_enable_pages, log_arm_ns, log_arm_pages;
	guint64 log_harvest_ns, log_harvest_pages, log_dirty_pages; /* dirty: found by then */
	guint64 log_clear_ns, log_clear_pages, log_clears;
	guint64 log_disable_ns, log_disable_pages; /* told by the account of the setting after it */
	char *log_disable_na;
	guint64 pml_full_exits, log_candidates, log_errors, log_last_errno;
	guint64 log_aside_passes; /* passes that the VMM, in an ioctl on its log, kept from it */
	guint64 log_stuck_pages;  /* whose log KVM did not switch off, all trackers so far */
	guint64 log_yields, log_resumes; /* memslots that the VMM took, and that were taken back */
	guint64 log_yielded_ns,
		log_yielded_passes; /* all memory was the VMM's to log: not tracked */
	char *log_yielded_to;	    /* "migration", …; NULL: nothing yielded */

	/* of ept-walk (struct kvm_ext_walk_stats); valid if has_walk */
	gboolean has_walk;
	guint64 walk_tables_read, walk_subtrees_skipped, walk_pages_skipped;
	guint64 walk_upper_cleared, walk_upper_restored;
	guint64 walk_holds, walk_hold_ns, walk_max_hold_ns, walk_contended;
	gboolean walk_nested; /* nested guests were seen, whose own tables are not covered */

	/*
	 * with staleness measured (struct kvm_ext_staleness_stats); valid if has_staleness. From pairs of passes: sums for
	 * the ratio estimate of samples after the policy (p) to samples after the control (k).
	 */
	gboolean has_staleness;
	guint64 stale_passes, stale_samples, stale_control_passes, stale_control_samples;
	guint64 stale_pairs, stale_dropped; /* complete; with a cut or missing pass */
	double stale_p, stale_k, stale_p2, stale_k2, stale_cross; /* Σp Σk Σp² Σk² Σpk */

	/* of region sampling (struct kvm_ext_regions_stats); valid if has_regions */
	gboolean has_regions;
	guint64 regions_max; /* as asked for */
	guint64 regions_now, regions_aggregations, regions_checks, regions_max_checks;
	guint64 regions_splits, regions_merges;
	KxRegions *regions; /* of the last aggregation; NULL: @regions_na says why */
	char *regions_na;

	/* of trap (struct kvm_ext_trap_stats, and its records); valid if has_trap */
	gboolean has_trap;
	guint64 trap_faults_budget, trap_time_budget_ppm; /* as asked for */
	guint64 trap_eligible, trap_armed, trap_armings, trap_faults, trap_lost;
	guint64 trap_fault_ns, trap_timed_faults, trap_max_faults_per_s, trap_max_time_ppm;
	guint64 trap_zap_ns, trap_held_passes;
	guint64 trap_reads, trap_writes, trap_execs, trap_page_walks; /* of those in the ring */

	/* of trackers in the guest (struct kvm_ext_channel_account); valid if has_guest. Times are the guest's CPUs'. */
	gboolean has_guest;
	char *guest_event;   /* what is sampled: "sw:page-faults, surrogate"; NULL: accessed bits */
	char *guest_release; /* its kernel; NULL: it has not said */
	char *guest_silent;  /* why nothing came at the end; NULL: it answers */
	guint64 guest_classified, guest_dropped_queue, guest_dropped_ring, guest_interrupts;
	guint64 guest_no_address; /* samples whose record had none */
	guint64 guest_interrupt_ns, guest_drain_ns, guest_classify_ns, guest_report_ns;
	guint64 guest_scan_ns, guest_flush_ns, guest_memory_bytes, guest_period;
	guint64 guest_cpu_ns;			   /* all of them */
	guint64 guest_restarts, guest_bad_records; /* of its end; left out, see report-notes.c */

	/*
	 * From the pass records: sums for the ratio estimate of cost per sample over counted passes. The cost is host CPU time
	 * of the pass thread; with has_guest, of the guest's CPUs.
	 */
	guint64 est_n; /* passes */
	double est_cost, est_samples, est_cost2, est_samples2,
		est_cross; /* Σc Σs Σc² Σs² Σcs; c in ns */

	guint64 drain_cpu_ns; /* the daemon's own CPU time for this VM's stream */
	guint64 found_pages;  /* distinct pages found accessed in the window */

	/* what the VM shows; a NULL reason means the value is valid */
	guint64 exits;
	char *exits_na;
	char *exits_source; /* "module", "debugfs", "qmp" */
	guint64 remote_tlb_flushes;
	char *remote_tlb_flushes_na; /* KVM's own */
	guint64 vcpu_run_ns;
	char *vcpu_run_na;
	guint64 vcpu_steal_ns;
	char *vcpu_steal_na; /* runnable but not running */

	/* from the workload log (CLI); truth_na set where there is none */
	double work;
	char *work_na;			  /* units of work inside the window */
	double work_ns;			  /* time inside the window in which epochs ran */
	guint64 truth_touched, truth_hit; /* pages; recall = hit / touched */
	guint64 truth_written, truth_written_hit;
	guint64 truth_found, truth_true, truth_written_true; /* precision = true / found */
	char *truth_na;	    /* neither recall nor precision is known */
	char *written_na;   /* nor, where this is set, of what was written */
	char *precision_na; /* recall is, precision is not */
} KxWindow;

/* A part of memory as the range classifier of a tracker's samples has it (kvm-ext/common/ranges.h). */
typedef struct {
	guint64 start, size; /* bytes */
	guint64 accesses;    /* of all epochs: the last counts in full, the one before half, … */
	guint32 age;	     /* epochs since its borders last changed */
	/* bit i: at least half of it is among what map i of the VM says is hottest, up to half of that map's accesses */
	guint32 seen_by;
} KxHeatRange;

/* More maps of a VM than this have no bit in seen_by. */
#define KX_HEAT_SEEN_MAX 32u

/* How hot memory is, as one tracker saw it last. */
typedef struct {
	char *tracker, *options;
	char *mechanism; /* as of a row, or "regions" */
	char *process;	 /* of the guest, whose addresses these are; NULL: guest-physical memory */
	guint32 pid;	 /* its number in the guest */
	gboolean running;
	char *partial; /* why it does not speak for all memory: "it looked at …"; NULL: it does */
	char *unseen; /* what was there that the tracker cannot see: "nested guests …"; NULL: not known of any */
	guint64 granularity_bytes, epoch_ns;
	guint64 leaf_bytes; /* of leaves of this size, or larger, are half of the pages found; 0: not known */
	guint64 epochs, samples, outside; /* of a process: not told */
	guint64 lost;	    /* more samples that did not fit the ring: where is not known */
	guint64 accesses;   /* decayed, of all ranges */
	guint64 half_bytes; /* of the hottest ranges with half of the accesses */
	guint32 ranges_total, ranges_hot; /* there are; of them with accesses */
	GArray *ranges; /* KxHeatRange, hottest first: those with accesses, or the hottest of these */
} KxHeatMap;

/* Of as many of the hottest pages of either as both can tell, those that are in both. */
typedef struct {
	char *a, *b;	       /* labels of their trackers */
	guint64 bytes, common; /* of each set; in both */
	double f1, jaccard;
	double by_chance; /* F1 of sets as large, chosen at random */
	guint64 samples_a, samples_b;
	char *na; /* why they cannot be compared */
} KxAgreement;

typedef struct {
	GPtrArray *maps;      /* KxHeatMap */
	GPtrArray *agreement; /* KxAgreement, of each two maps of guest-physical memory */
} KxHeatReport;

KxHeatMap *kx_heat_map_new(void);
KxHeatMap *kx_heat_map_copy(const KxHeatMap *m);
void kx_heat_map_free(KxHeatMap *m);
KxHeatReport *kx_heat_report_new(void);
KxHeatReport *kx_heat_report_copy(const KxHeatReport *h);
void kx_heat_report_free(KxHeatReport *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatMap, kx_heat_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatReport, kx_heat_report_free)

typedef struct {
	char *name, *uuid;
	guint32 pid;
	gboolean attached;
	char *ended; /* why the session ended: "detached", "VM gone", …; NULL while attached */
	guint32 vcpus, memslots, root_level, address_spaces;
	char *paging;  /* "EPT", "NPT", "shadow", "unknown" */
	char *ad_bits; /* "hardware", "emulated by faults", "unknown" */
	guint64 ram_pages, mapped_4k, mapped_2m, mapped_1g;
	guint64 ring_bytes; /* of the ring that samples go through; 0: not told */
	/* "pml", …; "module", or what of the host it was concluded from; "plain", …; NULL: not asked */
	char *log_mechanism, *log_mechanism_source, *log_mode;
	guint64 declared_pages; /* of memory that the guest wants left alone, and that is pinned */
	char *yielded; /* to what the dirty log is left now: "migration", …; NULL: it is tracked */
	char *progress; /* of a pass that takes long: "priming, 23 % of memory, …"; NULL: none does */
	char *paused; /* why the VM does not run now: "suspended", …; NULL: it runs, or nobody knows */
	GPtrArray *windows; /* KxWindow, in order of id */
	KxHeatReport *heat; /* NULL: not asked */
} KxVmReport;

typedef struct {
	char *kernel, *cpu_vendor, *cpu_model, *version;
	/* a kind of hardware.h by name, NULL: not told; what virtualizes or emulates the host, or may; NULL: nothing */
	char *hardware, *hardware_under;
	char *log_selftest; /* of the dirty log on this kernel: "ok", "wrong", "not-run"; NULL: not asked */
	char *log_selftest_text; /* "loses dirty pages: …" */
	guint32 cpus;
	gint64 generated_realtime_ns;
	GPtrArray *vms; /* KxVmReport */
} KxReport;

KxWindow *kx_window_new(void);
KxVmReport *kx_vm_report_new(void);
KxReport *kx_report_new(void);
KxWindow *kx_window_copy(const KxWindow *w);
void kx_window_free(KxWindow *w);
KxVmReport *kx_vm_report_copy(const KxVmReport *v);
void kx_vm_report_free(KxVmReport *v);
void kx_report_free(KxReport *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxWindow, kx_window_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxVmReport, kx_vm_report_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxReport, kx_report_free)

/* JSON both ways; the text is stable in key order and pretty-printed. */
char *kx_report_to_json(const KxReport *r);
KxReport *kx_report_from_json(const char *json, GError **error);

/* A VM and its last window as a{sv}: what JSON has of them, without regions. */
GVariant *kx_vm_to_variant(const KxVmReport *v);
KxVmReport *kx_vm_from_variant(GVariant *dict);

/* --- rows: windows of equal tracker and options, pooled ------------------- */

/* What not every row has figures of. */
typedef enum {
	KX_PART_ANY, /* all rows */
	KX_PART_LOG,
	KX_PART_WALK,
	KX_PART_MISSED, /* accesses missed: measured here, or for the same setting in another row */
	KX_PART_REGIONS,
	KX_PART_TRAP,
	KX_PART_GUEST,
	KX_PART_TRUTH, /* the workload's own log says what there was to find */
	KX_PARTS
} KxPart;

typedef struct {
	char *tracker, *options;
	char *mechanism; /* of the dirty log, or the event that a guest samples; NULL: neither */
	guint parts;	 /* bit of each KxPart */
	gboolean staleness;
	guint missed_by; /* index of the row that measured what this one misses */
	guint windows;
	double seconds; /* tracked: without the time that was yielded, or in which the VM was paused */
	KxFigure paused_seconds, paused_passes; /* a note: there may have been more */
	const char *paused_for;			/* the last time; of a window; NULL: it was not */
	KxFigure passes, samples, samples_per_s;
	KxFigure pages_per_sample; /* 1 where all leaves are 4K */
	KxFigure
		cost_per_sample_ns; /* host CPU of the pass thread per sample: the number that matters */
	KxFigure total_cost_per_sample_ns; /* with the daemon's draining */
	KxFigure
		cost_vs_cheapest; /* ratio to the cheapest row of the same VM that has enough samples */
	KxFigure cost_per_page_vs_cheapest; /* to the same row: of the pages that samples cover */
	/* the same of trackers in the guest, by the guest's own word: its CPU time, and the cheapest of them */
	KxFigure guest_cost_per_sample_ns, guest_cost_vs_cheapest, guest_cost_per_page_vs_cheapest;
	KxFigure interval_requested_ns, interval_achieved_ns, pass_mean_ns, pass_p99_ns;
	KxFigure cpu_percent; /* of one CPU */
	KxFigure pages_found; /* mean of distinct pages per window */
	KxFigure pages_total; /* mean of pages looked at per pass: all RAM or the range */
	KxFigure lost_samples;
	KxFigure flushes_per_s, flush_ipis_per_s, kvm_flushes_per_s;
	KxFigure exits_per_s, exits_vs_off; /* ratio to the `off` rows of the same VM */
	KxFigure vcpu_run_percent, vcpu_steal_percent;
	KxFigure work_per_s, work_vs_off;
	/* of what the tracker can see, as its row in kx_trackers[] has it; and of all that was touched, of all written */
	KxFigure recall, precision;
	KxFigure recall_touched, recall_written, precision_touched, precision_written;
	/* of the accesses that a control finds, the share that left no A bit; of pairs of passes */
	KxFigure missed, missed_dropped;
	/* the dirty log's ioctls, each in one figure: time per page of the memslots, or per page found dirty */
	KxFigure log_enable_ns_per_page, log_arm_ns_per_page, log_disable_ns_per_page;
	KxFigure log_harvest_ns_per_page, log_harvest_ns_per_dirty, log_clear_ns_per_dirty;
	KxFigure pml_full_per_s;
	KxFigure log_vmm_pages,
		log_other_pages; /* of the range, not tracked at the end of the row's last window */
	KxFigure log_yields, log_resumes, log_yielded_seconds;
	KxFigure log_candidates;   /* pml-abit: pages watched, likewise */
	KxFigure log_errors;	   /* ioctls of the tracker that KVM refused */
	int log_last_errno;	   /* of the last of them; 0: none */
	KxFigure log_aside_passes; /* passes that stood aside for the VMM */
	KxFigure log_stuck_pages;  /* whose log KVM did not switch off */
	/* ept-walk: per pass, priming included */
	KxFigure walk_tables_per_pass, walk_subtrees_per_pass, walk_pages_skipped_per_pass;
	KxFigure walk_cleared, walk_restored; /* A bits above the last level */
	KxFigure walk_holds_per_pass, walk_hold_mean_ns, walk_hold_max_ns, walk_contended;
	/* regions: as of the last window, or in all of them */
	KxFigure regions_now, regions_limit, regions_checks_per_pass, regions_max_checks;
	KxFigure regions_aggregations, regions_splits, regions_merges;
	const KxRegions *regions; /* of the row's last window, whose they are; NULL: @regions_na */
	const char *regions_na;
	/* trap */
	KxFigure trap_faults_per_s, trap_max_faults_per_s, trap_budget_faults_per_s;
	KxFigure trap_reads, trap_writes, trap_execs, trap_page_walks;
	KxFigure trap_ns_per_fault, trap_max_vcpu_percent, trap_budget_vcpu_percent;
	KxFigure trap_armed, trap_eligible; /* at the end of the row's last window */
	KxFigure trap_zap_ns_per_page, trap_held_passes, trap_lost;
	/* trackers in the guest: its CPUs' time, per sample by stage and in all */
	KxFigure guest_cpu_percent, guest_interrupt_ns_per_sample, guest_drain_ns_per_sample;
	KxFigure guest_classify_ns_per_sample, guest_report_ns_per_sample;
	KxFigure guest_scan_ns_per_sample, guest_flush_ns_per_sample;
	KxFigure guest_interrupts_per_s, guest_classified_share, guest_period;
	KxFigure guest_dropped_queue, guest_dropped_ring, guest_no_address, guest_memory_bytes;
	const char *guest_silent; /* of the row's last window, whose it is */
	double guest_bad_records; /* left out */
} KxRow;

/* Time of the window in which the VM ran, and of that in which the tracker was at work: what rates are of. */
double kx_window_run_ns(const KxWindow *w);
double kx_window_tracked_ns(const KxWindow *w);

/* Rows (KxRow) in order of first appearance. */
GPtrArray *kx_vm_rows(const KxVmReport *v);
/* What must be known to read the rows right: sentences, char *. */
GPtrArray *kx_vm_notes(const KxVmReport *v, const GPtrArray *rows);
/* How the window's tracker works there: the dirty log's mechanism, or the event that a guest samples; NULL: neither. */
const char *kx_window_mechanism(const KxWindow *w);
/* "dirty-log (pml)": the tracker, and the mechanism where one is known. */
char *kx_tracker_label(const char *tracker, const char *mechanism);
/* The same for a row; rows with one tracker and different options are told apart by a number: "abit #2". */
char *kx_row_label(const GPtrArray *rows, guint index);
void kx_row_free(KxRow *row);

/*
 * Ratio estimator: r = Σy/Σx over @n observations, its variance by linearisation, and the 95 % interval with Student's t
 * for n - 1 degrees of freedom. Sums add up, so windows pool by adding theirs.
 */
typedef struct {
	guint64 n;
	double y, x, y2, x2, xy;
} KxRatioSums;

void kx_ratio_add(KxRatioSums *s, double y, double x);
void kx_ratio_pool(KxRatioSums *s, const KxRatioSums *other);
/* FALSE if Σx is 0; *@se is NAN with fewer than 2 observations. */
gboolean kx_ratio_estimate(const KxRatioSums *s, double *r, double *se);
/* Half width of the 95 % interval in standard errors. */
double kx_t_quantile(double degrees);

/* --- heat ------------------------------------------------------------------ */

/* Sums of each map (accesses, half_bytes, ranges_hot), who has seen each range, and agreement. @ram_bytes: of the VM. */
void kx_heat_compare(KxHeatReport *h, guint64 ram_bytes);
/* Leaves the hottest @n ranges of each map. */
void kx_heat_trim(KxHeatReport *h, guint n);
/* Accesses for each page of 4 KiB. */
double kx_heat_of_range(const KxHeatRange *r);
/* "abit", "guest-pebs (sw:page-faults, surrogate)" */
char *kx_heat_map_label(const KxHeatMap *m);
/* The map of guest-physical memory to show first: of the tracker that runs, else the last with samples; NULL: none. */
const KxHeatMap *kx_heat_main_map(const KxHeatReport *h);
/* One VM's, as an object: who it is, maps, agreement. */
void kx_heat_add_json(JsonBuilder *b, const KxVmReport *v);
/* For people: the @top hottest ranges of @m, which is of @v. @width as below. */
char *kx_heat_to_text(const KxVmReport *v, const KxHeatMap *m, guint top, unsigned int width);

/* The report for people: a header, one table a VM, notes. @width: columns, 0 = no limit. */
char *kx_report_to_text(const KxReport *r, unsigned int width);

#endif /* KX_REPORT_H */
