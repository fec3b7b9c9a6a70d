// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers for people: three digits and a unit, whatever their sign. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/textfmt.h"

/* Takes @got. */
static void assert_text(char *got, const char *want)
{
	assert_string_equal(got, want);
	g_free(got);
}

static void test_times(void **state)
{
	assert_text(kx_text_ns(0), "0 ns");
	assert_text(kx_text_ns(412), "412 ns");
	assert_text(kx_text_ns(1240), "1.24 us");
	assert_text(kx_text_ns(98700000), "98.7 ms");
}

/* If a guest was faster by chance, the time that it lost is negative. */
static void test_negative_times(void **state)
{
	assert_text(kx_text_ns(-412), "-412 ns");
	assert_text(kx_text_ns(-1240), "-1.24 us");
	assert_text(kx_text_ns_interval(-47708, -163275, 97961), "-47.7 us [-163.3, 98.0]");
	assert_text(kx_text_number(-1234), "-1.23k");
}

/* Values that a figure should never have are printed, too. */
static void test_no_number(void **state)
{
	assert_text(kx_text_number(INFINITY), "infG");
	assert_text(kx_text_ns(-INFINITY), "-inf h");
}

static void test_lists(void **state)
{
	static const char *const words[] = { "a", "b", "c" };
	static const char *const wanted[] = { "", "a", "a and b", "a, b and c" };

	for (gsize n = 0; n < G_N_ELEMENTS(wanted); n++) {
		g_autofree char *text = kx_text_list(words, n);

		assert_string_equal(text, wanted[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_negative_times),
		cmocka_unit_test(test_no_number),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
