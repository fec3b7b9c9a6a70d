// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libsoup reads a request, which is then paused until the manager has made the text on a thread. Requests that come meanwhile
 * wait for the same text, so many readers cost as much as one.
 *
 * What clients can use of the daemon is bounded: the number of connections; the time of a connection, which is for one request;
 * and memory, because bodies of requests are dropped as they arrive, and all answers share one text.
 */
#include "metrics.h"

#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "control/manager.h"
#include "socketfile.h"

#define METRICS_PATH  "/metrics"
#define CLIENTS_MAX   32u
#define CLIENT_MS     30000u /* of one connection, from begin to end */
#define ANSWER_MS     5000u  /* the wait for the text */
#define RETRY_AFTER_S "15"

static const char *const content_types[] = {
	[KX_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	[KX_METRICS_PLAIN] = "text/plain; version=0.0.4; charset=utf-8",
};
#define FORMATS G_N_ELEMENTS(content_types)

/* Requests that wait for one text. */
typedef struct {
	KxMetrics *m; /* NULL: no request waits any more; the manager's answer frees this */
	KxMetricsFormat format;
	GPtrArray *waiting; /* SoupServerMessage, paused */
	guint timer;
} Scrape;

/* A connection; freed with its stream, which libsoup holds. */
typedef struct {
	KxMetrics *m;
	GSocketConnection *stream; /* not owned */
	guint timer;
} Client;

struct _KxMetrics {
	KxManager *manager;
	SoupServer *http;
	GSocketService *listener;
	GQueue clients;		  /* Client, the oldest first */
	Scrape *scrapes[FORMATS]; /* NULL: nobody waits */
	char *path;		  /* of the UNIX socket; NULL: none */
};

/* --- answers ------------------------------------------------------------------------------------------------------------ */

static void set_header(SoupServerMessage *msg, const char *name, const char *value)
{
	soup_message_headers_replace(soup_server_message_get_response_headers(msg), name, value);
}

static void set_text(SoupServerMessage *msg, guint status, const char *text)
{
	soup_server_message_set_status(msg, status, NULL);
	soup_server_message_set_response(msg, "text/plain; charset=utf-8", SOUP_MEMORY_COPY, text,
					 strlen(text));
}

/* @text NULL: there is none. */
static void answer(SoupServerMessage *msg, GBytes *text, KxMetricsFormat format)
{
	if (text) {
		soup_server_message_set_status(msg, SOUP_STATUS_OK, NULL);
		set_header(msg, "Content-Type", content_types[format]);
		soup_message_body_append_bytes(soup_server_message_get_response_body(msg), text);
	} else {
		set_header(msg, "Retry-After", RETRY_AFTER_S);
		set_text(msg, SOUP_STATUS_SERVICE_UNAVAILABLE,
			 "The figures of the VMs could not be read in time; the daemon's log says "
			 "more.\n");
	}
	soup_server_message_unpause(msg);
}

/* Answers all requests of @s. */
static void end_scrape(Scrape *s, GBytes *text)
{
	g_clear_handle_id(&s->timer, g_source_remove);
	for (guint i = 0; i < s->waiting->len; i++)
		answer(s->waiting->pdata[i], text, s->format);
	g_ptr_array_set_size(s->waiting, 0);
	s->m->scrapes[s->format] = NULL;
	s->m = NULL;
}

static void on_made(GObject *source, GAsyncResult *result, gpointer data)
{
	Scrape *s = data;
	g_autoptr(GError) error = NULL;
	char *text = kx_manager_metrics_finish(result, &error);
	g_autoptr(GBytes) bytes = text ? g_bytes_new_take(text, strlen(text)) : NULL;

	if (s->m)
		end_scrape(s, bytes);
	g_ptr_array_unref(s->waiting);
	g_free(s);
}

static gboolean on_late(gpointer data)
{
	Scrape *s = data;

	kx_log(G_LOG_LEVEL_WARNING, "metrics", NULL, NULL,
	       "the figures of the VMs could not be read within %u s; %u requests for metrics got "
	       "an "
	       "error",
	       ANSWER_MS / 1000, s->waiting->len);
	s->timer = 0;
	end_scrape(s, NULL);
	return G_SOURCE_REMOVE;
}

static void wait_for_text(KxMetrics *m, SoupServerMessage *msg, KxMetricsFormat format)
{
	Scrape *s = m->scrapes[format];

	soup_server_message_pause(msg);
	if (!s) {
		s = g_new0(Scrape, 1);
		s->m = m;
		s->format = format;
		s->waiting = g_ptr_array_new_with_free_func(g_object_unref);
		s->timer = g_timeout_add(ANSWER_MS, on_late, s);
		m->scrapes[format] = s;
		kx_manager_metrics_async(m->manager, format, on_made, s);
	}
	g_ptr_array_add(s->waiting, g_object_ref(msg));
}

/* --- requests ----------------------------------------------------------------------------------------------------------- */

/* The format that the client prefers; OpenMetrics if it has no preference. */
static KxMetricsFormat wanted(SoupServerMessage *msg)
{
	const char *accept = soup_message_headers_get_list(
		soup_server_message_get_request_headers(msg), "Accept");
	GSList *types = accept ? soup_header_parse_quality_list(accept, NULL) : NULL;
	KxMetricsFormat format = KX_OPENMETRICS;

	for (const GSList *l = types; l; l = l->next) {
		if (g_str_has_prefix(l->data, "application/openmetrics-text"))
			break;
		if (g_str_has_prefix(l->data, "text/plain") ||
		    g_str_has_prefix(l->data, "text/*")) {
			format = KX_METRICS_PLAIN;
			break;
		}
	}
	soup_header_free_list(types);
	return format;
}

/* Called after the headers. The body of a request has no meaning here, and is dropped so that it cannot fill the memory. */
static void on_headers(SoupServer *http, SoupServerMessage *msg, const char *path,
		       GHashTable *query, gpointer data)
{
	soup_message_body_set_accumulate(soup_server_message_get_request_body(msg), FALSE);
}

static void on_request(SoupServer *http, SoupServerMessage *msg, const char *path,
		       GHashTable *query, gpointer data)
{
	const char *method = soup_server_message_get_method(msg);

	/* A connection is for one request, so that its time can be bounded. */
	set_header(msg, "Connection", "close");
	if (!g_str_equal(method, "GET") && !g_str_equal(method, "HEAD")) {
		set_header(msg, "Allow", "GET, HEAD");
		set_text(msg, SOUP_STATUS_METHOD_NOT_ALLOWED, "Only GET and HEAD are possible.\n");
	} else if (g_str_equal(path, METRICS_PATH)) {
		wait_for_text(data, msg, wanted(msg));
	} else {
		set_text(msg, SOUP_STATUS_NOT_FOUND,
			 "The metrics of kvm-ext are at " METRICS_PATH ".\n");
	}
}

/* --- connections -------------------------------------------------------------------------------------------------------- */

static void shut(Client *c)
{
	g_socket_shutdown(g_socket_connection_get_socket(c->stream), TRUE, TRUE, NULL);
}

static gboolean on_too_long(gpointer data)
{
	Client *c = data;

	c->timer = 0;
	shut(c);
	return G_SOURCE_REMOVE;
}

static void client_free(Client *c)
{
	g_clear_handle_id(&c->timer, g_source_remove);
	g_free(c);
}

static void on_stream_gone(gpointer data, GObject *stream)
{
	Client *c = data;

	g_queue_remove(&c->m->clients, c);
	client_free(c);
}

static gboolean on_connection(GSocketService *listener, GSocketConnection *stream, GObject *source,
			      gpointer data)
{
	/* libsoup completes URIs with these addresses if a request has no Host; the addresses of a UNIX socket are not valid there. */
	g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string("127.0.0.1", 80);
	g_autoptr(GError) error = NULL;
	KxMetrics *m = data;
	Client *c;

	/* The oldest connection is closed: a client that reads the metrics needs its connection for milliseconds only. */
	if (m->clients.length >= CLIENTS_MAX)
		shut(g_queue_peek_head(&m->clients));
	if (m->clients.length >= 2 * CLIENTS_MAX)
		return TRUE; /* the stream is closed */
	c = g_new0(Client, 1);
	c->m = m;
	c->stream = stream;
	c->timer = g_timeout_add(CLIENT_MS, on_too_long, c);
	g_queue_push_tail(&m->clients, c);
	g_object_weak_ref(G_OBJECT(stream), on_stream_gone, c);
	soup_server_accept_iostream(m->http, G_IO_STREAM(stream), address, address, &error);
	return TRUE;
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

static gboolean add_address(KxMetrics *m, GSocketAddress *address, GError **error)
{
	return g_socket_listener_add_address(G_SOCKET_LISTENER(m->listener), address,
					     G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL,
					     NULL, error);
}

static gboolean listen_on_file(KxMetrics *m, GSocketAddress *address, const char *path,
			       GError **error)
{
	mode_t mask;
	gboolean ok;

	if (!kx_socketfile_make_directory(path, error) || !kx_socketfile_remove_stale(path, error))
		return FALSE;
	mask = umask(0177);
	ok = add_address(m, address, error);
	umask(mask);
	if (!ok)
		return FALSE;
	m->path = g_strdup(path);
	return kx_socketfile_open_to_group(path, kx_socketfile_group(), error);
}

static gboolean listen_on(KxMetrics *m, const char *listen, GError **error)
{
	g_autoptr(GSocketAddress) address = kx_config_metrics_address(listen, error);
	gboolean ok;

	if (!address)
		return FALSE;
	ok = G_IS_UNIX_SOCKET_ADDRESS(address) ? listen_on_file(m, address, listen, error)
					       : add_address(m, address, error);
	if (!ok)
		g_prefix_error(error, "[metrics] listen=%s: ", listen);
	return ok;
}

KxMetrics *kx_metrics_new(KxService *service, const char *listen, GError **error)
{
	KxMetrics *m = g_new0(KxMetrics, 1);

	m->manager = kx_service_manager(service);
	m->http = soup_server_new("server-header", "kvm-extd ", NULL);
	soup_server_add_early_handler(m->http, NULL, on_headers, m, NULL);
	soup_server_add_handler(m->http, NULL, on_request, m, NULL);
	m->listener = g_socket_service_new();
	g_signal_connect(m->listener, "incoming", G_CALLBACK(on_connection), m);
	if (listen_on(m, listen, error))
		return m;
	kx_metrics_free(m);
	return NULL;
}

void kx_metrics_free(KxMetrics *m)
{
	if (!m)
		return;
	g_socket_service_stop(m->listener);
	g_socket_listener_close(G_SOCKET_LISTENER(m->listener));
	g_signal_handlers_disconnect_by_data(m->listener, m);
	g_object_unref(m->listener);
	for (guint i = 0; i < FORMATS; i++) {
		if (m->scrapes[i])
			end_scrape(m->scrapes[i], NULL);
	}
	for (const GList *l = m->clients.head; l; l = l->next) {
		Client *c = l->data;

		g_object_weak_unref(G_OBJECT(c->stream), on_stream_gone, c);
		shut(c);
	}
	g_queue_clear_full(&m->clients, (GDestroyNotify)client_free);
	soup_server_disconnect(m->http);
	g_object_unref(m->http);
	if (m->path)
		unlink(m->path);
	g_free(m->path);
	g_free(m);
}
