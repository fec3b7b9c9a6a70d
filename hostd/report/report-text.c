/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report for people. Cost per sample stands first and in a box; what was
 * not measured is "n/a (1)", what needs a word to be read right is "0.75 (2)",
 * and the number's reason or word stands below the tables.
 * Plain ASCII but for names, so that it survives serial lines and any pager.
 */
#include "model/report-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "model/hardware.h"

#define WIDE_COLUMNS 150u /* from here on the extra columns are shown */

typedef struct {
	GString *out;
	guint width;
	GPtrArray *footnotes; /* of the VM at hand; number = index + 1 */
} Text;

/* --- cells ----------------------------------------------------------------- */

static guint footnote(Text *t, const char *words)
{
	guint i;

	for (i = 0; i < t->footnotes->len && !g_str_equal(t->footnotes->pdata[i], words); i++)
		;
	if (i == t->footnotes->len)
		g_ptr_array_add(t->footnotes, g_strdup(words));
	return i + 1;
}

static char *na_cell(Text *t, const char *reason)
{
	return g_strdup_printf("n/a (%u)", footnote(t, reason));
}

/* Takes @cell. */
static char *with_note(Text *t, const KxFigure *f, char *cell)
{
	g_autofree char *plain = cell;

	return f->note ? g_strdup_printf("%s (%u)", plain, footnote(t, f->note))
		       : g_steal_pointer(&plain);
}

static char *why_not_cell(const char *reason, gpointer data)
{
	return na_cell(data, reason);
}

static char *cost_cell(Text *t, const KxFigure *f)
{
	return kx_text_ns_interval(f->value, f->low, f->high);
}

static char *count_cell(Text *t, const KxFigure *f)
{
	return kx_text_count(f->value);
}

static char *number_cell(Text *t, const KxFigure *f)
{
	return kx_text_number(f->value);
}

/* Not rounded up to a perfect score: 0.99999 is not 1. With its decimals, so that nobody takes it for a count. */
static char *share_cell(Text *t, const KxFigure *f)
{
	return g_strdup_printf("%.4f", floor(f->value * 10000) / 10000);
}

static char *ratio_cell(Text *t, const KxFigure *f)
{
	if (isnan(f->high))
		return g_strdup_printf("%.2fx", f->value);
	/* an interval is not shown as 0 because it is narrow */
	return g_strdup_printf("%.2fx +-%.*f", f->value, f->high - f->value < 0.005 ? 3 : 2,
			       f->high - f->value);
}

/* Two figures in a cell; the cell of the second stands alone for neither. */
static char *pair_cell(Text *t, const KxFigure *a, const KxFigure *b, char *(*cell)(double))
{
	g_autofree char *left = NULL, *right = NULL;

	if (a->na && b->na && g_str_equal(a->na, b->na))
		return na_cell(t, a->na);
	left = a->na ? na_cell(t, a->na) : with_note(t, a, cell(a->value));
	right = b->na ? na_cell(t, b->na) : with_note(t, b, cell(b->value));
	return g_strdup_printf("%s / %s", left, right);
}

static char *found_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - G_STRUCT_OFFSET(KxRow, pages_found));

	return pair_cell(t, f, &row->pages_total, kx_text_count);
}

static char *interval_cell(Text *t, const KxFigure *f)
{
	const KxRow *row =
		(const KxRow *)((const char *)f - G_STRUCT_OFFSET(KxRow, interval_achieved_ns));

	return pair_cell(t, f, &row->interval_requested_ns, kx_text_ns);
}

static char *pass_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - G_STRUCT_OFFSET(KxRow, pass_mean_ns));

	return pair_cell(t, f, &row->pass_p99_ns, kx_text_ns);
}

static char *run_cell(Text *t, const KxFigure *f)
{
	const KxRow *row =
		(const KxRow *)((const char *)f - G_STRUCT_OFFSET(KxRow, vcpu_run_percent));

	return pair_cell(t, f, &row->vcpu_steal_percent, kx_text_number);
}

/* --- columns --------------------------------------------------------------- */

enum {
	BOXED = 1,
	PAIR = 2,  /* two figures: the cell looks at reasons and notes itself */
	EXTRA = 4, /* only where there is room */
	SPLIT = 8, /* a stacked table may begin here */
};

typedef struct {
	const char *title;
	gsize offset;
	char *(*cell)(Text *t, const KxFigure *f);
	guint flags;
} ColumnSpec;

