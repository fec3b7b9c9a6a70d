// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample ring: its rules, by hand; compared with a queue that is obviously correct; and with threads, where for
 * any schedule each sample that is pushed arrives once or was refused, and is refused only if
 * the ring was full.
 *
 * The same file is built a second time for ThreadSanitizer (tests/unit/test-tsan), which finds a missing
 * acquire or release whether or not this machine would ever let it matter. Interleavings are
 * enumerated in tests/model/mpsc.pml, interrupts in test-mpsc-steps.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "mpsc-samples.h"
#include "mpsc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
	struct kx_mpsc r;
	void *memory;
};

/* Memory of the exact size, so that ASan notices every access outside of it. */
static void make(struct fixture *f, u32 entries)
{
	f->memory = malloc(kx_mpsc_bytes(entries));
	assert_non_null(f->memory);
	memset(f->memory, 0xff, kx_mpsc_bytes(entries));
	assert_int_equal(kx_mpsc_init(&f->r, f->memory, entries), 0);
}

static bool push(struct kx_mpsc *r, u32 who, u64 number)
{
	struct kx_sample s = sample_of(who, number);

	return kx_mpsc_push(r, &s);
}

static void expect(struct kx_mpsc *r, u32 who, u64 number)
{
	struct kx_sample s;

	assert_int_equal(kx_mpsc_pop(r, &s, 1), 1);
	assert_true(is_whole(&s));
	assert_int_equal(who_of(&s), who);
	assert_int_equal(number_of(&s), number);
}

static void expect_empty(struct kx_mpsc *r)
{
	struct kx_sample s;

	assert_int_equal(kx_mpsc_pop(r, &s, 1), 0);
}

/* --- one thread --------------------------------------------------------------------------- */

static void test_init(void **state)
{
	static const u32 wrong[] = { 0, 1, 3, 6, 1000, 0xffffffff };
	struct kx_mpsc r;
	u64 memory[8];

	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(kx_mpsc_init(&r, memory, wrong[i]), -EINVAL);
	assert_int_equal(kx_mpsc_init(&r, memory, 4), 0);
	assert_int_equal(kx_mpsc_bytes(4), sizeof(memory));
	expect_empty(&r);
}

static void test_fields(void **state)
{
	struct kx_sample in = { ~0ull, ~0u, 0xffff, 0xffff }, out;
	struct fixture f;

	make(&f, 2);
	for (u32 lap = 0; lap < 5; lap++) { /* the ring's bit is that of the lap, for any samples */
		assert_true(kx_mpsc_push(&f.r, &in));
		assert_int_equal(kx_mpsc_pop(&f.r, &out, 1), 1);
		assert_true(out.address == ~0ull && out.space == ~0u && out.weight == 0xffff);
		assert_int_equal(out.flags, 0x7fff);
		in.flags ^= KX_SAMPLE_RING_BIT;
	}
	free(f.memory);
}

static void test_full(void **state)
{
	struct fixture f;

	for (u32 entries = 2; entries <= 64; entries *= 2) {
		make(&f, entries);
		for (u64 lap = 0; lap < 3; lap++) {
			for (u32 i = 0; i < entries; i++)
				assert_true(push(&f.r, 1, i));
			for (u32 i = 0; i < 5; i++)
				assert_false(push(&f.r, 2, i));
			assert_int_equal(kx_mpsc_dropped(&f.r), 5 * (lap + 1));
			assert_int_equal(kx_mpsc_pushed(&f.r), entries * (lap + 1));
			for (u32 i = 0; i < entries; i++)
				expect(&f.r, 1, i);
			expect_empty(&f.r);
		}
		free(f.memory);
	}
}

