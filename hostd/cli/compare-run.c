// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A comparison runs in rounds. In each round every setting has one window, with these steps:
 *
 *   switch    all VMs get the setting (in the latin layout: each VM gets another setting)
 *   prime     until the tracker has completed a pass, if it has passes: the accesses that it found before are of unknown age
 *   settle    until effects of the preceding setting have ended
 *   measure   from one reading of the open window to another
 *
 * An error fails only the current window of this VM. A VM that is gone takes no further part.
 */
#include "compare-internal.h"

#include <glib-unix.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/textfmt.h"
#include "compare/doubts.h"
#include "compare/setting.h"
#include "tracker/options.h"
#include "vm/environment.h"
#include "vm/procstat.h"

/* The time to complete a pass. It is extended as long as the VM reports that it is priming, which takes long for a large VM. */
#define PRIME_NS   (120 * (gint64)G_USEC_PER_SEC)
#define POLL_NS	   20000000u
#define ROUNDS_MAX 1000u

/* --- waiting, progress -------------------------------------------------------------------------------------------- */

static gboolean on_signal(gpointer data)
{
	CompareRun *r = data;

	r->interrupts++;
	fprintf(stderr, "%skvm-ext: %s\n", r->terminal ? "\r\033[K" : "",
		r->interrupts == 1 ? "ending after this window; interrupt again to end at once"
				   : "ending at once");
	if (r->interrupts > 1) {
		g_cancellable_cancel(r->cli->cancellable);
		g_main_loop_quit(r->loop);
	}
	return G_SOURCE_CONTINUE;
}

/* The terminal was closed: ends at once. */
static gboolean on_hangup(gpointer data)
{
	CompareRun *r = data;

	r->interrupts = 1;
	return on_signal(r);
}

static gboolean on_time(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_REMOVE;
}

/* Waits until @until_us, and handles signals meanwhile. FALSE: the wait was interrupted. */
static gboolean wait_until(CompareRun *r, gint64 until_us)
{
	gint64 left;

	while ((left = until_us - g_get_monotonic_time()) > 0 && r->interrupts < 2) {
		guint timer = g_timeout_add((guint)(left / 1000 + 1), on_time, r->loop);
		GSource *source;

		g_main_loop_run(r->loop);
		source = g_main_context_find_source_by_id(NULL, timer);
		if (source)
			g_source_destroy(source);
	}
	return r->interrupts < 2;
}

static gboolean time_is_up(const CompareRun *r)
{
	return r->deadline_us && g_get_monotonic_time() >= r->deadline_us;
}

static const KxSetting *setting_of(const CompareRun *r, guint active)
{
	return r->a->settings->pdata[g_array_index(r->active, guint, active)];
}

/* Prints the remaining time, extrapolated from the time so far. */
static void say_progress(CompareRun *r, guint round, guint position, const char *label)
{
	guint n = r->active->len, done = (round - r->first) * n + position;
	guint rounds = MAX(r->a->rounds,
			   round + 1); /* more than requested if a precision is not reached yet */
	guint to_do = (rounds - r->first) * n - done;
	gint64 now = g_get_monotonic_time();
	double left = done ? (double)(now - r->start_us) / done * to_do
			   : (double)(r->a->window_ns + r->a->settle_ns) / 1000 * to_do;
	g_autofree char *to_go = kx_text_ns(left * 1000);

	if (r->cli->quiet || (!r->terminal && position))
		return;
	if (r->terminal)
		fprintf(stderr, "\rround %u of %u, %s, about %s to go\033[K", round + 1, rounds,
			label, to_go);
	else
		fprintf(stderr, "kvm-ext: round %u of %u, about %s to go\n", round + 1, rounds,
			to_go);
	fflush(stderr);
}

/* Whether the daemon answers and has the VM. If it has no libvirt, for example, only the trackers that need libvirt fail. */
static gboolean is_there(CompareRun *r, const CompareVm *vm)
{
	g_autoptr(KxVmReport) there = compare_look(r, vm, NULL);

	return there != NULL;
}

