/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of kvm-ext share. */
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
	const struct _Command *command; /* that runs */
	GDBusConnection *connection;	/* both made at the first call */
	KxDbusManager *manager;
	GCancellable *cancellable; /* ends a call that is under way; NULL: none */
} Cli;

typedef struct _Command {
	const char *name;
	const char *args;     /* "DOMAIN...", for the usage line */
	const char *summary;  /* one line */
	const char *examples; /* shown by --help */
	int (*run)(Cli *cli, int argc, char **argv);
} Command;

int cmd_doctor(Cli *cli, int argc, char **argv);
int cmd_list(Cli *cli, int argc, char **argv);
int cmd_attach(Cli *cli, int argc, char **argv);
int cmd_set(Cli *cli, int argc, char **argv);
int cmd_compare(Cli *cli, int argc, char **argv);
int cmd_detach(Cli *cli, int argc, char **argv);
int cmd_pass(Cli *cli, int argc, char **argv);
int cmd_heat(Cli *cli, int argc, char **argv);
int cmd_report(Cli *cli, int argc, char **argv);
int cmd_stats(Cli *cli, int argc, char **argv);
int cmd_version(Cli *cli, int argc, char **argv);
int cmd_help(Cli *cli, int argc, char **argv);

/* --- arguments ------------------------------------------------------------- */

extern Cli *kx_cli_options; /* what the common options write to */
extern const GOptionEntry kx_common_entries[];

/*
 * Parses @entries and the common options after the command's name; prints what
 * is wrong. FALSE: exit with KX_EXIT_USAGE. --help exits by itself.
 */
gboolean cli_parse(const GOptionEntry *entries, int *argc, char ***argv);

/* VMs on the command line: names, --pid N, --all. */
typedef struct {
	char **names, **pids;
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
	{                                                                                     \
		G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &(t).names, NULL, NULL \
	}

typedef enum {
	TARGETS_REQUIRED, /* none given is a usage error */
	TARGETS_OPTIONAL, /* none given means --all */
} TargetsMode;

/*
 * The daemon's TARGET strings; a process is "/proc/N", whatever VMs are called. --all becomes those that are attached (or not,
 * with @attached FALSE), which asks the daemon. NULL: *@code is the exit code
 * and the error is printed.
 */
char **cli_targets(Cli *cli, const Targets *t, TargetsMode mode, gboolean attached, int *code);
void cli_targets_clear(Targets *t);
/*
 * How a target is shown: as the user named it or, with --all, by the VM's name, and its process where that is no name of its
 * own; control characters replaced.
 */
char *cli_show(const char *target);
void cli_label(const char *target, char *text); /* @text is taken */
void cli_labels_clear(void);			/* at the end */
/* Whether @target means the VM called @name, of which @vm (a{sv}) has the uuid and the pid. */
gboolean cli_is_called(const char *name, GVariant *vm, const char *target);

/* --- the daemon ------------------------------------------------------------ */

/*
 * One call each. Over a second, "@what..." is shown on a terminal, NULL: nothing is. FALSE or NULL with @error: what D-Bus
 * adds to the message is taken off. A floating @options is consumed; strings and variants are the caller's.
 */
gboolean cli_ask_attach(Cli *cli, const char *target, GVariant *options, const char *what,
			GError **error);
gboolean cli_ask_set(Cli *cli, const char *target, GVariant *options, const char *what,
		     GError **error);
gboolean cli_ask_detach(Cli *cli, const char *target, const char *what, GError **error);
gboolean cli_ask_pass(Cli *cli, const char *target, guint64 *pass, const char *what,
		      GError **error);
char *cli_ask_report(Cli *cli, char **targets, const char *what, GError **error);   /* JSON */
char *cli_ask_heat(Cli *cli, const char *target, const char *what, GError **error); /* JSON */
GVariant *cli_ask_found(Cli *cli, const char *target, guint64 window, const char *what,
			GError **error);			    /* a(tt) */
GVariant *cli_ask_list(Cli *cli, const char *what, GError **error); /* aa{sv}, as are those of: */
GVariant *cli_ask_stats(Cli *cli, const char *const *targets, const char *what, GError **error);
GVariant *cli_ask_property(Cli *cli, const char *name, GError **error);
void cli_disconnect(Cli *cli); /* at the end */

/* Calls @each for each target, all of them; returns the first failure's exit code. */
typedef gboolean (*CliEach)(Cli *cli, const char *target, const char *what, gpointer data,
			    GError **error);
int cli_for_each(Cli *cli, char **targets, const char *what, CliEach each, gpointer data);

/* --- output ---------------------------------------------------------------- */

/* "kvm-ext: [target: ]message" on standard error; returns the exit code for @error. */
int cli_fail(const char *target, const GError *error);
/* A usage error of @command. */
int cli_usage(const char *command, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Standard output, unless --quiet or --json. */
void cli_say(const Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
void cli_print_json(JsonBuilder *builder, gboolean pretty);
/* The value of something that is not there: an object with the reason. */
void cli_add_na(JsonBuilder *builder, const char *why);

#endif /* KX_CLI_H */