/* Random bursts, compared with an array that holds all samples; also at the end of the range of u64. */
static void against_queue(u32 entries, u64 first)
{
	u64 pushed = 0, popped = 0, dropped = 0, seed = first + entries;
	struct kx_sample samples[40];
	struct fixture f;

	make(&f, entries);
	f.r.head = first;
	f.r.tail = first;
	f.r.head_seen = first;
	for (u32 round = 0; round < 20000; round++) {
		u32 n, max;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		n = (seed >> 33) % 20;
		max = (seed >> 40) % COUNT(samples);
		for (; n; n--) {
			bool room = pushed - popped < entries;

			assert_int_equal(push(&f.r, 3, pushed), room);
			pushed += room;
			dropped += !room;
		}
		n = kx_mpsc_pop(&f.r, samples, max);
		assert_int_equal(n, pushed - popped < max ? pushed - popped : max);
		for (u32 i = 0; i < n; i++) {
			assert_true(is_whole(&samples[i]));
			assert_int_equal(number_of(&samples[i]), popped++);
		}
		assert_int_equal(kx_mpsc_pushed(&f.r) - first, pushed);
		assert_int_equal(kx_mpsc_dropped(&f.r), dropped);
	}
	assert_true(dropped > 0 && popped > entries);
	free(f.memory);
}

static void test_queue(void **state)
{
	against_queue(2, 0);
	against_queue(8, 0);
	against_queue(32, 0);
	against_queue(8, -16000ull);
	against_queue(32, 0x7fffffffffffffc0ull);
}

/*
 * A place that is claimed and not yet written, as an interrupted producer leaves it, made by hand here: the
 * other producers continue until the ring is full; the consumer waits before this place, and then gets all samples in order.
 */
static void test_held_up(void **state)
{
	struct fixture f, other;
	u64 held;

	make(&f, 8);
	make(&other, 8);
	for (u64 lap = 0; lap < 4; lap++) {
		assert_true(push(&f.r, 1, 0));
		held = f.r.tail++;
		other.r.tail = held;
		for (u32 i = 0; i < 6; i++)
			assert_true(push(&f.r, 2, i));
		assert_false(push(&f.r, 2, 6));
		expect(&f.r, 1, 0);
		expect_empty(&f.r);
		assert_true(push(&f.r, 2, 7));
		assert_false(push(&f.r, 2, 8));

		/* The value that a push writes to this place, taken from another ring. */
		other.r.head = held;
		assert_true(push(&other.r, 1, 1));
		memcpy(f.r.slot + 2 * (held & 7), other.r.slot + 2 * (held & 7), 16);
		expect(&f.r, 1, 1);
		for (u32 i = 0; i < 6; i++)
			expect(&f.r, 2, i);
		expect(&f.r, 2, 7);
		expect_empty(&f.r);
	}
	assert_int_equal(kx_mpsc_dropped(&f.r), 4 * 2);
	free(f.memory);
	free(other.memory);
}

/* --- threads ------------------------------------------------------------------------------ */

/* What a producer does if a sample is refused, or so that no sample is refused. */
enum policy {
	DROP,
	RETRY,
	STAY_BELOW, /* never more samples in the ring than places: none may be refused */
	POLICIES
};

struct load {
	struct kx_mpsc *r;
	enum policy policy;
	u32 producers, entries;
	u64 each;
	u32 under_way, finished; /* atomic */
};

struct producer {
	struct load *load;
	pthread_t thread;
	u32 who;
	u8 *refused, *received; /* for each sample: noted by the producer, and by the consumer */
	u64 next, nr_refused;	/* next: the least number that may still arrive */
};

