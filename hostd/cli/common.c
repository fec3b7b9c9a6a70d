/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options, connection, calls and messages that all commands share. */
#include "cli.h"

#include <gio/gunixsocketaddress.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/textfmt.h"

#define CALL_TIMEOUT_MS G_MAXINT /* a pass over a large VM takes what it takes; ^C ends the wait */

/* --- messages -------------------------------------------------------------- */

int cli_fail(const char *target, const GError *error)
{
	g_autofree char *message = NULL, *shown = NULL;

	g_return_val_if_fail(error != NULL, KX_EXIT_FAILED);
	message = kx_text_clean(error->message);
	shown = target ? cli_show(target) : NULL;
	fprintf(stderr, "kvm-ext: %s%s%s\n", shown ? shown : "", shown ? ": " : "", message);
	return kx_exit_code(error);
}

int cli_usage(const char *command, const char *format, ...)
{
	va_list args;

	fputs("kvm-ext: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'kvm-ext %s%s--help'.\n", command ? command : "",
		command ? " " : "");
	return KX_EXIT_USAGE;
}

void cli_say(const Cli *cli, const char *format, ...)
{
	va_list args;

	if (cli->quiet || cli->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void cli_print_json(JsonBuilder *builder, gboolean pretty)
{
	g_autoptr(JsonNode) root = json_builder_get_root(builder);
	g_autofree char *text = json_to_string(root, pretty);

	puts(text);
}

void cli_add_na(JsonBuilder *builder, const char *why)
{
	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "na");
	json_builder_add_string_value(builder, why);
	json_builder_end_object(builder);
}

static GHashTable *labels; /* of targets that nobody typed: TARGET → text; NULL: none */

static void label(const char *target, char *text)
{
	if (!labels)
		labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_insert(labels, g_strdup(target), text);
}

void cli_labels_clear(void)
{
	g_clear_pointer(&labels, g_hash_table_unref);
}

char *cli_show(const char *target)
{
	const char *text = labels ? g_hash_table_lookup(labels, target) : NULL;

	return kx_text_clean(text ? text : target);
}

gboolean cli_is_called(const char *name, GVariant *vm, const char *target)
{
	g_autofree char *process = NULL, *by_pid = NULL;
	const char *uuid = "";
	guint32 pid = 0;

	g_variant_lookup(vm, "uuid", "&s", &uuid);
	g_variant_lookup(vm, "pid", "u", &pid);
	process = g_strdup_printf("/proc/%u", pid);
	by_pid = g_strdup_printf("pid:%u", pid);
	return g_str_equal(target, name) || g_str_equal(target, process) ||
	       g_str_equal(target, by_pid) || (*uuid && g_ascii_strcasecmp(target, uuid) == 0);
}

/* --- options --------------------------------------------------------------- */

static Cli options;
Cli *kx_cli_options = &options;

const GOptionEntry kx_common_entries[] = {
	{ "socket", 0, 0, G_OPTION_ARG_FILENAME, &options.socket,
	  "Reach the daemon at this UNIX socket", "PATH" },
	{ "system-bus", 0, 0, G_OPTION_ARG_NONE, &options.system_bus,
	  "Reach the daemon over the D-Bus system bus", NULL },
	{ "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Write JSON", NULL },
	{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &options.quiet,
	  "No messages, only results and errors", NULL },
	{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static const Command *find_command(const char *name)
{
	for (const Command *c = kx_commands; c->name; c++) {
		if (g_str_equal(c->name, name))
			return c;
	}
	return NULL;
}

gboolean cli_parse(const char *command, const GOptionEntry *entries, int *argc, char ***argv)
{
	const Command *c = find_command(command);
	g_autofree char *name = g_strdup_printf("kvm-ext %s", command);
	g_autofree char *examples =
		c->examples ? g_strdup_printf("Examples:\n%s", c->examples) : NULL;
	g_autoptr(GOptionContext) context = g_option_context_new(*c->args ? c->args : NULL);
	g_autoptr(GError) error = NULL;

	g_set_prgname(name);
	g_option_context_set_summary(context, c->summary);
	g_option_context_set_description(context, examples);
	if (entries)
		g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, kx_common_entries, NULL);
	if (!g_option_context_parse(context, argc, argv, &error)) {
		cli_usage(command, "%s", error->message);
		return FALSE;
	}
	if (*argc > 1) {
		g_autofree char *extra = cli_show((*argv)[1]);

		cli_usage(command, "%s takes no argument '%s'", command, extra);
		return FALSE;
	}
	return TRUE;
}

/* --- connection ------------------------------------------------------------ */

static GDBusConnection *connect_socket(const char *path, GError **error)
{
	g_autofree char *escaped = g_dbus_address_escape_value(path);
	g_autofree char *address = g_strdup_printf("unix:path=%s", escaped);
	GDBusConnection *c;

	c = g_dbus_connection_new_for_address_sync(
		address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, error);
	if (c)
		return c;
	if (error && g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
		g_prefix_error(
			error,
			"the daemon's socket %s refuses this user; become root or a member of "
			"the group kvm-ext: ",
			path);
	else
		g_prefix_error(
			error,
			"the daemon kvm-extd is not reachable at %s; start it (systemctl start "
			"kvm-extd): ",
			path);
	return NULL;
}

static GDBusConnection *connect_bus(GError **error)
{
	GDBusConnection *c = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, error);

	if (!c)
		g_prefix_error(error, "the system bus is not reachable; use --socket PATH: ");
	else
		g_dbus_connection_set_exit_on_close(c, FALSE);
	return c;
}

static gboolean cli_connect(Cli *cli, GError **error)
{
	const char *path = cli->socket ? cli->socket : g_getenv("KVM_EXT_SOCKET");

	if (cli->connection)
		return TRUE;
	if (cli->system_bus) {
		cli->connection = connect_bus(error);
		cli->bus_name = KX_DBUS_NAME;
		return cli->connection != NULL;
	}
	cli->connection = connect_socket(path && *path ? path : KX_SOCKET_PATH, error);
	return cli->connection != NULL;
}

/* --- calls ----------------------------------------------------------------- */

typedef struct {
	GMainLoop *loop;
	GVariant *reply;
	GError *error;
	const char *what;
	const char *target; /* of the method; NULL: it has none */
	char *waits;	    /* for what, as the daemon tells; NULL: it tells nothing */
	gboolean shown, terminal;
	gint64 start; /* g_get_monotonic_time() */
} Call;

static void call_done(GObject *source, GAsyncResult *result, gpointer data)
{
	Call *call = data;

	call->reply =
		g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &call->error);
	g_main_loop_quit(call->loop);
}

static gboolean show_progress(gpointer data)
{
	Call *call = data;
	gint64 seconds = (g_get_monotonic_time() - call->start) / G_USEC_PER_SEC;

	fprintf(stderr, "\r%s...%s%s %" G_GINT64_FORMAT " s%s\033[K", call->what,
		call->waits ? " " : "", call->waits ? call->waits : "", seconds,
		call->waits ? ", ^C gives up" : "");
	fflush(stderr);
	call->shown = TRUE;
	return G_SOURCE_CONTINUE;
}

/* Where there is no terminal one line says it once. */
static void on_event(GDBusConnection *c, const char *sender, const char *path,
		     const char *interface, const char *signal, GVariant *params, gpointer data)
{
	g_autoptr(GVariant) details = NULL;
	const char *vm, *event, *reason;
	Call *call = data;

	if (!g_variant_is_of_type(params, G_VARIANT_TYPE("(ssa{sv})")))
		return;
	g_variant_get(params, "(&s&s@a{sv})", &vm, &event, &details);
	if (!g_str_equal(event, "waiting") || call->waits ||
	    !cli_is_called(vm, details, call->target) ||
	    !g_variant_lookup(details, "reason", "&s", &reason))
		return;
	call->waits = kx_text_clean(reason);
	if (call->terminal)
		show_progress(call);
	else
		fprintf(stderr, "kvm-ext: %s: %s\n", call->what, call->waits);
}

static guint watch_events(Cli *cli, Call *call, GVariant *params)
{
	if (!call->what || cli->quiet || !g_variant_n_children(params) ||
	    !g_variant_type_equal(g_variant_type_first(g_variant_get_type(params)),
				  G_VARIANT_TYPE_STRING))
		return 0;
	g_variant_get_child(params, 0, "&s", &call->target);
	return g_dbus_connection_signal_subscribe(cli->connection, cli->bus_name, KX_DBUS_INTERFACE,
						  "Event", KX_DBUS_PATH, NULL,
						  G_DBUS_SIGNAL_FLAGS_NONE, on_event, call, NULL);
}

/* What is added to D-Bus's own words; the daemon's messages are complete. */
static const struct {
	const char *name; /* NULL: no answer at all */
	const char *words;
} explanations[] = {
	{ NULL, "the daemon kvm-extd went away while it was asked; see its log "
		"(journalctl -u kvm-extd): " },
	{ "org.freedesktop.DBus.Error.ServiceUnknown",
	  "the daemon kvm-extd is not on the system bus; start it (systemctl start kvm-extd): " },
	{ "org.freedesktop.DBus.Error.AccessDenied",
	  "the daemon refuses this user; become root or a member of the group kvm-ext: " },
};

/* Takes off what D-Bus adds to the message; the exit code is kept, for the error's name goes with it. */
static GError *explain(GError *error)
{
	g_autofree char *name = g_dbus_error_get_remote_error(error);
	GError *own;

	own = g_error_new_literal(KX_EXIT_ERROR, kx_exit_code(error), "");
	g_dbus_error_strip_remote_error(error);
	g_free(own->message);
	own->message = g_strdup(error->message);
	for (guint i = 0; i < G_N_ELEMENTS(explanations); i++) {
		if (g_strcmp0(explanations[i].name, name) == 0)
			g_prefix_error(&own, "%s", explanations[i].words);
	}
	g_error_free(error);
	return own;
}

static GVariant *call_on(Cli *cli, const char *interface, const char *method, GVariant *params,
			 const char *reply_type, const char *what, GError **error)
{
	g_autoptr(GVariant) held = g_variant_ref_sink(params);
	g_autoptr(GMainLoop) loop = NULL;
	Call call = { .what = what, .start = g_get_monotonic_time() };
	guint timer = 0, events;

	if (!cli_connect(cli, error))
		return NULL;
	loop = call.loop = g_main_loop_new(NULL, FALSE);
	events = watch_events(cli, &call, held);
	g_dbus_connection_call(cli->connection, cli->bus_name, KX_DBUS_PATH, interface, method,
			       held, G_VARIANT_TYPE(reply_type), G_DBUS_CALL_FLAGS_NONE,
			       CALL_TIMEOUT_MS, NULL, call_done, &call);
	call.terminal = isatty(STDERR_FILENO);
	if (what && !cli->quiet && call.terminal)
		timer = g_timeout_add(1000, show_progress, &call);
	g_main_loop_run(loop);
	if (timer)
		g_source_remove(timer);
	if (events)
		g_dbus_connection_signal_unsubscribe(cli->connection, events);
	if (call.shown)
		fputs("\r\033[K", stderr);
	g_free(call.waits);
	if (call.error)
		g_propagate_error(error, explain(call.error));
	return call.reply;
}

GVariant *cli_call(Cli *cli, const char *method, GVariant *params, const char *reply_type,
		   const char *what, GError **error)
{
	return call_on(cli, KX_DBUS_INTERFACE, method, params, reply_type, what, error);
}

GVariant *cli_property(Cli *cli, const char *name, GError **error)
{
	g_autoptr(GVariant) reply = NULL;
	GVariant *value = NULL;

	reply = call_on(cli, "org.freedesktop.DBus.Properties", "Get",
			g_variant_new("(ss)", KX_DBUS_INTERFACE, name), "(v)", NULL, error);
	if (reply)
		g_variant_get(reply, "(v)", &value);
	return value;
}

int cli_for_each(Cli *cli, char **targets, const char *method, const char *reply_type,
		 const char *what, CliParams params, CliDone done, gpointer data)
{
	int code = KX_EXIT_OK;

	for (char **t = targets; *t; t++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GVariant) reply = NULL;
		g_autofree char *shown = cli_show(*t);
		g_autofree char *progress = g_strdup_printf("%s %s", what, shown);

		reply = cli_call(cli, method, params(*t, data), reply_type, progress, &error);
		if (reply) {
			done(cli, *t, reply, data);
			continue;
		}
		int failed = cli_fail(*t, error);
		if (!code)
			code = failed;
	}
	return code;
}

