// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

/* syslog's priority numbers, which journald expects. */
static const char *priority(GLogLevelFlags level)
{
	switch (level & G_LOG_LEVEL_MASK) {
	case G_LOG_LEVEL_ERROR:
	case G_LOG_LEVEL_CRITICAL:
		return "3";
	case G_LOG_LEVEL_WARNING:
		return "4";
	case G_LOG_LEVEL_MESSAGE:
		return "5";
	case G_LOG_LEVEL_INFO:
		return "6";
	default:
		return "7";
	}
}

void kx_log(GLogLevelFlags level, const char *event, const char *vm, const char *tracker,
	    const char *format, ...)
{
	g_autofree char *message = NULL;
	GLogField fields[6];
	gsize n = 0;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);

	fields[n++] = (GLogField){ "MESSAGE", message, -1 };
	fields[n++] = (GLogField){ "PRIORITY", priority(level), -1 };
	fields[n++] = (GLogField){ "GLIB_DOMAIN", "kvm-ext", -1 };
	fields[n++] = (GLogField){ "EVENT", event, -1 };
	if (vm)
		fields[n++] = (GLogField){ "VM", vm, -1 };
	if (tracker)
		fields[n++] = (GLogField){ "TRACKER", tracker, -1 };
	g_log_structured_array(level, fields, n);
}
