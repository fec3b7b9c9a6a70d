// SPDX-License-Identifier: GPL-2.0-or-later
/* Trackers on an experiment's VMs, and the readings before and after the workload, by the daemon. */
#include "experiment-internal.h"

#include "base/textfmt.h"
#include "compare-internal.h"
#include "compare/doubts.h"

#define PRIME_US (120 * (gint64)G_USEC_PER_SEC)
#define POLL_MS	 20u

static KxVmReport *look(Experiment *x, const Clone *c, GError **error)
{
	CompareRun r = { .cli = x->cli };
	const CompareVm vm = { .target = c->uuid };

	return compare_look(&r, &vm, error);
}

/* --- the tracker -------------------------------------------------------------------------------------------------- */

static gboolean attach(Experiment *x, Clone *c, GError **error)
{
	GVariantDict options;

	g_variant_dict_init(&options, NULL);
	g_variant_dict_insert(&options, "tracker", "s", "off");
	c->attached = cli_ask_attach(x->cli, c->uuid, g_variant_dict_end(&options), NULL, error);
	return c->attached;
}

/* Holds the VM, so that no other command takes the tracker of a run for the VM's own. */
static gboolean hold(Experiment *x, Clone *c, GError **error)
{
	g_autoptr(KxVmReport) v = look(x, c, error);

	if (!v || !cli_hold(x->cli, v->pid, x->e->id, error))
		return FALSE;
	c->pid = v->pid;
	return TRUE;
}

/* @refused is set if the daemon says that this host or VM cannot have the setting. */
static void set_tracker(Experiment *x, Clone *c, char **refused)
{
	g_autoptr(GError) error = NULL;

	if (!attach(x, c, &error) || !hold(x, c, &error)) {
		experiment_clone_fail(c, "attaching: %s", error->message);
		return;
	}
	if (cli_ask_set(x->cli, c->uuid, kx_setting_to_variant(x->setting), NULL, &error))
		return;
	experiment_clone_fail(c, "tracker %s: %s", x->setting->text, error->message);
	if (kx_exit_code(error) == KX_EXIT_UNSUPPORTED && !*refused)
		*refused = kx_text_clean(error->message);
}

/* Whether to wait longer for the clone. *@until is moved on as long as the VM reports that it is priming. */
static gboolean primes(Experiment *x, Clone *c, gint64 *until)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxVmReport) v = NULL;

	if (c->failed || !(x->setting->options.tracker->can & KX_CAN_PASS))
		return FALSE;
	v = look(x, c, &error);
	if (!v)
		experiment_clone_fail(c, "%s", error->message);
	else if (compare_open_window(v)->passes > 0)
		return FALSE;
	else if (v->progress)
		*until = g_get_monotonic_time() + PRIME_US;
	else if (g_get_monotonic_time() > *until)
		experiment_clone_fail(c, "no pass was completed within two minutes");
	experiment_clone_check(c);
	return !c->failed;
}

char *experiment_track(Experiment *x, GPtrArray *clones)
{
	char *refused = NULL;
	gint64 until;

	for (guint i = 0; i < clones->len; i++) {
		Clone *c = clones->pdata[i];

		if (!c->failed)
			set_tracker(x, c, &refused);
	}
	until = g_get_monotonic_time() + PRIME_US;
	for (guint i = 0; i < clones->len && !refused; i++) {
		while (primes(x, clones->pdata[i], &until)) {
			if (!experiment_wait(x, POLL_MS))
				return NULL;
		}
	}
	return refused;
}

/* --- readings ----------------------------------------------------------------------------------------------------- */

static KxWindow *read_window(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxVmReport) v = look(x, c, &error);
	KxWindow *w;

	if (!v) {
		experiment_clone_fail(c, "%s", error->message);
		return NULL;
	}
	c->pid = v->pid;
	w = kx_window_copy(compare_open_window(v));
	compare_read_vcpus(w, v->pid);
	return w;
}

void experiment_begin_reading(Experiment *x, Clone *c)
{
	if (c->failed)
		return;
	c->begin = read_window(x, c);
	c->begin_realtime_ns = g_get_real_time() * 1000;
}

/* Why the readings do not count: the time belongs to another setting, too, or the VM was paused. NULL: they count. */
static const char *why_not(const Experiment *x, const KxStretch *s, const KxWindow *w)
{
	g_autofree char *options = kx_options_to_string(&x->setting->options);

	if (s->failed)
		return s->failed;
	if (!g_str_equal(w->tracker, x->setting->options.tracker->name) ||
	    g_strcmp0(w->options, options) != 0)
		return "somebody else switched the tracker";
	return s->paused_ns > 0 ? "the VM was paused for a part of the time" : NULL;
}

void experiment_end_reading(Experiment *x, Clone *c)
{
	g_autoptr(KxWindow) end = c->failed ? NULL : read_window(x, c);
	const char *why;

	if (!end || !c->begin)
		return;
	c->stretch = kx_stretch_between(c->begin, end);
	kx_doubts_of_pauses(c->doubts, c->begin, end);
	c->stretch->start_realtime_ns = c->begin_realtime_ns;
	c->stretch->end_realtime_ns = g_get_real_time() * 1000;
	why = why_not(x, c->stretch, end);
	if (why)
		experiment_clone_fail(c, "%s", why);
	else
		kx_experiment_whole_run(c->stretch, (double)(c->end_us - c->start_us) * 1000);
}

/* --- the host ----------------------------------------------------------------------------------------------------- */

static void learn_size(KxComparedVm *v, const KxVmReport *from)
{
	v->vcpus = from->vcpus;
	v->ram_pages = from->ram_pages;
	kx_set_text(&v->emulated_by, from->emulated_by);
	g_ptr_array_unref(v->doubts);
	v->doubts = kx_doubts_of_vm(NULL, (pid_t)from->pid, from->emulated_by);
}

void experiment_learn_host(Experiment *x, KxComparison *into, GPtrArray *clones)
{
	if (into->host->kernel)
		return;
	for (guint i = 0; i < clones->len; i++) {
		const Clone *c = clones->pdata[i];
		char *targets[] = { c->uuid, NULL };
		g_autofree char *json = NULL;
		KxReport *report;

		if (c->failed)
			continue;
		json = cli_ask_report(x->cli, targets, NULL, NULL);
		report = json ? kx_report_from_json(json, NULL) : NULL;
		if (!report)
			continue;
		if (report->vms->len)
			learn_size(into->vms->pdata[i], report->vms->pdata[0]);
		g_ptr_array_set_size(report->vms, 0);
		kx_report_free(into->host);
		into->host = report;
	}
}
