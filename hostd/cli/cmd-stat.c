// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stat: tracks VMs while a command runs, as perf stat does. For each run:
 *
 *	switch    all VMs get the tracker, so that each run has a window of its own in each VM's account
 *	run       the command; signals go to it, and the runs end with it
 *
 * Then the VMs get back what they had, and the report of these windows is written.
 */
#include "cli.h"

#include <glib-unix.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "model/json-write.h"
#include "output.h"
#include "report/figure.h"
#include "report/json.h"
#include "report/text.h"
#include "tracker-options.h"

#define SCHEMA	       "kvm-ext-stat/1"
#define RUNS_MAX       1000
#define NOT_EXECUTABLE 126 /* exit status of shells */
#define NOT_FOUND      127
#define SIGNALLED      128

typedef struct {
	CliBefore before;
	char *target;
	guint32 held;	   /* the VM's process; 0: it is not held */
	gboolean switched; /* there is something to restore */
	GArray *windows;   /* guint64: ids of the runs' windows */
} StatVm;

typedef struct {
	Cli *cli;
	TrackerOptions options;
	char **command;
	char *output;
	int runs, width;

	GPtrArray *vms;	     /* StatVm */
	KxRatioSums elapsed; /* seconds */
	int done;	     /* runs */
	int status;	     /* exit status of the command's last run */
	GMainLoop *loop;
	GSubprocess *process; /* NULL: the command does not run */
	guint interrupts;
} Stat;

static void vm_free(gpointer data)
{
	StatVm *vm = data;

	cli_before_clear(&vm->before);
	g_free(vm->target);
	g_array_unref(vm->windows);
	g_free(vm);
}

/* --- the command -------------------------------------------------------------------------------------------------------- */

/* Whether the terminal has sent the signal to the command as well: both are in the terminal's foreground group. */
static gboolean from_terminal(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp() || tcgetpgrp(STDERR_FILENO) == getpgrp();
}

/* The first interrupt reaches the command from the terminal. After a second one the command is ended: it has ignored the first. */
static void interrupt(Stat *s, int number)
{
	s->interrupts++;
	if (!s->process)
		g_cancellable_cancel(s->cli->cancellable);
	else if (number != SIGINT || !from_terminal())
		g_subprocess_send_signal(s->process, number);
	else if (s->interrupts > 1)
		g_subprocess_send_signal(s->process, s->interrupts > 2 ? SIGKILL : SIGTERM);
}

static gboolean on_interrupt(gpointer data)
{
	interrupt(data, SIGINT);
	return G_SOURCE_CONTINUE;
}

static gboolean on_terminate(gpointer data)
{
	interrupt(data, SIGTERM);
	return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer data)
{
	interrupt(data, SIGHUP);
	return G_SOURCE_CONTINUE;
}

static void on_ended(GObject *process, GAsyncResult *result, gpointer data)
{
	Stat *s = data;

	g_subprocess_wait_finish(G_SUBPROCESS(process), result, NULL);
	g_main_loop_quit(s->loop);
}

static int status_of(GSubprocess *process)
{
	if (g_subprocess_get_if_exited(process))
		return g_subprocess_get_exit_status(process);
	return SIGNALLED + g_subprocess_get_term_sig(process);
}

/* FALSE: the command cannot be run, or failed; the exit status says which. */
static gboolean run_command(Stat *s)
{
	g_autoptr(GError) error = NULL;
	gint64 start = g_get_monotonic_time();

	s->process = g_subprocess_newv((const char *const *)s->command,
				       G_SUBPROCESS_FLAGS_STDIN_INHERIT, &error);
	if (!s->process) {
		g_autofree char *shown = cli_show(s->command[0]);

		cli_fail(shown, error);
		s->status = g_error_matches(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT)
				    ? NOT_FOUND
				    : NOT_EXECUTABLE;
		return FALSE;
	}
	g_subprocess_wait_async(s->process, NULL, on_ended, s);
	g_main_loop_run(s->loop);
	kx_ratio_add(&s->elapsed, (double)(g_get_monotonic_time() - start) / 1e6, 1);
	s->done++;
	s->status = status_of(s->process);
	g_clear_object(&s->process);
	return s->status == 0 && !s->interrupts;
}

