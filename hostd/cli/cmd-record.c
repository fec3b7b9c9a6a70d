// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record: writes the samples and the account of a VM to a file as they come, until a time, a command or ^C ends the recording. Then the
 * VM's earlier state is restored: not attached, or with the tracker that it had.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "record/reader.h"
#include "tracker-options.h"
#include "tracker/units.h"

typedef struct {
	TrackerOptions options;
	char *output, *duration;
	guint64 duration_ns; /* 0: until something else ends it */
	char **command;	     /* NULL: none */
	/* while the recording runs */
	Cli *cli;
	const char *target;
	CliBefore before;
	gboolean switched; /* there is something to restore */
	GSubprocess *child;
	gboolean child_ended, interrupted;
	guint timer, on_int, on_term;
} Record;

/* --- the file ------------------------------------------------------------------------------------------------------------ */

/*
 * Empties the file, unless another recording is being written to it: the daemon shares the open file with the command, and so has the
 * lock until that recording ends. FALSE: errno says why.
 */
static gboolean lock_output(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return FALSE;
	return !S_ISREG(st.st_mode) || (!flock(fd, LOCK_EX | LOCK_NB) && !ftruncate(fd, 0));
}

/* Refuses a file that is not a recording, so that a typing error does not overwrite it. */
static int open_output(const char *path, GError **error)
{
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size && !kx_record_is(path)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
			    "%s: this file is there, and is no recording: it is not overwritten",
			    path);
		return -1;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0 && lock_output(fd))
		return fd;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
		    "the recording could not be written to %s: %s", path,
		    errno == EWOULDBLOCK ? "another recording is being written to it"
					 : g_strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- what ends the recording ---------------------------------------------------------------------------------------------- */

static void stop(Record *r)
{
	cli_stop_record(r->cli, r->target);
}

static gboolean on_time(gpointer data)
{
	Record *r = data;

	r->timer = 0;
	stop(r);
	return G_SOURCE_REMOVE;
}

static gboolean on_signal(gpointer data)
{
	Record *r = data;

	r->interrupted = TRUE;
	if (r->child)
		g_subprocess_send_signal(r->child, SIGTERM);
	stop(r);
	return G_SOURCE_CONTINUE;
}

static void on_child(GObject *source, GAsyncResult *result, gpointer data)
{
	g_autoptr(GError) error = NULL;
	Record *r;

	/* cancelled: the recording has ended, and @data is freed */
	if (!g_subprocess_wait_finish(G_SUBPROCESS(source), result, &error))
		return;
	r = data;
	r->child_ended = TRUE;
	stop(r);
}

