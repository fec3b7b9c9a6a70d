// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An experiment runs in rounds. In each round every point (number and size of the VMs) has every setting once. Such a run has these
 * steps:
 *
 *   start     the clones, and wait until they are ready
 *   track     set the tracker, and wait until it has completed a pass, if it has passes
 *   run       the workload in all clones at the same time, each one from one reading to another
 *   end       detach and destroy the clones
 *
 * An error fails only the run of this VM.
 */
#include "experiment-run.h"

#include <glib-unix.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "compare/design.h"
#include "compare/doubts.h"
#include "experiment-internal.h"
#include "output.h"
#include "vm/environment.h"
#include "vm/libvirt.h"

#define POLL_MS 20u
#define BAD_MAX 3u /* runs in a row without any measurement: something is wrong with all of them */

/* --- signals, progress -------------------------------------------------------------------------------------------- */

static gboolean on_signal(gpointer data)
{
	Experiment *x = data;

	x->interrupts++;
	fprintf(stderr, "%skvm-ext: %s\n", x->terminal ? "\r\033[K" : "",
		x->interrupts == 1 ? "ending after this run; interrupt again to end at once"
				   : "ending at once");
	if (x->interrupts > 1 && x->cli->cancellable)
		g_cancellable_cancel(x->cli->cancellable);
	return G_SOURCE_CONTINUE;
}

/* The terminal was closed: ends at once. */
static gboolean on_hangup(gpointer data)
{
	Experiment *x = data;

	x->interrupts = 1;
	return on_signal(x);
}

