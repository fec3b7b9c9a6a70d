// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan-internal.h"

GQuark kx_plan_error_quark(void)
{
	return g_quark_from_static_string("kx-plan-error-quark");
}

gboolean kx_plan_bad(GError **error, const char *group, const char *key, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, KX_PLAN_ERROR, KX_PLAN_ERROR_KEY, "[%s] %s: %s", group, key, text);
	return FALSE;
}

gboolean kx_plan_bad_template(GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, KX_PLAN_ERROR, KX_PLAN_ERROR_FILE, "[vm] template: %s", text);
	return FALSE;
}
