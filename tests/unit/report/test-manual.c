// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm-ext-report(1) has the same text about the columns of parts as model/part-*.def. UPDATE_GOLDEN=1 writes that piece of
 * the page anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "report/row.h"

#define PAGE "docs/man/kvm-ext-report.1"
#define BEGIN                                                                      \
	".\\\" Columns of parts: from hostd/model/part-*.def, by UPDATE_GOLDEN=1 " \
	"build/tests/test-manual\n"
#define END ".\\\" End of the columns of parts\n"

static gboolean is_told(const KxFigureSpec *f)
{
	return f->title && *f->manual;
}

static void tell_column(GString *out, const KxFigureSpec *f)
{
	g_auto(GStrv) lines = g_strsplit(f->title, "\n", -1);
	g_autofree char *title = g_strjoinv(" ", lines);

	g_string_append_printf(out, ".It %s\n%s\n", title, f->manual);
}

static char *columns_of_parts(void)
{
	GString *out = g_string_new(NULL);

	for (guint part = 0; part < KX_PARTS; part++) {
		if (!kx_parts[part].heading)
			continue;
		g_string_append_printf(out, ".Pp\n%s\n.Bl -tag -width Ds\n", kx_parts[part].manual);
		for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
			if (f->part == part && is_told(f))
				tell_column(out, f);
		}
		g_string_append(out, ".El\n");
	}
	return g_string_free(out, FALSE);
}

static void test_page(void **state)
{
	g_autofree char *page = NULL, *columns = columns_of_parts(), *now = NULL;
	char *begin, *end;

	assert_true(g_file_get_contents(PAGE, &page, NULL, NULL));
	begin = strstr(page, BEGIN);
	end = strstr(page, END);
	assert_true(begin && end && begin < end);
	begin += strlen(BEGIN);
	if (g_getenv("UPDATE_GOLDEN")) {
		now = g_strdup_printf("%.*s%s%s", (int)(begin - page), page, columns, end);
		assert_true(g_file_set_contents(PAGE, now, -1, NULL));
		return;
	}
	*end = '\0';
	assert_string_equal(begin, columns);
}

/* Each column of a part is described in the page, so that users can look it up. */
static void test_every_column_is_described(void **state)
{
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->part != KX_PART_ANY && f->title && !(f->flags & KX_IN_MAIN) && !*f->manual)
			fail_msg("column '%s' has no sentence for the manual", f->title);
	}
}

/* The main table begins with the first figure; each key exists once; further figures of a cell are figures of the table. */
static void test_specs(void **state)
{
	g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) offsets = g_hash_table_new(NULL, NULL);

	assert_string_equal(kx_figures[0].key, "cost_per_sample_ns");
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->key) {
			assert_true(g_hash_table_add(keys, (gpointer)f->key));
			assert_true(g_hash_table_add(offsets, GSIZE_TO_POINTER(f->offset)));
			assert_non_null(f->unit);
		}
		assert_true(f->given || kx_parts[f->part].none);
	}
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		for (guint i = 0; i < KX_OTHERS_MAX && f->others[i]; i++)
			assert_true(g_hash_table_contains(offsets, GSIZE_TO_POINTER(f->others[i])));
		assert_true(g_hash_table_contains(offsets, GSIZE_TO_POINTER(f->offset)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_every_column_is_described),
		cmocka_unit_test(test_specs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
