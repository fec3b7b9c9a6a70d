// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample ring compared with two rings that are known to be good: Concurrency Kit's ck_ring, many to
 * one, and liburcu's wfcqueue. Measured are samples per second from 1, 2 and 4 producers to one consumer,
 * and of one thread that fills and empties the ring in turn.
 *
 * All rings move the same samples of 16 bytes, which are copied in and out, and have the same number of
 * places. A producer that finds no free place waits, and so does the consumer if there is no sample: with
 * the same code, which first pauses and then gives up the CPU. The consumer takes up to 64 samples at a
 * time. ck_ring holds the typed samples themselves, and has no call that takes several: it is called once
 * for each. wfcqueue is a list without a bound, so each producer has its share of nodes, in total as many
 * as the other rings have places, and uses them in turn; the consumer gives a node back by a flag in it,
 * and takes the whole list at once, which is fastest there.
 *
 * Every sample must arrive, and those of a producer in its order, or the program ends. In a round all rings
 * run in turn, in changing order. Figures are medians over rounds, and so are the ratios of two rings in
 * the same round. The sample ring is compiled as in the kernel and called; the other rings are inlined
 * into the same wrapper.
 *
 * If there are more threads than CPUs, the figures also show what happens to other threads while one thread
 * is off its CPU in the middle of a push; the table says where this is so. What it cannot show: pushes from
 * interrupts, which are too short to meet others often.
 *
 * usage: ring [ENTRIES [MILLISECONDS]]
 */
#define _LGPL_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <ck_ring.h>
#include <urcu/wfcqueue.h>

#include "args.h"
#include "mpsc.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define USAGE	      "ring [PLACES, a power of two [MILLISECONDS]]"
#define PRODUCERS_MAX 4u
#define BATCH	      64u
#define ROUNDS	      11u
#define PAUSES	      64u

static u32 entries = 1u << 16;
static double round_ns = 100e6;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ring: %s\n", what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void *lines(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) & ~63ul);

	if (!p)
		die("no memory");
	memset(p, 0, bytes);
	return p;
}

/* --- the rings ---------------------------------------------------------------------------- */

struct ring {
	const char *name;
	void (*make)(u32 producers);
	void (*destroy)(void);
	bool (*push)(u32 producer, const struct kx_sample *sample);
	u32 (*pop)(struct kx_sample *samples, u32 max);
};

static struct kx_mpsc mpsc;
static void *mpsc_memory;

static void mpsc_make(u32 producers)
{
	mpsc_memory = lines(kx_mpsc_bytes(entries));
	if (kx_mpsc_init(&mpsc, mpsc_memory, entries))
		die("ENTRIES has to be a power of two");
}

static void mpsc_destroy(void)
{
	free(mpsc_memory);
}

static bool mpsc_push(u32 producer, const struct kx_sample *sample)
{
	return kx_mpsc_push(&mpsc, sample);
}

static u32 mpsc_pop(struct kx_sample *samples, u32 max)
{
	return kx_mpsc_pop(&mpsc, samples, max);
}

// cppcheck-suppress unknownMacro
CK_RING_PROTOTYPE(sample, kx_sample)

static struct ck_ring ck __attribute__((aligned(64)));
static struct kx_sample *ck_memory;

static void ck_make(u32 producers)
{
	ck_memory = lines(sizeof(*ck_memory) * entries);
	ck_ring_init(&ck, entries);
}

static void ck_destroy(void)
{
	free(ck_memory);
}

static bool ck_push(u32 producer, const struct kx_sample *sample)
{
	return ck_ring_enqueue_mpsc_sample(&ck, ck_memory, (struct kx_sample *)sample);
}

static u32 ck_pop(struct kx_sample *samples, u32 max)
{
	u32 n = 0;

	while (n < max && ck_ring_dequeue_mpsc_sample(&ck, ck_memory, &samples[n]))
		n++;
	return n;
}

/* A cache line holds two. */
struct node {
	struct cds_wfcq_node link;
	struct kx_sample sample;
	u64 used; /* stored by the producer as it takes the node, cleared by the consumer */
};

static struct {
	struct __cds_wfcq_head head __attribute__((aligned(64)));
	struct cds_wfcq_tail tail __attribute__((aligned(64)));
	/* the consumer's: the nodes that it has taken, and its place among them */
	struct __cds_wfcq_head taken __attribute__((aligned(64)));
	struct cds_wfcq_tail taken_tail;
	struct cds_wfcq_node *at;
	struct {
		struct node *node;
		u32 next, nr;
	} __attribute__((aligned(64))) own[PRODUCERS_MAX];
} wfc;