/* The current window of VM @i failed. */
static void fail(CompareRun *r, guint i, const GError *error)
{
	CompareVm *vm = r->vms->pdata[i];
	gboolean unreachable = kx_exit_code(error) == KX_EXIT_UNREACHABLE;

	if (vm->failed)
		return;
	vm->failed = kx_text_clean(error->message);
	if (!compare_is_gone(error) && !compare_is_state(error))
		return;
	/* Is the daemon busy with the VM, or without libvirt, or was the VM detached by somebody else? */
	if ((compare_is_state(error) || unreachable) && is_there(r, vm))
		return;
	vm->gone = TRUE;
	/* If the daemon did not answer, the VM may still exist and may have to be restored. */
	vm->done = !unreachable;
	compare_vm(r, i)->ended = g_strdup(vm->failed);
}

/* --- a window ----------------------------------------------------------------------------------------------------- */

static guint setting_at(const CompareRun *r, guint vm, guint round, guint position)
{
	return r->a->layout == KX_TOGETHER ? kx_design_at(r->design, round, position)
					   : kx_design_for_vm(r->design, vm, round, position);
}

static void begin_window(CompareRun *r, guint i, guint active)
{
	CompareVm *vm = r->vms->pdata[i];
	g_autoptr(GError) error = NULL;

	g_clear_pointer(&vm->failed, g_free);
	g_clear_pointer(&vm->begin, kx_window_free);
	if (vm->gone)
		vm->failed = g_strdup("the VM had already left the comparison");
	else if (!compare_switch(r, vm, setting_of(r, active), &error))
		fail(r, i, error);
}

/* FALSE without @error: the first pass is not complete. @priming: the VM says that it is priming. */
static gboolean is_primed(CompareRun *r, const CompareVm *vm, const KxSetting *s, gboolean *priming,
			  GError **error)
{
	g_autoptr(KxVmReport) v = compare_look(r, vm, error);

	*priming = v && v->progress;
	return v &&
	       (!(s->options.tracker->can & KX_CAN_PASS) || compare_open_window(v)->passes > 0);
}

/* Waits until the tracker has completed a pass, at least as long as the VM says that it is priming. */
static void await_pass(CompareRun *r, guint i, guint active)
{
	CompareVm *vm = r->vms->pdata[i];
	gint64 until = g_get_monotonic_time() + PRIME_NS;

	while (!vm->failed) {
		g_autoptr(GError) error = NULL;
		gboolean priming;

		if (is_primed(r, vm, setting_of(r, active), &priming, &error))
			return;
		if (error) {
			fail(r, i, error);
			return;
		}
		if (priming)
			until = g_get_monotonic_time() + PRIME_NS;
		if (g_get_monotonic_time() > until)
			vm->failed = g_strdup(
				"no pass was completed within two minutes: is the VM paused?");
		else if (!wait_until(r, g_get_monotonic_time() + POLL_NS / 1000))
			vm->failed = g_strdup("interrupted");
	}
}

static double read_events(const KxVcpuEvents *events)
{
	double count;

	return events && kx_vcpu_events_read(events, &count) ? count : NAN;
}

/* One reading: the window, and what is read with it. */
static KxWindow *read_window(CompareRun *r, guint i, CompareReading *reading)
{
	CompareVm *vm = r->vms->pdata[i];
	gint64 before = g_get_real_time();
	g_autoptr(GError) error = NULL;
	g_autoptr(KxVmReport) v = NULL;
	KxWindow *w;

	*reading = (CompareReading){ 0, NAN, NAN, NAN, NAN };
	if (vm->failed)
		return NULL;
	/* If instructions could not be counted, the window has no progress, but it still has the host's costs. */
	if (vm->counter && !counter_read(r->cli, vm->counter, &reading->progress, &error)) {
		reading->progress = NAN;
		if (!r->a->progress_command)
			g_clear_error(&error);
	}
	if (!error)
		v = compare_look(r, vm, &error);
	if (!v) {
		fail(r, i, error);
		return NULL;
	}
	reading->realtime_ns = (before + g_get_real_time()) / 2 * 1000;
	w = kx_window_copy(compare_open_window(v));
	compare_read_vcpus(w, compare_vm(r, i)->pid);
	reading->vcpu_guest_ns = compare_read_guest_time(compare_vm(r, i)->pid);
	reading->llc_misses = read_events(vm->llc_misses);
	reading->guest_instructions = read_events(vm->instructions);
	return w;
}