/* --- targets --------------------------------------------------------------- */

static gboolean add_pid(GStrvBuilder *b, const char *text)
{
	guint64 pid;

	if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT32, &pid, NULL))
		return FALSE;
	g_autofree char *target = g_strdup_printf("/proc/%" G_GUINT64_FORMAT, pid);
	label(target, g_strdup_printf("pid:%" G_GUINT64_FORMAT, pid));
	g_strv_builder_add(b, target);
	return TRUE;
}

/* By what it is, not by what it is called: other VMs may be called the same. */
static void add_vm(GStrvBuilder *b, GVariant *vm, GHashTable *names)
{
	g_autofree char *process = NULL;
	const char *name = "", *uuid = "", *target;
	gboolean alone;
	guint32 pid = 0;

	g_variant_lookup(vm, "name", "&s", &name);
	g_variant_lookup(vm, "uuid", "&s", &uuid);
	g_variant_lookup(vm, "pid", "u", &pid);
	process = g_strdup_printf("/proc/%u", pid);
	target = pid ? process : *uuid ? uuid : name;
	alone = GPOINTER_TO_UINT(g_hash_table_lookup(names, name)) == 1;
	label(target, alone ? g_strdup(name) : g_strdup_printf("%s (pid %u)", name, pid));
	g_strv_builder_add(b, target);
}