/* Starts the command when the daemon records, so that the command's first access is in the recording. */
static void begun(gpointer data)
{
	Record *r = data;
	g_autoptr(GError) error = NULL;

	/* The daemon did not know of the recording when the signal came. */
	if (r->interrupted) {
		stop(r);
		return;
	}
	if (r->duration_ns)
		r->timer =
			g_timeout_add((guint)MIN(r->duration_ns / 1000000, G_MAXUINT), on_time, r);
	if (!r->command)
		return;
	r->child = g_subprocess_newv((const char *const *)r->command,
				     G_SUBPROCESS_FLAGS_STDIN_INHERIT, &error);
	if (r->child) {
		g_subprocess_wait_async(r->child, r->cli->cancellable, on_child, r);
		return;
	}
	cli_fail(NULL, error);
	stop(r);
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

static void say(const Record *r, GVariant *summary)
{
	guint64 records = 0, lost = 0, reports_lost = 0, bytes = 0, cpu_ns = 0;
	const char *why = "";
	g_autofree char *text = NULL, *cpu = NULL, *dropped = NULL;

	g_variant_lookup(summary, "why", "&s", &why);
	g_variant_lookup(summary, "records", "t", &records);
	g_variant_lookup(summary, "lost", "t", &lost);
	g_variant_lookup(summary, "reports_lost", "t", &reports_lost);
	g_variant_lookup(summary, "bytes", "t", &bytes);
	g_variant_lookup(summary, "cpu_ns", "t", &cpu_ns);
	text = kx_text_count((double)records);
	cpu = kx_text_ns((double)cpu_ns);
	dropped = kx_text_count((double)lost);
	if (r->cli->json) {
		g_autoptr(JsonBuilder) b = json_builder_new();

		json_builder_begin_object(b);
		json_builder_set_member_name(b, "file");
		json_builder_add_string_value(b, r->output);
		json_builder_set_member_name(b, "why");
		json_builder_add_string_value(b, why);
		json_builder_set_member_name(b, "records");
		json_builder_add_int_value(b, (gint64)records);
		json_builder_set_member_name(b, "lost");
		json_builder_add_int_value(b, (gint64)lost);
		json_builder_set_member_name(b, "reports_lost");
		json_builder_add_int_value(b, (gint64)reports_lost);
		json_builder_set_member_name(b, "bytes");
		json_builder_add_int_value(b, (gint64)bytes);
		json_builder_set_member_name(b, "cpu_ns");
		json_builder_add_int_value(b, (gint64)cpu_ns);
		json_builder_end_object(b);
		cli_print_json(b, TRUE);
	} else {
		cli_say(r->cli,
			"%s: %s records, %.3g MiB; recording took %s of CPU time (ended: %s)",
			r->output, text, (double)bytes / (1 << 20), cpu, why);
	}
	if (lost)
		fprintf(stderr,
			"kvm-ext: %s: %s records were dropped, because the file was too slow: "
			"passes "
			"that lack some do not count\n",
			r->output, dropped);
	if (reports_lost)
		fprintf(stderr,
			"kvm-ext: %s: %" G_GUINT64_FORMAT
			" reports in the midst of the recording were dropped, because the file was "
			"too slow; the last report has what they had\n",
			r->output, reports_lost);
}

/* If the command failed, prints its status, and makes the failure that of record. */
static int status_of(const Record *r)
{
	GSubprocess *c = r->child;

	if (!r->command)
		return KX_EXIT_OK;
	if (!c)
		return KX_EXIT_FAILED;
	if (!r->child_ended) {
		if (!r->interrupted)
			fprintf(stderr, "kvm-ext: %s still runs; the recording ended before it\n",
				r->command[0]);
		return r->interrupted ? KX_EXIT_FAILED : KX_EXIT_OK;
	}
	if (g_subprocess_get_successful(c))
		return KX_EXIT_OK;
	if (g_subprocess_get_if_signaled(c))
		fprintf(stderr, "kvm-ext: %s: ended by signal %d\n", r->command[0],
			g_subprocess_get_term_sig(c));
	else
		fprintf(stderr, "kvm-ext: %s: exit status %d\n", r->command[0],
			g_subprocess_get_exit_status(c));
	return KX_EXIT_FAILED;
}

/* Takes @fd. */
static int record_to(Record *r, int fd)
{
	g_autoptr(GCancellable) child_wait = g_cancellable_new();
	g_autoptr(GVariant) summary = NULL;
	g_autoptr(GError) error = NULL;
	int code;

	r->cli->cancellable = child_wait;
	summary = cli_ask_record(r->cli, r->target, fd, begun, r, &error);
	if (r->timer)
		g_source_remove(r->timer);
	if (summary)
		say(r, summary);
	code = summary ? status_of(r) : cli_fail(r->target, error);
	g_cancellable_cancel(child_wait);
	r->cli->cancellable = NULL;
	g_clear_object(&r->child);
	return code;
}

/* Takes @list. */
static gboolean read_before(Record *r, GVariant *list)
{
	g_autoptr(GVariant) vms = list;

	if (!vms)
		return FALSE;
	cli_before_clear(&r->before);
	r->before.attached = FALSE;
	cli_before_read(vms, r->target, &r->before);
	return TRUE;
}

/* A VM that is attached, and for which nothing is given, is recorded as it is; another one is held. */
static gboolean switch_vm(Record *r, GError **error)
{
	const char *const one[] = { r->target, NULL };
	const char *failed;
	guint32 held; /* with the connection, which ends with this command */

	if (!read_before(r, cli_ask_list(r->cli, "asking for the VMs", error)))
		return FALSE;
	if (r->before.attached && !tracker_options_any(&r->options))
		return TRUE;
	if (!read_before(r, cli_list_held(r->cli, one, &held, &failed, error)))
		return FALSE;
	r->switched =
		tracker_options_switch(&r->options, r->cli, r->target, r->before.attached, error);
	return r->switched;
}

static int restore(Record *r)
{
	g_autoptr(GError) error = NULL;

	if (!r->switched || cli_before_restore(r->cli, r->target, &r->before, &error))
		return KX_EXIT_OK;
	return cli_fail(r->target, error);
}

/* A signal ends the recording, also if it comes before the recording has begun. */
static int record(Record *r)
{
	g_autoptr(GError) error = NULL;
	int code, failed, fd = open_output(r->output, &error);

	if (fd < 0) {
		cli_fail(NULL, error);
		return KX_EXIT_FAILED;
	}
	r->on_int = g_unix_signal_add(SIGINT, on_signal, r);
	r->on_term = g_unix_signal_add(SIGTERM, on_signal, r);
	if (switch_vm(r, &error)) {
		code = record_to(r, fd);
	} else {
		code = cli_fail(r->target, error);
		close(fd);
	}
	failed = restore(r);
	g_source_remove(r->on_int);
	g_source_remove(r->on_term);
	return code ? code : failed;
}

static gboolean check(Record *r, int *code)
{
	g_autoptr(GError) error = NULL;

	if (!r->output)
		*code = cli_usage("record", "no file is given: -o FILE");
	else if (r->duration &&
		 (!kx_parse_duration(r->duration, &r->duration_ns, &error) || !r->duration_ns))
		*code = cli_usage("record", "--duration '%s': not a time; write for example 30s",
				  r->duration);
	else if (r->options.targets.all)
		*code = cli_usage("record", "a recording is of one VM: --all cannot be used");
	else if (!tracker_options_check(&r->options, TRUE, &error))
		*code = cli_usage("record", "%s", error->message);
	else
		return TRUE;
	return FALSE;
}

/* Takes the words after "--" from the command line. */
static char **take_command(int *argc, char **argv)
{
	char **command = NULL;

	for (int i = 1; i < *argc; i++) {
		if (!g_str_equal(argv[i], "--"))
			continue;
		if (argv[i + 1])
			command = g_strdupv(&argv[i + 1]);
		argv[i] = NULL;
		*argc = i;
	}
	return command;
}

int cmd_record(Cli *cli, int argc, char **argv)
{
	Record r = { .cli = cli };
	const GOptionEntry own[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &r.output,
		  "The recording's file; another recording is overwritten", "FILE" },
		{ "duration", 'd', 0, G_OPTION_ARG_STRING, &r.duration,
		  "End after this time (default: with the command, or by ^C)", "TIME" },
	};
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	tracker_options_fill(&r.options, TRUE);
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		r.options.entries[r.options.n++] = own[i];
	r.command = take_command(&argc, argv);
	tracker_options_complete(argc, argv, owned);
	if (cli_parse(r.options.entries, &argc, &argv) && check(&r, &code))
		targets = cli_targets(cli, &r.options.targets, TARGETS_REQUIRED, TRUE, &code);
	if (targets && g_strv_length(targets) != 1) {
		code = cli_usage("record", "a recording is of one VM, and these are %u",
				 g_strv_length(targets));
	} else if (targets) {
		r.target = targets[0];
		code = record(&r);
	}
	tracker_options_clear(&r.options);
	cli_before_clear(&r.before);
	g_free(r.output);
	g_free(r.duration);
	g_strfreev(r.command);
	return code;
}