/* Checks that the window has the setting @s. A later switch by somebody else is detected by the window's number. */
static void check_setting(CompareVm *vm, const KxSetting *s)
{
	g_autofree char *options = kx_options_to_string(&s->options);

	if (!vm->begin || vm->failed ||
	    (g_str_equal(vm->begin->tracker, s->options.tracker->name) &&
	     g_strcmp0(vm->begin->options, options) == 0))
		return;
	vm->failed =
		g_strdup_printf("somebody else switched the tracker to %s", vm->begin->tracker);
}

/* By how much a counter has grown; NAN: one of the two values is not known, or the counter went back. */
static double more(double before, double after)
{
	return after >= before ? after - before : NAN;
}

static KxStretch *end_window(CompareRun *r, guint i)
{
	CompareVm *vm = r->vms->pdata[i];
	const CompareReading *begun = &vm->reading;
	CompareReading reading;
	g_autoptr(KxWindow) end = read_window(r, i, &reading);
	KxStretch *s;

	if (!end || !vm->begin || vm->failed)
		return kx_stretch_failed(vm->failed ? vm->failed : "the window was not read");
	s = kx_stretch_between(vm->begin, end);
	kx_doubts_of_pauses(compare_vm(r, i)->doubts, vm->begin, end);
	s->start_realtime_ns = begun->realtime_ns;
	s->end_realtime_ns = reading.realtime_ns;
	if (s->failed)
		return s;
	s->progress = more(begun->progress, reading.progress);
	s->vcpu_guest_ns = more(begun->vcpu_guest_ns, reading.vcpu_guest_ns);
	s->llc_misses = more(begun->llc_misses, reading.llc_misses);
	s->guest_instructions = more(begun->guest_instructions, reading.guest_instructions);
	return s;
}

