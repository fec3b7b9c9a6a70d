/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the commands of kvm-ext. */
#ifndef KX_CLI_H
#define KX_CLI_H

#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "base/names.h"
#include "exitcode.h"
#include "kvmext1-dbus.h"

typedef struct {
	char *socket;
	gboolean system_bus, json, quiet;
	gboolean csv;			/* by CSV_ENTRY or CSV_LINES_ENTRY */
	const struct _Command *command; /* the command that runs */
	JsonObject *object; /* of the current target, see cli_for_each_json(); NULL: no --json */
	GDBusConnection *connection; /* made at the first call, like @manager */
	KxDbusManager *manager;
	GCancellable *cancellable; /* cancels the current call; NULL: calls cannot be cancelled */
} Cli;

typedef struct _Command {
	const char *name;
	const char *args;     /* "DOMAIN...", shown in the usage line */
	const char *summary;  /* one line */
	const char *examples; /* shown by --help */
	int (*run)(Cli *cli, int argc, char **argv);
} Command;

int cmd_doctor(Cli *cli, int argc, char **argv);
int cmd_list(Cli *cli, int argc, char **argv);
int cmd_attach(Cli *cli, int argc, char **argv);
int cmd_set(Cli *cli, int argc, char **argv);
int cmd_compare(Cli *cli, int argc, char **argv);
int cmd_experiment(Cli *cli, int argc, char **argv);
int cmd_events(Cli *cli, int argc, char **argv);
int cmd_stat(Cli *cli, int argc, char **argv);
int cmd_detach(Cli *cli, int argc, char **argv);
int cmd_pass(Cli *cli, int argc, char **argv);
int cmd_heat(Cli *cli, int argc, char **argv);
int cmd_heatmap(Cli *cli, int argc, char **argv);
int cmd_wss(Cli *cli, int argc, char **argv);
int cmd_record(Cli *cli, int argc, char **argv);
int cmd_export(Cli *cli, int argc, char **argv);
int cmd_report(Cli *cli, int argc, char **argv);
int cmd_history(Cli *cli, int argc, char **argv);
int cmd_show(Cli *cli, int argc, char **argv);
int cmd_diff(Cli *cli, int argc, char **argv);
int cmd_top(Cli *cli, int argc, char **argv);
int cmd_stats(Cli *cli, int argc, char **argv);
int cmd_version(Cli *cli, int argc, char **argv);
int cmd_help(Cli *cli, int argc, char **argv);

/* --- arguments ------------------------------------------------------------- */

extern Cli *kx_cli_options; /* the common options are stored here */
extern const GOptionEntry kx_common_entries[];

/*
 * Parses @entries and the common options after the command's name. FALSE: an option is wrong, the error is printed; exit with
 * KX_EXIT_USAGE. --help exits by itself.
 */
gboolean cli_parse(const GOptionEntry *entries, int *argc, char ***argv);

#define CSV_ENTRY                                                            \
	{                                                                    \
		"csv", 0, 0, G_OPTION_ARG_NONE, &kx_cli_options->csv,        \
			"One line for each figure, for other programs", NULL \
	}

#define CSV_LINES_ENTRY                                               \
	{                                                             \
		"csv", 0, 0, G_OPTION_ARG_NONE, &kx_cli_options->csv, \
			"The lines as CSV, for other programs", NULL  \
	}

/* help.c: prints help, folded for the terminal. */
void cli_print_help(const char *text);

/* VMs on the command line: names, --pid N, --all. */
typedef struct {
	char **names, **pids;
	char *uri; /* of the libvirt that has the names; NULL: the daemon's */
	gboolean all;
} Targets;
#define TARGET_ENTRIES(t)                                                                     \
	{ "pid",     'p',                                                                     \
	  0,	     G_OPTION_ARG_STRING_ARRAY,                                               \
	  &(t).pids, "The QEMU process N, known to libvirt or not",                           \
	  "N" },                                                                              \
		{ "all",    'a',                                                              \
		  0,	    G_OPTION_ARG_NONE,                                                \
		  &(t).all, "Every VM that the command applies to",                           \
		  NULL },                                                                     \
		{ "connect", 'c',                                                             \
		  0,	     G_OPTION_ARG_STRING,                                             \
		  &(t).uri,  "Look the names up in this libvirt, not the daemon's",           \
		  "URI" },                                                                    \
	{                                                                                     \
		G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &(t).names, NULL, NULL \
	}

