/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to the daemon, over the proxy that is generated from the interface's XML. A terminal shows how long a call takes. */
#include "cli.h"

#include <gio/gunixfdlist.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/refusal.h"
#include "base/textfmt.h"
#include "record/format.h"

static GDBusConnection *connect_socket(const char *path, GError **error)
{
	g_autofree char *escaped = g_dbus_address_escape_value(path);
	g_autofree char *address = g_strdup_printf("unix:path=%s", escaped);
	g_autofree char *refusal = NULL;
	GDBusConnection *c;

	c = g_dbus_connection_new_for_address_sync(
		address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, error);
	if (c)
		return c;
	refusal = error ? kx_refusal_in((*error)->message) : NULL;
	if (refusal) {
		g_clear_error(error);
		g_set_error(error, KX_EXIT_ERROR, KX_EXIT_STATE, "%s", refusal);
	} else if (error && g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED)) {
		g_prefix_error(
			error,
			"the daemon's socket %s refuses this user; become root or a member of "
			"the group kvm-ext: ",
			path);
	} else {
		g_prefix_error(
			error,
			"the daemon kvm-extd is not reachable at %s; start it (systemctl start "
			"kvm-extd): ",
			path);
	}
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

static gboolean connect_daemon(Cli *cli, GError **error)
{
	const char *path = cli->socket ? cli->socket : g_getenv("KVM_EXT_SOCKET");

	if (cli->manager)
		return TRUE;
	cli->connection = cli->system_bus
				  ? connect_bus(error)
				  : connect_socket(path && *path ? path : KX_SOCKET_PATH, error);
	if (!cli->connection)
		return FALSE;
	cli->manager = kx_dbus_manager_proxy_new_sync(
		cli->connection,
		G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES |
			G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START_AT_CONSTRUCTION,
		cli->system_bus ? KX_DBUS_NAME : NULL, KX_DBUS_PATH, NULL, error);
	if (!cli->manager)
		return FALSE;
	/* No timeout, because a pass over a large VM can take long; Ctrl-C ends the wait. */
	g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(cli->manager), G_MAXINT);
	return TRUE;
}

KxDbusManager *cli_manager(Cli *cli, GError **error)
{
	return connect_daemon(cli, error) ? cli->manager : NULL;
}

void cli_disconnect(Cli *cli)
{
	g_clear_object(&cli->manager);
	g_clear_object(&cli->connection);
}

/* --- the current call ------------------------------------------------------ */

typedef struct {
	GMainLoop *loop;
	GAsyncResult *result;
	const char *what;
	const char *target; /* of the method; NULL: the method has no target */
	gboolean waits;	    /* the daemon has said for what the call waits */
	gboolean shown, terminal;
	gulong events; /* signal handler; 0: none */
	gint64 start;  /* g_get_monotonic_time() */
} Call;

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
	Call *call = data;

	call->result = g_object_ref(result);
	g_main_loop_quit(call->loop);
}

static gboolean show_progress(gpointer data)
{
	Call *call = data;
	gint64 seconds = (g_get_monotonic_time() - call->start) / G_USEC_PER_SEC;

	fprintf(stderr, "\r%s... %" G_GINT64_FORMAT " s%s\033[K", call->what, seconds,
		call->waits ? ", ^C ends the wait" : "");
	fflush(stderr);
	call->shown = TRUE;
	return G_SOURCE_CONTINUE;
}

/* Says once for what the call waits; on a terminal the time goes on in a line below. */
static void on_event(KxDbusManager *manager, const char *vm, const char *event, GVariant *details,
		     gpointer data)
{
	g_autofree char *waits = NULL;
	const char *reason;
	Call *call = data;

	if (!g_str_equal(event, "waiting") || call->waits ||
	    !cli_is_called(vm, details, call->target) ||
	    !g_variant_lookup(details, "reason", "&s", &reason))
		return;
	waits = kx_text_clean(reason);
	call->waits = TRUE;
	fprintf(stderr, "%skvm-ext: %s: %s%s\n", call->shown ? "\r" : "", call->what, waits,
		call->shown ? "\033[K" : "");
	if (call->terminal)
		show_progress(call);
}