static void say_progress(Experiment *x, guint round, const KxPoint *at, const char *label)
{
	gint64 now = g_get_monotonic_time();
	double left = x->done ? (double)(now - x->start_us) / x->done * (x->runs - x->done) : 0;
	g_autofree char *to_go = kx_text_ns(left * 1000);

	if (x->cli->quiet)
		return;
	fprintf(stderr, "%srun %u of %u: round %u, %s%s%s",
		x->terminal ? "\r" : "kvm-ext: ", x->done + 1, x->runs, round + 1, at->label,
		*at->label ? ", " : "", label);
	if (x->done)
		fprintf(stderr, ", about %s to go", to_go);
	fputs(x->terminal ? "\033[K" : "\n", stderr);
	fflush(stderr);
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

typedef gboolean (*Step)(Experiment *x, Clone *c);
typedef void (*Then)(Experiment *x, Clone *c);

/* The state of a clone in a step. */
typedef enum {
	ON_ITS_WAY,
	ARRIVED,
	DONE, /* @then was called, or the clone has failed */
} At;

static At look(Experiment *x, Clone *c, Step over, gint64 until, const char *late)
{
	experiment_clone_check(c);
	if (!c->failed && over(x, c))
		return ARRIVED;
	if (!c->failed && g_get_monotonic_time() > until)
		experiment_clone_fail(c, "%s%s%s", late, c->unanswered ? "; " : "",
				      c->unanswered ? c->unanswered : "");
	return c->failed ? DONE : ON_ITS_WAY;
}

/*
 * Polls until the step is over for each clone; a clone that needs longer than the limit fails with @late. @then takes time: it is called
 * after all clones were checked, so that the elapsed time of another clone does not contain it. FALSE: everything must end at once.
 */
static gboolean await(Experiment *x, GPtrArray *clones, Step over, Then then, guint64 limit_ns,
		      const char *late)
{
	gint64 until = g_get_monotonic_time() + (gint64)(limit_ns / 1000);
	g_autofree At *at = g_new0(At, clones->len);

	for (guint left = clones->len; left;) {
		left = 0;
		for (guint i = 0; i < clones->len; i++) {
			if (at[i] == ON_ITS_WAY)
				at[i] = look(x, clones->pdata[i], over, until, late);
			left += at[i] == ON_ITS_WAY;
		}
		for (guint i = 0; i < clones->len; i++) {
			Clone *c = clones->pdata[i];

			if (at[i] == ARRIVED && then && !c->failed)
				then(x, c);
			if (at[i] == ARRIVED)
				at[i] = DONE;
		}
		if (left && !experiment_wait(x, POLL_MS))
			return FALSE;
	}
	return TRUE;
}

/* All steps up to the end of the workload. FALSE: everything must end at once. */
static gboolean run_clones(Experiment *x, GPtrArray *clones, char **refused)
{
	for (guint i = 0; i < clones->len && x->interrupts < 2; i++)
		experiment_clone_start(x, clones->pdata[i]);
	if (x->interrupts > 1 ||
	    !await(x, clones, experiment_is_ready, NULL, x->plan->boot_limit_ns,
		   "the VM was not ready within [vm] boot-limit"))
		return FALSE;
	*refused = experiment_track(x, clones);
	if (*refused || x->interrupts > 1)
		return *refused != NULL;
	for (guint i = 0; i < clones->len; i++)
		experiment_begin_reading(x, clones->pdata[i]);
	for (guint i = 0; i < clones->len; i++)
		experiment_start_work(x, clones->pdata[i]);
	return await(x, clones, experiment_work_is_over, experiment_end_reading,
		     x->plan->run_limit_ns, "the workload did not end within [workload] run-limit");
}

/* Takes the measurements into @c. FALSE: nothing was measured, *@why is the reason. */
static gboolean keep(KxComparison *c, GPtrArray *clones, guint round, guint setting, char **why)
{
	gboolean any = FALSE;

	for (guint i = 0; i < clones->len; i++) {
		Clone *clone = clones->pdata[i];

		if (!clone->failed && clone->stretch) {
			kx_doubts_add(((KxComparedVm *)c->vms->pdata[i])->doubts, clone->doubts);
			kx_comparison_put(c, i, round, setting, g_steal_pointer(&clone->stretch));
			any = TRUE;
			continue;
		}
		kx_comparison_put(c, i, round, setting,
				  kx_stretch_failed(clone->failed ? clone->failed : "interrupted"));
		g_free(*why);
		*why = g_strdup(clone->failed);
	}
	return any;
}

/* A setting that this host cannot have is not tried again. */
static void keep_refused(Experiment *x, KxComparison *c, guint round, guint setting)
{
	for (guint i = 0; i < c->vms->len; i++)
		kx_comparison_put(c, i, round, setting, kx_stretch_failed(x->refused[setting]));
}

/* FALSE: everything must end at once, and nothing of this run counts. */
static gboolean run(Experiment *x, const KxExperimentPoint *p, guint round, guint setting)
{
	g_autoptr(GPtrArray) clones = g_ptr_array_new_with_free_func(experiment_clone_free);
	gboolean ok;

	x->setting = x->plan->settings->pdata[setting];
	for (guint i = 0; i < p->at->vms; i++)
		g_ptr_array_add(clones, experiment_clone_new(x, p->at, i, x->setting));
	x->cli->cancellable = g_cancellable_new();
	ok = run_clones(x, clones, &x->refused[setting]) && x->interrupts < 2;
	if (ok && !x->refused[setting])
		experiment_learn_host(x, p->c, clones);
	/* What follows must not be interrupted. */
	g_clear_object(&x->cli->cancellable);
	for (guint i = 0; i < clones->len; i++)
		experiment_clone_end(x, clones->pdata[i]);
	if (!ok)
		return FALSE;
	p->c->rounds = round + 1;
	if (x->refused[setting])
		keep_refused(x, p->c, round, setting);
	else
		x->bad = keep(p->c, clones, round, setting, &x->last_failure) ? 0 : x->bad + 1;
	return TRUE;
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

/* Why the experiment ends now; NULL: it goes on. The caller frees it. */
static char *over(const Experiment *x)
{
	if (x->interrupts)
		return g_strdup("interrupted");
	if (x->bad >= BAD_MAX)
		return g_strdup_printf("%u runs in a row failed: %s", x->bad, x->last_failure);
	return NULL;
}

static gboolean run_point(Experiment *x, const KxExperimentPoint *p, guint round)
{
	KxDesign *design = kx_design_new(p->c->settings->len, x->plan->rounds, p->c->seed);
	gboolean goes_on = TRUE;

	for (guint position = 0; goes_on && position < p->c->settings->len; position++) {
		guint setting = kx_design_at(design, round, position);
		const KxComparedSetting *s = p->c->settings->pdata[setting];

		x->e->stopped = over(x);
		goes_on = !x->e->stopped;
		if (!goes_on)
			break;
		if (x->refused[setting]) {
			p->c->rounds = round + 1;
			keep_refused(x, p->c, round, setting);
			x->done++;
			continue;
		}
		say_progress(x, round, p->at, s->label);
		if (!run(x, p, round, setting)) {
			x->e->stopped = g_strdup("interrupted");
			goes_on = FALSE;
		}
		x->done++;
	}
	kx_design_free(design);
	return goes_on;
}

/*
 * Writes the rounds so far to the file, so that they are not lost if this program is killed. An error is reported at the end, when the
 * file is written again.
 */
static void save_round(const Experiment *x)
{
	g_autofree char *json = NULL;

	keeper_save_experiment(x->keeper, x->e);
	if (!x->save)
		return;
	x->e->stopped = g_strdup("it still runs, or was killed");
	json = kx_experiment_to_json(x->e);
	g_clear_pointer(&x->e->stopped, g_free);
	cli_write(x->save, "the experiment", json, NULL);
}

static void run_rounds(Experiment *x)
{
	for (guint round = 0; round < x->plan->rounds; round++) {
		g_autofree guint *order = kx_experiment_order(x->e, round);

		for (guint i = 0; i < x->e->points->len; i++) {
			if (!run_point(x, x->e->points->pdata[order[i]], round))
				return;
		}
		kx_experiment_set_whole(x->e, round + 1);
		save_round(x);
	}
	x->e->stopped = over(x);
	/* An interrupt during the last run came too late to end anything. */
	if (x->interrupts)
		g_clear_pointer(&x->e->stopped, g_free);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static gboolean connect_libvirt(Experiment *x, int *code)
{
	unsigned long version = 0;
	const char *type;

	x->conn = virConnectOpen(x->plan->uri);
	if (!x->conn) {
		fprintf(stderr, "kvm-ext: libvirt (%s): %s\n", x->plan->uri,
			kx_libvirt_last_message());
		*code = KX_EXIT_UNREACHABLE;
		return FALSE;
	}
	type = virConnectGetType(x->conn);
	/* Drivers other than QEMU's do not know these flags, nor does an older libvirt the second one. */
	if (g_strcmp0(type, "QEMU") == 0)
		x->start_flags = VIR_DOMAIN_START_AUTODESTROY;
#if LIBVIR_CHECK_VERSION(8, 1, 0)
	if (x->start_flags && virConnectGetLibVersion(x->conn, &version) == 0 && version >= 8001000)
		x->start_flags |= VIR_DOMAIN_START_RESET_NVRAM;
#endif
	return TRUE;
}

/* Checks that the daemon answers before the first VM is started. */
static gboolean ask_daemon(Experiment *x, int *code)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) vms = cli_ask_list(x->cli, NULL, &error);

	if (!vms)
		*code = cli_fail(NULL, error);
	return vms != NULL;
}

/* Replaces libvirt's default handler, which prints each error, also of calls that may fail. */
static void quiet(void *data, virErrorPtr error)
{
}

static void note_environment(Experiment *x, KxComparison *first)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) facts = cli_ask_environment(x->cli, &error);

	if (facts) {
		g_ptr_array_unref(first->environment);
		first->environment = kx_environment_from_variant(facts);
	} else {
		kx_environment_add(first->environment, "environment", NULL, error->message);
	}
}

