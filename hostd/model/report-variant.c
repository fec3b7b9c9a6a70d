// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VM of the report and its last window as D-Bus values, for figures that are requested often. Keys are those of the JSON;
 * members that are zero, FALSE or NULL are left out. The reader ignores unknown keys, and keys with a value of another type.
 */
#include "report.h"

#include "fields.h"

/* --- to variants -------------------------------------------------------------------------------------------------------- */

static GVariant *value_of(const KxField *f, const void *object)
{
	const void *at = (const char *)object + f->offset;

	switch (f->type) {
	case KX_FIELD_STRING: {
		const char *s = *(char *const *)at;

		return s && g_utf8_validate(s, -1, NULL) ? g_variant_new_string(s) : NULL;
	}
	case KX_FIELD_BOOL:
		return *(const gboolean *)at ? g_variant_new_boolean(TRUE) : NULL;
	case KX_FIELD_U32:
		return *(const guint32 *)at ? g_variant_new_uint32(*(const guint32 *)at) : NULL;
	case KX_FIELD_U64:
		return *(const guint64 *)at ? g_variant_new_uint64(*(const guint64 *)at) : NULL;
	case KX_FIELD_I64:
		return *(const gint64 *)at ? g_variant_new_int64(*(const gint64 *)at) : NULL;
	case KX_FIELD_DOUBLE:
		return *(const double *)at != 0 ? g_variant_new_double(*(const double *)at) : NULL;
	}
	return NULL;
}

static void add_fields(GVariantBuilder *b, const KxField *fields, const void *object)
{
	for (const KxField *f = fields; f->key; f++) {
		GVariant *value = value_of(f, object);

		if (value)
			g_variant_builder_add(b, "{sv}", f->key, value);
	}
}

GVariant *kx_vm_to_variant(const KxVmReport *v)
{
	GVariantBuilder vm, window;

	g_variant_builder_init(&vm, G_VARIANT_TYPE_VARDICT);
	add_fields(&vm, kx_vm_fields, v);
	if (v->windows->len) {
		g_variant_builder_init(&window, G_VARIANT_TYPE_VARDICT);
		add_fields(&window, kx_window_fields, v->windows->pdata[v->windows->len - 1]);
		g_variant_builder_add(&vm, "{sv}", "window", g_variant_builder_end(&window));
	}
	return g_variant_builder_end(&vm);
}

/* --- from variants ------------------------------------------------------------------------------------------------------ */

/* Key → KxField; the fields are static. */
static GHashTable *index_of(const KxField *fields)
{
	GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal);

	for (; fields->key; fields++)
		g_hash_table_insert(index, (gpointer)fields->key, (gpointer)fields);
	return index;
}

static void set_field(const KxField *f, void *object, GVariant *value)
{
	static const char types[] = {
		[KX_FIELD_STRING] = 's', [KX_FIELD_BOOL] = 'b', [KX_FIELD_U32] = 'u',
		[KX_FIELD_U64] = 't',	 [KX_FIELD_I64] = 'x',	[KX_FIELD_DOUBLE] = 'd',
	};
	const char type[] = { types[f->type], '\0' };
	void *at = (char *)object + f->offset;

	if (!g_str_equal(g_variant_get_type_string(value), type))
		return;
	if (f->type == KX_FIELD_STRING)
		g_free(*(char **)at);
	g_variant_get(value, type, at); /* a string is a copy */
}

static void get_fields(GVariant *dict, GHashTable *index, void *object)
{
	GVariantIter it;
	const char *key;
	GVariant *value;

	g_variant_iter_init(&it, dict);
	while (g_variant_iter_loop(&it, "{&sv}", &key, &value)) {
		const KxField *f = g_hash_table_lookup(index, key);

		if (f)
			set_field(f, object, value);
	}
}

KxVmReport *kx_vm_from_variant(GVariant *dict)
{
	static GHashTable *of_vm, *of_window;
	static gsize once;
	g_autoptr(GVariant) window = NULL;
	KxVmReport *v = kx_vm_report_new();

	if (g_once_init_enter(&once)) {
		of_vm = index_of(kx_vm_fields);
		of_window = index_of(kx_window_fields);
		g_once_init_leave(&once, 1);
	}
	get_fields(dict, of_vm, v);
	window = g_variant_lookup_value(dict, "window", G_VARIANT_TYPE_VARDICT);
	if (window) {
		KxWindow *w = kx_window_new();

		get_fields(window, of_window, w);
		g_ptr_array_add(v->windows, w);
	}
	return v;
}