/* Explanations that are put before D-Bus's own errors; the daemon's messages need none. */
static const struct {
	const char *name; /* of the remote error; NULL: there was no answer */
	const char *words;
} explanations[] = {
	{ NULL, "the daemon kvm-extd ended during the call; see its log "
		"(journalctl -u kvm-extd): " },
	{ "org.freedesktop.DBus.Error.ServiceUnknown",
	  "the daemon kvm-extd is not on the system bus; start it (systemctl start kvm-extd): " },
	{ "org.freedesktop.DBus.Error.AccessDenied",
	  "the daemon refuses this user; become root or a member of the group kvm-ext: " },
};

/* Removes D-Bus's prefix from the message. The exit code is kept in the error, because the prefix contains the error's name. */
GError *cli_explain(GError *error)
{
	g_autofree char *name = g_dbus_error_get_remote_error(error);
	GError *own;

	if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
		g_error_free(error);
		return g_error_new_literal(KX_EXIT_ERROR, KX_EXIT_FAILED, "interrupted");
	}
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

static gboolean begin(Cli *cli, Call *call, const char *target, const char *what, GError **error)
{
	*call = (Call){ .what = what, .target = target, .start = g_get_monotonic_time() };
	if (!connect_daemon(cli, error))
		return FALSE;
	call->loop = g_main_loop_new(NULL, FALSE);
	call->terminal = isatty(STDERR_FILENO);
	if (what && target && !cli->quiet)
		call->events = g_signal_connect(cli->manager, "event", G_CALLBACK(on_event), call);
	return TRUE;
}

/* Waits for the answer to the call that was made after begin(). */
static GAsyncResult *await(const Cli *cli, Call *call)
{
	guint timer = 0;

	if (call->what && !cli->quiet && call->terminal)
		timer = g_timeout_add(1000, show_progress, call);
	g_main_loop_run(call->loop);
	if (timer)
		g_source_remove(timer);
	if (call->shown)
		fputs("\r\033[K", stderr);
	return call->result;
}

static gboolean end(Cli *cli, Call *call, GError *failed, GError **error)
{
	if (call->events)
		g_signal_handler_disconnect(cli->manager, call->events);
	g_clear_object(&call->result);
	g_main_loop_unref(call->loop);
	if (!failed)
		return TRUE;
	g_propagate_error(error, cli_explain(failed));
	return FALSE;
}

/* --- the daemon's end --------------------------------------------------------- */

static void on_closed(GDBusConnection *c, gboolean remote, GError *error, gpointer data)
{
	const CliLost *lost = data;

	lost->fn(lost->data);
}

/* On the bus: whether the name still has an owner. */
static void on_owner(GDBusProxy *proxy, GParamSpec *spec, gpointer data)
{
	g_autofree char *owner = g_dbus_proxy_get_name_owner(proxy);
	const CliLost *lost = data;

	if (!owner)
		lost->fn(lost->data);
}

void cli_lost_begin(Cli *cli, CliLost *lost)
{
	g_signal_connect(cli->connection, "closed", G_CALLBACK(on_closed), lost);
	g_signal_connect(cli->manager, "notify::g-name-owner", G_CALLBACK(on_owner), lost);
}

void cli_lost_end(Cli *cli, CliLost *lost)
{
	g_signal_handlers_disconnect_by_data(cli->connection, lost);
	g_signal_handlers_disconnect_by_data(cli->manager, lost);
}

GError *cli_lost_error(void)
{
	return g_error_new_literal(KX_EXIT_ERROR, KX_EXIT_UNREACHABLE,
				   "the daemon kvm-extd has ended; see its log (journalctl -u "
				   "kvm-extd)");
}

/* --- events ---------------------------------------------------------------- */

typedef struct {
	GMainLoop *loop;
	CliOnEvent on_event;
	gpointer data;
	gboolean lost; /* the daemon has gone */
} Watch;

static void watch_event(KxDbusManager *manager, const char *vm, const char *event,
			GVariant *details, gpointer data)
{
	Watch *w = data;

	if (g_main_loop_is_running(w->loop) && !w->on_event(vm, event, details, w->data))
		g_main_loop_quit(w->loop);
}

static void watch_lost(gpointer data)
{
	Watch *w = data;

	w->lost = TRUE;
	g_main_loop_quit(w->loop);
}