typedef enum {
	TARGETS_REQUIRED, /* a command line without VMs is a usage error */
	TARGETS_OPTIONAL, /* a command line without VMs means --all */
} TargetsMode;

/*
 * The TARGET strings for the daemon. A process is "/proc/N", which no VM's name can equal. A domain's ID, and with --connect each
 * name, becomes the domain's UUID. --all becomes all VMs that are attached (@attached FALSE: that are not attached), which the daemon
 * lists. NULL: *@code is the exit code, and the error is printed.
 */
char **cli_targets(Cli *cli, const Targets *t, TargetsMode mode, gboolean attached, int *code);
void cli_targets_clear(Targets *t);
/*
 * A target as text for users: as the user named it or, with --all, the VM's name, with its process if several VMs have this
 * name. Control characters are replaced.
 */
char *cli_show(const char *target);
void cli_label(const char *target, char *text); /* takes ownership of @text */
void cli_labels_clear(void);			/* call this before the program ends */
/* names.c: the UUID of the domain that is called @text in the libvirt at @uri; NULL: @error is set. */
char *cli_name_in_libvirt(Cli *cli, const char *uri, const char *text, GError **error);
/* names.c: if @text is the ID of a domain and no VM's name, its UUID; else NULL. */
char *cli_name_of_id(Cli *cli, const char *text);
/* Whether @target means the VM with this @name; @vm (a{sv}) contains the VM's uuid and pid. */
gboolean cli_is_called(const char *name, GVariant *vm, const char *target);

/* --- the daemon ------------------------------------------------------------ */

/*
 * Each function makes one call. If the call takes longer than a second, a terminal shows "@what..." (NULL: shows nothing). FALSE
 * or NULL: @error is set, without D-Bus's prefix of the message. A floating @options is consumed; the caller owns the returned
 * strings and variants.
 */
gboolean cli_ask_attach(Cli *cli, const char *target, GVariant *options, const char *what,
			GError **error);
gboolean cli_ask_set(Cli *cli, const char *target, GVariant *options, const char *what,
		     GError **error);
gboolean cli_ask_detach(Cli *cli, const char *target, const char *what, GError **error);
gboolean cli_ask_pass(Cli *cli, const char *target, guint64 *pass, const char *what,
		      GError **error);
char *cli_ask_report(Cli *cli, char **targets, const char *what, GError **error);	 /* JSON */
char *cli_ask_heat(Cli *cli, const char *target, const char *what, GError **error);	 /* JSON */
char *cli_ask_over_time(Cli *cli, const char *target, const char *what, GError **error); /* JSON */
char *cli_ask_placement(Cli *cli, const char *target, const char *what, GError **error); /* JSON */
GVariant *cli_ask_found(Cli *cli, const char *target, guint64 window, const char *what,
			GError **error);			    /* a(tt) */
GVariant *cli_ask_list(Cli *cli, const char *what, GError **error); /* aa{sv} */
GVariant *cli_ask_stats(Cli *cli, const char *const *targets, const char *what, GError **error);
GVariant *cli_ask_environment(Cli *cli, GError **error); /* a{sv} */
/*
 * Holds the VM of process @pid for this program, which @who describes for users, until the release or the end of this program.
 * KX_EXIT_STATE: another program holds the VM. The release returns no error, because the hold also ends with the connection.
 */
gboolean cli_ask_hold(Cli *cli, guint32 pid, const char *who, GError **error);
void cli_ask_release(Cli *cli, guint32 pid);
GVariant *cli_ask_property(Cli *cli, const char *name, GError **error);
/*
 * Records into @fd, which the call takes, until the recording ends. @begun is called when the daemon has begun: when the first bytes
 * are in the file, or at once if the file cannot show this. Returns the summary (a{sv}).
 */
GVariant *cli_ask_record(Cli *cli, const char *target, int fd, void (*begun)(gpointer data),
			 gpointer data, GError **error);