#define FIG(member) G_STRUCT_OFFSET(KxRow, member)

static const ColumnSpec columns[] = {
	{ "COST PER SAMPLE\nhost CPU [95 % interval]", FIG(cost_per_sample_ns), cost_cell, BOXED },
	{ "passes", FIG(passes), count_cell, 0 },
	{ "samples", FIG(samples), count_cell, 0 },
	{ "samples\nper s", FIG(samples_per_s), number_cell, 0 },
	{ "pages\nfound / total", FIG(pages_found), found_cell, PAIR },
	{ "recall", FIG(recall), share_cell, 0 },
	{ "precision", FIG(precision), share_cell, 0 },
	{ "interval\nachieved / asked", FIG(interval_achieved_ns), interval_cell, PAIR | SPLIT },
	{ "pass time\nmean / p99", FIG(pass_mean_ns), pass_cell, PAIR | EXTRA },
	{ "lost\nsamples", FIG(lost_samples), count_cell, 0 },
	{ "host CPU\n%", FIG(cpu_percent), number_cell, 0 },
	{ "flushes\nper s", FIG(flushes_per_s), number_cell, 0 },
	{ "vCPU intr.\nper s", FIG(flush_ipis_per_s), number_cell, 0 },
	{ "KVM's own\nflushes/s", FIG(kvm_flushes_per_s), number_cell, EXTRA },
	{ "VM exits\nper s", FIG(exits_per_s), number_cell, 0 },
	{ "exits\nvs off", FIG(exits_vs_off), ratio_cell, 0 },
	{ "guest work\nper s", FIG(work_per_s), number_cell, 0 },
	{ "work\nvs off", FIG(work_vs_off), ratio_cell, 0 },
	{ "vCPUs %\nrun / steal", FIG(vcpu_run_percent), run_cell, PAIR | EXTRA },
};

static char *row_label(const GPtrArray *rows, guint index)
{
	g_autofree char *label = kx_row_label(rows, index);

	return kx_text_clean(label);
}

static char *figure_cell(Text *t, const KxRow *row, const ColumnSpec *spec)
{
	const KxFigure *f = (const KxFigure *)((const char *)row + spec->offset);

	if (spec->flags & PAIR)
		return spec->cell(t, f);
	return f->na ? na_cell(t, f->na) : with_note(t, f, spec->cell(t, f));
}

static gboolean has(const KxRow *row, guint parts)
{
	return (row->parts & parts) == parts;
}

static gboolean any_has(const GPtrArray *rows, guint parts)
{
	for (guint i = 0; i < rows->len; i++) {
		if (has(rows->pdata[i], parts))
			return TRUE;
	}
	return FALSE;
}

static void add_labels(KxTable *table, const GPtrArray *rows, guint parts)
{
	guint c = kx_table_add_column(table, "tracker", TRUE, FALSE);

	for (guint i = 0; i < rows->len; i++) {
		if (has(rows->pdata[i], parts))
			kx_table_add_cell(table, c, row_label(rows, i));
	}
}

/* Which row a rate was measured in: not in those whose costs are known. */
static void add_missed_by(KxTable *table, const GPtrArray *rows)
{
	guint c = kx_table_add_column(table, "measured\nin", TRUE, FALSE);

	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];

		if (has(row, 1u << KX_PART_MISSED))
			kx_table_add_cell(table, c, row_label(rows, row->missed_by));
	}
}

static char *seconds_cell(Text *t, const KxFigure *f)
{
	return kx_text_ns(f->value * 1e9);
}

static void add_column(Text *t, KxTable *table, const GPtrArray *rows, const ColumnSpec *spec)
{
	guint c = kx_table_add_column(table, spec->title, FALSE, spec->flags & BOXED);

	for (guint i = 0; i < rows->len; i++)
		kx_table_add_cell(table, c, figure_cell(t, rows->pdata[i], spec));
}

/* What a sample costs the guest is no cost of the host's, and stands beside it. */
static void add_guest_cost(Text *t, KxTable *table, const GPtrArray *rows)
{
	static const ColumnSpec spec = { "COST PER SAMPLE\nguest CPU [95 % interval]",
					 FIG(guest_cost_per_sample_ns), cost_cell, BOXED };

	if (any_has(rows, 1u << KX_PART_GUEST))
		add_column(t, table, rows, &spec);
}