static void take_turn(struct load *l)
{
	while (__atomic_fetch_add(&l->under_way, 1, __ATOMIC_RELAXED) >= l->entries) {
		__atomic_fetch_sub(&l->under_way, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
}

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct load *l = p->load;

	for (u64 i = 0; i < l->each; i++) {
		if (l->policy == STAY_BELOW)
			take_turn(l);
		while (!push(l->r, p->who, i)) {
			p->nr_refused++;
			p->refused[i] = l->policy != RETRY;
			if (l->policy != RETRY)
				break;
			sched_yield();
		}
	}
	__atomic_fetch_add(&l->finished, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Samples of a producer arrive in its order. Returns how many were taken. */
static u32 consume(struct load *l, struct producer *producers)
{
	struct kx_sample samples[16];
	u32 n = kx_mpsc_pop(l->r, samples, COUNT(samples));

	for (u32 i = 0; i < n; i++) {
		struct producer *p = &producers[who_of(&samples[i])];
		u64 number = number_of(&samples[i]);

		assert_true(is_whole(&samples[i]));
		assert_in_range(number, p->next, l->each - 1);
		p->next = number + 1;
		p->received[number] = 1;
	}
	__atomic_fetch_sub(&l->under_way, l->policy == STAY_BELOW ? n : 0, __ATOMIC_RELAXED);
	return n;
}

static void check_account(const struct load *l, const struct producer *producers)
{
	u64 received = 0, refused = 0;

	for (u32 k = 0; k < l->producers; k++) {
		const struct producer *p = &producers[k];

		for (u64 i = 0; i < l->each; i++) {
			assert_int_equal(p->received[i] + p->refused[i], 1);
			received += p->received[i];
		}
		refused += p->nr_refused;
	}
	assert_int_equal(kx_mpsc_pushed(l->r), received);
	assert_int_equal(kx_mpsc_dropped(l->r), refused);
	assert_true(l->policy != STAY_BELOW || refused == 0);
}

static void run_load(u32 nr, u32 entries, u64 each, enum policy policy, bool late)
{
	struct producer producers[8] = { 0 };
	struct fixture f;
	struct load l = {
		.r = &f.r, .policy = policy, .producers = nr, .entries = entries, .each = each
	};
	bool finished = false;

	make(&f, entries);
	for (u32 k = 0; k < nr; k++) {
		producers[k] = (struct producer){ .load = &l,
						  .who = k,
						  .refused = calloc(each, 1),
						  .received = calloc(each, 1) };
		assert_int_equal(pthread_create(&producers[k].thread, NULL, produce, &producers[k]),
				 0);
	}
	while (!finished) {
		finished = __atomic_load_n(&l.finished, __ATOMIC_ACQUIRE) == nr;
		while ((!late || finished) && consume(&l, producers))
			;
		sched_yield();
	}
	for (u32 k = 0; k < nr; k++)
		pthread_join(producers[k].thread, NULL);
	check_account(&l, producers);
	if (late)
		assert_int_equal(kx_mpsc_pushed(&f.r), nr * each < entries ? nr * each : entries);
	for (u32 k = 0; k < nr; k++) {
		free(producers[k].refused);
		free(producers[k].received);
	}
	free(f.memory);
}

#ifdef __SANITIZE_THREAD__
#define EACH 2000u
#else
#define EACH 10000u
#endif

static void run_loads(enum policy policy)
{
	static const u32 numbers[] = { 1, 2, 4, 7 }, entries[] = { 2, 16, 1024 };

	for (size_t i = 0; i < COUNT(numbers); i++)
		for (size_t k = 0; k < COUNT(entries); k++)
			run_load(numbers[i], entries[k], EACH, policy, false);
}

static void test_dropping(void **state)
{
	run_loads(DROP);
}

static void test_retrying(void **state)
{
	run_loads(RETRY);
}

static void test_no_loss_unless_full(void **state)
{
	run_loads(STAY_BELOW);
}

/* The consumer begins when all producers have ended: it gets exactly as many samples as the ring has places. */
static void test_late_consumer(void **state)
{
	for (u32 entries = 2; entries <= 4096; entries *= 8) {
		run_load(1, entries, 1000, DROP, true);
		run_load(4, entries, 1000, DROP, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),	      cmocka_unit_test(test_fields),
		cmocka_unit_test(test_full),	      cmocka_unit_test(test_queue),
		cmocka_unit_test(test_held_up),	      cmocka_unit_test(test_dropping),
		cmocka_unit_test(test_retrying),      cmocka_unit_test(test_no_loss_unless_full),
		cmocka_unit_test(test_late_consumer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