/* Data of the whole experiment is kept in the comparison of its first point. */
static void run_all(Experiment *x)
{
	g_autofree char *before = kx_doubts_state(NULL), *after = NULL;
	KxComparison *first = ((KxExperimentPoint *)x->e->points->pdata[0])->c;
	guint settings = first->settings->len;

	x->runs = x->plan->rounds * x->e->points->len * settings;
	g_ptr_array_unref(first->doubts);
	first->doubts = kx_doubts_of_host(NULL);
	note_environment(x, first);
	x->start_us = g_get_monotonic_time();
	x->e->start_realtime_ns = g_get_real_time() * 1000;
	keeper_save_experiment(x->keeper, x->e);
	run_rounds(x);
	x->e->end_realtime_ns = g_get_real_time() * 1000;
	after = kx_doubts_state(NULL);
	kx_doubts_of_change(first->doubts, before, after);
	keeper_end_experiment(x->keeper, x->e);
	if (x->terminal)
		fputs("\r\033[K", stderr);
}

KxExperiment *experiment_run(Cli *cli, const KxPlan *plan, const char *command, const char *save,
			     int *code)
{
	Experiment x = {
		.cli = cli, .plan = plan, .save = save, .terminal = isatty(STDERR_FILENO)
	};

	virSetErrorFunc(NULL, quiet);
	if (!ask_daemon(&x, code) || !connect_libvirt(&x, code))
		return NULL;
	x.e = kx_experiment_new(plan);
	x.e->command = g_strdup(command);
	x.keeper = keeper_new(cli);
	x.id = g_uuid_string_random();
	x.refused = g_new0(char *, plan->settings->len);
	x.signals[0] = g_unix_signal_add(SIGINT, on_signal, &x);
	x.signals[1] = g_unix_signal_add(SIGTERM, on_signal, &x);
	x.signals[2] = g_unix_signal_add(SIGHUP, on_hangup, &x);
	/* If the reader of this program's messages ends, this program must go on, to end its VMs. */
	signal(SIGPIPE, SIG_IGN);
	run_all(&x);
	for (guint i = 0; i < G_N_ELEMENTS(x.signals); i++)
		g_source_remove(x.signals[i]);
	virConnectClose(x.conn);
	if (x.bad >= BAD_MAX)
		*code = KX_EXIT_FAILED;
	keeper_free(x.keeper);
	g_free(x.id);
	g_free(x.last_failure);
	for (guint i = 0; i < plan->settings->len; i++)
		g_free(x.refused[i]);
	g_free(x.refused);
	return x.e;
}
