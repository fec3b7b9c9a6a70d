// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics-text.h"

#include <math.h>
#include <string.h>

#include "row.h"
#include "tracker/rows.h"

typedef struct {
	GString *out;
	gboolean open; /* OpenMetrics */
	GPtrArray *vms;
	char **domains; /* of each VM: the label, escaped */
} Text;

/* --- the syntax --------------------------------------------------------------------------------------------------------- */

/* The text in a label's quotes, or of HELP; both take these escapes. */
static void put_escaped(GString *out, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	for (const char *c = valid; *c; c++) {
		if (*c == '\n')
			g_string_append(out, "\\n");
		else if (*c == '\\' || *c == '"')
			g_string_append_printf(out, "\\%c", *c);
		else
			g_string_append_c(out, *c);
	}
}

/* Whole numbers exactly, other numbers with all significant digits; with a decimal point in every locale. */
static void put_value(GString *out, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	g_ascii_formatd(text, sizeof(text),
			value == floor(value) && fabs(value) < 9007199254740992.0 ? "%.0f"
										  : "%.15g",
			value);
	g_string_append(out, text);
}

/* In the older format HELP contains quotes without an escape. */
static void put_help(Text *t, const char *help)
{
	if (t->open) {
		put_escaped(t->out, help);
		return;
	}
	for (; *help; help++) {
		if (*help == '\n' || *help == '\\')
			g_string_append_c(t->out, '\\');
		g_string_append_c(t->out, *help == '\n' ? 'n' : *help);
	}
}

/* @name: of the family in OpenMetrics, without @suffix ("_total", "_info"), which the older format has in the family's name, too. */
static void begin_family(Text *t, const char *name, const char *suffix, const char *type,
			 const char *unit, const char *help)
{
	const char *more = t->open ? "" : suffix;

	/* The older format does not know this type. */
	if (!t->open && g_str_equal(type, "info"))
		type = "gauge";
	g_string_append_printf(t->out, "# TYPE %s%s %s\n", name, more, type);
	if (t->open && *unit)
		g_string_append_printf(t->out, "# UNIT %s %s\n", name, unit);
	g_string_append_printf(t->out, "# HELP %s%s ", name, more);
	put_help(t, help);
	g_string_append_c(t->out, '\n');
}

static void put_label(Text *t, const char *label, const char *value, gboolean first)
{
	g_string_append_printf(t->out, "%s%s=\"", first ? "{" : ",", label);
	put_escaped(t->out, value);
	g_string_append_c(t->out, '"');
}

static void put_domain(Text *t, guint vm)
{
	g_string_append(t->out, "{domain=\"");
	g_string_append(t->out, t->domains[vm]);
	g_string_append_c(t->out, '"');
}

/* A line with the labels domain and tracker; @tracker NULL: domain alone. */
static void put_line(Text *t, const char *name, const char *suffix, guint vm, const char *tracker,
		     double value)
{
	g_string_append(t->out, name);
	g_string_append(t->out, suffix);
	put_domain(t, vm);
	if (tracker)
		put_label(t, "tracker", tracker, FALSE);
	g_string_append(t->out, "} ");
	put_value(t->out, value);
	g_string_append_c(t->out, '\n');
}

/* --- the daemon --------------------------------------------------------------------------------------------------------- */

static void put_single(Text *t, const char *name, const char *suffix, const char *type,
		       const char *unit, const char *help, double value)
{
	begin_family(t, name, suffix, type, unit, help);
	g_string_append_printf(t->out, "%s%s ", name, suffix);
	put_value(t->out, value);
	g_string_append_c(t->out, '\n');
}

static void put_daemon(Text *t, const KxDaemonMetrics *about)
{
	begin_family(t, "kvm_ext_build", "_info", "info", "", "The version of the daemon.");
	g_string_append(t->out, "kvm_ext_build_info");
	put_label(t, "version", about->version, TRUE);
	g_string_append(t->out, "} 1\n");
	put_single(t, "kvm_ext_libvirt_connected", "", "gauge", "",
		   "1 if the daemon is connected to libvirt, else 0.", about->libvirt);
	put_single(t, "kvm_ext_attached_vms", "", "gauge", "", "Number of attached VMs.",
		   t->vms->len);
	put_single(t, "process_cpu_seconds", "_total", "counter", "seconds",
		   "CPU time of the daemon kvm-extd.", about->cpu_seconds);
}

/* --- VMs ---------------------------------------------------------------------------------------------------------------- */

