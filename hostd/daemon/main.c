// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm-extd: has a session for each attached VM and answers on D-Bus. The daemon never forks; it notifies systemd when it is
 * ready.
 */
#include <gio/gio.h>
#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include <kvm-ext/version.h>

#include "base/log.h"
#include "base/names.h"
#include "control/config.h"
#include "listen.h"
#include "metrics.h"
#include "service.h"
#include "tracker/tracker.h"
#include "writer.h"

/* A mistake in the command line or in the configuration: the unit does not start the daemon again (RestartPreventExitStatus). */
#define EXIT_MISTAKE 2

typedef struct {
	char *config, *socket, *libvirt_uri, *system_bus;
	gboolean foreground, version, check_config, recover;
} Options;

typedef struct {
	const Options *options;
	GMainLoop *loop;
	KxService *service;
	KxMetrics *metrics; /* NULL: none are served */
	KxTristate system_bus;
	int exit_code;
} Daemon;

/* --- systemd ------------------------------------------------------------------------------------------------------ */

static void notify(const char *state)
{
	int err = sd_notify(0, state);

	if (err < 0)
		kx_log(G_LOG_LEVEL_WARNING, "notify", NULL, NULL, "NOTIFY_SOCKET: %s",
		       g_strerror(-err));
}

/* The message contains the time, by which Type=notify-reload (systemd 253 and later) distinguishes reloads. */
static void notify_reloading(void)
{
	g_autofree char *state = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT,
						 g_get_monotonic_time());

	notify(state);
}

static gboolean on_watchdog(gpointer data)
{
	notify("WATCHDOG=1");
	return G_SOURCE_CONTINUE;
}

/* Twice per period in which systemd wants to hear of the main loop, if it does (WatchdogSec). */
static guint feed_watchdog(void)
{
	guint64 usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return g_timeout_add((guint)CLAMP(usec / 2000, 1, G_MAXUINT), on_watchdog, NULL);
}

/* --- configuration ------------------------------------------------------------------------------------------------ */

/* Options of the command line override the file. */
static KxConfig *load_config(const Options *o, GError **error)
{
	g_autoptr(KxConfig) c =
		kx_config_load(o->config ? o->config : KX_CONFIG_PATH, o->config != NULL, error);

	if (!c)
		return NULL;
	if (o->socket) {
		g_free(c->socket);
		c->socket = g_canonicalize_filename(o->socket, NULL);
	}
	if (o->libvirt_uri) {
		g_free(c->libvirt_uri);
		c->libvirt_uri = g_strdup(o->libvirt_uri);
	}
	if (o->system_bus && !kx_tristate_parse(o->system_bus, &c->system_bus, error)) {
		g_prefix_error(error, "--system-bus=%s: ", o->system_bus);
		return NULL;
	}
	if (o->foreground)
		c->log_format = KX_LOG_TEXT;
	return g_steal_pointer(&c);
}

static void log_warnings(const KxConfig *c)
{
	for (guint i = 0; i < c->warnings->len; i++)
		kx_log(G_LOG_LEVEL_WARNING, "config", NULL, NULL, "%s",
		       (const char *)c->warnings->pdata[i]);
}

static void reload(Daemon *d)
{
	g_autoptr(GError) error = NULL;
	KxConfig *c = load_config(d->options, &error);

	if (!c) {
		kx_log(G_LOG_LEVEL_WARNING, "config-refused", NULL, NULL,
		       "the new configuration is refused, the old one stays: %s", error->message);
		return;
	}
	kx_writer_set(c->log_format);
	log_warnings(c);
	kx_service_reload(d->service, c);
	kx_log(G_LOG_LEVEL_MESSAGE, "config-loaded", NULL, NULL, "configuration reloaded: %u rules",
	       c->rules->len);
}

static gboolean on_hangup(gpointer data)
{
	notify_reloading();
	reload(data);
	notify("READY=1");
	return G_SOURCE_CONTINUE;
}

/* --- the system bus ----------------------------------------------------------------------------------------------- */

