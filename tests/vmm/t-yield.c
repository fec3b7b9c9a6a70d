// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VMM uses its dirty log, as for a migration, while a tracker uses the log, too. Does the VMM
 * find in its log what it would find without the tracker?
 *
 * This program is the VMM. It keeps a bitmap of what KVM has to answer: all bits or no bits at
 * first, then the pages that the guest has written, without the pages that were cleared. A
 * migration would lose each page that KVM does not report. The guest only writes: when a tracker's
 * log is switched off, memory of 2M pages is unmapped, and the VMM's log then contains first reads,
 * too (dirty.h).
 *
 * A module built with KVM_EXT_TEST and loaded with noyield=1 has to fail this test.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define SECOND_SLOT  2u
#define SECOND_GPA   (256ul << 20)
#define SECOND_GFN   (SECOND_GPA / VMM_PAGE)
#define SECOND_SIZE  VMM_2M
#define SECOND_PAGES ((uint32_t)(SECOND_SIZE / VMM_PAGE))
#define SECOND_WORDS (SECOND_PAGES / 64)

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static struct dirty_set set;
static void *memory;

static const char *const tracker_name[] = {
	[KVM_EXT_TRACKER_DIRTY_LOG] = "dirty-log",
	[KVM_EXT_TRACKER_PML_ABIT] = "pml-abit",
};

