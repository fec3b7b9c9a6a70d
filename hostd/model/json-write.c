// SPDX-License-Identifier: GPL-2.0-or-later
/* The model as JSON. Keys are in the order of the tables. */
#include "json-write.h"

#include <math.h>
#include <string.h>

/*
 * json-glib 1.6 appends ".0" to a number that is written with an exponent and without a point, such as 1e+17: no parser reads that.
 * Returns the nearest number that is not written in this way.
 */
static double printable(double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	for (;;) {
		g_ascii_dtostr(text, sizeof text, value);
		if (!strchr(text, 'e') || strchr(text, '.'))
			return value;
		value = nextafter(value, 0);
	}
}

void kx_json_add_number(JsonBuilder *b, double value)
{
	if (isfinite(value))
		json_builder_add_double_value(b, printable(value));
	else
		json_builder_add_null_value(b);
}

void kx_json_add_u64(JsonBuilder *b, guint64 value)
{
	g_autofree char *text = NULL;

	if (value <= G_MAXINT64) {
		json_builder_add_int_value(b, (gint64)value);
		return;
	}
	text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
	json_builder_add_string_value(b, text);
}

static gboolean is_written(const KxField *f, const char *object)
{
	if (f->na_offset >= 0 && *(char *const *)(object + f->na_offset))
		return FALSE;
	return kx_field_is_there(f, object);
}

void kx_json_add_value(JsonBuilder *b, const KxField *f, const void *object)
{
	const void *at = (const char *)object + f->offset;

	switch (f->type) {
	case KX_FIELD_STRING: {
		const char *s = *(char *const *)at;

		if (s)
			json_builder_add_string_value(b, s);
		else
			json_builder_add_null_value(b);
		break;
	}
	case KX_FIELD_BOOL:
		json_builder_add_boolean_value(b, *(const gboolean *)at);
		break;
	case KX_FIELD_U32:
		json_builder_add_int_value(b, *(const guint32 *)at);
		break;
	case KX_FIELD_U64:
		kx_json_add_u64(b, *(const guint64 *)at);
		break;
	case KX_FIELD_I64:
		json_builder_add_int_value(b, *(const gint64 *)at);
		break;
	case KX_FIELD_DOUBLE:
		kx_json_add_number(b, *(const double *)at);
		break;
	}
}

void kx_json_add_fields(JsonBuilder *b, const KxField *fields, const void *object)
{
	for (const KxField *f = fields; f->key; f++) {
		if (!is_written(f, object))
			continue;
		json_builder_set_member_name(b, f->key);
		kx_json_add_value(b, f, object);
	}
}

void kx_json_add_double(JsonBuilder *b, const char *key, double value)
{
	json_builder_set_member_name(b, key);
	kx_json_add_number(b, value);
}

void kx_json_add_known(JsonBuilder *b, const char *key, double value)
{
	if (isfinite(value))
		kx_json_add_double(b, key, value);
}

void kx_json_add_text(JsonBuilder *b, const char *key, const char *text)
{
	json_builder_set_member_name(b, key);
	if (text)
		json_builder_add_string_value(b, text);
	else
		json_builder_add_null_value(b);
}

void kx_json_add_int(JsonBuilder *b, const char *key, gint64 value)
{
	json_builder_set_member_name(b, key);
	json_builder_add_int_value(b, value);
}

void kx_json_add_strv(JsonBuilder *b, const char *key, char **texts)
{
	json_builder_set_member_name(b, key);
	json_builder_begin_array(b);
	for (; texts && *texts; texts++)
		json_builder_add_string_value(b, *texts);
	json_builder_end_array(b);
}

void kx_json_add_texts(JsonBuilder *b, const char *key, const GPtrArray *texts)
{
	json_builder_set_member_name(b, key);
	json_builder_begin_array(b);
	for (guint i = 0; i < texts->len; i++)
		json_builder_add_string_value(b, texts->pdata[i]);
	json_builder_end_array(b);
}