/* Ends the recording for which cli_ask_record() waits; does not wait. */
void cli_stop_record(Cli *cli, const char *target);
/*
 * Calls @fn for each of the daemon's events until it returns FALSE. FALSE: the daemon is not reachable, or has ended.
 * @details: a{sv}, see the signal Event of the interface.
 */
typedef gboolean (*CliOnEvent)(const char *vm, const char *event, GVariant *details, gpointer data);
gboolean cli_watch(Cli *cli, CliOnEvent fn, gpointer data, GError **error);
/* The daemon's proxy, for calls that do not wait; NULL: not reachable. */
KxDbusManager *cli_manager(Cli *cli, GError **error);
/* The error of such a call as the functions above give it; takes @error. */
GError *cli_explain(GError *error);
/* Between begin and end, @lost->fn is called when the daemon has ended. Call cli_manager() before. */
typedef struct {
	void (*fn)(gpointer data);
	gpointer data;
} CliLost;
void cli_lost_begin(Cli *cli, CliLost *lost);
void cli_lost_end(Cli *cli, CliLost *lost);
GError *cli_lost_error(void);
void cli_disconnect(Cli *cli); /* call this before the program ends */

/*
 * before.c: whether a VM was attached, and with which setting, so that a command can leave the VM as it was. @list: the daemon's list.
 * cli_before_restore() tries again for some time if the daemon is busy with the VM.
 */
typedef struct {
	gboolean attached;
	gboolean
		cut; /* an interrupt has cut a call that changes the VM, which the daemon may still carry out */
	char *tracker, *options; /* NULL: not known */
} CliBefore;
/* The VM in the list; NULL: it is not there. */
GVariant *cli_find_vm(GVariant *list, const char *target);
void cli_before_read(GVariant *list, const char *target, CliBefore *before);
gboolean cli_before_restore(Cli *cli, const char *target, const CliBefore *before, GError **error);
void cli_before_clear(CliBefore *before);
/* After a call that changes a VM has failed: TRUE: an interrupt has cut the call, so there is something to restore. */
gboolean cli_was_cut(const Cli *cli);
/* Holds the VM of the process for this command. @id (nullable): the ID under which this command keeps what it measures. */
gboolean cli_hold(Cli *cli, guint32 pid, const char *id, GError **error);
/*
 * Holds @targets for this command, and returns the daemon's list as it is then: what another command had set before is not the VMs' own
 * setting. Held are those that the daemon lists, or that are named by a process; others are not there. @held: one for each target, its
 * process for cli_ask_release(), or 0, also after an error. NULL: @error is set; *@failed: the target that cannot be held; NULL: it is none
 * of them.
 */
GVariant *cli_list_held(Cli *cli, const char *const *targets, guint32 *held, const char **failed,
			GError **error);
/* A tracker with canonical options ("interval=100ms granularity=4K") as the argument with which they are set again. */
GVariant *cli_setting(const char *tracker, const char *options);

/* Calls @each for all targets, also after a failure; returns the exit code of the first failure. */
typedef gboolean (*CliEach)(Cli *cli, const char *target, const char *what, gpointer data,
			    GError **error);
int cli_for_each(Cli *cli, char **targets, const char *what, CliEach each, gpointer data);
/*
 * The same, for commands that change a VM. With --json an array is printed at the end, with an object for each target: "target";
 * what @each adds to cli->object; if @listed, the VM as list shows it afterwards; after a failure, "error" and "exit_status".
 */
int cli_for_each_json(Cli *cli, char **targets, const char *what, CliEach each, gpointer data,
		      gboolean listed);
/* A VM of the daemon's list as members of @object. */
void cli_add_vm(JsonObject *object, GVariant *vm);

/* --- output ---------------------------------------------------------------- */

/* Prints "kvm-ext: [target: ]message" to standard error; returns the exit code for @error. */
int cli_fail(const char *target, const GError *error);
/* Prints a usage error of @command (NULL: none); returns the exit code. */
int cli_usage(const char *command, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Prints a line to standard output, unless --quiet, --json or --csv is given. */
void cli_say(const Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
void cli_print_json(JsonBuilder *builder, gboolean pretty);
/* The value of a member that is not available: an object with the reason. */
void cli_add_na(JsonBuilder *builder, const char *why);

#endif /* KX_CLI_H */