static void begin(enum vmm_log log, int nr_vcpus)
{
	struct vmm_config config = { .mode = VMM_64, .log = log, .io_exit = true };

	memory = vmm_memory(DIRTY_SIZE, VMM_THP);
	if (!memory)
		bail("guest memory");
	vmm_create_as(&vm, &config, nr_vcpus, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	kx_attach(&kx, vm.fd, 0);
}

static void end(void)
{
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

static void track(uint32_t id, uint64_t first_gfn, uint64_t npages, uint64_t interval_ns)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.first_gfn = first_gfn;
	t.npages = npages;
	t.interval_ns = interval_ns;
	kx_start(&kx, &t);
}

/* --- the VMM -------------------------------------------------------------- */

/* The log that the VMM has to find, for a memslot of up to DIRTY_PAGES. */
struct model {
	enum vmm_log log;
	uint32_t slot, words;
	uint64_t bits[DIRTY_WORDS];
	uint64_t lost, invented; /* pages missing in the log, and pages too many, so far */
};

static void model_switched_on(struct model *m)
{
	memset(m->bits, m->log == VMM_LOG_ALL_SET ? 0xff : 0, sizeof(m->bits));
}

static void model_write(struct model *m, uint32_t page)
{
	m->bits[page / 64] |= 1ull << page % 64;
}

static void model_write_set(struct model *m, const struct dirty_set *s)
{
	uint32_t i;

	for (i = 0; i < DIRTY_PAGES; i++) {
		if (s->written[i])
			model_write(m, i);
	}
}

static void vmm_get(struct model *m)
{
	uint64_t found[DIRTY_WORDS];
	uint32_t i;

	memset(found, 0, sizeof(found));
	if (vmm_get_log(&vm, m->slot, found))
		bail("KVM_GET_DIRTY_LOG");
	for (i = 0; i < m->words; i++) {
		m->lost += __builtin_popcountll(m->bits[i] & ~found[i]);
		m->invented += __builtin_popcountll(found[i] & ~m->bits[i]);
	}
	if (m->log == VMM_LOG_PLAIN)
		memset(m->bits, 0, sizeof(m->bits));
}

/* Clears the bits of @words words from @first on, except the bits in @keep. */
static void vmm_clear(struct model *m, uint32_t first, uint32_t words, const uint64_t *keep)
{
	uint64_t bits[DIRTY_WORDS];
	uint32_t i;

	for (i = 0; i < words; i++) {
		bits[i] = m->bits[first + i] & ~(keep ? keep[i] : 0);
		m->bits[first + i] &= ~bits[i];
	}
	if (vmm_clear_log(&vm, m->slot, first * 64, words * 64, bits))
		bail("KVM_CLEAR_DIRTY_LOG");
}

static void vmm_clear_some(struct model *m)
{
	uint32_t first = dirty_random(m->words), words = 1 + dirty_random(m->words - first), i;
	uint64_t keep[DIRTY_WORDS];

	for (i = 0; i < words; i++)
		keep[i] = (uint64_t)dirty_random(~0u) << 32 | dirty_random(~0u);
	vmm_clear(m, first, words, keep);
}

static void vmm_log_on(struct model *m)
{
	dirty_map(&vm, memory, KVM_MEM_LOG_DIRTY_PAGES);
	model_switched_on(m);
}

/* Runs rounds: the guest writes, a pass runs, and sometimes the VMM reads or clears its log. */
static uint64_t use_log(struct model *m, int rounds)
{
	uint64_t strange = 0; /* passes that found something, or broke a rule */
	int i;

	vmm_get(m);
	for (i = 0; i < rounds; i++) {
		dirty_pick(&set, dirty_size());
		dirty_drop_reads(&set);
		dirty_touch(&vm, &set);
		model_write_set(m, &set);
		kx_pass(&kx, &got);
		strange += got.samples || got.bad;
		if (dirty_random(3))
			vmm_get(m);
		if (m->log != VMM_LOG_PLAIN && dirty_random(3))
			vmm_clear_some(m);
	}
	vmm_get(m);
	return strange;
}

static void ok_model(const struct model *m, const char *name)
{
	if (!ok(!m->lost && !m->invented, "%s: the VMM sees exactly what it would without us",
		name))
		note("%llu pages lost, %llu pages too many", (unsigned long long)m->lost,
		     (unsigned long long)m->invented);
}

/* Is the tracker exact again? pml-abit may report more than the written pages. */
static void ok_tracks_again(uint32_t id, const char *name, const char *when)
{
	struct dirty_diff diff = { 0 };
	int i;

	dirty_settle(&vm, &kx, &got);
	for (i = 0; i < 3; i++) {
		diff = dirty_round(&vm, &kx, &got, &set);
		if (id == KVM_EXT_TRACKER_PML_ABIT)
			diff.extra = 0;
		if (!dirty_same(&diff))
			break;
	}
	if (!ok(dirty_same(&diff), "%s: %s the tracker finds all written pages", name, when))
		note("%llu missed, %llu extra, %llu twice", (unsigned long long)diff.missed,
		     (unsigned long long)diff.extra, (unsigned long long)diff.twice);
}

/* --- from beginning to end, one memslot ----------------------------------- */

static void ok_yielded(const char *name, uint64_t before, uint64_t after)
{
	struct kvm_ext_stats s = kx_stats(kx.fd);

	ok(s.state == KVM_EXT_STATE_YIELDED && s.log.yields == 1 && !s.log.resumes &&
		   s.log.last_yield_ns >= before && s.log.last_yield_ns <= after,
	   "%s: the tracker has yielded, and the statistics say when", name);
	ok(!s.log.pages && s.log.vmm_pages == DIRTY_PAGES &&
		   kx_vm(kx.fd).logged_pages == DIRTY_PAGES,
	   "%s: the pages count as logged by the VMM", name);
}

static void ok_resumed(const char *name, uint64_t before, uint64_t after)
{
	struct kvm_ext_stats s = kx_stats(kx.fd);

	ok(!s.state && s.log.yields == 1 && s.log.resumes == 1 && s.log.last_resume_ns >= before &&
		   s.log.last_resume_ns <= after,
	   "%s: the tracker has resumed, and the statistics say when", name);
	ok(s.log.pages == DIRTY_PAGES && !s.log.vmm_pages && !s.log.errors,
	   "%s: the pages count as logged by the tracker again", name);
}

static void migration(enum vmm_log log, uint32_t id)
{
	struct model m = { .log = log, .slot = DIRTY_SLOT, .words = DIRTY_WORDS };
	uint64_t before, strange, samples, passes;
	const int rounds = 12;
	char name[80];

	snprintf(name, sizeof(name), "%s, %s log", tracker_name[id], dirty_log_name[log]);
	begin(log, 2);
	track(id, DIRTY_GFN, DIRTY_PAGES, 0);
	ok_tracks_again(id, name, "before the VMM logs");
	/* Pages that are in the tracker's log, and were not read yet: the VMM does not get them. */
	dirty_pick(&set, DIRTY_MAX);
	dirty_touch(&vm, &set);

	samples = kx_stats(kx.fd).samples;
	passes = kx_stats(kx.fd).passes;
	before = now_ns();
	vmm_log_on(&m);
	ok_yielded(name, before, now_ns());
	strange = use_log(&m, rounds);
	ok_model(&m, name);
	ok(!strange && kx_stats(kx.fd).samples == samples && kx_stats(kx.fd).passes == passes,
	   "%s: meanwhile nothing is reported, and no pass is counted", name);
	ok_eq(kx_stats(kx.fd).log.yielded_passes, rounds, "%s: yielded passes are counted", name);

	before = now_ns();
	dirty_map(&vm, memory, 0);
	dirty_pick(&set, DIRTY_MAX);
	dirty_touch(&vm, &set);
	kx_pass(&kx, &got);
	ok_eq(got.samples, 0, "%s: the findings of the pass that resumes are not counted", name);
	ok_resumed(name, before, now_ns());
	ok_tracks_again(id, name, "after the migration");

	/* The tracker ends while the VMM logs. */
	vmm_log_on(&m);
	use_log(&m, 2);
	dirty_pick(&set, DIRTY_MAX);
	dirty_drop_reads(&set);
	dirty_touch(&vm, &set);
	model_write_set(&m, &set);
	track(id, DIRTY_GFN, DIRTY_PAGES, 0);
	vmm_get(&m);
	dirty_touch(&vm, &set);
	model_write_set(&m, &set);
	kx_close(&kx);
	vmm_get(&m);
	ok(!m.lost && !m.invented, "%s: a new account and a detach do not change the VMM's log",
	   name);
	kx_attach(&kx, vm.fd, 0);
	ok_eq(kx_vm(kx.fd).logged_pages, DIRTY_PAGES, "%s: after the detach the VMM still logs",
	      name);
	end();
}

/* --- the VMM asks for a log that it has not switched on ------------------- */

struct answer {
	int get, get_errno, clear, clear_errno;
};

static struct answer ask(void)
{
	uint64_t bits[DIRTY_WORDS];
	struct answer a;

	memset(bits, 0xff, sizeof(bits));
	errno = 0;
	a.get = vmm_get_log(&vm, DIRTY_SLOT, bits);
	a.get_errno = errno;
	memset(bits, 0xff, sizeof(bits));
	errno = 0;
	a.clear = vmm_clear_log(&vm, DIRTY_SLOT, 0, DIRTY_PAGES, bits);
	a.clear_errno = errno;
	return a;
}

static void no_log_of_the_vmm(enum vmm_log log)
{
	struct answer alone, tracked;
	char name[80];

	snprintf(name, sizeof(name), "dirty-log, %s log, VMM without a log", dirty_log_name[log]);
	begin(log, 1);
	alone = ask();
	track(KVM_EXT_TRACKER_DIRTY_LOG, DIRTY_GFN, DIRTY_PAGES, 0);
	tracked = ask();
	ok(alone.get == -1 && !memcmp(&alone, &tracked, sizeof(alone)),
	   "%s: KVM answers as if nobody used the log", name);
	kx_pass(&kx, &got);
	ok_tracks_again(KVM_EXT_TRACKER_DIRTY_LOG, name, "after the VMM's ioctl");
	end();
}

/* --- one memslot is the VMM's, one is ours -------------------------------- */

static void write_second(struct model *m, uint32_t step)
{
	uint32_t list[SECOND_PAGES], n = 0, i;

	for (i = 0; i < SECOND_PAGES; i += step) {
		list[n++] = vmm_write(SECOND_GFN + i);
		model_write(m, i);
	}
	vmm_touch(&vm, 0, list, n);
}

static void side_by_side(enum vmm_log log)
{
	struct model m = { .log = log, .slot = SECOND_SLOT, .words = SECOND_WORDS };
	void *second = vmm_memory(SECOND_SIZE, VMM_SMALL);
	struct kvm_ext_stats s;
	bool exact = true;
	char name[80];
	int i;

	snprintf(name, sizeof(name), "a memslot that the VMM logs, %s log", dirty_log_name[log]);
	begin(log, 1);
	vmm_map(&vm, SECOND_SLOT, SECOND_GPA, SECOND_SIZE, second, KVM_MEM_LOG_DIRTY_PAGES);
	model_switched_on(&m);
	write_second(&m, 7);
	track(KVM_EXT_TRACKER_DIRTY_LOG, DIRTY_GFN, SECOND_GFN + SECOND_PAGES - DIRTY_GFN, 0);
	for (i = 0; i < 10; i++) {
		struct dirty_diff diff;

		write_second(&m, 11 + i);
		diff = dirty_round(&vm, &kx, &got, &set);
		exact &= dirty_same(&diff) && got.samples == set.n;
		if (i == 5)
			vmm_get(&m);
		if (i == 7 && log != VMM_LOG_PLAIN)
			vmm_clear(&m, 1, SECOND_WORDS - 2, NULL);
	}
	s = kx_stats(kx.fd);
	vmm_get(&m);
	ok_model(&m, name);
	ok(exact, "%s: only the other memslot is tracked, and exactly", name);
	ok(!s.state && s.log.pages == DIRTY_PAGES && s.log.vmm_pages == SECOND_PAGES &&
		   !s.log.yields && !s.log.errors,
	   "%s: the statistics say who logs which memslot", name);
	end();
	vmm_free(second, SECOND_SIZE);
}

/* --- a guest that writes all the time ------------------------------------- */

#define LOOP_PAGES  96u
#define LOOP_STRIDE 47u

_Static_assert(LOOP_PAGES *LOOP_STRIDE <= DIRTY_PAGES, "the loop stays in its memory");

static void write_loop(struct model *m)
{
	uint32_t i;

	for (i = 0; i < LOOP_PAGES; i++)
		model_write(m, i * LOOP_STRIDE);
}

/* The VMM switches its log on while passes run and the guest writes at full speed. */
static void running_guest(enum vmm_log log)
{
	struct model m = { .log = log, .slot = DIRTY_SLOT, .words = DIRTY_WORDS };
	uint32_t list[LOOP_PAGES], i;
	struct kvm_ext_stats s;
	char name[80];
	int round;

	snprintf(name, sizeof(name), "a guest that writes all the time, %s log",
		 dirty_log_name[log]);
	begin(log, 1);
	for (i = 0; i < LOOP_PAGES; i++)
		list[i] = vmm_write(DIRTY_GFN + i * LOOP_STRIDE);
	/* With one CPU, passes without a pause would leave no CPU time to the guest. */
	track(KVM_EXT_TRACKER_DIRTY_LOG, DIRTY_GFN, DIRTY_PAGES,
	      sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 50000 : 2000000);
	vmm_loop(&vm, 0, list, LOOP_PAGES);
	for (round = 0; round < 25; round++) {
		/* Passes run before, during and after the switch. */
		if (round % 2)
			kx_run_pass(kx.fd, NULL);
		vmm_log_on(&m);
		if (log == VMM_LOG_ALL_SET) {
			vmm_get(&m);
			vmm_clear(&m, 0, DIRTY_WORDS, NULL);
		}
		for (i = 0; i < 3; i++) {
			vmm_wait_iters(&vm, 0, 1);
			write_loop(&m);
			vmm_get(&m);
			if (log != VMM_LOG_PLAIN)
				vmm_clear(&m, 0, DIRTY_WORDS, NULL);
		}
		dirty_map(&vm, memory, 0);
		kx_discard(&kx);
	}
	vmm_halt(&vm, 0);
	s = kx_stats(kx.fd);
	note("%llu passes, %llu yields, %llu resumes, %llu yielded passes",
	     (unsigned long long)s.passes, (unsigned long long)s.log.yields,
	     (unsigned long long)s.log.resumes, (unsigned long long)s.log.yielded_passes);
	ok_model(&m, name);
	end();
}

/* --- many threads --------------------------------------------------------- */

#define THREADS	       8
#define CYCLES	       40
#define CYCLES_ONE_CPU 6 /* each change of a memslot waits until other tasks have run */

static pthread_mutex_t vcpu_lock[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };

struct user {
	pthread_t thread;
	int nr, cycles;
	void *memory;
	struct model model;
	uint64_t answered; /* how often KVM returned a log that was not on */
};

static uint64_t user_gpa(const struct user *u)
{
	return SECOND_GPA + u->nr * VMM_2M;
}

static void user_map(struct user *u, uint32_t flags)
{
	if (vmm_map(&vm, u->model.slot, user_gpa(u), VMM_2M, u->memory, flags))
		bail("memslot of thread %d", u->nr);
}

static void user_writes(struct user *u, unsigned int *seed)
{
	uint32_t list[64], n = 1 + rand_r(seed) % 64, i, page;
	int vcpu = u->nr % 2;

	for (i = 0; i < n; i++) {
		page = rand_r(seed) % SECOND_PAGES;
		list[i] = vmm_write(user_gpa(u) / VMM_PAGE + page);
		model_write(&u->model, page);
	}
	pthread_mutex_lock(&vcpu_lock[vcpu]);
	vmm_touch(&vm, vcpu, list, n);
	pthread_mutex_unlock(&vcpu_lock[vcpu]);
}

static void user_cycle(struct user *u, unsigned int *seed)
{
	struct model *m = &u->model;
	uint64_t bits[SECOND_WORDS];
	int i;

	user_map(u, KVM_MEM_LOG_DIRTY_PAGES);
	model_switched_on(m);
	for (i = rand_r(seed) % 4; i >= 0; i--) {
		user_writes(u, seed);
		if (rand_r(seed) % 2)
			vmm_get(m);
		if (m->log != VMM_LOG_PLAIN && rand_r(seed) % 2)
			vmm_clear(m, rand_r(seed) % SECOND_WORDS, 1, NULL);
	}
	vmm_get(m);
	user_map(u, 0);
	/* Sometimes at once, sometimes after the tracker has resumed. */
	if (rand_r(seed) % 2)
		usleep(rand_r(seed) % 3000);
	if (rand_r(seed) % 2 && (vmm_get_log(&vm, m->slot, bits) != -1 || errno != ENOENT))
		u->answered++;
}

static void *user_thread(void *arg)
{
	struct user *u = arg;
	unsigned int seed = u->nr;
	int i;

	for (i = 0; i < u->cycles; i++)
		user_cycle(u, &seed);
	return NULL;
}

static void many_threads(enum vmm_log log, uint32_t id)
{
	struct user users[THREADS];
	uint64_t answered = 0;
	struct kvm_ext_stats s;
	struct model sum = { 0 };
	char name[80];
	int i;

	snprintf(name, sizeof(name), "%d threads of the VMM, %s, %s log", THREADS, tracker_name[id],
		 dirty_log_name[log]);
	begin(log, 2);
	for (i = 0; i < THREADS; i++) {
		users[i] = (struct user){
			.nr = i,
			.cycles = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? CYCLES : CYCLES_ONE_CPU,
			.memory = vmm_memory(VMM_2M, i % 2 ? VMM_THP : VMM_SMALL),
			.model = { .log = log, .slot = SECOND_SLOT + i, .words = SECOND_WORDS },
		};
		user_map(&users[i], 0);
	}
	track(id, 0, 0, 1000000);
	for (i = 0; i < THREADS; i++)
		pthread_create(&users[i].thread, NULL, user_thread, &users[i]);
	for (i = 0; i < THREADS; i++) {
		pthread_join(users[i].thread, NULL);
		sum.lost += users[i].model.lost;
		sum.invented += users[i].model.invented;
		answered += users[i].answered;
	}
	s = kx_stats(kx.fd);
	note("%llu passes, %llu yields, %llu resumes, %llu ioctls of the module refused",
	     (unsigned long long)s.passes, (unsigned long long)s.log.yields,
	     (unsigned long long)s.log.resumes, (unsigned long long)s.log.errors);
	ok_model(&sum, name);
	ok_eq(answered, 0, "%s: KVM returns no log that is not on", name);
	ok(s.passes > 0 && s.log.yields > 0 && s.log.resumes > 0, "%s: passes ran meanwhile", name);
	track(id, 0, 0, 0);
	ok_tracks_again(id, name, "after all threads");
	end();
	for (i = 0; i < THREADS; i++)
		vmm_free(users[i].memory, VMM_2M);
}

int main(void)
{
	enum vmm_log log;

	dirty_seed();
	kx_samples_init(&got);
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++) {
		migration(log, KVM_EXT_TRACKER_DIRTY_LOG);
		migration(log, KVM_EXT_TRACKER_PML_ABIT);
		no_log_of_the_vmm(log);
		side_by_side(log);
		running_guest(log);
		many_threads(log, KVM_EXT_TRACKER_DIRTY_LOG);
	}
	many_threads(VMM_LOG_PLAIN, KVM_EXT_TRACKER_PML_ABIT);
	kx_samples_free(&got);
	return tap_end();
}