static void give_up(Daemon *d, const char *why)
{
	kx_log(G_LOG_LEVEL_CRITICAL, "system-bus", NULL, NULL, "%s, but system-bus=yes requires it",
	       why);
	d->exit_code = 1;
	g_main_loop_quit(d->loop);
}

static void on_bus(GDBusConnection *bus, const char *name, gpointer data)
{
	Daemon *d = data;

	/* If the bus closes, sessions stay: the daemon still answers on its socket. */
	g_dbus_connection_set_exit_on_close(bus, FALSE);
	kx_service_export(d->service, bus);
}

static void on_name_lost(GDBusConnection *bus, const char *name, gpointer data)
{
	Daemon *d = data;

	const char *why = bus && !g_dbus_connection_is_closed(bus)
				  ? "the bus name " KX_DBUS_NAME " is taken (another kvm-extd?) or "
				    "not allowed (is its policy installed?)"
				  : "the system bus cannot be reached";

	if (d->system_bus == KX_YES)
		give_up(d, why);
	else
		kx_log(G_LOG_LEVEL_MESSAGE, "no-system-bus", NULL, NULL,
		       "%s; the daemon is reachable on its socket only", why);
}

/* --- metrics ------------------------------------------------------------------------------------------------------ */

/* Metrics that cannot be served, on a port that is taken for instance, are no reason to track nothing. */
static void serve_metrics(Daemon *d, const char *listen)
{
	g_autoptr(GError) error = NULL;

	if (!*listen)
		return;
	d->metrics = kx_metrics_new(d->service, listen, &error);
	if (d->metrics)
		kx_log(G_LOG_LEVEL_MESSAGE, "metrics", NULL, NULL, "metrics are served on %s",
		       listen);
	else
		kx_log(G_LOG_LEVEL_WARNING, "metrics", NULL, NULL, "metrics are not served: %s",
		       error->message);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static gboolean on_terminate(gpointer data)
{
	Daemon *d = data;

	g_main_loop_quit(d->loop);
	return G_SOURCE_CONTINUE;
}

/* Called by the main loop, which does not run before the service exists. */
static void on_new_connection(GDBusConnection *connection, gpointer data)
{
	Daemon *d = data;

	kx_service_export(d->service, connection);
}

/* The host lives as long as the process: threads that are still at work when the daemon ends read it. */
static const KxHost *host_of(const char *socket_path)
{
	static KxHost host;

	host = kx_host_real;
	host.detached_file = g_strconcat(socket_path, ".detached", NULL);
	return &host;
}

static int run(Daemon *d, KxConfig *config, GError **error)
{
	g_autofree char *socket_path = g_strdup(config->socket);
	g_autofree char *metrics = g_strdup(config->metrics);
	g_autoptr(KxListener) listener = NULL;
	guint bus = 0, watchdog;

	/* The first step: a second daemon must touch neither a VM nor the devices that the first one has plugged in. */
	listener = kx_listener_new(socket_path, on_new_connection, d, error);
	if (!listener) {
		kx_config_free(config);
		return 1;
	}
	kx_trackers_recover(kx_host_real.root, kx_host_real.proc_root);
	d->system_bus = config->system_bus;
	d->loop = g_main_loop_new(NULL, FALSE);
	d->service = kx_service_new(host_of(socket_path), config);
	serve_metrics(d, metrics);
	g_unix_signal_add(SIGTERM, on_terminate, d);
	g_unix_signal_add(SIGINT, on_terminate, d);
	g_unix_signal_add(SIGHUP, on_hangup, d);
	if (d->system_bus != KX_NO)
		bus = g_bus_own_name(G_BUS_TYPE_SYSTEM, KX_DBUS_NAME,
				     G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, on_bus, NULL,
				     on_name_lost, d, NULL);
	kx_log(G_LOG_LEVEL_MESSAGE, "ready", NULL, NULL,
	       "version " KVM_EXT_VERSION ", listening on %s", socket_path);
	notify("READY=1");
	watchdog = feed_watchdog();
	g_main_loop_run(d->loop);
	notify("STOPPING=1");
	if (watchdog)
		g_source_remove(watchdog);
	g_clear_pointer(&d->metrics, kx_metrics_free);
	if (bus)
		g_bus_unown_name(bus);
	return d->exit_code;
}

static gboolean parse_options(Options *o, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &o->config,
		  "Read this file (default " KX_CONFIG_PATH ", which may be missing)", "FILE" },
		{ "socket", 0, 0, G_OPTION_ARG_FILENAME, &o->socket,
		  "Listen here (default " KX_SOCKET_PATH ")", "PATH" },
		{ "libvirt-uri", 0, 0, G_OPTION_ARG_STRING, &o->libvirt_uri,
		  "URI of libvirt (default " KX_LIBVIRT_URI "); empty: no libvirt", "URI" },
		{ "system-bus", 0, 0, G_OPTION_ARG_STRING, &o->system_bus,
		  "Serve on the D-Bus system bus, too", "yes|no|auto" },
		{ "foreground", 'f', 0, G_OPTION_ARG_NONE, &o->foreground,
		  "Log text to standard error, regardless of the configuration", NULL },
		{ "check-config", 0, 0, G_OPTION_ARG_NONE, &o->check_config,
		  "Check the configuration, print its errors, and exit", NULL },
		{ "recover", 0, 0, G_OPTION_ARG_NONE, &o->recover,
		  "Remove what a killed daemon has left on the host, and exit", NULL },
		{ "version", 'V', 0, G_OPTION_ARG_NONE, &o->version, "Print the version and exit",
		  NULL },
		{ 0 },
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_set_summary(context, "The daemon of kvm-ext: see kvm-extd(8).");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		g_printerr("kvm-extd: %s; try --help\n", error->message);
		return FALSE;
	}
	if (argc > 1) {
		g_printerr("kvm-extd: there is no argument \"%s\"; try --help\n", argv[1]);
		return FALSE;
	}
	return TRUE;
}