/* A VM that runs all the time needs no column that says so. */
static void add_paused(Text *t, KxTable *table, const GPtrArray *rows)
{
	static const ColumnSpec spec = { "VM\npaused", FIG(paused_seconds), seconds_cell, 0 };
	gboolean any = FALSE;

	for (guint i = 0; i < rows->len; i++) {
		const KxFigure *f = &((const KxRow *)rows->pdata[i])->paused_seconds;

		any |= f->na || f->value > 0;
	}
	if (any)
		add_column(t, table, rows, &spec);
}

static void print_table(Text *t, const GPtrArray *rows)
{
	g_autoptr(KxTable) table = kx_table_new();
	guint64 breaks = 0;
	guint c;

	add_labels(table, rows, 0);
	for (guint k = 0; k < G_N_ELEMENTS(columns); k++) {
		const ColumnSpec *spec = &columns[k];

		if ((spec->flags & EXTRA) && t->width && t->width < WIDE_COLUMNS)
			continue;
		c = kx_table_add_column(table, spec->title, FALSE, spec->flags & BOXED);
		if (spec->flags & SPLIT)
			breaks |= 1ull << c;
		for (guint i = 0; i < rows->len; i++)
			kx_table_add_cell(table, c, figure_cell(t, rows->pdata[i], spec));
		if (k)
			continue;
		add_guest_cost(t, table, rows);
		c = kx_table_add_column(table, "time\ntracked", FALSE, FALSE);
		for (guint i = 0; i < rows->len; i++)
			kx_table_add_cell(
				table, c,
				kx_text_ns(((const KxRow *)rows->pdata[i])->seconds * 1e9));
		add_paused(t, table, rows);
	}
	kx_table_print(table, t->out, t->width, 2, breaks);
}

/* --- tables of parts --------------------------------------------------------- */

static char *ns_cell(Text *t, const KxFigure *f)
{
	return kx_text_ns(f->value);
}

static char *yields_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - G_STRUCT_OFFSET(KxRow, log_yields));

	return pair_cell(t, f, &row->log_resumes, kx_text_count);
}

static const ColumnSpec log_columns[] = {
	{ "enable\nper page", FIG(log_enable_ns_per_page), ns_cell, 0 },
	{ "arm\nper page", FIG(log_arm_ns_per_page), ns_cell, 0 },
	{ "harvest\nper page", FIG(log_harvest_ns_per_page), ns_cell, 0 },
	{ "harvest\nper dirty", FIG(log_harvest_ns_per_dirty), ns_cell, 0 },
	{ "clear\nper dirty", FIG(log_clear_ns_per_dirty), ns_cell, 0 },
	{ "disable\nper page", FIG(log_disable_ns_per_page), ns_cell, 0 },
	{ "PML-full\nexits/s", FIG(pml_full_per_s), number_cell, 0 },
	{ "not tracked\npages", FIG(log_vmm_pages), count_cell, 0 },
	{ "memslots\nyielded / back", FIG(log_yields), yields_cell, PAIR },
	{ "time\nyielded", FIG(log_yielded_seconds), seconds_cell, 0 },
};

/* A share that may be below 0 by chance. */
static char *missed_cell(Text *t, const KxFigure *f)
{
	if (isnan(f->high))
		return g_strdup_printf("%.2f %%", f->value * 100);
	return g_strdup_printf("%.2f %% [%.2f, %.2f]", f->value * 100, f->low * 100, f->high * 100);
}

static char *pairs_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(missed));
	const KxFigure pairs = { .value = (double)f->n };

	if (f->na)
		return na_cell(t, f->na);
	return pair_cell(t, &pairs, &row->missed_dropped, kx_text_count);
}

static const ColumnSpec missed_columns[] = {
	{ "missed\n[95 % interval]", FIG(missed), missed_cell, 0 },
	{ "pairs of passes\nused / dropped", FIG(missed), pairs_cell, PAIR },
};

/* With what it is a share of: how much it says. */
static char *truth_cell(Text *t, const KxFigure *f)
{
	g_autofree char *value = share_cell(t, f), *pages = kx_text_count((double)f->n);

	return g_strdup_printf("%s of %s", value, pages);
}

