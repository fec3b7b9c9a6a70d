// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample ring when it is interrupted by code that pushes, such as an NMI: after each single instruction of a
 * push and of a pop, for every number of free places. The CPU's trap flag interrupts the code. The
 * ring's code is compiled as for use, without the sanitizers' instructions.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <ucontext.h>

#include "mpsc-samples.h"
#include "mpsc.h"

#define ENTRIES	  8u
#define TRAP_FLAG 0x100

/* The producers: before the interruption; the one that is interrupted; the interrupt. */
enum {
	FILLER,
	INTERRUPTED,
	INTERRUPT,
	PRODUCERS
};

static struct {
	struct kx_mpsc r;
	u32 at, steps; /* interrupts once, after the @at-th instruction */
	bool pops;     /* the consumer, as on another CPU, takes samples meanwhile */
	u64 pushed, refused;
	u32 nr_popped;
	struct kx_sample popped[2 * ENTRIES];
} run;

static void count(bool pushed)
{
	if (pushed)
		run.pushed++;
	else
		run.refused++;
}

static void push(u32 who, u64 number)
{
	struct kx_sample s = sample_of(who, number);

	count(kx_mpsc_push(&run.r, &s));
}

static void pop(u32 max)
{
	run.nr_popped += kx_mpsc_pop(&run.r, run.popped + run.nr_popped, max);
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	if (++run.steps != run.at)
		return;
	u->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	push(INTERRUPT, 0);
	if (run.pops)
		pop(ENTRIES);
	push(INTERRUPT, 1);
}

/* Does not use the red zone. */
#define SET_FLAGS(change)                             \
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t" \
			 "pushfq\n\t" change "\n\t"   \
			 "popfq\n\t"                  \
			 "lea 128(%%rsp), %%rsp" ::   \
				 : "memory", "cc")

static void step_on(void)
{
	SET_FLAGS("orq $0x100, (%%rsp)");
}

static void step_off(void)
{
	SET_FLAGS("andq $~0x100, (%%rsp)");
}

/* Every sample that was pushed has arrived, those of a producer in its order, or was refused and counted. */
static void check(u32 filled)
{
	u64 next[PRODUCERS] = { 0 };

	assert_int_equal(run.nr_popped, run.pushed);
	assert_int_equal(kx_mpsc_pushed(&run.r), run.pushed);
	assert_int_equal(kx_mpsc_dropped(&run.r), run.refused);
	for (u32 i = 0; i < run.nr_popped; i++) {
		struct kx_sample *s = &run.popped[i];

		assert_true(is_whole(s));
		assert_in_range(who_of(s), 0, PRODUCERS - 1);
		assert_in_range(number_of(s), next[who_of(s)], ENTRIES);
		next[who_of(s)] = number_of(s) + 1;
	}
	assert_int_equal(next[FILLER], filled);
}

struct interruption {
	bool of_pop, pops;
};

/* With @room free places. Returns false if the code had ended before the interruption. */
static bool interrupt(const struct interruption *kind, u32 room, u32 at)
{
	struct kx_sample sample = sample_of(INTERRUPTED, 0);
	u64 memory[2 * ENTRIES];
	bool pushed;

	memset(&run, 0, sizeof(run));
	assert_int_equal(kx_mpsc_init(&run.r, memory, ENTRIES), 0);
	run.at = at;
	run.pops = kind->pops;
	for (u32 i = 0; i < ENTRIES - room; i++)
		push(FILLER, i);
	step_on();
	if (kind->of_pop) {
		pop(3);
		step_off();
	} else {
		pushed = kx_mpsc_push(&run.r, &sample);
		step_off();
		count(pushed);
	}
	pop(ENTRIES);
	check(ENTRIES - room);
	assert_true(run.refused == 0 || room < 3); /* no more than three were pushed */
	return run.steps >= at;
}

/* It is an error if nothing is interrupted, because a supervisor hides the flag. */
static void interrupt_all(const struct interruption *kind)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO }, old;

	sigaction(SIGTRAP, &action, &old);
	for (u32 room = 0; room <= ENTRIES; room++) {
		u32 at = 1;

		while (interrupt(kind, room, at))
			at++;
		assert_true(at > 10);
	}
	sigaction(SIGTRAP, &old, NULL);
}

static void test_push(void **state)
{
	interrupt_all(&(struct interruption){ .of_pop = false });
}

static void test_push_while_popped(void **state)
{
	interrupt_all(&(struct interruption){ .pops = true });
}

static void test_pop(void **state)
{
	interrupt_all(&(struct interruption){ .of_pop = true });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_push_while_popped),
		cmocka_unit_test(test_pop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
