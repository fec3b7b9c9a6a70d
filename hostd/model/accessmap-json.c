// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat over time as JSON, both ways. What is read may be anybody's text: every number is checked. */
#include "accessmap-json.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "json-read.h"
#include "json-write.h"

/* A VM has fewer parts of memory than this, and fewer settings than this of different trackers. */
#define PARTS_MAX 4096u
#define MAPS_MAX  256u

/* --- numbers as text ---------------------------------------------------------------------------------------------------- */

char *kx_access_numbers_to_text(const GArray *numbers)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0, n; i < numbers->len; i += n) {
		guint64 value = g_array_index(numbers, guint64, i);

		for (n = 1; i + n < numbers->len && g_array_index(numbers, guint64, i + n) == value;
		     n++)
			;
		g_string_append_printf(text, "%s%" G_GUINT64_FORMAT, i ? " " : "", value);
		if (n > 1)
			g_string_append_printf(text, "*%u", n);
	}
	return g_string_free(text, FALSE);
}

/* A decimal number at *@at, which moves behind it. */
static gboolean take_number(const char **at, guint64 *value)
{
	char *end;

	if (!g_ascii_isdigit(**at))
		return FALSE;
	errno = 0;
	*value = g_ascii_strtoull(*at, &end, 10);
	*at = end;
	return errno == 0;
}

gboolean kx_access_numbers_from_text(const char *text, guint max, GArray *numbers)
{
	for (const char *at = text; *at;) {
		guint64 value, times = 1;

		if (numbers->len && *at++ != ' ')
			return FALSE;
		if (!take_number(&at, &value))
			return FALSE;
		if (*at == '*') {
			at++;
			if (!take_number(&at, &times))
				return FALSE;
		}
		if (!times || times > max - numbers->len)
			return FALSE;
		while (times--)
			g_array_append_val(numbers, value);
	}
	return TRUE;
}

static char *columns_to_text(const KxAccessMap *m)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < m->columns->len; i++) {
		const KxAccessColumns *c = &g_array_index(m->columns, KxAccessColumns, i);

		g_string_append_printf(text, "%s%" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT,
				       i ? " " : "", c->first, c->n);
	}
	return g_string_free(text, FALSE);
}

/* Ascending, disjoint, and inside 64 bits of address. */
static gboolean columns_from_text(const char *text, KxAccessMap *m)
{
	guint64 limit = (G_MAXUINT64 >> 12) / m->bin_pages, next = 0;

	for (const char *at = text; *at;) {
		KxAccessColumns c;

		if (m->columns->len && *at++ != ' ')
			return FALSE;
		if (!take_number(&at, &c.first) || *at++ != '+' || !take_number(&at, &c.n))
			return FALSE;
		if (c.first < next || !c.n || c.first >= limit || c.n > limit - c.first ||
		    c.n > KX_ACCESS_COLUMNS_MAX - m->columns_nr)
			return FALSE;
		next = c.first + c.n;
		m->columns_nr += (guint32)c.n;
		g_array_append_val(m->columns, c);
	}
	return TRUE;
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

static void add_numbers(JsonBuilder *b, const char *key, const GArray *numbers)
{
	g_autofree char *text = kx_access_numbers_to_text(numbers);

	kx_json_add_text(b, key, text);
}

static void add_row(JsonBuilder *b, const KxAccessRow *r)
{
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_access_row_fields, r);
	add_numbers(b, "cells", r->cells);
	if (r->writes)
		add_numbers(b, "writes", r->writes);
	json_builder_end_object(b);
}

static void add_map(JsonBuilder *b, const KxAccessMap *m)
{
	g_autofree char *columns = columns_to_text(m);
	g_autoptr(GArray) use = g_array_new(FALSE, FALSE, sizeof(guint64));

	g_array_append_vals(use, m->block_use, KX_ACCESS_BLOCK_CLASSES);
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_access_map_fields, m);
	kx_json_add_text(b, "columns", columns);
	add_numbers(b, "sizes", m->sizes);
	add_numbers(b, "block_use", use);
	add_numbers(b, "ages_ns", m->ages_ns);
	add_numbers(b, "age_pages", m->age_pages);
	json_builder_set_member_name(b, "rows");
	json_builder_begin_array(b);
	for (guint i = 0; i < m->rows->len; i++)
		add_row(b, m->rows->pdata[i]);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

