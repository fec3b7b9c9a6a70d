// SPDX-License-Identifier: GPL-2.0-or-later
#include "target.h"

#include <string.h>

static gboolean parse_number(const char *target, const char *prefix, pid_t *pid)
{
	guint64 n;

	if (!g_str_has_prefix(target, prefix) ||
	    !g_ascii_string_to_unsigned(target + strlen(prefix), 10, 1, G_MAXINT, &n, NULL))
		return FALSE;
	*pid = (pid_t)n;
	return TRUE;
}

gboolean kx_target_process(const char *target, pid_t *pid)
{
	return parse_number(target, "/proc/", pid);
}

gboolean kx_target_pid_form(const char *target, pid_t *pid)
{
	return parse_number(target, "pid:", pid);
}