gboolean cli_watch(Cli *cli, CliOnEvent fn, gpointer data, GError **error)
{
	Watch w = { .on_event = fn, .data = data };
	CliLost lost = { watch_lost, &w };
	g_autoptr(GVariant) version = NULL;
	gulong event;

	if (!connect_daemon(cli, error))
		return FALSE;
	w.loop = g_main_loop_new(NULL, FALSE);
	event = g_signal_connect(cli->manager, "event", G_CALLBACK(watch_event), &w);
	cli_lost_begin(cli, &lost);
	/* Once a call is answered, the daemon's signals arrive: from then on no event is missed. */
	version = cli_ask_property(cli, "Version", error);
	if (version && !cli->quiet)
		fputs("kvm-ext: waiting for events\n", stderr);
	if (version && !w.lost)
		g_main_loop_run(w.loop);
	g_signal_handler_disconnect(cli->manager, event);
	cli_lost_end(cli, &lost);
	g_main_loop_unref(w.loop);
	if (version && w.lost)
		g_propagate_error(error, cli_lost_error());
	return version && !w.lost;
}

/* --- each method ----------------------------------------------------------- */

gboolean cli_ask_attach(Cli *cli, const char *target, GVariant *options, const char *what,
			GError **error)
{
	g_autoptr(GVariant) held = g_variant_ref_sink(options);
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return FALSE;
	kx_dbus_manager_call_attach(cli->manager, target, held, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_attach_finish(cli->manager, await(cli, &call), &failed);
	return end(cli, &call, failed, error);
}

gboolean cli_ask_set(Cli *cli, const char *target, GVariant *options, const char *what,
		     GError **error)
{
	g_autoptr(GVariant) held = g_variant_ref_sink(options);
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return FALSE;
	kx_dbus_manager_call_set_tracker(cli->manager, target, held, cli->cancellable, on_reply,
					 &call);
	kx_dbus_manager_call_set_tracker_finish(cli->manager, await(cli, &call), &failed);
	return end(cli, &call, failed, error);
}

gboolean cli_ask_detach(Cli *cli, const char *target, const char *what, GError **error)
{
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return FALSE;
	kx_dbus_manager_call_detach(cli->manager, target, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_detach_finish(cli->manager, await(cli, &call), &failed);
	return end(cli, &call, failed, error);
}

gboolean cli_ask_pass(Cli *cli, const char *target, guint64 *pass, const char *what, GError **error)
{
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return FALSE;
	kx_dbus_manager_call_run_pass(cli->manager, target, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_run_pass_finish(cli->manager, pass, await(cli, &call), &failed);
	return end(cli, &call, failed, error);
}

char *cli_ask_report(Cli *cli, char **targets, const char *what, GError **error)
{
	GError *failed = NULL;
	char *json = NULL;
	Call call;

	if (!begin(cli, &call, NULL, what, error))
		return NULL;
	kx_dbus_manager_call_report(cli->manager, (const char *const *)targets, cli->cancellable,
				    on_reply, &call);
	kx_dbus_manager_call_report_finish(cli->manager, &json, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return json;
}

char *cli_ask_heat(Cli *cli, const char *target, const char *what, GError **error)
{
	GError *failed = NULL;
	char *json = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return NULL;
	kx_dbus_manager_call_heat(cli->manager, target, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_heat_finish(cli->manager, &json, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return json;
}

char *cli_ask_over_time(Cli *cli, const char *target, const char *what, GError **error)
{
	GError *failed = NULL;
	char *json = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return NULL;
	kx_dbus_manager_call_over_time(cli->manager, target, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_over_time_finish(cli->manager, &json, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return json;
}

char *cli_ask_placement(Cli *cli, const char *target, const char *what, GError **error)
{
	GError *failed = NULL;
	char *json = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return NULL;
	kx_dbus_manager_call_placement(cli->manager, target, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_placement_finish(cli->manager, &json, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return json;
}

/* --- a recording ----------------------------------------------------------- */

/* The daemon answers at the end of the recording; that the recording has begun is seen in the file, by data after the header. */
typedef struct {
	int fd;
	void (*begun)(gpointer data);
	gpointer data;
	guint timer;
} Beginning;

static gboolean look_at_file(gpointer data)
{
	Beginning *b = data;
	struct stat st;

	if (fstat(b->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= (off_t)sizeof(KxRecordHeader))
		return G_SOURCE_CONTINUE;
	b->timer = 0;
	b->begun(b->data);
	return G_SOURCE_REMOVE;
}

GVariant *cli_ask_record(Cli *cli, const char *target, int fd, void (*begun)(gpointer data),
			 gpointer data, GError **error)
{
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);
	Beginning b = { fd, begun, data, 0 };
	GVariant *summary = NULL;
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, target, "recording", error))
		return NULL;
	kx_dbus_manager_call_record(cli->manager, target, g_variant_new_handle(0), fds, NULL,
				    on_reply, &call);
	b.timer = g_timeout_add(10, look_at_file, &b);
	kx_dbus_manager_call_record_finish(cli->manager, &summary, NULL, await(cli, &call),
					   &failed);
	if (b.timer)
		g_source_remove(b.timer);
	end(cli, &call, failed, error);
	return summary;
}

void cli_stop_record(Cli *cli, const char *target)
{
	/* An interrupt may come before the first call. */
	if (cli->manager)
		kx_dbus_manager_call_stop_record(cli->manager, target, NULL, NULL, NULL);
}

GVariant *cli_ask_found(Cli *cli, const char *target, guint64 window, const char *what,
			GError **error)
{
	GVariant *runs = NULL;
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, target, what, error))
		return NULL;
	kx_dbus_manager_call_found(cli->manager, target, window, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_found_finish(cli->manager, &runs, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return runs;
}

GVariant *cli_ask_list(Cli *cli, const char *what, GError **error)
{
	GVariant *vms = NULL;
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, NULL, what, error))
		return NULL;
	kx_dbus_manager_call_list(cli->manager, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_list_finish(cli->manager, &vms, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return vms;
}

gboolean cli_ask_hold(Cli *cli, guint32 pid, const char *who, GError **error)
{
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, NULL, NULL, error))
		return FALSE;
	kx_dbus_manager_call_hold(cli->manager, pid, who, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_hold_finish(cli->manager, await(cli, &call), &failed);
	/* A daemon of an earlier version, which may still run after an upgrade, has no holds. */
	if (g_error_matches(failed, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD))
		g_clear_error(&failed);
	return end(cli, &call, failed, error);
}

void cli_ask_release(Cli *cli, guint32 pid)
{
	Call call;

	if (!begin(cli, &call, NULL, NULL, NULL))
		return;
	kx_dbus_manager_call_release(cli->manager, pid, NULL, on_reply, &call);
	kx_dbus_manager_call_release_finish(cli->manager, await(cli, &call), NULL);
	end(cli, &call, NULL, NULL);
}

GVariant *cli_ask_stats(Cli *cli, const char *const *targets, const char *what, GError **error)
{
	GVariant *vms = NULL;
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, NULL, what, error))
		return NULL;
	kx_dbus_manager_call_stats(cli->manager, targets, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_stats_finish(cli->manager, &vms, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return vms;
}

GVariant *cli_ask_environment(Cli *cli, GError **error)
{
	GVariant *facts = NULL;
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, NULL, NULL, error))
		return NULL;
	kx_dbus_manager_call_environment(cli->manager, cli->cancellable, on_reply, &call);
	kx_dbus_manager_call_environment_finish(cli->manager, &facts, await(cli, &call), &failed);
	end(cli, &call, failed, error);
	return facts;
}

/* Calls the daemon: the generated getters would read a cache, which is empty, without an error, if the daemon does not answer. */
GVariant *cli_ask_property(Cli *cli, const char *name, GError **error)
{
	g_autoptr(GVariant) reply = NULL;
	GVariant *value = NULL;
	GError *failed = NULL;
	Call call;

	if (!begin(cli, &call, NULL, NULL, error))
		return NULL;
	g_dbus_proxy_call(G_DBUS_PROXY(cli->manager), "org.freedesktop.DBus.Properties.Get",
			  g_variant_new("(ss)", KX_DBUS_INTERFACE, name), G_DBUS_CALL_FLAGS_NONE,
			  -1, cli->cancellable, on_reply, &call);
	reply = g_dbus_proxy_call_finish(G_DBUS_PROXY(cli->manager), await(cli, &call), &failed);
	if (end(cli, &call, failed, error) && g_variant_is_of_type(reply, G_VARIANT_TYPE("(v)")))
		g_variant_get(reply, "(v)", &value);
	return value;
}