static void add_regions(JsonBuilder *b, const KxRegions *r)
{
	json_builder_set_member_name(b, "regions");
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_regions_fields, r);
	json_builder_set_member_name(b, "list");
	json_builder_begin_array(b);
	for (guint i = 0; i < r->list->len; i++) {
		json_builder_begin_object(b);
		kx_json_add_fields(b, kx_region_fields, &g_array_index(r->list, KxRegion, i));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_pauses(JsonBuilder *b, const GArray *pauses)
{
	json_builder_set_member_name(b, "pauses");
	json_builder_begin_array(b);
	for (guint i = 0; i < pauses->len; i++) {
		json_builder_begin_object(b);
		kx_json_add_fields(b, kx_pause_fields, &g_array_index(pauses, KxPause, i));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

/* "heat": accesses per page, for programs that read the JSON; "seen_by": numbers of maps. */
static void add_heat_range(JsonBuilder *b, const KxHeatRange *r)
{
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_heat_range_fields, r);
	kx_json_add_double(b, "heat", kx_heat_of_range(r));
	json_builder_set_member_name(b, "seen_by");
	json_builder_begin_array(b);
	for (guint i = 0; i < KX_HEAT_SEEN_MAX; i++) {
		if (r->seen_by & 1u << i)
			json_builder_add_int_value(b, i);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_heat_map(JsonBuilder *b, const KxHeatMap *m)
{
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_heat_map_fields, m);
	json_builder_set_member_name(b, "ranges");
	json_builder_begin_array(b);
	for (guint i = 0; i < m->ranges->len; i++)
		add_heat_range(b, &g_array_index(m->ranges, KxHeatRange, i));
	json_builder_end_array(b);
	json_builder_end_object(b);
}

void kx_json_add_heat(JsonBuilder *b, const KxHeatReport *h)
{
	json_builder_set_member_name(b, "heat");
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "maps");
	json_builder_begin_array(b);
	for (guint i = 0; i < h->maps->len; i++)
		add_heat_map(b, h->maps->pdata[i]);
	json_builder_end_array(b);
	json_builder_set_member_name(b, "agreement");
	json_builder_begin_array(b);
	for (guint i = 0; i < h->agreement->len; i++) {
		json_builder_begin_object(b);
		kx_json_add_fields(b, kx_agreement_fields, h->agreement->pdata[i]);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

/* The batches that have begun. */
static void add_batches(JsonBuilder *b, const KxSeries *s)
{
	json_builder_set_member_name(b, "est_batches");
	json_builder_begin_array(b);
	for (guint64 i = 0; i * s->size < s->taken; i++) {
		json_builder_begin_array(b);
		kx_json_add_number(b, s->batch[i].y);
		kx_json_add_number(b, s->batch[i].x);
		json_builder_end_array(b);
	}
	json_builder_end_array(b);
}

void kx_json_add_placement(JsonBuilder *b, const KxPlacement *p)
{
	json_builder_set_member_name(b, "placement");
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_placement_fields, p);
	json_builder_set_member_name(b, "nodes");
	json_builder_begin_array(b);
	for (guint i = 0; i < p->nodes->len; i++) {
		json_builder_begin_object(b);
		kx_json_add_fields(b, kx_placed_node_fields,
				   &g_array_index(p->nodes, KxPlacedNode, i));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_window(JsonBuilder *b, const KxWindow *w)
{
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_window_fields, w);
	if (w->pass_costs.size)
		add_batches(b, &w->pass_costs);
	if (w->regions)
		add_regions(b, w->regions);
	if (w->pauses)
		add_pauses(b, w->pauses);
	json_builder_end_object(b);
}

void kx_json_add_vm(JsonBuilder *b, const KxVmReport *v)
{
	kx_json_add_fields(b, kx_vm_fields, v);
	if (v->heat)
		kx_json_add_heat(b, v->heat);
	if (v->placement)
		kx_json_add_placement(b, v->placement);
	json_builder_set_member_name(b, "windows");
	json_builder_begin_array(b);
	for (guint i = 0; i < v->windows->len; i++)
		add_window(b, v->windows->pdata[i]);
	json_builder_end_array(b);
}

void kx_json_add_report(JsonBuilder *b, const KxReport *r)
{
	json_builder_set_member_name(b, "schema");
	json_builder_add_string_value(b, KX_REPORT_SCHEMA);
	kx_json_add_fields(b, kx_report_fields, r);
}
