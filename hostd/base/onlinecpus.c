// SPDX-License-Identifier: GPL-2.0-or-later
#include "onlinecpus.h"

#include "error.h"

/* "3", or "0-1". */
static gboolean in_range(const char *range, guint64 cpu)
{
	g_auto(GStrv) ends = g_strsplit(range, "-", 2);
	guint64 first, last;

	if (!ends[0] || !g_ascii_string_to_unsigned(ends[0], 10, 0, G_MAXINT, &first, NULL))
		return FALSE;
	if (!ends[1])
		return cpu == first;
	return g_ascii_string_to_unsigned(ends[1], 10, 0, G_MAXINT, &last, NULL) && cpu >= first &&
	       cpu <= last;
}

gboolean kx_online_cpus_check(const char *root, int cpu, GError **error)
{
	g_autofree char *path =
		g_build_filename(root ? root : "/", "sys/devices/system/cpu/online", NULL);
	g_autofree char *list = NULL;
	g_auto(GStrv) ranges = NULL;

	if (!g_file_get_contents(path, &list, NULL, NULL) || !*g_strstrip(list))
		return TRUE;
	ranges = g_strsplit(list, ",", -1);
	for (char **range = ranges; *range; range++) {
		if (in_range(*range, (guint64)cpu))
			return TRUE;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION, "cpu %d is not online; online are %s",
		    cpu, list);
	return FALSE;
}
