/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service on a socket of its own, without libvirt, and one caller: for tests from the call to the answer. */
#ifndef FAKE_SERVICE_H
#define FAKE_SERVICE_H

#include <string.h>

#include "base/names.h"
#include "daemon/listen.h"
#include "daemon/service.h"
#include "fake-root.h"

typedef struct {
	char *root, *socket;
	KxListener *listener;
	KxService *service;
	GDBusConnection *client;
} FakeService;

static void fake_on_connection(GDBusConnection *connection, gpointer data)
{
	kx_service_export(data, connection);
}

static void fake_on_client(GObject *source, GAsyncResult *result, gpointer data)
{
	g_autoptr(GError) error = NULL;

	*(GDBusConnection **)data = g_dbus_connection_new_for_address_finish(result, &error);
	if (!*(GDBusConnection **)data)
		g_error("no connection to the service: %s", error->message);
}

static GDBusConnection *fake_connect_to(const char *socket)
{
	g_autofree char *address = g_strdup_printf("unix:path=%s", socket);
	GDBusConnection *c = NULL;

	g_dbus_connection_new_for_address(address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
					  NULL, NULL, fake_on_client, &c);
	while (!c)
		g_main_context_iteration(NULL, TRUE);
	return c;
}

/* fake_service_root() comes first: a host may be made of it. */
static void fake_service_root(FakeService *f)
{
	f->root = fake_root_new();
	f->socket = g_build_filename(f->root, "dir", "s.sock", NULL);
}

static void fake_service_start(FakeService *f, const KxHost *host)
{
	static const char config[] = "[daemon]\nlibvirt-uri=\n";

	f->service = kx_service_new(host, kx_config_parse(config, strlen(config), "test", NULL));
	f->listener = kx_listener_new(f->socket, fake_on_connection, f->service, NULL);
	g_assert_nonnull(f->listener);
	f->client = fake_connect_to(f->socket);
}

static void fake_service_stop(FakeService *f)
{
	g_dbus_connection_close_sync(f->client, NULL, NULL);
	g_object_unref(f->client);
	kx_listener_free(f->listener);
	kx_service_free(f->service);
	while (g_main_context_iteration(NULL, FALSE))
		;
	fake_remove(f->root);
	g_free(f->root);
	g_free(f->socket);
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

typedef struct {
	GVariant *reply;
	GError *error;
	gboolean done;
} FakeAnswer;

static void fake_on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
	FakeAnswer *a = data;

	a->reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &a->error);
	a->done = TRUE;
}

static void fake_start_call(FakeService *f, const char *method, GVariant *params, int timeout_ms,
			    FakeAnswer *a)
{
	g_dbus_connection_call(f->client, NULL, KX_DBUS_PATH, "org.kvmext1.Manager", method, params,
			       NULL, 0, timeout_ms, NULL, fake_on_answer, a);
}

static void fake_finish_call(FakeAnswer *a)
{
	while (!a->done)
		g_main_context_iteration(NULL, TRUE);
}

#endif /* FAKE_SERVICE_H */
