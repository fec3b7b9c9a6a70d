// SPDX-License-Identifier: GPL-2.0-or-later
/* The scale of colours can be read without seeing hues: each step is lighter than the one before, for each kind of colour vision. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/colour.h"

#define STEPS 64

static double linear(guint8 part)
{
	double x = part / 255.0;

	return x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
}

/* Luminance by CIE for eyes with all cones, and how eyes without long, or middle, cones weigh the three (CIE 2-deg, rounded). */
static const struct {
	const char *eyes;
	double red, green, blue;
} eyes[] = {
	{ "all cones", 0.2126, 0.7152, 0.0722 },
	{ "no long cones", 0.065, 0.835, 0.100 },
	{ "no middle cones", 0.335, 0.620, 0.045 },
	{ "no short cones", 0.230, 0.740, 0.030 },
};

static void test_order_is_seen(void **state)
{
	for (guint e = 0; e < G_N_ELEMENTS(eyes); e++) {
		double before = -1;

		for (guint i = 0; i <= STEPS; i++) {
			KxColour c = kx_colour_at((double)i / STEPS);
			double y = eyes[e].red * linear(c.red) + eyes[e].green * linear(c.green) +
				   eyes[e].blue * linear(c.blue);

			if (y <= before)
				fail_msg("%s: step %u is not lighter than the step before",
					 eyes[e].eyes, i);
			before = y;
		}
		/* A hundredth of white is dark, and two thirds are light. */
		assert_true(before > 0.66);
	}
}

/* Lightness grows evenly: no step is more than twice as large as another. */
static void test_steps_are_even(void **state)
{
	double least = INFINITY, most = 0, before = NAN;

	for (guint i = 0; i <= STEPS / 4; i++) {
		KxColour c = kx_colour_at(4.0 * i / STEPS);
		double y =
			0.2126 * linear(c.red) + 0.7152 * linear(c.green) + 0.0722 * linear(c.blue);
		double lightness = y > 0.008856 ? 116 * cbrt(y) - 16 : 903.3 * y; /* CIE L* */

		if (i) {
			least = fmin(least, lightness - before);
			most = fmax(most, lightness - before);
		}
		before = lightness;
	}
	assert_true(most < 2 * least);
}

static void test_ends(void **state)
{
	KxColour dark = kx_colour_at(0), light = kx_colour_at(1), beyond = kx_colour_at(7),
		 below = kx_colour_at(-7), none = kx_colour_at(NAN);

	assert_true(dark.blue > dark.green && dark.red > dark.green);
	assert_true(light.red > light.blue && light.green > light.blue);
	assert_memory_equal(&beyond, &light, sizeof(light));
	assert_memory_equal(&below, &dark, sizeof(dark));
	assert_memory_equal(&none, &dark, sizeof(dark));
	assert_true(kx_colour_is_light(light));
	assert_false(kx_colour_is_light(dark));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_seen),
		cmocka_unit_test(test_steps_are_even),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