static const ColumnSpec truth_columns[] = {
	{ "recall\nof touched", FIG(recall_touched), truth_cell, 0 },
	{ "recall\nof written", FIG(recall_written), truth_cell, 0 },
	{ "precision:\ntouched", FIG(precision_touched), truth_cell, 0 },
	{ "precision:\nwritten", FIG(precision_written), truth_cell, 0 },
};

static const ColumnSpec walk_columns[] = {
	{ "tables\nper pass", FIG(walk_tables_per_pass), number_cell, 0 },
	{ "subtrees\nskipped", FIG(walk_subtrees_per_pass), number_cell, 0 },
	{ "pages\nskipped", FIG(walk_pages_skipped_per_pass), number_cell, 0 },
	{ "upper A\ncleared", FIG(walk_cleared), count_cell, 0 },
	{ "upper A\nrestored", FIG(walk_restored), count_cell, 0 },
	{ "holds of\nmmu_lock", FIG(walk_holds_per_pass), number_cell, 0 },
	{ "hold\nmean", FIG(walk_hold_mean_ns), ns_cell, 0 },
	{ "hold\nlongest", FIG(walk_hold_max_ns), ns_cell, 0 },
	{ "ended for\nothers", FIG(walk_contended), count_cell, 0 },
};

static char *checks_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(regions_max_checks));

	return pair_cell(t, f, &row->regions_limit, kx_text_count);
}

static char *splits_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(regions_splits));

	return pair_cell(t, f, &row->regions_merges, kx_text_count);
}

static const ColumnSpec regions_columns[] = {
	{ "regions\nnow", FIG(regions_now), count_cell, 0 },
	{ "checks\nper pass", FIG(regions_checks_per_pass), number_cell, 0 },
	{ "most in a pass\n/ limit", FIG(regions_max_checks), checks_cell, PAIR },
	{ "aggregations", FIG(regions_aggregations), count_cell, 0 },
	{ "splits\n/ merges", FIG(regions_splits), splits_cell, PAIR },
};

static char *budget_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(trap_max_faults_per_s));

	return pair_cell(t, f, &row->trap_budget_faults_per_s, kx_text_count);
}

static char *vcpu_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(trap_max_vcpu_percent));

	return pair_cell(t, f, &row->trap_budget_vcpu_percent, kx_text_number);
}

static char *armed_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(trap_armed));

	return pair_cell(t, f, &row->trap_eligible, kx_text_count);
}

static char *access_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(trap_reads));
	g_autofree char *r = kx_text_count(f->value), *w = kx_text_count(row->trap_writes.value);
	g_autofree char *x = kx_text_count(row->trap_execs.value);

	return g_strdup_printf("%s / %s / %s", r, w, x);
}

static const ColumnSpec trap_columns[] = {
	{ "faults\nper s", FIG(trap_faults_per_s), number_cell, 0 },
	{ "most in 1 s\n/ budget", FIG(trap_max_faults_per_s), budget_cell, PAIR },
	{ "reads / writes\n/ fetches", FIG(trap_reads), access_cell, 0 },
	{ "page\nwalks", FIG(trap_page_walks), count_cell, 0 },
	{ "vCPU time\nper fault", FIG(trap_ns_per_fault), ns_cell, 0 },
	{ "vCPU %, most\nin 1 s / budget", FIG(trap_max_vcpu_percent), vcpu_cell, PAIR },
	{ "armed\n/ eligible", FIG(trap_armed), armed_cell, PAIR },
	{ "passes\nheld", FIG(trap_held_passes), count_cell, 0 },
	{ "arming\nper page", FIG(trap_zap_ns_per_page), ns_cell, 0 },
};

static char *dropped_cell(Text *t, const KxFigure *f)
{
	const KxRow *row = (const KxRow *)((const char *)f - FIG(guest_dropped_queue));

	return pair_cell(t, f, &row->guest_dropped_ring, kx_text_count);
}

static char *bytes_cell(Text *t, const KxFigure *f)
{
	return kx_text_pages_bytes((guint64)(f->value / 4096));
}

