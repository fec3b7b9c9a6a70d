// SPDX-License-Identifier: GPL-2.0-or-later
/* When a CPU's buffer of records is emptied: before it is full, and not more often than that needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pace.h"

/* Perf's buffer of records with addresses, less what is kept free. */
#define BUFFER	    1000u
#define NS_PER_S    1000000000ull
#define SIMULATED_S 20u

struct run {
	uint64_t fullest, times; /* in the second half */
};

/* Records come at @per_s(time), the agent looks when a time is due. */
static struct run simulate(double (*per_s)(double s))
{
	struct kx_pace p = { 0 };
	struct run r = { 0 };
	double records = 0;
	uint64_t emptied = 0;

	for (uint64_t now = NS_PER_S; now < (1 + SIMULATED_S) * NS_PER_S; now += 100000) {
		records += per_s((double)(now - NS_PER_S) / NS_PER_S) * 1e-4;
		if (!kx_pace_is_due(&p, now))
			continue;
		if (now > (1 + SIMULATED_S / 2) * NS_PER_S) {
			uint64_t found = (uint64_t)records - emptied;

			r.fullest = found > r.fullest ? found : r.fullest;
			r.times++;
		}
		emptied = (uint64_t)records;
		kx_pace_emptied(&p, emptied, now);
	}
	return r;
}

static double none(double s)
{
	return 0;
}

static double slow(double s)
{
	return 500;
}

static double fast(double s)
{
	return 120000; /* stores at full speed, period 4093 */
}

static double faster(double s)
{
	return 240000;
}

/* The rate doubles from one second to the next. */
static double uneven(double s)
{
	return (int)s % 2 ? 60000 : 30000;
}

static void an_idle_cpu_is_left_alone(void **state)
{
	struct run r = simulate(none);

	assert_int_equal(r.fullest, 0);
	assert_in_range(r.times, 90, 110); /* of ten seconds */
}

static void what_comes_slowly_is_waited_for(void **state)
{
	struct run r = simulate(slow);

	assert_in_range(r.times, 90, 110);
	assert_in_range(r.fullest, 45, 55);
}

static void a_buffer_is_never_full(void **state)
{
	double (*const rates[])(double) = { fast, faster, uneven };

	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct run r = simulate(rates[i]);

		assert_in_range(r.fullest, KX_PACE_RECORDS / 2, BUFFER / 2);
		/* not more often than this number of records needs */
		assert_in_range(r.times, 100,
				(uint64_t)(rates[i](1) * 10 / KX_PACE_RECORDS * 1.2) + 1);
	}
}

/* An agent that was delayed finds more records than it had planned for. */
static void a_late_look_makes_the_next_sooner(void **state)
{
	struct kx_pace p = { 0 };

	kx_pace_emptied(&p, 0, NS_PER_S);
	assert_false(kx_pace_is_due(&p, NS_PER_S + KX_PACE_MAX_NS - 1));
	assert_true(kx_pace_is_due(&p, NS_PER_S + KX_PACE_MAX_NS));
	kx_pace_emptied(&p, 100000, 60 * NS_PER_S);
	assert_int_equal(p.due_ns, 60 * NS_PER_S + KX_PACE_MIN_NS);
	kx_pace_emptied(&p, 100000, 61 * NS_PER_S);
	assert_int_equal(p.due_ns, 61 * NS_PER_S + KX_PACE_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_cpu_is_left_alone),
		cmocka_unit_test(what_comes_slowly_is_waited_for),
		cmocka_unit_test(a_buffer_is_never_full),
		cmocka_unit_test(a_late_look_makes_the_next_sooner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