void kx_json_add_over_time(JsonBuilder *b, const KxOverTime *t)
{
	json_builder_set_member_name(b, "over_time");
	json_builder_begin_object(b);
	kx_json_add_text(b, "na", t->na);
	kx_json_add_text(b, "parts_na", t->parts_na);
	json_builder_set_member_name(b, "parts");
	json_builder_begin_array(b);
	for (guint i = 0; i < t->parts->len; i++) {
		json_builder_begin_object(b);
		kx_json_add_fields(b, kx_access_part_fields,
				   &g_array_index(t->parts, KxAccessPart, i));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_set_member_name(b, "maps");
	json_builder_begin_array(b);
	for (guint i = 0; i < t->maps->len; i++)
		add_map(b, t->maps->pdata[i]);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

/* NULL: there is no text with that key. */
static const char *text_of(JsonObject *o, const char *key)
{
	JsonNode *node = json_object_get_member(o, key);

	return node && JSON_NODE_HOLDS_VALUE(node) &&
			       json_node_get_value_type(node) == G_TYPE_STRING
		       ? json_node_get_string(node)
		       : NULL;
}

static gboolean read_numbers(JsonObject *o, const char *key, guint max, GArray *numbers,
			     const char *where, GError **error)
{
	const char *text = text_of(o, key);

	return (text && kx_access_numbers_from_text(text, max, numbers)) ||
	       kx_json_wrong(error, where, key, "a text of numbers");
}

typedef struct {
	KxOverTime *t;
	KxAccessMap *m; /* the map of @t that is being read */
	guint64 *cells; /* number of cells that may still be read */
} Reading;

typedef gboolean (*ReadOne)(JsonObject *o, gpointer to, const char *where, GError **error);

static gboolean read_each(JsonObject *o, const char *key, guint max, ReadOne read, gpointer to,
			  const char *where, GError **error)
{
	JsonNode *node = json_object_get_member(o, key);
	JsonArray *list = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

	if (!list || json_array_get_length(list) > max)
		return kx_json_wrong(error, where, key, "an array, or it is longer than it can be");
	for (guint i = 0; i < json_array_get_length(list); i++) {
		JsonNode *element = json_array_get_element(list, i);

		if (!JSON_NODE_HOLDS_OBJECT(element))
			return kx_json_wrong(error, where, key, "an array of objects");
		if (!read(json_node_get_object(element), to, where, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean read_part(JsonObject *o, gpointer to, const char *where, GError **error)
{
	KxOverTime *t = ((Reading *)to)->t;
	const KxAccessPart *last =
		t->parts->len ? &g_array_index(t->parts, KxAccessPart, t->parts->len - 1) : NULL;
	KxAccessPart p = { 0 };

	if (!kx_json_read_fields(kx_access_part_fields, o, &p, where, error))
		return FALSE;
	if (!p.npages || p.gfn > G_MAXUINT64 >> 12 || p.npages > (G_MAXUINT64 >> 12) - p.gfn ||
	    (last && p.gfn < last->gfn + last->npages))
		return kx_json_wrong(error, where, "parts", "a list of ascending parts of memory");
	g_array_append_val(t->parts, p);
	return TRUE;
}

/* A row without a number of blocks contradicts nothing. */
static gboolean blocks_hold_found(const KxAccessRow *r)
{
	guint64 least = r->found / KX_ACCESS_BLOCK_PAGES + (r->found % KX_ACCESS_BLOCK_PAGES > 0);

	return !r->blocks || least <= r->blocks;
}

/* Checks the sums of a row against each other, because readers divide by them and subtract them. */
static gboolean check_row(const KxAccessMap *m, const KxAccessRow *r, const char *where,
			  GError **error)
{
	const KxAccessRow *last = m->rows->len ? m->rows->pdata[m->rows->len - 1] : NULL;

	if (r->cells->len != m->columns_nr || (r->writes && r->writes->len != m->columns_nr))
		return kx_json_wrong(error, where, "cells", "one number for each column");
	if (last && r->bin <= last->bin)
		return kx_json_wrong(error, where, "bin", "greater than that of the row before");
	if (r->bin > (guint64)G_MAXINT64 / m->bin_ns)
		return kx_json_wrong(error, where, "bin", "a time");
	if (r->found_min > r->found_max || r->stayed > r->before || !blocks_hold_found(r))
		return kx_json_wrong(error, where, "rows", "of figures that fit together");
	for (guint i = 0; r->writes && i < r->writes->len; i++) {
		if (g_array_index(r->writes, guint64, i) > kx_access_cell(r, i))
			return kx_json_wrong(error, where, "writes", "a part of the cells");
	}
	return TRUE;
}

static gboolean take_cells(Reading *p, gboolean writes, const char *where, GError **error)
{
	guint64 n = (guint64)p->m->columns_nr * (writes ? 2 : 1);

	if (n > *p->cells) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
			    "%s: its maps of heat over time have more cells than this version "
			    "reads",
			    where);
		return FALSE;
	}
	*p->cells -= n;
	return TRUE;
}

static gboolean read_row(JsonObject *o, gpointer to, const char *where, GError **error)
{
	gboolean ok, writes = json_object_has_member(o, "writes");
	KxAccessMap *m = ((Reading *)to)->m;
	KxAccessRow *r;

	if (!take_cells(to, writes, where, error))
		return FALSE;
	r = kx_access_row_new();
	if (writes)
		r->writes = g_array_new(FALSE, TRUE, sizeof(guint64));
	ok = kx_json_read_fields(kx_access_row_fields, o, r, where, error) &&
	     read_numbers(o, "cells", m->columns_nr, r->cells, where, error) &&
	     (!r->writes || read_numbers(o, "writes", m->columns_nr, r->writes, where, error)) &&
	     check_row(m, r, where, error);
	if (ok)
		g_ptr_array_add(m->rows, r);
	else
		kx_access_row_free(r);
	return ok;
}

static gboolean read_block_use(JsonObject *o, KxAccessMap *m, const char *where, GError **error)
{
	g_autoptr(GArray) use = g_array_new(FALSE, FALSE, sizeof(guint64));

	if (!read_numbers(o, "block_use", KX_ACCESS_BLOCK_CLASSES, use, where, error))
		return FALSE;
	if (use->len != KX_ACCESS_BLOCK_CLASSES)
		return kx_json_wrong(error, where, "block_use", "ten numbers");
	memcpy(m->block_use, use->data, sizeof(m->block_use));
	return TRUE;
}

/* Reports of earlier versions have no ages. */
static gboolean read_ages(JsonObject *o, KxAccessMap *m, const char *where, GError **error)
{
	if (!json_object_has_member(o, "ages_ns")) {
		if (!m->ages_na)
			m->ages_na = g_strdup("not in the report");
		return TRUE;
	}
	if (!read_numbers(o, "ages_ns", KX_ACCESS_AGES_MAX, m->ages_ns, where, error) ||
	    !read_numbers(o, "age_pages", KX_ACCESS_AGES_MAX, m->age_pages, where, error))
		return FALSE;
	if (m->age_pages->len != m->ages_ns->len)
		return kx_json_wrong(error, where, "age_pages", "one number for each age");
	for (guint i = 1; i < m->ages_ns->len; i++) {
		if (g_array_index(m->ages_ns, guint64, i) <=
		    g_array_index(m->ages_ns, guint64, i - 1))
			return kx_json_wrong(error, where, "ages_ns",
					     "a text of ascending numbers");
	}
	return TRUE;
}

static gboolean check_map(const KxAccessMap *m, const char *where, GError **error)
{
	if (!m->tracker)
		return kx_json_wrong(error, where, "tracker", "a string");
	if (g_strcmp0(m->unit, KX_ACCESS_PAGES) != 0 && g_strcmp0(m->unit, KX_ACCESS_EVENTS) != 0)
		return kx_json_wrong(error, where, "unit", "pages or accesses");
	if (!m->kind)
		return kx_json_wrong(error, where, "kind", "a string");
	if (!m->bin_pages || m->bin_pages & (m->bin_pages - 1) ||
	    m->bin_pages > G_GUINT64_CONSTANT(1) << 40)
		return kx_json_wrong(error, where, "bin_pages", "a power of two");
	if (!m->bin_ns || m->bin_ns > G_MAXINT64 || !m->sizes_every)
		return kx_json_wrong(error, where, "bin_ns", "a time");
	return TRUE;
}

static gboolean read_map(JsonObject *o, gpointer to, const char *where, GError **error)
{
	const char *columns = text_of(o, "columns");
	KxAccessMap *m = kx_access_map_new();
	Reading *p = to;

	p->m = m;
	g_ptr_array_add(p->t->maps, m);
	if (!kx_json_read_fields(kx_access_map_fields, o, m, where, error) ||
	    !check_map(m, where, error))
		return FALSE;
	if (!columns || !columns_from_text(columns, m))
		return kx_json_wrong(error, where, "columns", "a text of ascending columns");
	return read_numbers(o, "sizes", KX_ACCESS_SIZES_MAX, m->sizes, where, error) &&
	       read_block_use(o, m, where, error) && read_ages(o, m, where, error) &&
	       read_each(o, "rows", KX_ACCESS_ROWS_MAX, read_row, p, where, error);
}

KxOverTime *kx_json_read_over_time(JsonObject *vm, guint64 *cells, const char *where,
				   GError **error)
{
	JsonNode *node = json_object_get_member(vm, "over_time");
	g_autoptr(KxOverTime) t = NULL;
	Reading p = { .cells = cells };
	JsonObject *o;

	if (!node)
		return NULL;
	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		kx_json_wrong(error, where, "over_time", "an object");
		return NULL;
	}
	o = json_node_get_object(node);
	p.t = t = kx_over_time_new();
	t->parts_na = g_strdup(text_of(o, "parts_na"));
	t->na = g_strdup(text_of(o, "na"));
	if (!read_each(o, "parts", PARTS_MAX, read_part, &p, where, error) ||
	    !read_each(o, "maps", MAPS_MAX, read_map, &p, where, error))
		return NULL;
	if (!t->parts->len && !t->parts_na)
		t->parts_na = g_strdup("not in the report");
	return g_steal_pointer(&t);
}