/* One position of a round, for all VMs. FALSE: interrupted, none of its windows is kept. */
static gboolean measure(CompareRun *r, guint round, guint position)
{
	guint n = r->vms->len;
	gint64 until;

	for (guint i = 0; i < n; i++)
		begin_window(r, i, setting_at(r, i, round, position));
	for (guint i = 0; i < n; i++)
		await_pass(r, i, setting_at(r, i, round, position));
	if (!wait_until(r, compare_quiet_us(r)) ||
	    !wait_until(r, g_get_monotonic_time() + (gint64)(r->a->settle_ns / 1000)))
		return FALSE;
	for (guint i = 0; i < n; i++) {
		CompareVm *vm = r->vms->pdata[i];

		vm->begin = read_window(r, i, &vm->reading);
		check_setting(vm, setting_of(r, setting_at(r, i, round, position)));
	}
	until = g_get_monotonic_time() + (gint64)(r->a->window_ns / 1000);
	if (!wait_until(r, until))
		return FALSE;
	for (guint i = 0; i < n; i++) {
		guint active = setting_at(r, i, round, position);

		kx_comparison_put(r->c, i, round, g_array_index(r->active, guint, active),
				  end_window(r, i));
	}
	return TRUE;
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

static gboolean anybody_left(const CompareRun *r)
{
	for (guint i = 0; i < r->vms->len; i++) {
		if (!((CompareVm *)r->vms->pdata[i])->gone)
			return TRUE;
	}
	return FALSE;
}

/* Why the comparison ends now; NULL: it goes on. */
static const char *over(const CompareRun *r)
{
	if (!anybody_left(r))
		return "no VM is left";
	if (r->interrupts)
		return "interrupted";
	return time_is_up(r) ? "the time of --max-time has passed" : NULL;
}

/* If a precision is requested, rounds go on until it is reached. */
static gboolean wants_round(const CompareRun *r, guint round)
{
	guint need;

	if (round < r->a->rounds)
		return TRUE;
	if (!(r->a->precision > 0) || round >= ROUNDS_MAX)
		return FALSE;
	need = kx_comparison_rounds_for(r->c, r->a->precision);
	return need > round;
}

/*
 * In the order of settings, the first window of a round follows the last window of the round before. If that window was run
 * before an interruption, its setting runs again for the time of a window, without being measured.
 */
static gboolean repeat_last(CompareRun *r)
{
	guint last = r->first - 1, position = r->active->len - 1;
	gint64 window_us = (gint64)((r->a->settle_ns + r->a->window_ns) / 1000);

	say_progress(r, r->first, 0, "the setting before the interruption");
	for (guint i = 0; i < r->vms->len; i++)
		begin_window(r, i, setting_at(r, i, last, position));
	for (guint i = 0; i < r->vms->len; i++)
		await_pass(r, i, setting_at(r, i, last, position));
	return wait_until(r, g_get_monotonic_time() + window_us);
}

/* Every window of the round was run, so the round is kept. */
static void end_round(CompareRun *r, guint round)
{
	r->c->whole = round + 1;
	keeper_save(r->a->keeper, r->c);
}

static void run_rounds(CompareRun *r)
{
	if (r->first && wants_round(r, r->first) && !over(r) && !repeat_last(r)) {
		r->c->stopped = g_strdup("interrupted");
		return;
	}
	for (guint round = r->first; wants_round(r, round); round++) {
		for (guint position = 0; position < r->active->len; position++) {
			const char *why = over(r);

			if (why) {
				r->c->stopped = g_strdup(why);
				return;
			}
			r->c->rounds = round + 1;
			say_progress(r, round, position,
				     setting_of(r, setting_at(r, 0, round, position))->label);
			if (!measure(r, round, position)) {
				r->c->stopped = g_strdup("interrupted");
				return;
			}
		}
		if (!anybody_left(r)) {
			r->c->stopped = g_strdup(over(r));
			return;
		}
		end_round(r, round);
	}
}

/* --- settings -------------------------------------------------------------------------------------------------------- */

/* Sets each setting once on each VM, so that settings that cannot run are known before the first round. */
static gboolean try_setting(CompareRun *r, guint k, int *code)
{
	const KxSetting *s = r->a->settings->pdata[k];
	KxComparedSetting *compared_setting = r->c->settings->pdata[k];

	for (guint i = 0; i < r->vms->len; i++) {
		CompareVm *vm = r->vms->pdata[i];
		g_autoptr(GError) error = NULL;
		g_autofree char *where = NULL;

		if (compare_switch(r, vm, s, &error))
			continue;
		if (s->from_all && (!compare_is_gone(error) || is_there(r, vm))) {
			compared_setting->left_out = kx_text_clean(error->message);
			return TRUE;
		}
		where = g_strdup_printf("%s: setting %s", vm->shown, s->text);
		*code = cli_fail(where, error);
		return FALSE;
	}
	g_array_append_val(r->active, k);
	return TRUE;
}

/* A setting that was left out of the first rounds is left out of the others as well. */
static gboolean was_left_out(CompareRun *r, guint k)
{
	const KxComparedSetting *was = r->a->resumed ? r->a->resumed->settings->pdata[k] : NULL;

	if (!was || !was->left_out)
		return FALSE;
	((KxComparedSetting *)r->c->settings->pdata[k])->left_out = g_strdup(was->left_out);
	return TRUE;
}

static gboolean try_settings(CompareRun *r, int *code)
{
	for (guint k = 0; k < r->a->settings->len; k++) {
		const KxSetting *s = r->a->settings->pdata[k];
		KxComparedSetting *c = kx_comparison_add_setting(r->c, s->label, s->text);

		c->sees = g_strdup(s->options.tracker->sees.recall);
	}
	for (guint k = 0; k < r->a->settings->len; k++) {
		if (was_left_out(r, k))
			continue;
		if (!r->cli->quiet && r->terminal)
			fprintf(stderr, "\rtrying %s\033[K",
				((KxSetting *)r->a->settings->pdata[k])->label);
		if (!try_setting(r, k, code))
			return FALSE;
		if (r->interrupts) {
			*code = KX_EXIT_FAILED;
			return FALSE;
		}
	}
	return TRUE;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* Reads host and VMs before anything is measured, so that a comparison that is killed has them as well. */
static void note_environment(CompareRun *r)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) facts = cli_ask_environment(r->cli, &error);

	if (facts) {
		g_ptr_array_unref(r->c->environment);
		r->c->environment = kx_environment_from_variant(facts);
	} else {
		kx_environment_add(r->c->environment, "environment", NULL, error->message);
		g_clear_error(&error);
	}
	if (!compare_take_host(r->cli, r->a->targets, r->c, &error))
		g_ptr_array_add(r->c->doubts,
				g_strdup_printf("the daemon has not described the host: %s",
						error->message));
}

