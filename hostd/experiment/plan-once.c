// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks that each key is in an experiment's file only once. */
#include "plan-internal.h"

#include <string.h>

/* The group that the line begins; NULL: it begins none. */
static char *group_of(const char *line)
{
	const char *end = *line == '[' ? strchr(line, ']') : NULL;

	return end ? g_strndup(line + 1, (gsize)(end - line - 1)) : NULL;
}

/* The key of the line; NULL: the line is empty, a comment or a group. */
static char *key_of(const char *line)
{
	const char *equals = strchr(line, '=');

	if (*line == '#' || *line == '[' || !equals)
		return NULL;
	return g_strchomp(g_strndup(line, (gsize)(equals - line)));
}

gboolean kx_plan_check_once(const char *text, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *group = g_strdup("");

	for (guint i = 0; lines[i]; i++) {
		char *begins = group_of(g_strchug(lines[i]));
		g_autofree char *key = key_of(lines[i]);
		char *whole;
		guint first;

		if (begins) {
			g_free(group);
			group = begins;
		}
		if (!key)
			continue;
		whole = g_strconcat(group, "]", key, NULL);
		first = GPOINTER_TO_UINT(g_hash_table_lookup(seen, whole));
		if (first) {
			g_free(whole);
			return kx_plan_bad(error, group, key,
					   "it is there twice, in lines %u and %u", first, i + 1);
		}
		g_hash_table_insert(seen, whole, GUINT_TO_POINTER(i + 1));
	}
	return TRUE;
}