static void wfc_make(u32 producers)
{
	memset(&wfc, 0, sizeof(wfc));
	__cds_wfcq_init(&wfc.head, &wfc.tail);
	__cds_wfcq_init(&wfc.taken, &wfc.taken_tail);
	for (u32 i = 0; i < producers; i++) {
		wfc.own[i].nr = entries / producers;
		wfc.own[i].node = lines(sizeof(struct node) * wfc.own[i].nr);
	}
}

static void wfc_destroy(void)
{
	for (u32 i = 0; i < PRODUCERS_MAX; i++)
		free(wfc.own[i].node);
}

static bool wfc_push(u32 producer, const struct kx_sample *sample)
{
	struct node *node = wfc.own[producer].node + wfc.own[producer].next;

	if (__atomic_load_n(&node->used, __ATOMIC_ACQUIRE))
		return false;
	if (++wfc.own[producer].next == wfc.own[producer].nr)
		wfc.own[producer].next = 0;
	node->used = 1;
	node->sample = *sample;
	cds_wfcq_node_init(&node->link);
	cds_wfcq_enqueue(&wfc.head, &wfc.tail, &node->link);
	return true;
}

/* Does not wait for a link that is not there yet: the batch ends before it. */
static bool wfc_take(void)
{
	__cds_wfcq_init(&wfc.taken, &wfc.taken_tail);
	switch (__cds_wfcq_splice_nonblocking(&wfc.taken, &wfc.taken_tail, &wfc.head, &wfc.tail)) {
	case CDS_WFCQ_RET_DEST_EMPTY:
	case CDS_WFCQ_RET_DEST_NON_EMPTY:
		wfc.at = __cds_wfcq_first_nonblocking(&wfc.taken, &wfc.taken_tail);
		return true;
	default:
		return false;
	}
}

static u32 wfc_pop(struct kx_sample *samples, u32 max)
{
	u32 n = 0;

	while (n < max && (wfc.at || wfc_take())) {
		struct node *node = caa_container_of(wfc.at, struct node, link);
		struct cds_wfcq_node *next =
			__cds_wfcq_next_nonblocking(&wfc.taken, &wfc.taken_tail, wfc.at);

		if (next == CDS_WFCQ_WOULDBLOCK)
			break;
		samples[n++] = node->sample;
		wfc.at = next;
		__atomic_store_n(&node->used, 0, __ATOMIC_RELEASE);
	}
	return n;
}

enum {
	OURS,
	CK,
	WFC,
	RINGS
};

static const struct ring rings[RINGS] = {
	[OURS] = { "kx_mpsc", mpsc_make, mpsc_destroy, mpsc_push, mpsc_pop },
	[CK] = { "ck_ring", ck_make, ck_destroy, ck_push, ck_pop },
	[WFC] = { "wfcqueue", wfc_make, wfc_destroy, wfc_push, wfc_pop },
};

/* --- the wrapper -------------------------------------------------------------------------- */

static void wait_some(u32 *tries)
{
	if (++*tries % PAUSES)
		__builtin_ia32_pause();
	else
		sched_yield();
}

struct run {
	const struct ring *ring;
	pthread_barrier_t start;
	bool stop; /* atomic */
	struct producer {
		pthread_t thread;
		struct run *run;
		u32 who;
		u64 pushed;
		u64 next; /* the consumer's */
	} producers[PRODUCERS_MAX];
};

/*
 * Other work on the machine must not interfere: if there is a CPU for each thread, and if it is permitted,
 * the threads have real-time priority. With fewer CPUs this would only change which thread waits.
 */
static bool set_priority(bool real_time)
{
	struct sched_param param = { .sched_priority = real_time };

	return !sched_setscheduler(0, real_time ? SCHED_FIFO : SCHED_OTHER, &param);
}

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct kx_sample sample = { .space = p->who, .weight = 1 };
	bool (*push)(u32 producer, const struct kx_sample *sample) = p->run->ring->push;
	u32 tries = 0;

	pthread_barrier_wait(&p->run->start);
	while (!__atomic_load_n(&p->run->stop, __ATOMIC_RELAXED)) {
		if (push(p->who, &sample))
			sample.address++;
		else
			wait_some(&tries);
	}
	p->pushed = sample.address;
	return NULL;
}

static u32 take(struct run *run)
{
	struct kx_sample samples[BATCH];
	u32 n = run->ring->pop(samples, BATCH);

	for (u32 i = 0; i < n; i++) {
		if (samples[i].address != run->producers[samples[i].space].next++)
			die("a sample is lost or out of order");
	}
	return n;
}

/* Samples taken until the time is up. Reading the clock costs much more than taking a sample. */
static u64 consume(struct run *run, double *ns)
{
	double begin = now_ns();
	u64 taken = 0;
	u32 tries = 0, i = 0, n;

	do {
		n = take(run);
		taken += n;
		if (!n)
			wait_some(&tries);
		if (++i % 1024 == 0)
			*ns = now_ns() - begin;
	} while (i % 1024 || *ns < round_ns);
	return taken;
}