static const KxWindow *newest(const KxVmReport *v)
{
	return v->windows->len ? v->windows->pdata[v->windows->len - 1] : NULL;
}

static void put_info(Text *t)
{
	begin_family(
		t, "kvm_ext_vm", "_info", "info", "",
		"UUID of the VM, its tracker with the options, and how the tracker works on this "
		"VM: the dirty log's mechanism, or the event that is sampled.");
	for (guint i = 0; i < t->vms->len; i++) {
		const KxVmReport *v = t->vms->pdata[i];
		const KxWindow *w = newest(v);
		const char *mechanism = w ? kx_window_mechanism(w) : NULL;

		g_string_append(t->out, "kvm_ext_vm_info");
		put_domain(t, i);
		put_label(t, "uuid", v->uuid ? v->uuid : "", FALSE);
		put_label(t, "tracker", w ? w->tracker : "", FALSE);
		put_label(t, "options", w ? w->options : "", FALSE);
		put_label(t, "mechanism", mechanism ? mechanism : "", FALSE);
		g_string_append(t->out, "} 1\n");
	}
}

static const KxTrackerRow *row_of(const KxWindow *w)
{
	return w ? kx_tracker_by_name(w->tracker) : NULL;
}

static double is_paused(const KxVmReport *v)
{
	return v->paused != NULL;
}

static double is_yielded(const KxVmReport *v)
{
	return v->yielded != NULL;
}

static double is_in_long_pass(const KxVmReport *v)
{
	return v->progress != NULL;
}

static double memory(const KxVmReport *v)
{
	return v->ram_pages ? (double)v->ram_pages * 4096 : NAN;
}

static double interval(const KxVmReport *v)
{
	const KxWindow *w = newest(v);
	const KxTrackerRow *row = row_of(w);

	return row && (row->can & KX_CAN_PASS) && w->has_stats && w->interval_ns
		       ? (double)w->interval_ns / 1e9
		       : NAN;
}

static double found(const KxVmReport *v)
{
	const KxWindow *w = newest(v);
	const KxTrackerRow *row = row_of(w);

	return row && (row->can & KX_CAN_FIND) && !row->no_pages && !(row->can & KX_CAN_GUEST) &&
			       w->passes
		       ? (double)w->found_pages * 4096
		       : NAN;
}

/* Gauges: values at the time of the scrape. NAN: not available. */
static const struct {
	const char *name, *unit, *help;
	double (*value)(const KxVmReport *v);
} gauges[] = {
	{ "kvm_ext_vm_paused", "", "1 while the VM does not run, as far as libvirt tells.",
	  is_paused },
	{ "kvm_ext_vm_yielded", "",
	  "1 while the tracker has yielded the dirty log to the VMM, for a migration or another "
	  "purpose: "
	  "nothing is tracked.",
	  is_yielded },
	{ "kvm_ext_vm_in_long_pass", "",
	  "1 during a pass that takes long, such as the first pass over a large VM.",
	  is_in_long_pass },
	{ "kvm_ext_vm_memory_bytes", "bytes", "Memory of the VM.", memory },
	{ "kvm_ext_vm_interval_seconds", "seconds",
	  "Requested time between passes of the tracker that is set.", interval },
	{ "kvm_ext_vm_found_bytes", "bytes",
	  "Memory found accessed, or written, since the tracker was set: pages count once.",
	  found },
};

static void put_gauges(Text *t)
{
	for (guint g = 0; g < G_N_ELEMENTS(gauges); g++) {
		begin_family(t, gauges[g].name, "", "gauge", gauges[g].unit, gauges[g].help);
		for (guint i = 0; i < t->vms->len; i++) {
			double value = gauges[g].value(t->vms->pdata[i]);

			if (!isnan(value))
				put_line(t, gauges[g].name, "", i, NULL, value);
		}
	}
}

/* The end of the newest window is the time at which it was read. */
static void put_age(Text *t, gint64 realtime_ns)
{
	static const char name[] = "kvm_ext_vm_figures_age_seconds";

	begin_family(t, name, "", "gauge", "seconds",
		     "How old the VM's figures are. They are of the moment unless the VM was busy "
		     "with another call, or could not be read in time.");
	for (guint i = 0; i < t->vms->len; i++) {
		const KxWindow *w = newest(t->vms->pdata[i]);

		if (w && w->open)
			put_line(t, name, "", i, NULL,
				 (double)MAX(realtime_ns - w->start_realtime_ns -
						     (gint64)w->duration_ns,
					     0) /
					 1e9);
	}
}

