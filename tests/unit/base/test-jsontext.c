// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON that is not trusted: text on which json-glib would use up its stack is refused, and JSON of kvm-ext is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsontext.h"
#include "model/json-write.h"

static gboolean loads(const char *text)
{
	g_autoptr(JsonParser) parser = json_parser_new();

	return kx_json_load(parser, text, -1, NULL);
}

static char *nested(const char *before, guint depth)
{
	GString *out = g_string_new(before);

	for (guint i = 0; i < depth; i++)
		g_string_append_c(out, '[');
	for (guint i = 0; i < depth; i++)
		g_string_append_c(out, ']');
	return g_string_free(out, FALSE);
}

static void test_depth(void **state)
{
	g_autofree char *most = nested("", KX_JSON_DEPTH_MAX),
			*more = nested("", KX_JSON_DEPTH_MAX + 1);
	g_autofree char *far = nested("", 100000);

	assert_true(loads(most));
	assert_false(loads(more));
	assert_false(loads(far));
	/* brackets in strings are text */
	assert_true(loads("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
			  "[[[[\\\"[\", []]"));
}

/* For json-glib a quotation mark in a comment begins no string. */
static void test_depth_behind_comments(void **state)
{
	g_autofree char *star = nested("/*\"*/", 100000), *line = nested("//\"\n", 100000);
	g_autofree char *hash = nested("#\"\n", 100000), *quote = nested("['\"', ", 100000);

	assert_false(loads(star));
	assert_false(loads(line));
	assert_false(loads(hash));
	assert_false(loads(quote));
}

static void test_odd_ends(void **state)
{
	static const char *const cases[] = {
		"", "\"", "[\"", "[\"\\", "]]]]", "{\"a\": 1", "\x01"
	};
	g_autoptr(JsonParser) parser = json_parser_new();

	for (guint i = 1; i < G_N_ELEMENTS(cases); i++)
		assert_false(loads(cases[i]));
	assert_false(kx_json_load(parser, "[1\0]", 4, NULL));
	assert_true(kx_json_load(parser, "[1]]", 3, NULL));
}

static void test_every_number_is_read_again(void **state)
{
	static const double values[] = { 0,    1.5,   1e15,   1e16,   1e17,   1e18, -1e18,
					 1e22, 1e300, -1e308, 1e-300, 5e-324, 0.1 };

	for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autoptr(JsonBuilder) b = json_builder_new();
		g_autoptr(JsonParser) parser = json_parser_new();
		g_autoptr(JsonNode) root = NULL;
		g_autofree char *text = NULL;
		double back;

		json_builder_begin_array(b);
		kx_json_add_number(b, values[i]);
		json_builder_end_array(b);
		root = json_builder_get_root(b);
		text = json_to_string(root, FALSE);
		if (!kx_json_load(parser, text, -1, NULL))
			fail_msg("%s cannot be read", text);
		back = json_array_get_double_element(
			json_node_get_array(json_parser_get_root(parser)), 0);
		assert_true(back == values[i] || ABS(back / values[i] - 1) < 1e-15);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_behind_comments),
		cmocka_unit_test(test_odd_ends),
		cmocka_unit_test(test_every_number_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
