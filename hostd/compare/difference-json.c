// SPDX-License-Identifier: GPL-2.0-or-later
#include "comparison-internal.h"
#include "difference.h"
#include "model/json-write.h"
#include "sameness.h"

/* Identifies the comparison; `kvm-ext show` prints the rest. */
static void add_comparison(JsonBuilder *b, const char *key, const KxComparison *c)
{
	json_builder_set_member_name(b, key);
	json_builder_begin_object(b);
	kx_json_add_text(b, "id", c->id);
	kx_json_add_text(b, "command", c->command);
	kx_json_add_int(b, "start_realtime_ns", c->start_realtime_ns);
	kx_json_add_int(b, "rounds", c->rounds);
	kx_json_add_text(b, "stopped", c->stopped);
	json_builder_end_object(b);
}

static void add_differs(JsonBuilder *b, const GPtrArray *differs)
{
	static const char *const in[] = {
		[KX_DIFFERS_HOST] = "host",
		[KX_DIFFERS_VM] = "vm",
		[KX_DIFFERS_PLAN] = "plan",
	};

	json_builder_set_member_name(b, "differs");
	json_builder_begin_array(b);
	for (guint i = 0; i < differs->len; i++) {
		const KxDiffers *d = differs->pdata[i];

		json_builder_begin_object(b);
		kx_json_add_text(b, "in", in[d->in]);
		kx_json_add_text(b, "what", d->what);
		kx_json_add_text(b, "a", d->a);
		kx_json_add_text(b, "b", d->b);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void add_change(JsonBuilder *b, const KxChange *c)
{
	json_builder_set_member_name(b, c->figure->key);
	json_builder_begin_object(b);
	kx_compared_add_figure(b, "a", c->a);
	kx_compared_add_figure(b, "b", c->b);
	kx_json_add_text(b, "change_is", c->is_ratio ? "b / a" : "b - a");
	kx_compared_add_figure(b, "change", &c->change);
	json_builder_set_member_name(b, "changed");
	if (c->change.na)
		json_builder_add_null_value(b);
	else
		json_builder_add_boolean_value(b, c->changed);
	json_builder_end_object(b);
}

char *kx_difference_to_json(const KxDifference *d, const KxComparison *a, const KxComparison *b)
{
	g_autoptr(JsonBuilder) json = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(json);
	kx_json_add_text(json, "schema", KX_DIFFERENCE_SCHEMA);
	add_comparison(json, "a", a);
	add_comparison(json, "b", b);
	add_differs(json, d->differs);
	kx_json_add_texts(json, "only_a", d->only_a);
	kx_json_add_texts(json, "only_b", d->only_b);
	kx_json_add_int(json, "intervals", d->intervals);
	kx_json_add_int(json, "changed", d->changed);
	json_builder_set_member_name(json, "settings");
	json_builder_begin_array(json);
	for (guint i = 0; i < d->settings->len; i++) {
		const KxChangedSetting *s = d->settings->pdata[i];

		json_builder_begin_object(json);
		kx_json_add_text(json, "setting", s->setting);
		for (guint k = 0; k < s->changes->len; k++)
			add_change(json, s->changes->pdata[k]);
		json_builder_end_object(json);
	}
	json_builder_end_array(json);
	json_builder_end_object(json);
	root = json_builder_get_root(json);
	return json_to_string(root, TRUE);
}