/* --- counters of trackers ----------------------------------------------------------------------------------------------- */

/* The sentence of the manual about the figure with this name, as one line. */
static char *help_of(const KxTotalSpec *spec)
{
	if (spec->help)
		return g_strdup(spec->help);
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->key && g_str_equal(f->key, spec->name))
			return g_strdelimit(g_strdup(f->manual), "\n", ' ');
	}
	return g_strdup("");
}

static gboolean has_total(const KxTotals *totals, const KxTotalSpec *spec)
{
	const KxTrackerRow *row = kx_tracker_by_name(totals->tracker);

	if (!row)
		return FALSE;
	/* Counters of a sampler are left out as long as its event is not known, because the label names the event. */
	if ((row->can & KX_CAN_EVENTS) && !totals->event)
		return FALSE;
	if (spec->needs == KX_TOTAL_ANY)
		return TRUE;
	return (row->can & KX_CAN_PASS) && (spec->needs == KX_TOTAL_PASSES || !row->no_samples);
}

static void put_total(Text *t, guint k)
{
	const KxTotalSpec *spec = &kx_totals[k];
	g_autofree char *help = help_of(spec);
	g_autofree char *name = g_strconcat("kvm_ext_tracker_", spec->name, *spec->unit ? "_" : "",
					    spec->unit, NULL);

	begin_family(t, name, "_total", "counter", spec->unit, help);
	for (guint i = 0; i < t->vms->len; i++) {
		const KxVmReport *v = t->vms->pdata[i];

		for (guint n = 0; n < v->totals->len; n++) {
			const KxTotals *totals = v->totals->pdata[n];

			if (!isnan(totals->values[k]) && has_total(totals, spec))
				put_line(t, name, "_total", i, totals->label, totals->values[k]);
		}
	}
}

/* --- names -------------------------------------------------------------------------------------------------------------- */

static int by_name(gconstpointer a, gconstpointer b)
{
	const KxVmReport *x = *(KxVmReport *const *)a, *y = *(KxVmReport *const *)b;
	int names = strcmp(x->name, y->name);

	return names ? names : (x->pid > y->pid) - (x->pid < y->pid);
}

/*
 * If another VM has the same name, the label is the name with the pid. If a VM's name equals such a label, pids are added until the label
 * is unique.
 */
static char *label_of(const Text *t, GHashTable *taken, guint i)
{
	const KxVmReport *v = t->vms->pdata[i];
	const KxVmReport *before = i ? t->vms->pdata[i - 1] : NULL;
	const KxVmReport *after = i + 1 < t->vms->len ? t->vms->pdata[i + 1] : NULL;
	gboolean twice = (before && g_str_equal(before->name, v->name)) ||
			 (after && g_str_equal(after->name, v->name));
	char *label = twice ? g_strdup_printf("%s (pid %u)", v->name, v->pid) : g_strdup(v->name);

	while (!g_hash_table_add(taken, g_utf8_make_valid(label, -1))) {
		char *longer = g_strdup_printf("%s (pid %u)", label, v->pid);

		g_free(label);
		label = longer;
	}
	return label;
}

static char **labels_of(const Text *t)
{
	g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	char **labels = g_new0(char *, t->vms->len + 1);

	for (guint i = 0; i < t->vms->len; i++) {
		g_autofree char *label = label_of(t, taken, i);
		GString *escaped = g_string_new(NULL);

		put_escaped(escaped, label);
		labels[i] = g_string_free(escaped, FALSE);
	}
	return labels;
}

char *kx_metrics_text(const GPtrArray *vms, const KxDaemonMetrics *about, KxMetricsFormat format)
{
	Text t = { .out = g_string_sized_new(1 << 16), .open = format == KX_OPENMETRICS };

	t.vms = g_ptr_array_new();
	for (guint i = 0; i < vms->len; i++)
		g_ptr_array_add(t.vms, vms->pdata[i]);
	g_ptr_array_sort(t.vms, by_name);
	t.domains = labels_of(&t);
	put_daemon(&t, about);
	put_info(&t);
	put_gauges(&t);
	put_age(&t, about->realtime_ns);
	for (guint k = 0; k < KX_TOTALS; k++)
		put_total(&t, k);
	if (t.open)
		g_string_append(t.out, "# EOF\n");
	g_strfreev(t.domains);
	g_ptr_array_unref(t.vms);
	return g_string_free(t.out, FALSE);
}