/* --- the VMs ------------------------------------------------------------------------------------------------------------ */

/* Notes the id of the run's window. */
static gboolean note_window(Stat *s, StatVm *vm, GError **error)
{
	const char *const one[] = { vm->target, NULL };
	g_autoptr(GVariant) vms = cli_ask_stats(s->cli, one, NULL, error);
	g_autoptr(GVariant) first = NULL;
	g_autoptr(KxVmReport) v = NULL;

	if (!vms)
		return FALSE;
	first = g_variant_n_children(vms) ? g_variant_get_child_value(vms, 0) : NULL;
	v = first ? kx_vm_from_variant(first) : NULL;
	if (v && v->windows->len) {
		const KxWindow *w = v->windows->pdata[v->windows->len - 1];

		g_array_append_val(vm->windows, w->id);
	}
	return TRUE;
}

static gboolean switch_vm(Stat *s, StatVm *vm, GError **error)
{
	if (!tracker_options_switch(&s->options, s->cli, vm->target,
				    vm->before.attached || vm->switched, error)) {
		vm->before.cut = cli_was_cut(s->cli);
		vm->switched |= vm->before.cut;
		return FALSE;
	}
	vm->switched = TRUE;
	return note_window(s, vm, error);
}

static gboolean switch_all(Stat *s, int *code)
{
	for (guint i = 0; i < s->vms->len; i++) {
		StatVm *vm = s->vms->pdata[i];
		g_autoptr(GError) error = NULL;

		if (s->interrupts)
			return FALSE;
		if (!switch_vm(s, vm, &error)) {
			*code = cli_fail(vm->target, error);
			return FALSE;
		}
	}
	return TRUE;
}

/* Restores all VMs, whatever happened before: nothing cancels these calls, not even an interrupt. */
static void restore_all(Stat *s, int *code)
{
	g_clear_object(&s->cli->cancellable);
	for (guint i = 0; i < s->vms->len; i++) {
		const StatVm *vm = s->vms->pdata[i];
		g_autoptr(GError) error = NULL;
		int failed;

		if (vm->switched && !cli_before_restore(s->cli, vm->target, &vm->before, &error)) {
			failed = cli_fail(vm->target, error);
			*code = *code ? *code : failed;
		}
		if (vm->held)
			cli_ask_release(s->cli, vm->held);
	}
}

/* --- the report --------------------------------------------------------------------------------------------------------- */

static gboolean is_ours(const StatVm *vm, const KxWindow *w)
{
	for (guint i = 0; i < vm->windows->len; i++) {
		if (g_array_index(vm->windows, guint64, i) == w->id)
			return TRUE;
	}
	return FALSE;
}

/* The VM with the windows of the runs alone. NULL: @error is set. */
static KxReport *report_of(Stat *s, const StatVm *vm, GError **error)
{
	char *one[] = { vm->target, NULL };
	g_autofree char *json = cli_ask_report(s->cli, one, "fetching the report", error);
	KxReport *r = json ? kx_report_from_json(json, error) : NULL;

	for (guint i = 0; r && i < r->vms->len; i++) {
		KxVmReport *v = r->vms->pdata[i];

		for (guint n = v->windows->len; n-- > 0;) {
			if (!is_ours(vm, v->windows->pdata[n]))
				g_ptr_array_remove_index(v->windows, n);
		}
	}
	return r;
}

static KxReport *report_all(Stat *s, int *code)
{
	g_autoptr(KxReport) all = NULL;

	for (guint i = 0; i < s->vms->len; i++) {
		const StatVm *vm = s->vms->pdata[i];
		g_autoptr(GError) error = NULL;
		g_autoptr(KxReport) r = report_of(s, vm, &error);

		if (!r) {
			int failed = cli_fail(vm->target, error);

			*code = *code ? *code : failed;
		} else if (!all) {
			all = g_steal_pointer(&r);
		} else {
			g_ptr_array_extend_and_steal(all->vms, g_steal_pointer(&r->vms));
			r->vms = g_ptr_array_new();
		}
	}
	return g_steal_pointer(&all);
}

