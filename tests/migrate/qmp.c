// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>

#include "tap.h"
#include "vm.h"

struct _Qmp {
	GSubprocess *qemu;
	GSocketConnection *connection;
	GDataInputStream *in;
	GOutputStream *out;
	GQueue *migration; /* statuses of MIGRATION events that were not read yet; static strings */
};

__attribute__((noreturn)) static void broken(const char *what, const GError *error)
{
	errno = EPROTO;
	bail("QMP: %s: %s", what, error ? error->message : "QEMU closed the connection");
}

static void take_event(Qmp *q, JsonObject *message)
{
	const char *name = json_object_get_string_member(message, "event");
	JsonObject *data;

	if (!strcmp(name, "MIGRATION")) {
		data = json_object_get_object_member(message, "data");
		g_queue_push_tail(
			q->migration,
			(gpointer)g_intern_string(json_object_get_string_member(data, "status")));
	} else if (!strcmp(name, "SHUTDOWN") || !strcmp(name, "RESET") ||
		   !strcmp(name, "GUEST_PANICKED")) {
		vm_died("%s", name);
	}
}

/* Reads a message. If it is an event, handles it and returns NULL. */
static JsonNode *read_message(Qmp *q)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *line = g_data_input_stream_read_line_utf8(q->in, NULL, NULL, &error);
	g_autoptr(JsonNode) node = NULL;
	JsonObject *message;

	if (!line)
		broken("reading", error);
	node = json_from_string(line, &error);
	if (!node || !JSON_NODE_HOLDS_OBJECT(node))
		broken(line, error);
	message = json_node_get_object(node);
	if (!json_object_has_member(message, "event"))
		return g_steal_pointer(&node);
	take_event(q, message);
	return NULL;
}

static JsonNode *run(Qmp *q, const char *command, GVariant *arguments)
{
	g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT), answer = NULL;
	g_autoptr(JsonObject) object = json_object_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL, *line = NULL;
	JsonObject *reply;

	json_object_set_string_member(object, "execute", command);
	if (arguments) {
		g_autoptr(GVariant) owned = g_variant_ref_sink(arguments);

		json_object_set_member(object, "arguments", json_gvariant_serialize(owned));
	}
	json_node_set_object(root, object);
	text = json_to_string(root, FALSE);
	line = g_strconcat(text, "\n", NULL);
	if (!g_output_stream_write_all(q->out, line, strlen(line), NULL, NULL, &error))
		broken(command, error);
	while (!answer)
		answer = read_message(q);
	reply = json_node_get_object(answer);
	if (!json_object_has_member(reply, "return")) {
		g_autofree char *said = json_to_string(answer, FALSE);

		errno = EPROTO;
		bail("QMP: %s: %s", text, said);
	}
	return json_object_dup_member(reply, "return");
}

JsonNode *qmp_call(Qmp *q, const char *command, const char *format, ...)
{
	GVariant *arguments = NULL;
	va_list args;

	va_start(args, format);
	if (format)
		arguments = g_variant_new_parsed_va(format, &args);
	va_end(args);
	return run(q, command, arguments);
}

void qmp_do(Qmp *q, const char *command, const char *format, ...)
{
	GVariant *arguments = NULL;
	va_list args;

	va_start(args, format);
	if (format)
		arguments = g_variant_new_parsed_va(format, &args);
	va_end(args);
	json_node_free(run(q, command, arguments));
}

const char *qmp_wait_migration(Qmp *q, const char *const *statuses)
{
	const char *status;

	for (;;) {
		while ((status = g_queue_pop_head(q->migration))) {
			if (g_strv_contains(statuses, status))
				return status;
		}
		if (read_message(q))
			broken("an answer without a command", NULL);
	}
}

static GSocketConnection *connect_when_there(const char *path, GSubprocess *qemu)
{
	g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
	g_autoptr(GSocketClient) client = g_socket_client_new();
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;
	GSocketConnection *connection;

	g_socket_client_set_timeout(client, QMP_TIMEOUT_S);
	for (;;) {
		g_autoptr(GError) error = NULL;

		connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL,
						     &error);
		if (connection)
			return connection;
		if (!g_subprocess_get_identifier(qemu) || g_get_monotonic_time() > end)
			broken(path, error);
		g_usleep(5000);
	}
}

Qmp *qmp_new(const char *path, GSubprocess *qemu)
{
	Qmp *q = g_new0(Qmp, 1);
	g_autoptr(JsonNode) greeting = NULL;

	q->qemu = g_object_ref(qemu);
	q->connection = connect_when_there(path, qemu);
	q->in = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(q->connection)));
	g_data_input_stream_set_newline_type(q->in, G_DATA_STREAM_NEWLINE_TYPE_CR_LF);
	q->out = g_io_stream_get_output_stream(G_IO_STREAM(q->connection));
	q->migration = g_queue_new();
	greeting = read_message(q);
	if (!greeting)
		broken("no greeting", NULL);
	qmp_do(q, "qmp_capabilities", NULL);
	return q;
}

void qmp_free(Qmp *q)
{
	g_io_stream_close(G_IO_STREAM(q->connection), NULL, NULL);
	g_object_unref(q->in);
	g_object_unref(q->connection);
	g_object_unref(q->qemu);
	g_queue_free(q->migration);
	g_free(q);
}