static const ColumnSpec guest_columns[] = {
	{ "guest CPU\n%", FIG(guest_cpu_percent), number_cell, 0 },
	{ "interrupt\nper sample", FIG(guest_interrupt_ns_per_sample), ns_cell, 0 },
	{ "drain\nper sample", FIG(guest_drain_ns_per_sample), ns_cell, 0 },
	{ "classify\nper sample", FIG(guest_classify_ns_per_sample), ns_cell, 0 },
	{ "report\nper sample", FIG(guest_report_ns_per_sample), ns_cell, 0 },
	{ "scan\nper sample", FIG(guest_scan_ns_per_sample), ns_cell, 0 },
	{ "flush\nper sample", FIG(guest_flush_ns_per_sample), ns_cell, 0 },
	{ "interrupts\nper s", FIG(guest_interrupts_per_s), number_cell, 0 },
	{ "classified\nshare", FIG(guest_classified_share), share_cell, 0 },
	{ "period", FIG(guest_period), count_cell, 0 },
	{ "dropped\nsamples / records", FIG(guest_dropped_queue), dropped_cell, PAIR },
	{ "without\naddress", FIG(guest_no_address), count_cell, 0 },
	{ "memory", FIG(guest_memory_bytes), bytes_cell, 0 },
};

static void print_part_table(Text *t, const GPtrArray *rows, KxPart part, const char *heading,
			     const ColumnSpec *specs, guint n)
{
	g_autoptr(KxTable) table = kx_table_new();
	guint bit = 1u << part;

	if (!any_has(rows, bit))
		return;
	g_string_append_printf(t->out, "\n  %s\n\n", heading);
	add_labels(table, rows, bit);
	for (guint k = 0; k < n; k++) {
		guint c = kx_table_add_column(table, specs[k].title, FALSE, FALSE);

		for (guint i = 0; i < rows->len; i++) {
			if (has(rows->pdata[i], bit))
				kx_table_add_cell(table, c,
						  figure_cell(t, rows->pdata[i], &specs[k]));
		}
	}
	if (part == KX_PART_MISSED)
		add_missed_by(table, rows);
	kx_table_print(table, t->out, t->width, 2, 0);
}

static const struct {
	const char *heading;
	const ColumnSpec *columns;
	guint n;
	KxPart part;
} part_tables[] = {
	{ "Against what the workload did: the share, and of how many pages", truth_columns,
	  G_N_ELEMENTS(truth_columns), KX_PART_TRUTH },
	{ "The dirty log's own costs: host time of KVM's ioctls", log_columns,
	  G_N_ELEMENTS(log_columns), KX_PART_LOG },
	{ "Accesses missed, for their translation was cached", missed_columns,
	  G_N_ELEMENTS(missed_columns), KX_PART_MISSED },
	{ "The walk of the nested page table", walk_columns, G_N_ELEMENTS(walk_columns),
	  KX_PART_WALK },
	{ "Trackers in the guest: time of the guest's CPUs", guest_columns,
	  G_N_ELEMENTS(guest_columns), KX_PART_GUEST },
	{ "Traps: first accesses to pages whose mapping was removed", trap_columns,
	  G_N_ELEMENTS(trap_columns), KX_PART_TRAP },
	{ "Regions: one page of each is checked in a pass", regions_columns,
	  G_N_ELEMENTS(regions_columns), KX_PART_REGIONS },
};

static void print_part_tables(Text *t, const GPtrArray *rows)
{
	for (guint i = 0; i < G_N_ELEMENTS(part_tables); i++)
		print_part_table(t, rows, part_tables[i].part, part_tables[i].heading,
				 part_tables[i].columns, part_tables[i].n);
}

/* --- the hottest regions ----------------------------------------------------- */

#define HOTTEST_SHOWN 10u

static void region_row(KxTable *table, const KxRegion *g, guint rank, guint32 checks)
{
	char *cells[] = {
		g_strdup_printf("%u", rank),
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x", g->gfn),
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x%s", g->gfn << 12,
				g->as_id ? " (SMM)" : ""),
		kx_text_pages_bytes(g->npages),
		g_strdup_printf("%u / %u", g->accesses, checks),
		g_strdup_printf("%u", g->age),
	};

	for (guint i = 0; i < G_N_ELEMENTS(cells); i++)
		kx_table_add_cell(table, i, cells[i]);
}