static char *command_line(const Stat *s)
{
	g_autoptr(GString) line = g_string_new(NULL);

	for (char **word = s->command; *word; word++) {
		g_autofree char *quoted =
			(*word)[strcspn(*word, " \t\n'\"\\$`*?;&|<>()#")] || !**word
				? g_shell_quote(*word)
				: g_strdup(*word);

		g_string_append_printf(line, "%s%s", line->len ? " " : "", quoted);
	}
	return kx_text_clean(line->str);
}

static char *text_of(const Stat *s, const KxReport *r)
{
	const KxFigure elapsed = kx_figure_from_sums(&s->elapsed, 1, "");
	g_autofree char *report = kx_report_to_text(r, cli_columns(s->width, s->output));
	g_autofree char *command = command_line(s);
	g_autofree char *time =
		isnan(elapsed.low) ? kx_text_ns(elapsed.value * 1e9)
				   : kx_text_ns_interval(elapsed.value * 1e9, elapsed.low * 1e9,
							 elapsed.high * 1e9);
	g_autofree char *runs =
		s->done > 1 ? g_strdup_printf("%d runs, mean and 95 %% interval", s->done)
			    : g_strdup("1 run");

	return g_strdup_printf(
		"%s\ncommand: %s\nelapsed: %s (%s)%s; exit status %d\n", report, command, time,
		runs, s->done < s->runs || s->interrupts ? ", ended early" : "", s->status);
}

static void add_number(JsonBuilder *b, const char *key, double value)
{
	if (isnan(value))
		return;
	json_builder_set_member_name(b, key);
	kx_json_add_number(b, value);
}

static char *json_of(const Stat *s, const KxReport *r)
{
	const KxFigure elapsed = kx_figure_from_sums(&s->elapsed, 1, "");
	g_autofree char *report = kx_report_to_json(r);
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "schema");
	json_builder_add_string_value(b, SCHEMA);
	json_builder_set_member_name(b, "command");
	json_builder_begin_array(b);
	for (char **word = s->command; *word; word++) {
		g_autofree char *valid = g_utf8_make_valid(*word, -1);

		json_builder_add_string_value(b, valid);
	}
	json_builder_end_array(b);
	json_builder_set_member_name(b, "exit_status");
	json_builder_add_int_value(b, s->status);
	json_builder_set_member_name(b, "runs_asked");
	json_builder_add_int_value(b, s->runs);
	json_builder_set_member_name(b, "elapsed");
	json_builder_begin_object(b);
	add_number(b, "value", elapsed.value);
	add_number(b, "low", elapsed.low);
	add_number(b, "high", elapsed.high);
	json_builder_set_member_name(b, "n");
	json_builder_add_int_value(b, s->done);
	json_builder_set_member_name(b, "unit");
	json_builder_add_string_value(b, "s");
	json_builder_end_object(b);
	json_builder_set_member_name(b, "report");
	json_builder_add_value(b, json_from_string(report, NULL));
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	report = (g_free(report), json_to_string(root, TRUE));
	return g_strconcat(report, "\n", NULL);
}

/* Writes to standard error unless a file is given, because standard output belongs to the command. */
static void write_out(Stat *s, const KxReport *r, int *code)
{
	g_autofree char *text = s->cli->json ? json_of(s, r) : text_of(s, r);
	g_autoptr(GError) error = NULL;

	if (!s->output) {
		fputs(text, stderr);
	} else if (g_str_equal(s->output, "-")) {
		fputs(text, stdout);
	} else if (!cli_write(s->output, "the report", text, &error)) {
		fputs(text, stderr);
		cli_fail(NULL, error);
		*code = *code ? *code : KX_EXIT_FAILED;
	}
}

/* --- all of it ---------------------------------------------------------------------------------------------------------- */

static void add_vm(Stat *s, const char *target, guint32 held)
{
	StatVm *vm = g_new0(StatVm, 1);

	vm->target = g_strdup(target);
	vm->held = held;
	vm->windows = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_ptr_array_add(s->vms, vm);
}