/* How many VMs have each name. */
static GHashTable *count_names(GVariant *vms)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (gsize i = 0; i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		const char *name = "";
		guint n;

		g_variant_lookup(vm, "name", "&s", &name);
		n = GPOINTER_TO_UINT(g_hash_table_lookup(names, name));
		g_hash_table_insert(names, g_strdup(name), GUINT_TO_POINTER(n + 1));
	}
	return names;
}

static gboolean add_all(Cli *cli, GStrvBuilder *b, gboolean attached, GError **error)
{
	g_autoptr(GVariant) reply =
		cli_call(cli, "List", g_variant_new("()"), "(aa{sv})", "asking for the VMs", error);
	g_autoptr(GVariant) vms = reply ? g_variant_get_child_value(reply, 0) : NULL;
	g_autoptr(GHashTable) names = vms ? count_names(vms) : NULL;

	for (gsize i = 0; vms && i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		gboolean is_attached = FALSE;

		g_variant_lookup(vm, "attached", "b", &is_attached);
		if (!is_attached == !attached)
			add_vm(b, vm, names);
	}
	return vms != NULL;
}

static const char *bad_name(const Targets *t)
{
	for (char **name = t->names; name && *name; name++) {
		if (!**name || !g_utf8_validate(*name, -1, NULL))
			return *name;
	}
	return NULL;
}

