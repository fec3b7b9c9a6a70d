// SPDX-License-Identifier: GPL-2.0-or-later
#include "stores.h"

#include <string.h>

#define KILLED "the command that measured it was killed"

int stores_fail(const char *what, const GError *error)
{
	int code = cli_fail(what, error);

	if (g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_BUSY))
		return KX_EXIT_STATE;
	if (g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_READ_ONLY))
		return KX_EXIT_DENIED;
	if (g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_KIND))
		return KX_EXIT_UNSUPPORTED;
	return code;
}

/* Keeps the first error. Any other error replaces the error that a store has no such comparison. */
static void keep_error(GError **kept, GError *error)
{
	if (*kept && !g_error_matches(*kept, KX_STORE_ERROR, KX_STORE_ERROR_NONE)) {
		g_error_free(error);
		return;
	}
	g_clear_error(kept);
	*kept = error;
}

/* The ID in the store in @directory; NULL: @kept has the error. */
static char *look_in(const char *directory, const char *start, GError **kept)
{
	GError *error = NULL;
	g_autoptr(KxStore) s = kx_store_open(directory, KX_STORE_READ, &error);
	char *id = s ? kx_store_find(s, start, &error) : NULL;

	if (error)
		keep_error(kept, error);
	return id;
}

KxStore *stores_find(const char *start, KxStoreMode mode, char **id, GError **error)
{
	g_auto(GStrv) places = kx_store_places();
	g_autofree char *directory = NULL;
	GError *kept = NULL;

	*id = NULL;
	for (char **place = places; *place; place++) {
		g_autofree char *here = look_in(*place, start, &kept);

		if (here && *id) {
			g_clear_error(&kept);
			g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_AMBIGUOUS,
				    "several comparisons have an ID that begins with %s", start);
			g_clear_pointer(id, g_free);
			return NULL;
		}
		if (!here)
			continue;
		*id = g_steal_pointer(&here);
		directory = g_strdup(*place);
	}
	/* If the ID is ambiguous in one store, that is an error, even if another store has one such comparison. */
	if (*id && !g_error_matches(kept, KX_STORE_ERROR, KX_STORE_ERROR_AMBIGUOUS)) {
		g_clear_error(&kept);
		return kx_store_open(directory, mode, error);
	}
	g_clear_pointer(id, g_free);
	if (g_error_matches(kept, KX_STORE_ERROR, KX_STORE_ERROR_NONE)) {
		g_clear_error(&kept);
		if (g_file_test(start, G_FILE_TEST_IS_REGULAR))
			g_set_error(&kept, KX_STORE_ERROR, KX_STORE_ERROR_NONE,
				    "there is no comparison %s in the store, but a file of that "
				    "name: kvm-ext compare --input FILE shows a saved comparison, "
				    "kvm-ext report --input FILE a saved report",
				    start);
		else
			g_set_error(&kept, KX_STORE_ERROR, KX_STORE_ERROR_NONE,
				    "there is no comparison %s (kvm-ext history shows what there "
				    "is)",
				    start);
	}
	g_propagate_error(error, kept);
	return NULL;
}

static KxComparison *load_comparison(KxStore *s, const char *id, GError **error)
{
	KxStoredState state;
	KxComparison *c = kx_store_load(s, id, &state, error);

	if (c && state == KX_STORED_RUNNING)
		g_ptr_array_add(c->doubts,
				g_strdup_printf("the comparison is still being measured: of %u "
						"rounds these are the first %u",
						c->asked.rounds, c->whole));
	if (c && !c->stopped && state == KX_STORED_KILLED)
		c->stopped = g_strdup(KILLED);
	return c;
}

static KxExperiment *load_experiment(KxStore *s, const char *id, GError **error)
{
	KxStoredState state;
	KxExperiment *e = kx_store_load_experiment(s, id, &state, error);

	if (e && state == KX_STORED_RUNNING)
		e->stopped = g_strdup_printf("it is still being measured: of %u rounds these are "
					     "the first %u",
					     e->rounds, kx_experiment_whole(e));
	if (e && !e->stopped && state == KX_STORED_KILLED)
		e->stopped = g_strdup(KILLED);
	return e;
}

gboolean stores_load_any(const char *start, KxComparison **c, KxExperiment **e, GError **error)
{
	g_autofree char *id = NULL;
	g_autoptr(KxStore) s = stores_find(start, KX_STORE_READ, &id, error);
	KxStoredKind kind;

	if (!s || !kx_store_kind(s, id, &kind, error))
		return FALSE;
	if (kind == KX_STORED_EXPERIMENT)
		*e = load_experiment(s, id, error);
	else
		*c = load_comparison(s, id, error);
	return *c || *e;
}

static KxComparison *load_by_id(const char *start, GError **error)
{
	g_autofree char *id = NULL;
	g_autoptr(KxStore) s = stores_find(start, KX_STORE_READ, &id, error);

	return s ? load_comparison(s, id, error) : NULL;
}

/* An ID has only hexadecimal digits; the name of a file usually has more. */
static gboolean is_file(const char *name)
{
	return strspn(name, "0123456789abcdefABCDEF") != strlen(name);
}

static KxComparison *read_file(const char *path, GError **error)
{
	g_autofree char *json = NULL;

	if (!g_file_get_contents(path, &json, NULL, error))
		return NULL;
	return kx_comparison_from_json(json, error);
}

KxComparison *stores_load_named(const char *name, GError **error)
{
	return is_file(name) ? read_file(name, error) : load_by_id(name, error);
}