static void print_hottest_of(Text *t, const char *label, const KxRegions *r)
{
	static const char *const titles[] = { "rank", "first gfn",	    "address",
					      "size", "accessed\n/ checks", "age\naggregations" };
	g_autoptr(KxTable) table = kx_table_new();
	g_autoptr(GArray) ranked = kx_regions_ranked(r);
	guint shown = MIN(ranked->len, HOTTEST_SHOWN);

	for (guint i = 0; i < G_N_ELEMENTS(titles); i++)
		kx_table_add_column(table, titles[i], FALSE, FALSE);
	for (guint i = 0; i < shown; i++)
		region_row(table, &g_array_index(ranked, KxRegion, i), i + 1, r->checks);
	g_string_append_printf(t->out,
			       "\n  %s: the hottest %u of %u regions, in its last aggregation "
			       "(number %" G_GUINT64_FORMAT ")\n\n",
			       label, shown, r->total, r->aggregation + 1);
	kx_table_print(table, t->out, t->width, 2, 0);
}

static void print_hottest(Text *t, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		g_autofree char *label = row_label(rows, i);

		if (!has(row, 1u << KX_PART_REGIONS))
			continue;
		if (row->regions)
			print_hottest_of(t, label, row->regions);
		else
			g_string_append_printf(t->out, "\n  %s: hottest regions n/a: %s\n", label,
					       row->regions_na);
	}
}

/* --- below the table ------------------------------------------------------- */

static void print_settings(Text *t, const KxVmReport *v, const GPtrArray *rows)
{
	const KxWindow *last = v->windows->pdata[v->windows->len - 1];
	guint width = 0;

	g_string_append(t->out, "\n  Settings\n");
	for (guint i = 0; i < rows->len; i++) {
		g_autofree char *label = row_label(rows, i);

		width = MAX(width, kx_text_columns(label));
	}
	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		g_autofree char *label = row_label(rows, i);
		g_autofree char *options = kx_text_clean(row->options);
		gboolean runs = last->open && g_str_equal(last->tracker, row->tracker) &&
				g_str_equal(last->options, row->options);

		g_string_append_printf(t->out, "    %s%*s  %s%s%u window%s%s\n", label,
				       (int)(width - kx_text_columns(label)), "", options,
				       *options ? "; " : "", row->windows,
				       row->windows == 1 ? "" : "s", runs ? ", running" : "");
	}
}

static void print_loss(Text *t, const char *label, const KxRow *row)
{
	g_autofree char *lost = kx_text_count(row->lost_samples.value);
	g_autofree char *samples = kx_text_count(row->samples.value);

	g_string_append_printf(
		t->out,
		"\n  %s: %s of %s samples did not fit the ring. They are counted, but "
		"missing from\n  pages found, recall and precision.\n",
		label, lost, samples);
}

static void print_losses(Text *t, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		const KxFigure *cost = &row->cost_per_sample_ns;
		g_autofree char *label = row_label(rows, i);

		if (!row->lost_samples.na && row->lost_samples.value > 0)
			print_loss(t, label, row);
		if (!cost->na && (double)cost->n < row->passes.value)
			g_string_append_printf(
				t->out,
				"\n  %s: the records of %.0f of %.0f passes are missing; "
				"cost per sample is from the others.\n",
				label, row->passes.value - (double)cost->n, row->passes.value);
	}
}

void kx_print_folded(GString *out, guint width, const char *text, guint indent)
{
	guint most = MAX(width ? MIN(width, 110u) : 110u, indent + 40u);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	guint column = 0;

	for (char **word = words; *word; word++) {
		guint n = kx_text_columns(*word);

		if (column && column + 1 + n > most) {
			g_string_append_c(out, '\n');
			column = 0;
		}
		g_string_append_printf(out, "%*s%s", column ? 1 : (int)indent, "", *word);
		column += n + (column ? 1 : indent);
	}
	g_string_append_c(out, '\n');
}

static void print_folded(Text *t, const char *text, guint indent)
{
	kx_print_folded(t->out, t->width, text, indent);
}

static void print_notes(Text *t, const KxVmReport *v, const GPtrArray *rows)
{
	g_autoptr(GPtrArray) notes = kx_vm_notes(v, rows);

	for (guint i = 0; i < notes->len; i++) {
		g_autofree char *note = kx_text_clean(notes->pdata[i]);

		if (!i)
			g_string_append_c(t->out, '\n');
		print_folded(t, note, 2);
	}
}

static void print_footnotes(Text *t)
{
	if (t->footnotes->len)
		g_string_append(t->out, "\n  Footnotes\n");
	for (guint i = 0; i < t->footnotes->len; i++) {
		g_autofree char *words = kx_text_clean(t->footnotes->pdata[i]);
		g_autofree char *line = g_strdup_printf("(%u) %s", i + 1, words);

		print_folded(t, line, 4);
	}
}

