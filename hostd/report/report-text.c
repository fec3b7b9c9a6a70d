// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report for people: headings, and the text below the tables. All text except names is plain ASCII, so that any serial
 * line and pager shows it correctly.
 */
#include "text-internal.h"

#include "base/textfmt.h"
#include "model/hardware.h"

/* --- below the table ------------------------------------------------------- */

static void print_settings(KxText *t, const KxVmReport *v, const GPtrArray *rows)
{
	const KxWindow *last = v->windows->pdata[v->windows->len - 1];
	guint width = 0;

	g_string_append(t->out, "\n  Settings\n");
	for (guint i = 0; i < rows->len; i++) {
		g_autofree char *label = kx_row_cell(rows, i);

		width = MAX(width, kx_text_columns(label));
	}
	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		g_autofree char *label = kx_row_cell(rows, i);
		g_autofree char *options = kx_text_clean(row->options);
		gboolean runs = last->open && g_str_equal(last->tracker, row->tracker) &&
				g_str_equal(last->options, row->options);

		g_string_append_printf(t->out, "    %s%*s  %s%s%u window%s%s\n", label,
				       (int)(width - kx_text_columns(label)), "", options,
				       *options ? "; " : "", row->windows,
				       row->windows == 1 ? "" : "s", runs ? ", running" : "");
	}
}

static void print_folded(KxText *t, const char *text, guint indent)
{
	kx_text_fold(t->out, t->width, text, indent);
}

static void print_losses(KxText *t, const GPtrArray *rows)
{
	g_autoptr(GPtrArray) losses = kx_row_losses(rows);

	for (guint i = 0; i < losses->len; i++) {
		g_string_append_c(t->out, '\n');
		print_folded(t, losses->pdata[i], 2);
	}
}

static void print_sentence(const char *sentence, gboolean first, gpointer data)
{
	KxText *t = data;

	if (first)
		g_string_append_c(t->out, '\n');
	print_folded(t, sentence, 2);
}

static void print_notes(KxText *t, const KxVmReport *v, const GPtrArray *rows)
{
	g_autoptr(GPtrArray) notes = kx_vm_notes(v, rows);

	for (guint i = 0; i < notes->len; i++) {
		g_autofree char *note = kx_text_clean(notes->pdata[i]);

		if (!i)
			g_string_append_c(t->out, '\n');
		print_folded(t, note, 2);
	}
}

static void print_footnotes(KxText *t)
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

static void print_mapped(KxText *t, const KxVmReport *v)
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

static void print_log_heading(KxText *t, const KxVmReport *v)
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

static void print_progress(KxText *t, const KxVmReport *v)
{
	g_autofree char *progress = v->progress ? kx_text_clean(v->progress) : NULL;

	if (progress)
		g_string_append_printf(t->out, "  now: %s\n", progress);
}

static void print_paused(KxText *t, const KxVmReport *v)
{
	g_autofree char *paused = v->paused ? kx_text_clean(v->paused) : NULL;

	if (paused)
		g_string_append_printf(t->out, "  paused: %s: the VM does not run now\n", paused);
}

static void print_declared(KxText *t, const KxVmReport *v)
{
	if (v->declared_pages)
		g_string_append_printf(
			t->out,
			"  left alone: %" G_GUINT64_FORMAT
			" page%s that the guest declared, pinned and in no tracker's "
			"samples, with the whole huge pages of the host that map them\n",
			v->declared_pages, v->declared_pages == 1 ? "" : "s");
}

static void print_emulated(KxText *t, const KxVmReport *v)
{
	g_autofree char *by = v->emulated_by ? kx_text_clean(v->emulated_by) : NULL;

	if (by)
		g_string_append_printf(
			t->out,
			"  vCPUs emulated by %s, without KVM: the guest's times are the "
			"emulator's, good as ratios within this VM only\n",
			by);
}

static void print_vm_heading(KxText *t, const KxVmReport *v)
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
	if (!v->emulated_by) {
		g_string_append_printf(t->out, ", paging %s", paging);
		if (v->root_level)
			g_string_append_printf(t->out, " with %u levels", v->root_level);
		g_string_append_printf(t->out, ", A/D bits %s", ad_bits);
	}
	if (v->ram_pages) {
		g_autofree char *bytes = kx_text_pages_bytes(v->ram_pages);

		g_string_append_printf(t->out, ", RAM %s = %" G_GUINT64_FORMAT " pages", bytes,
				       v->ram_pages);
		if (v->memslots)
			g_string_append_printf(t->out, " in %u memslot%s", v->memslots,
					       v->memslots == 1 ? "" : "s");
	}
	g_string_append_c(t->out, '\n');
	print_emulated(t, v);
	if (v->ring_bytes) {
		g_autofree char *ring = kx_text_pages_bytes(v->ring_bytes / 4096);

		g_string_append_printf(t->out, "  sample ring %s\n", ring);
	}
	/* KVM has neither a page table nor a log for it. */
	if (!v->emulated_by)
		print_mapped(t, v);
	print_log_heading(t, v);
	print_progress(t, v);
	print_paused(t, v);
	print_declared(t, v);
}

static void print_vm(KxText *t, const KxVmReport *v, const char *reference)
{
	g_autoptr(GPtrArray) rows = kx_vm_rows(v, reference);

	g_ptr_array_set_size(t->footnotes, 0);
	print_vm_heading(t, v);
	g_string_append_c(t->out, '\n');
	if (!rows->len) {
		g_string_append(t->out, "  No tracker was set on this VM yet.\n");
		return;
	}
	kx_text_tables(t, rows);
	if (v->heat)
		kx_text_heat(t, v->heat);
	if (v->placement)
		kx_text_placement(t, v->placement);
	kx_row_sentences(rows, reference, print_sentence, t);
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

/* A kernel whose dirty log is known to be wrong is named in every report. */
static void print_selftest(KxText *t, const KxReport *r)
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

static void print_hardware(KxText *t, const KxReport *r)
{
	KxHardware kind = kx_hardware_by_name(r->hardware);
	g_autofree char *under = r->hardware_under ? kx_text_clean(r->hardware_under) : NULL;
	g_autofree char *heading = kx_hardware_heading(kind, under);

	g_string_append_printf(t->out, "  hardware  %s\n", heading);
	if (kx_hardware_times(kind))
		print_folded(t, kx_hardware_times(kind), 12);
	if (kx_report_times_of_vms(r))
		print_folded(t, kx_report_times_of_vms(r), 12);
}

static void print_header(KxText *t, const KxReport *r)
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
	KxText t = { .out = g_string_new(NULL), .width = width };

	t.footnotes = g_ptr_array_new_with_free_func(g_free);
	print_header(&t, r);
	if (!r->vms->len)
		g_string_append(t.out, "\nNo VM has been attached: kvm-ext attach NAME\n");
	for (guint i = 0; i < r->vms->len; i++)
		print_vm(&t, r->vms->pdata[i], r->reference);
	if (r->vms->len)
		g_string_append(
			t.out,
			"\nA sample is a page (or 2M/1G leaf) found accessed in a pass; pages are "
			"4 KiB; k, M, G are 10^3, 10^6, 10^9.\nHost CPU is that of the pass thread "
			"per sample; host CPU % is of one CPU, with the daemon's share.\nThe host "
			"per sample of 'kvm-ext compare' has the daemon's draining as well: in "
			"JSON it is total_cost_per_sample_ns.\n");
	g_ptr_array_unref(t.footnotes);
	return g_string_free(t.out, FALSE);
}