static gboolean prepare(CompareRun *r, int *code)
{
	g_autoptr(GError) error = NULL;

	if (!compare_begin_vms(r, code))
		return FALSE;
	note_environment(r);
	if (!try_settings(r, code))
		return FALSE;
	if (r->active->len >= 2)
		return !r->a->resumed || compare_go_on(r, code);
	g_set_error_literal(
		&error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		"nothing is left to compare: no tracker of the list can run on these VMs");
	*code = cli_fail(NULL, error);
	return FALSE;
}

static gboolean run_all(CompareRun *r, int *code)
{
	g_autofree char *before = kx_doubts_state(NULL), *after = NULL;

	if (!prepare(r, code))
		return FALSE;
	r->design = kx_design_new(r->active->len, ROUNDS_MAX, r->a->seed);
	if (!r->a->resumed)
		r->c->start_realtime_ns = g_get_real_time() * 1000;
	keeper_save(r->a->keeper, r->c);
	compare_tell_id(r);
	r->start_us = g_get_monotonic_time();
	if (r->a->max_ns)
		r->deadline_us = r->start_us + (gint64)(r->a->max_ns / 1000);
	run_rounds(r);
	r->c->end_realtime_ns = g_get_real_time() * 1000;
	after = kx_doubts_state(NULL);
	kx_doubts_of_change(r->c->doubts, before, after);
	if (r->terminal)
		fputs("\r\033[K", stderr);
	g_cancellable_reset(
		r->cli->cancellable); /* after an interruption, the measurements are still shown */
	compare_conclude(r->cli, r->a, r->c, code);
	keeper_end(r->a->keeper, r->c);
	return TRUE;
}

/* Notes in the comparison what was requested. */
static void fill_plan(KxComparison *c, const CompareArguments *a)
{
	c->command = g_strdup(a->command);
	c->seed = a->seed;
	c->window_ns = a->window_ns;
	c->settle_ns = a->settle_ns;
	c->layout = a->layout;
	c->asked.rounds = a->rounds;
	c->asked.precision = a->precision;
	c->asked.progress_command = g_strdup(a->progress_command);
	c->asked.logs = g_strdupv(a->logs);
	c->asked.directory = g_get_current_dir();
	g_ptr_array_unref(c->doubts);
	c->doubts = kx_doubts_of_host(NULL);
}

KxComparison *compare_run(Cli *cli, const CompareArguments *a, int *code)
{
	CompareRun r = { .cli = cli,
			 .a = a,
			 .c = kx_comparison_new(),
			 .active = g_array_new(FALSE, FALSE, sizeof(guint)),
			 .vms = g_ptr_array_new_with_free_func(compare_vm_free),
			 .loop = g_main_loop_new(NULL, FALSE),
			 .terminal = isatty(STDERR_FILENO) };
	gboolean ok;

	fill_plan(r.c, a);
	r.signals[0] = g_unix_signal_add(SIGINT, on_signal, &r);
	r.signals[1] = g_unix_signal_add(SIGTERM, on_signal, &r);
	r.signals[2] = g_unix_signal_add(SIGHUP, on_hangup, &r);
	/* If the reader of this program's messages ends, this program must go on, to restore the VMs. */
	signal(SIGPIPE, SIG_IGN);
	cli->cancellable = g_cancellable_new();
	ok = run_all(&r, code);
	g_clear_object(&cli->cancellable); /* the following calls must not be interrupted */
	for (guint i = 0; i < r.vms->len; i++)
		compare_leave_vm(&r, r.vms->pdata[i]);
	for (guint i = 0; i < G_N_ELEMENTS(r.signals); i++)
		g_source_remove(r.signals[i]);
	g_main_loop_unref(r.loop);
	g_ptr_array_unref(r.vms);
	g_array_unref(r.active);
	g_clear_pointer(&r.design, kx_design_free);
	if (ok)
		return r.c;
	if (a->resumed) {
		keeper_give_up(a->keeper, a->resumed);
		kx_comparison_free(a->resumed);
	}
	kx_comparison_free(r.c);
	return NULL;
}