/* Samples a second, in millions. */
static double measure(const struct ring *ring, u32 nr, bool crowded)
{
	struct run run = { .ring = ring };
	double ns = 0;
	u64 taken;

	ring->make(nr);
	pthread_barrier_init(&run.start, NULL, nr + 1);
	set_priority(!crowded);
	for (u32 i = 0; i < nr; i++) {
		run.producers[i] = (struct producer){ .run = &run, .who = i };
		if (pthread_create(&run.producers[i].thread, NULL, produce, &run.producers[i]))
			die("no thread");
	}
	pthread_barrier_wait(&run.start);
	taken = consume(&run, &ns);
	__atomic_store_n(&run.stop, true, __ATOMIC_RELAXED);
	set_priority(false);
	for (u32 i = 0; i < nr; i++)
		pthread_join(run.producers[i].thread, NULL);
	while (take(&run))
		;
	for (u32 i = 0; i < nr; i++) {
		if (run.producers[i].next != run.producers[i].pushed)
			die("a sample has not arrived");
	}
	pthread_barrier_destroy(&run.start);
	ring->destroy();
	usleep(50000); /* gives other work on the machine, which had to wait, some time */
	return taken * 1e3 / ns;
}

/* One thread, by turns: a batch in, a batch out. */
static double measure_alone(const struct ring *ring)
{
	struct run run = { .ring = ring };
	struct kx_sample sample = { .weight = 1 };
	double begin, ns;

	ring->make(1);
	begin = now_ns();
	do {
		for (u32 i = 0; i < BATCH; i++, sample.address++) {
			if (!ring->push(0, &sample))
				die("full too soon");
		}
		if (take(&run) != BATCH)
			die("empty too soon");
		ns = sample.address % (1024 * BATCH) ? 0 : now_ns() - begin;
	} while (ns < round_ns);
	ring->destroy();
	return sample.address * 1e3 / ns;
}

/* --- the table ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *all)
{
	qsort(all, ROUNDS, sizeof(*all), compare);
	return all[ROUNDS / 2];
}

/* Returns the ratio to the better peer. @nr: producers, or 0 for one thread alone. */
static double bench(u32 nr, bool crowded, const char *note)
{
	double all[RINGS][ROUNDS], ratio[RINGS][ROUNDS], speed[RINGS], best = 1e9;

	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 k = 0; k < RINGS; k++) {
			u32 i = (k + round) % RINGS;

			all[i][round] =
				nr ? measure(&rings[i], nr, crowded) : measure_alone(&rings[i]);
		}
		for (u32 i = 0; i < RINGS; i++)
			ratio[i][round] = all[OURS][round] / all[i][round];
	}
	if (nr)
		printf("%9u", nr);
	else
		printf("    alone");
	for (u32 i = 0; i < RINGS; i++) {
		speed[i] = median(all[i]);
		printf("  %8.2f", speed[i]);
	}
	for (u32 i = CK; i < RINGS; i++) {
		double r = median(ratio[i]);

		printf("  %8.2f", r);
		best = r < best ? r : best;
	}
	printf("  %s\n", note);
	fflush(stdout);
	return best;
}

int main(int argc, char **argv)
{
	static const u32 numbers[] = { 0, 1, 2, 4 };
	u32 cpus = sysconf(_SC_NPROCESSORS_ONLN);
	bool allowed = set_priority(true) && set_priority(false);
	char text[200] = "";

	if (argc > 3)
		args_refuse(USAGE, NULL);
	if (argc > 1)
		entries = (u32)args_number(argv[1], 2, 1u << 30, USAGE);
	if (entries & (entries - 1))
		args_refuse(USAGE, argv[1]);
	if (argc > 2)
		round_ns = 1e6 * (double)args_number(argv[2], 1, 3600000, USAGE);
	printf("%u places, %u rounds of %.0f ms, M samples/s of 16 bytes\n"
	       "producers   kx_mpsc   ck_ring  wfcqueue  / ck_ring  / wfcqueue\n",
	       entries, ROUNDS, round_ns / 1e6);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		bool crowded = numbers[i] + 1 > cpus;
		const char *note = crowded	 ? "more threads than CPUs"
				   : !numbers[i] ? ""
				   : allowed	 ? "real-time priority"
						 : "real-time priority not allowed";
		double ratio = bench(numbers[i], crowded, note);
		size_t end = strlen(text);

		if (!numbers[i])
			continue;
		snprintf(text + end, sizeof(text) - end, "%s%.2f (%u)", end ? ", " : "", ratio,
			 numbers[i]);
	}
	printf("headline: times the better peer's throughput, by producers: %s (target: at least "
	       "1)\n",
	       text);
	return 0;
}
