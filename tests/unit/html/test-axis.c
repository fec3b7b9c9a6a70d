// SPDX-License-Identifier: GPL-2.0-or-later
/* Axes: round ticks, few enough for a narrow page, and each value in its place; axes in pieces. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "html/axis.h"
#include "html/pieces.h"

#define NEAR 1e-9

static void assert_near(double a, double b)
{
	if (!(fabs(a - b) <= NEAR * fmax(1, fmax(fabs(a), fabs(b)))))
		fail_msg("%.17g is not %.17g", a, b);
}

static void assert_ticks(const KxAxis *a, const double *ticks, guint n)
{
	assert_int_equal(a->n, n);
	for (guint i = 0; i < n; i++)
		assert_near(a->ticks[i], ticks[i]);
}

#define TICKS(axis, ...)                                                        \
	do {                                                                    \
		const double ticks[] = { __VA_ARGS__ };                         \
		assert_ticks(&(axis), ticks, sizeof(ticks) / sizeof(ticks[0])); \
	} while (0)

static void test_log(void **state)
{
	KxAxis few = kx_axis_log((KxExtent){ 412, 2300 });
	KxAxis decades = kx_axis_log((KxExtent){ 93, 250000 });
	KxAxis many = kx_axis_log((KxExtent){ 1e-9, 3e9 });
	KxAxis one = kx_axis_log((KxExtent){ 5, 5 });

	TICKS(few, 200, 500, 1000, 2000, 5000);
	assert_near(decades.low, 50);
	assert_near(decades.high, 500000);
	TICKS(decades, 100, 1000, 10000, 100000);
	assert_true(many.n <= KX_TICKS_MAX && many.n >= 4);
	assert_true(many.low <= 1e-9 * (1 + NEAR) && many.high >= 3e9 * (1 - NEAR));
	assert_true(one.low < one.high && one.low <= 5 && one.high >= 5);
}

static void test_log_places(void **state)
{
	KxAxis a = kx_axis_log((KxExtent){ 100, 10000 });

	assert_near(kx_axis_place(&a, 100), 0);
	assert_near(kx_axis_place(&a, 1000), 50);
	assert_near(kx_axis_place(&a, 10000), 100);
	assert_true(kx_axis_place(&a, 10) < 0);
	assert_true(kx_axis_place(&a, 1e6) > 100);
	/* A cost may be estimated below 0: a logarithmic axis has no place for it. */
	assert_true(isinf(kx_axis_place(&a, 0)) && kx_axis_place(&a, 0) < 0);
	assert_true(isinf(kx_axis_place(&a, -3)) && kx_axis_place(&a, -3) < 0);
}

static void test_linear(void **state)
{
	KxAxis share = kx_axis_linear((KxExtent){ 0, 1 }), off = kx_axis_linear((KxExtent){ 7, 7 });
	KxAxis below = kx_axis_linear((KxExtent){ -3, 12 });
	KxAxis time = kx_axis_until(95);

	TICKS(share, 0, 0.2, 0.4, 0.6, 0.8, 1);
	assert_near(kx_axis_place(&share, 0.25), 25);
	assert_true(off.low <= 7 && off.high > 7);
	assert_true(below.low <= -3 && below.high >= 12 && below.n <= KX_TICKS_MAX);
	TICKS(time, 0, 20, 40, 60, 80);
	assert_near(kx_axis_place(&time, 95), 100);
}

/* For any values: ticks ascend and lie on the axis, and so do the values. */
static void test_any(void **state)
{
	for (double low = 1e-12; low < 1e15; low *= 3.7) {
		for (double times = 1; times < 1e12; times *= 7.3) {
			const KxExtent e = { low, low * times };
			KxAxis axes[] = { kx_axis_log(e), kx_axis_linear(e),
					  kx_axis_until(e.high) };

			for (guint i = 0; i < 3; i++) {
				const KxAxis *a = &axes[i];

				assert_true(a->n >= 1 && a->n <= KX_TICKS_MAX);
				assert_true(kx_axis_place(a, low) > -NEAR);
				assert_true(kx_axis_place(a, low * times) < 100 + NEAR);
				for (guint k = 0; k < a->n; k++) {
					assert_true(kx_axis_place(a, a->ticks[k]) > -1e-6);
					assert_true(kx_axis_place(a, a->ticks[k]) < 100 + 1e-6);
					assert_true(!k || a->ticks[k] > a->ticks[k - 1]);
				}
			}
		}
	}
}

static void test_nothing(void **state)
{
	KxExtent e = KX_EXTENT_EMPTY;
	KxAxis log, linear;

	kx_extent_add(&e, NAN);
	kx_extent_add(&e, INFINITY);
	kx_extent_add_log(&e, 0);
	kx_extent_add_log(&e, -1);
	assert_true(isnan(e.low) && isnan(e.high));
	log = kx_axis_log(e);
	linear = kx_axis_linear(e);
	assert_true(log.low > 0 && log.low < log.high);
	assert_true(linear.low < linear.high);
}

static void test_tick_texts(void **state)
{
	static const struct {
		char *(*tick)(double value);
		double value;
		const char *text;
	} cases[] = {
		{ kx_tick_ns, 200, "200 ns" },	  { kx_tick_ns, 1000, "1 us" },
		{ kx_tick_ns, 2500, "2.5 us" },	  { kx_tick_seconds, 0, "0" },
		{ kx_tick_seconds, 20, "20 s" },  { kx_tick_number, 0.2, "0.2" },
		{ kx_tick_number, 1, "1" },	  { kx_tick_ratio, 1000, "1000x" },
		{ kx_tick_ratio, 0.01, "0.01x" }, { kx_tick_mib, 0, "0" },
		{ kx_tick_mib, 600, "600 MiB" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = cases[i].tick(cases[i].value);

		assert_string_equal(text, cases[i].text);
	}
}

static void test_pieces(void **state)
{
	g_autoptr(GArray) p = kx_pieces_new();

	kx_pieces_add(p, 10, 20, 5);
	kx_pieces_add(p, 24, 30, 5);   /* near enough */
	kx_pieces_add(p, 130, 150, 5); /* after a gap */
	kx_pieces_arrange(p);
	assert_int_equal(p->len, 2);
	assert_near(kx_pieces_place(p, 10), 0);
	assert_near(kx_pieces_place(p, 150), 100);
	assert_near(kx_pieces_place(p, 20), 98.5 * 10 / 40);
	assert_near(kx_pieces_place(p, 30), 98.5 / 2);
	assert_near(kx_pieces_place(p, 80), 50); /* in the gap */
	assert_true(kx_pieces_place(p, 9) < 0 && kx_pieces_place(p, 151) < 0);
}

/* Many small pieces: the gaps do not take all of the picture. */
static void test_many_pieces(void **state)
{
	g_autoptr(GArray) p = kx_pieces_new();
	double shown = 0;

	for (guint i = 0; i < 200; i++)
		kx_pieces_add(p, 100 * i, 100 * i + 1, 0);
	kx_pieces_arrange(p);
	for (guint i = 0; i < p->len; i++)
		shown += g_array_index(p, KxPiece, i).end - g_array_index(p, KxPiece, i).at;
	assert_near(shown, 75);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),	cmocka_unit_test(test_log_places),
		cmocka_unit_test(test_linear),	cmocka_unit_test(test_any),
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_tick_texts),
		cmocka_unit_test(test_pieces),	cmocka_unit_test(test_many_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