/* --- headings -------------------------------------------------------------- */

static char *or_unknown(const char *text)
{
	return kx_text_clean(text && *text ? text : "unknown");
}

static void print_mapped(Text *t, const KxVmReport *v)
{
	const struct {
		const char *size;
		guint64 count;
	} sizes[] = { { "4K", v->mapped_4k }, { "2M", v->mapped_2m }, { "1G", v->mapped_1g } };
	gboolean any = FALSE;

	g_string_append(t->out, "  page sizes in use: ");
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		if (!sizes[i].count)
			continue;
		g_string_append_printf(t->out, "%s%" G_GUINT64_FORMAT " x %s", any ? ", " : "",
				       sizes[i].count, sizes[i].size);
		any = TRUE;
	}
	g_string_append(t->out, any ? "\n" : "n/a: no mapping was seen\n");
}

static void print_log_heading(Text *t, const KxVmReport *v)
{
	g_autofree char *mechanism = or_unknown(v->log_mechanism);
	g_autofree char *source = or_unknown(v->log_mechanism_source);
	g_autofree char *mode = or_unknown(v->log_mode);
	g_autofree char *yielded = v->yielded ? kx_text_clean(v->yielded) : NULL;

	if (v->log_mechanism)
		g_string_append_printf(t->out, "  dirty log: %s, from %s; mode %s\n", mechanism,
				       source, mode);
	if (yielded)
		g_string_append_printf(t->out, "  yielded: %s: nothing is tracked until it ends\n",
				       yielded);
}

static void print_progress(Text *t, const KxVmReport *v)
{
	g_autofree char *progress = v->progress ? kx_text_clean(v->progress) : NULL;

	if (progress)
		g_string_append_printf(t->out, "  now: %s\n", progress);
}

static void print_paused(Text *t, const KxVmReport *v)
{
	g_autofree char *paused = v->paused ? kx_text_clean(v->paused) : NULL;

	if (paused)
		g_string_append_printf(t->out, "  paused: %s: the VM does not run now\n", paused);
}

static void print_declared(Text *t, const KxVmReport *v)
{
	if (v->declared_pages)
		g_string_append_printf(
			t->out,
			"  left alone: %" G_GUINT64_FORMAT
			" page%s that the guest declared, pinned and in no tracker's "
			"samples\n",
			v->declared_pages, v->declared_pages == 1 ? "" : "s");
}

static void print_vm_heading(Text *t, const KxVmReport *v)
{
	g_autofree char *name = kx_text_clean(v->name);
	g_autofree char *paging = or_unknown(v->paging);
	g_autofree char *ad_bits = or_unknown(v->ad_bits);
	g_autofree char *ended = kx_text_clean(v->ended ? v->ended : "detached");
	g_autoptr(GString) title = g_string_new(name);

	g_string_append(title, "  (");
	if (v->pid)
		g_string_append_printf(title, "pid %u, ", v->pid);
	if (v->attached)
		g_string_append(title, "attached)");
	else
		g_string_append_printf(title, "ended: %s)", ended);
	g_string_append_printf(t->out, "\n%s\n", title->str);
	for (guint i = kx_text_columns(title->str); i; i--)
		g_string_append_c(t->out, '=');
	g_string_append_c(t->out, '\n');

	if (v->vcpus)
		g_string_append_printf(t->out, "  %u vCPU%s", v->vcpus, v->vcpus == 1 ? "" : "s");
	else
		g_string_append(t->out, "  vCPUs unknown");
	g_string_append_printf(t->out, ", paging %s", paging);
	if (v->root_level)
		g_string_append_printf(t->out, " with %u levels", v->root_level);
	g_string_append_printf(t->out, ", A/D bits %s", ad_bits);
	if (v->ram_pages) {
		g_autofree char *bytes = kx_text_pages_bytes(v->ram_pages);

		g_string_append_printf(t->out, ", RAM %s = %" G_GUINT64_FORMAT " pages", bytes,
				       v->ram_pages);
		if (v->memslots)
			g_string_append_printf(t->out, " in %u memslot%s", v->memslots,
					       v->memslots == 1 ? "" : "s");
	}
	g_string_append_c(t->out, '\n');
	if (v->ring_bytes) {
		g_autofree char *ring = kx_text_pages_bytes(v->ring_bytes / 4096);

		g_string_append_printf(t->out, "  sample ring %s\n", ring);
	}
	print_mapped(t, v);
	print_log_heading(t, v);
	print_progress(t, v);
	print_paused(t, v);
	print_declared(t, v);
}