static void options_clear(Options *o)
{
	g_free(o->config);
	g_free(o->socket);
	g_free(o->libvirt_uri);
	g_free(o->system_bus);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static int check_config(const Options *o)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxConfig) config = load_config(o, &error);

	if (!config) {
		g_printerr("kvm-extd: %s\n", error->message);
		return 1;
	}
	for (guint i = 0; i < config->warnings->len; i++)
		g_printerr("kvm-extd: warning: %s\n", (const char *)config->warnings->pdata[i]);
	g_print("kvm-extd: the configuration is correct: %u rules\n", config->rules->len);
	return 0;
}

static int serve(const Options *o)
{
	Daemon d = { .options = o };
	g_autoptr(GError) error = NULL;
	KxConfig *config;
	int rc;

	signal(SIGPIPE, SIG_IGN); /* when a log's pipe closes, the sessions must not end */
	kx_writer_set(KX_LOG_TEXT);
	config = load_config(o, &error);
	if (!config) {
		g_printerr("kvm-extd: %s\n", error->message);
		return EXIT_MISTAKE;
	}
	kx_writer_set(config->log_format);
	log_warnings(config);
	rc = run(&d, config, &error);
	if (error)
		kx_log(G_LOG_LEVEL_CRITICAL, "start-failed", NULL, NULL, "%s", error->message);
	/* Detaches all VMs before the loop is freed, so that VMs are in their original state, whatever happens later. */
	kx_service_free(d.service);
	g_clear_pointer(&d.loop, g_main_loop_unref);
	return rc;
}

int main(int argc, char **argv)
{
	g_auto(Options) o = { 0 };

	setlocale(LC_ALL, "");
	if (!parse_options(&o, argc, argv))
		return EXIT_MISTAKE;
	if (o.check_config)
		return check_config(&o);
	if (o.recover) {
		kx_writer_set(KX_LOG_TEXT);
		kx_trackers_recover(kx_host_real.root, kx_host_real.proc_root);
		return 0;
	}
	if (!o.version)
		return serve(&o);
	g_print("kvm-extd " KVM_EXT_VERSION "\n");
	return 0;
}