static gboolean begin_vms(Stat *s, char **targets, int *code)
{
	g_autofree guint32 *held = g_new0(guint32, g_strv_length(targets));
	g_autoptr(GError) error = NULL;
	const char *failed;
	g_autoptr(GVariant) list =
		cli_list_held(s->cli, (const char *const *)targets, held, &failed, &error);

	for (guint i = 0; targets[i]; i++)
		add_vm(s, targets[i], held[i]);
	if (!list) {
		*code = cli_fail(failed, error);
		return FALSE;
	}
	for (guint i = 0; i < s->vms->len; i++) {
		StatVm *vm = s->vms->pdata[i];

		cli_before_read(list, vm->target, &vm->before);
	}
	return TRUE;
}

/* The command's exit status is that of stat, unless something of stat itself failed. */
static int measure(Stat *s, char **targets)
{
	const guint signals[] = { g_unix_signal_add(SIGINT, on_interrupt, s),
				  g_unix_signal_add(SIGTERM, on_terminate, s),
				  g_unix_signal_add(SIGHUP, on_hangup, s) };
	g_autoptr(KxReport) r = NULL;
	int code = KX_EXIT_OK;

	s->cli->cancellable = g_cancellable_new();
	s->loop = g_main_loop_new(NULL, FALSE);
	if (begin_vms(s, targets, &code)) {
		for (int n = 0; n < s->runs; n++) {
			if (!switch_all(s, &code) || !run_command(s))
				break;
		}
	}
	restore_all(s, &code);
	if (s->done)
		r = report_all(s, &code);
	if (r)
		write_out(s, r, &code);
	for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
		g_source_remove(signals[i]);
	g_main_loop_unref(s->loop);
	if (code == KX_EXIT_OK && s->interrupts && !s->status)
		s->status = SIGNALLED + SIGINT;
	return code ? code : s->status;
}

/* Takes the command, the words after "--", out of the arguments. */
static char **take_command(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (!g_str_equal(argv[i], "--"))
			continue;
		*argc = i;
		argv[i] = NULL;
		return argv + i + 1;
	}
	return NULL;
}

static int check(Stat *s)
{
	g_autoptr(GError) error = NULL;

	if (!s->command || !*s->command)
		return cli_usage("stat", "no command is given: kvm-ext stat DOMAIN... -- COMMAND");
	if (s->runs < 1 || s->runs > RUNS_MAX)
		return cli_usage("stat", "--repeat must be 1 to %d, not %d", RUNS_MAX, s->runs);
	if (s->width < 0 || (s->width && s->width < 60))
		return cli_usage("stat", "--width must be at least 60 columns");
	if (!tracker_options_check(&s->options, TRUE, &error))
		return cli_usage("stat", "%s", error->message);
	return KX_EXIT_OK;
}

int cmd_stat(Cli *cli, int argc, char **argv)
{
	Stat s = { .cli = cli, .runs = 1 };
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;
	const GOptionEntry own[] = {
		{ "repeat", 'r', 0, G_OPTION_ARG_INT, &s.runs,
		  "Run the command N times; each time has a window of its own", "N" },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &s.output,
		  "Write to FILE instead of standard error", "FILE" },
		{ "width", 0, 0, G_OPTION_ARG_INT, &s.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
	};

	s.vms = g_ptr_array_new_with_free_func(vm_free);
	tracker_options_fill(&s.options, TRUE);
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		s.options.entries[s.options.n++] = own[i];
	s.command = take_command(&argc, argv);
	tracker_options_complete(argc, argv, owned);
	if (cli_parse(s.options.entries, &argc, &argv))
		code = check(&s);
	if (code == KX_EXIT_OK)
		targets = cli_targets(cli, &s.options.targets, TARGETS_REQUIRED, FALSE, &code);
	if (targets)
		code = measure(&s, targets);
	g_ptr_array_unref(s.vms);
	g_free(s.output);
	tracker_options_clear(&s.options);
	return code;
}