static void print_vm(Text *t, const KxVmReport *v)
{
	g_autoptr(GPtrArray) rows = kx_vm_rows(v);

	g_ptr_array_set_size(t->footnotes, 0);
	print_vm_heading(t, v);
	g_string_append_c(t->out, '\n');
	if (!rows->len) {
		g_string_append(t->out, "  No tracker was set on this VM yet.\n");
		return;
	}
	print_table(t, rows);
	print_part_tables(t, rows);
	print_hottest(t, rows);
	kx_heat_print(v->heat, t->out, t->width, why_not_cell, t);
	kx_comparison_print(rows, t->out, t->width);
	print_losses(t, rows);
	print_notes(t, v, rows);
	print_settings(t, v, rows);
	print_footnotes(t);
}

static gboolean used_log(const KxReport *r)
{
	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];

		for (guint k = 0; k < v->windows->len; k++) {
			if (((const KxWindow *)v->windows->pdata[k])->has_log)
				return TRUE;
		}
	}
	return FALSE;
}

/* A kernel that is known to be wrong is named whatever the report is about. */
static void print_selftest(Text *t, const KxReport *r)
{
	g_autofree char *text = or_unknown(r->log_selftest_text);

	if (g_strcmp0(r->log_selftest, "wrong") == 0) {
		g_string_append(t->out, "  dirty log *** WRONG ON THIS KERNEL ***\n");
		print_folded(t, text, 12);
		print_folded(t,
			     "What dirty-log and pml-abit find here can be less than what was "
			     "written.",
			     12);
	} else if (r->log_selftest && used_log(r)) {
		g_autofree char *line = g_strdup_printf("dirty log self-test %s", text);

		print_folded(t, line, 2);
	}
}

static void print_hardware(Text *t, const KxReport *r)
{
	KxHardware kind = kx_hardware_by_name(r->hardware);
	g_autofree char *under = r->hardware_under ? kx_text_clean(r->hardware_under) : NULL;
	g_autofree char *heading = kx_hardware_heading(kind, under);

	g_string_append_printf(t->out, "  hardware  %s\n", heading);
	if (kx_hardware_times(kind))
		print_folded(t, kx_hardware_times(kind), 12);
}

static void print_header(Text *t, const KxReport *r)
{
	g_autoptr(GDateTime) time =
		g_date_time_new_from_unix_utc(r->generated_realtime_ns / 1000000000);
	g_autofree char *when = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S UTC") : NULL;
	g_autofree char *version = or_unknown(r->version);
	g_autofree char *kernel = or_unknown(r->kernel);
	g_autofree char *vendor = or_unknown(r->cpu_vendor);
	g_autofree char *model = or_unknown(r->cpu_model);
	g_string_append_printf(t->out, "kvm-ext %s report, %s\n\n", version,
			       when ? when : "unknown");
	g_string_append_printf(t->out, "  kernel    %s\n", kernel);
	g_string_append_printf(t->out, "  CPU       %s, %s", vendor, model);
	if (r->cpus)
		g_string_append_printf(t->out, ", %u CPU%s", r->cpus, r->cpus == 1 ? "" : "s");
	g_string_append_c(t->out, '\n');
	print_hardware(t, r);
	print_selftest(t, r);
}

char *kx_report_to_text(const KxReport *r, unsigned int width)
{
	Text t = { .out = g_string_new(NULL), .width = width };

	t.footnotes = g_ptr_array_new_with_free_func(g_free);
	print_header(&t, r);
	if (!r->vms->len)
		g_string_append(t.out, "\nNo VM has been attached: kvm-ext attach NAME\n");
	for (guint i = 0; i < r->vms->len; i++)
		print_vm(&t, r->vms->pdata[i]);
	if (r->vms->len)
		g_string_append(
			t.out,
			"\nA sample is a page (or 2M/1G leaf) found accessed in a pass; pages are "
			"4 KiB; k, M, G are 10^3, 10^6, 10^9.\nHost CPU is that of the pass thread "
			"per sample; host CPU % is of one CPU, with the daemon's share.\n");
	g_ptr_array_unref(t.footnotes);
	return g_string_free(t.out, FALSE);
}
