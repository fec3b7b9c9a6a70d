// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gint format_now = KX_LOG_TEXT; /* atomic, because worker threads log, too */

/* Fields of a line: the name in GLib or kx_log, and the key in JSON. */
static const struct {
	const char *field, *key;
} shown[] = {
	{ "EVENT", "event" },
	{ "VM", "vm" },
	{ "TRACKER", "tracker" },
	{ "MESSAGE", "message" },
};

static const char *field(const GLogField *fields, gsize n, const char *name)
{
	gsize i;

	for (i = 0; i < n; i++) {
		if (!strcmp(fields[i].key, name) && fields[i].length < 0)
			return fields[i].value;
	}
	return NULL;
}

static const char *level_name(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return "error";
	if (level & G_LOG_LEVEL_WARNING)
		return "warning";
	return "info";
}

static void write_json(GLogLevelFlags level, const GLogField *fields, gsize n)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ");
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *line = NULL;
	guint i;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "time");
	json_builder_add_string_value(b, time);
	json_builder_set_member_name(b, "level");
	json_builder_add_string_value(b, level_name(level));
	for (i = 0; i < G_N_ELEMENTS(shown); i++) {
		const char *value = field(fields, n, shown[i].field);
		g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

		if (!valid)
			continue;
		json_builder_set_member_name(b, shown[i].key);
		json_builder_add_string_value(b, valid);
	}
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	line = json_to_string(root, FALSE);
	fprintf(stderr, "%s\n", line);
}

/* A log that cannot be written (full disk, closed pipe) is not a reason to stop tracking. */
static GLogWriterOutput on_log(GLogLevelFlags level, const GLogField *fields, gsize n,
			       gpointer data)
{
	KxLogFormat format = (KxLogFormat)g_atomic_int_get(&format_now);

	if (level & G_LOG_LEVEL_DEBUG)
		return G_LOG_WRITER_HANDLED;
	/* If text lines went to the journal, all of them would have the same priority. */
	if ((format == KX_LOG_JOURNAL ||
	     (format == KX_LOG_TEXT && g_log_writer_is_journald(STDERR_FILENO))) &&
	    g_log_writer_journald(level, fields, n, NULL) == G_LOG_WRITER_HANDLED)
		return G_LOG_WRITER_HANDLED;
	if (format == KX_LOG_JSON)
		write_json(level, fields, n);
	else
		g_log_writer_standard_streams(level, fields, n, NULL);
	return G_LOG_WRITER_HANDLED;
}

void kx_writer_set(KxLogFormat format)
{
	static gsize once;

	g_atomic_int_set(&format_now, format);
	if (g_once_init_enter(&once)) {
		g_log_set_writer_func(on_log, NULL, NULL);
		g_once_init_leave(&once, 1);
	}
}