char **cli_targets(Cli *cli, const Targets *t, TargetsMode mode, gboolean attached, int *code)
{
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();
	g_autoptr(GError) error = NULL;
	gboolean named = (t->names && *t->names) || (t->pids && *t->pids);
	const char *bad = bad_name(t);
	const char *command = strrchr(g_get_prgname(), ' ') + 1;

	*code = KX_EXIT_USAGE;
	if (bad) {
		g_autofree char *shown = cli_show(bad);

		cli_usage(command, "'%s' is no VM name: it is %s", shown,
			  *bad ? "not valid UTF-8" : "empty");
		return NULL;
	}
	if (named && t->all) {
		cli_usage(command, "--all and named VMs exclude each other");
		return NULL;
	}
	if (!named && !t->all && mode == TARGETS_REQUIRED) {
		cli_usage(command, "no VM is named; give names, --pid N or --all");
		return NULL;
	}
	if (t->names)
		g_strv_builder_addv(b, (const char **)t->names);
	for (char **pid = t->pids; pid && *pid; pid++) {
		if (!add_pid(b, *pid)) {
			cli_usage(command, "--pid wants a process number, not '%s'", *pid);
			return NULL;
		}
	}
	if (!named && !add_all(cli, b, attached, &error)) {
		*code = cli_fail(NULL, error);
		return NULL;
	}
	*code = KX_EXIT_OK;
	return g_strv_builder_end(b);
}

void cli_targets_clear(Targets *t)
{
	g_clear_pointer(&t->names, g_strfreev);
	g_clear_pointer(&t->pids, g_strfreev);
}
