// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracker that reads the nested page table itself: is it exact, does it skip memory that was
 * not accessed, does it stay exact while the VM changes, and is it refused if it could not work?
 *
 * `t-walk PART…` runs only these parts: truth, skip, loop, stress, holds, nested.
 *
 * With KX_EXPECT_REFUSAL set, KVM is expected to run in a mode that allows no tracker of accessed
 * bits (shadow paging, or no accessed bits in hardware). Then the test only checks that these
 * trackers are refused.
 *
 * What it cannot show: races that need the memory ordering or the TLB of a CPU in hardware;
 * accesses that KVM itself forgets. When a memslot is deleted, KVM also drops the mappings of all
 * other memslots, with their accessed bits: no tracker can find pages that were accessed shortly
 * before. The stress test does not count missed pages in such rounds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exact.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLOCK	     (VMM_2M / VMM_PAGE)
#define DATA_GFN     (VMM_DATA_GPA / VMM_PAGE)

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[VMM_LIST_MAX];
static uint8_t want[KX_GFNS];

static const struct vmm_config config_32;
static const struct vmm_config config_64 = { .mode = VMM_64 };

static bool one_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < 2;
}

static void begin(const struct vmm_config *config, int nr_vcpus, int first_cpu)
{
	vmm_create_as(&vm, config, nr_vcpus, first_cpu);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
}

static void end(void)
{
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
}

static struct kvm_ext_tracker walk(uint64_t gfn, uint64_t npages)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_EPT_WALK);

	t.first_gfn = gfn;
	t.npages = npages;
	return t;
}

/* --- truth ------------------------------------------------------------------- */

#define WALK	 KVM_EXT_TRACKER_EPT_WALK
#define PAGES	 KVM_EXT_GRANULARITY_4K
#define BLOCKS	 KVM_EXT_GRANULARITY_2M
#define READ_ALL KVM_EXT_SET_NO_SKIP
#define NO_FLUSH KVM_EXT_FLUSH_NONE

static void truth(void)
{
	static const struct exact_setup setups[] = {
		{ VMM_SMALL, WALK, PAGES, false, 100, 0, 0 },
		{ VMM_SMALL, WALK, PAGES, false, 100, READ_ALL, 0 },
		{ VMM_SMALL, WALK, PAGES, false, 100, 0, NO_FLUSH },
		{ VMM_SMALL, WALK, BLOCKS, false, 100, 0, 0 },
		{ VMM_SMALL, WALK, PAGES, true, 50, 0, 0 },
		{ VMM_SMALL, WALK, BLOCKS, true, 50, READ_ALL, 0 },
		{ VMM_THP, WALK, PAGES, false, 100, 0, 0 },
		{ VMM_THP, WALK, PAGES, false, 100, READ_ALL, 0 },
		{ VMM_THP, WALK, PAGES, false, 50, 0, NO_FLUSH },
		{ VMM_THP, WALK, BLOCKS, false, 50, 0, 0 },
		{ VMM_THP, WALK, PAGES, true, 50, 0, 0 },
		{ VMM_HUGETLB, WALK, PAGES, false, 100, 0, 0 },
		{ VMM_HUGETLB, WALK, PAGES, true, 50, 0, NO_FLUSH },
	};
	static const struct exact_setup gib[] = {
		{ VMM_HUGETLB_1G, WALK, PAGES, false, 15, 0, 0 },
		{ VMM_HUGETLB_1G, WALK, BLOCKS, true, 10, READ_ALL, 0 },
	};

	exact_run("32-bit guest, 1 vCPU: ", &config_32, 1, setups, COUNT(setups));
	exact_run("64-bit guest, 2 vCPUs: ", &config_64, 2, setups, COUNT(setups));
	exact_run("64-bit guest, 2 vCPUs: ", &config_64, 2, gib, COUNT(gib));
}

/* --- skipping -------------------------------------------------------------------- */

/* Memory that is mapped by zero pages, and of which most is never accessed again. */
struct large {
	enum vmm_backing backing;
	const char *name;
	uint64_t size;
	uint64_t leaf; /* pages of a leaf */
};

/* Makes a memslot of the host's zero pages, and makes the guest read all of it. */
static void *map_large(const struct large *m)
{
	void *memory = vmm_fresh_memory(m->size, m->backing);
	uint64_t npages = m->size / VMM_PAGE, page;
	uint32_t n = 0;

	if (!memory || vmm_map(&vm, 1, VMM_HIGH_GPA, m->size, memory, 0))
		bail("%s", m->name);
	for (page = 0; page < npages; page += m->leaf) {
		list[n++] = vmm_read(VMM_HIGH_GPA / VMM_PAGE + page);
		if (n == VMM_LIST_MAX) {
			vmm_touch(&vm, 0, list, n);
			n = 0;
		}
	}
	vmm_touch(&vm, 0, list, n);
	return memory;
}

/*
 * The guest accesses some pages, in @groups random blocks. Notes the pages in want[], and returns
 * the number of their leaves.
 */
static uint64_t touch_few(const struct large *m, unsigned int groups)
{
	const uint64_t first = VMM_HIGH_GPA / VMM_PAGE, npages = m->size / VMM_PAGE;
	uint64_t base, gfn, leaves = 0;
	uint32_t n = 0, i;

	memset(want + first, 0, npages);
	while (groups--) {
		base = first + (uint64_t)rand() % (npages / BLOCK) * BLOCK;
		for (i = 0; i < 10; i++) {
			gfn = base + (uint64_t)rand() % BLOCK;
			gfn -= gfn % m->leaf;
			list[n++] = vmm_read(gfn);
			leaves += !want[gfn];
			memset(want + gfn, 1, m->leaf);
		}
	}
	vmm_touch(&vm, 0, list, n);
	return leaves;
}

/* Has the pass found exactly the pages of touch_few()? */
static bool exact(const struct large *m, uint64_t leaves)
{
	const uint64_t first = VMM_HIGH_GPA / VMM_PAGE;

	return got.samples == leaves && got.sum.samples == leaves && !got.bad &&
	       got.pages == leaves * m->leaf &&
	       !memcmp(got.page + first, want + first, m->size / VMM_PAGE);
}

static void skip_in(const struct large *m)
{
	const uint64_t npages = m->size / VMM_PAGE;
	struct kvm_ext_tracker t = walk(VMM_HIGH_GPA / VMM_PAGE, npages);
	struct kvm_ext_walk_stats before, after;
	uint64_t tables, most = 0, least_skipped = ~0ull, groups, last_groups = 0, bound;
	int bad = 0, odd = 0, idle_bad = 0, i, j;
	void *memory = map_large(m);
	uint64_t leaves;

	kx_start(&kx, &t);
	before = kx_stats(kx.fd).walk;
	for (i = 0; i < 50; i++) {
		groups = 1 + rand() % 4;
		leaves = touch_few(m, groups);
		kx_pass(&kx, &got);
		after = kx_stats(kx.fd).walk;
		bad += !exact(m, leaves);
		odd += got.sum.pages_scanned != npages;
		/*
		 * At each hold of the lock: the tables on the way down. Then the tables of the
		 * accessed pages; and those of the round before, because a table is skipped only
		 * after a pass has found nothing accessed in it.
		 */
		bound = 3 * (after.holds - before.holds) + groups + last_groups;
		last_groups = groups;
		tables = after.tables_read - before.tables_read;
		most = tables > most ? tables : most;
		odd += tables > bound;
		if (after.subtrees_skipped - before.subtrees_skipped < least_skipped)
			least_skipped = after.subtrees_skipped - before.subtrees_skipped;
		before = after;
	}
	ok_eq(bad, 0, "%s: 50 rounds with other pages in each, all of them exact", m->name);
	ok_eq(odd, 0, "%s: all pages count as scanned, few tables are read (at most %llu)", m->name,
	      (unsigned long long)most);
	ok(least_skipped > 0 && least_skipped < ~0ull,
	   "%s: entries skipped in each pass: at least %llu", m->name,
	   (unsigned long long)least_skipped);
	ok(after.upper_cleared > 0 && after.upper_restored <= after.upper_cleared,
	   "%s: accessed bits cleared above the last level: %llu, of these restored: %llu", m->name,
	   (unsigned long long)after.upper_cleared, (unsigned long long)after.upper_restored);

	for (i = 0; i < 10; i++) {
		for (j = 0; j < 20; j++) {
			kx_pass(&kx, &got);
			idle_bad += got.samples != 0;
		}
		leaves = touch_few(m, 1);
		kx_pass(&kx, &got);
		idle_bad += !exact(m, leaves);
	}
	ok_eq(idle_bad, 0,
	      "%s: pages that were idle for 20 passes are found when they are accessed again",
	      m->name);

	t.flags = KVM_EXT_SET_NO_SKIP;
	kx_start(&kx, &t);
	before = kx_stats(kx.fd).walk;
	leaves = touch_few(m, 2);
	kx_pass(&kx, &got);
	after = kx_stats(kx.fd).walk;
	ok(exact(m, leaves) && after.subtrees_skipped == 0 && after.upper_cleared == 0 &&
		   after.tables_read - before.tables_read >=
			   npages / BLOCK / (m->leaf == 1 ? 1 : BLOCK),
	   "%s: with skipping disabled, all %llu tables are read", m->name,
	   (unsigned long long)(after.tables_read - before.tables_read));
	/* Skipping is enabled again; the bits above the last level are as the CPUs set them. */
	t.flags = 0;
	kx_start(&kx, &t);
	leaves = touch_few(m, 2);
	kx_pass(&kx, &got);
	ok(exact(m, leaves), "%s: after skipping is enabled again, the next pass is exact",
	   m->name);

	vmm_map(&vm, 1, VMM_HIGH_GPA, 0, memory, 0);
	vmm_free(memory, m->size);
}

static void skipping(void)
{
	/* On the Intel host with its one CPU, mapping the pages takes most of the time. */
	const struct large large[] = {
		{ VMM_SMALL, "4K pages", one_cpu() ? 128ul << 20 : 512ul << 20, 1 },
		{ VMM_THP, "8 GiB of 2M pages", 8ul << 30, BLOCK },
	};
	size_t i;

	begin(&config_64, 1, -1);
	for (i = 0; i < COUNT(large); i++)
		skip_in(&large[i]);
	end();
}

/* --- a guest that runs --------------------------------------------------------------- */

#define GUEST_CPU    1
#define OUR_CPU	     0
#define LOOP_SIZE    (64ul << 20)
#define LOOP_PAGES   32u
#define LOOP_STRIDE  (LOOP_SIZE / VMM_PAGE / LOOP_PAGES + 7)
#define LOOP_ROUNDS  200
#define MOVING_PAGES 8u
#define MOVES	     100

struct way {
	const char *name;
	uint32_t flags, flush_scope;
};

/*
 * Between two passes the guest accesses all of its pages. If it does so without a VM exit, a pass
 * finds the pages only if the pass before it has flushed the CPU's translations.
 */
struct passes {
	uint32_t all, full;	      /* passes; passes that found all pages */
	uint32_t stayed, stayed_full; /* the same of passes without a VM exit before them */
};

static void count(struct passes *n, bool full, uint64_t *exits)
{
	bool stayed = kx_stayed(kx.fd, exits);

	n->all++;
	n->full += full;
	n->stayed += stayed;
	n->stayed_full += stayed && full;
}

/* tests/e2e/module-inside parses this line. */
static void note_passes(const char *name, const char *how, const struct passes *n)
{
	note("%s%s: all pages in %u of %u passes; in %u of %u without a VM exit since the one "
	     "before",
	     name, how, n->full, n->all, n->stayed_full, n->stayed);
}

static struct passes run_passes(const struct way *way)
{
	struct kvm_ext_tracker t = walk(DATA_GFN, LOOP_SIZE / VMM_PAGE);
	/* With flush by page, a pass takes the lock for each page. */
	const int rounds = way->flush_scope == KVM_EXT_FLUSH_PAGE ? LOOP_ROUNDS / 4 : LOOP_ROUNDS;
	struct passes n = { 0 };
	uint64_t exits;
	int i;

	t.cpu = OUR_CPU;
	t.flags = way->flags;
	t.flush_scope = way->flush_scope;
	kx_start(&kx, &t);
	kx_stayed(kx.fd, &exits);
	for (i = 0; i < rounds; i++) {
		vmm_wait_iters(&vm, 0, 2);
		kx_pass(&kx, &got);
		count(&n, got.samples == LOOP_PAGES && got.pages == LOOP_PAGES && !got.bad, &exits);
	}
	note_passes(way->name, "", &n);
	return n;
}

static void without_flush(void)
{
	static const struct way way = { "no flush", 0, KVM_EXT_FLUSH_NONE };
	const uint64_t deadline = now_ns() + 20000000000ull;
	struct passes n;

	do {
		n = run_passes(&way);
	} while (n.stayed < LOOP_ROUNDS / 10 && now_ns() < deadline);
	if (n.stayed < LOOP_ROUNDS / 10)
		skip("the guest was taken off its CPU before every pass",
		     "no flush: most passes miss pages");
	else
		ok(n.stayed_full * 2 < n.stayed, "no flush: most passes miss pages");
	ok_eq(kx_stats(kx.fd).flushes, 0, "no flush: the statistics contain no flush");
}

/*
 * The guest's list of pages changes while the guest runs, without a VM exit. The new pages are in
 * memory that was idle, where accessed bits above the last level are clear or are being cleared.
 * After each change there are two passes. The first has to find all new pages, and may find old
 * ones. The second has to find exactly the new pages.
 */
static void moving(const struct way *way)
{
	struct kvm_ext_tracker t = walk(DATA_GFN, LOOP_SIZE / VMM_PAGE);
	const uint64_t npages = LOOP_SIZE / VMM_PAGE;
	uint64_t missed_now, missed = 0, wrong = 0, gfn, exits;
	struct kvm_ext_walk_stats w;
	struct passes second = { 0 };
	uint32_t i, round, pass;

	t.cpu = OUR_CPU;
	t.flags = way->flags;
	t.flush_scope = way->flush_scope;
	kx_start(&kx, &t);
	for (round = 0; round < MOVES; round++) {
		for (i = 0; i < MOVING_PAGES; i++)
			vm.vcpu[0].list[i] = vmm_read(DATA_GFN + (uint64_t)rand() % npages);
		vmm_wait_iters(&vm, 0, 2);
		memset(want + DATA_GFN, 0, npages);
		for (i = 0; i < MOVING_PAGES; i++)
			want[vmm_entry_gfn(vm.vcpu[0].list[i])] = 1;
		for (pass = 0; pass < 2; pass++) {
			if (pass)
				vmm_wait_iters(&vm, 0, 2);
			kx_pass(&kx, &got);
			missed_now = 0;
			for (gfn = DATA_GFN; gfn < DATA_GFN + npages; gfn++) {
				missed_now += want[gfn] && !got.page[gfn];
				wrong += pass && !want[gfn] && got.page[gfn];
			}
			missed += missed_now;
			if (pass)
				count(&second, !missed_now, &exits);
			else
				kx_stayed(kx.fd, &exits);
		}
	}
	note_passes(way->name, ", pages that change", &second);
	w = kx_stats(kx.fd).walk;
	note("%s, pages that change: %llu subtrees skipped, %llu bits cleared above, %llu restored",
	     way->name, (unsigned long long)w.subtrees_skipped, (unsigned long long)w.upper_cleared,
	     (unsigned long long)w.upper_restored);
	ok_eq(missed, 0, "%s, pages that change: every page in every pass", way->name);
	ok_eq(wrong, 0, "%s, pages that change: no other page", way->name);
}

static void loop(void)
{
	static const struct way ways[] = {
		{ "skipping, flush by pass", 0, 0 },
		{ "skipping, flush by batch", 0, KVM_EXT_FLUSH_BATCH },
		{ "skipping, flush by page", 0, KVM_EXT_FLUSH_PAGE },
		{ "reading all tables, flush by pass", KVM_EXT_SET_NO_SKIP, KVM_EXT_FLUSH_PASS },
	};
	static const struct way *const may_move[] = { &ways[0], &ways[1], &ways[3] };
	struct passes n;
	void *memory;
	uint32_t i;

	if (one_cpu()) {
		skip("the guest needs a CPU of its own", "accesses of a running guest are found");
		return;
	}
	begin(&config_64, 1, GUEST_CPU);
	vmm_stay_on(OUR_CPU);
	memory = vmm_fresh_memory(LOOP_SIZE, VMM_SMALL);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, LOOP_SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < LOOP_PAGES; i++)
		list[i] = vmm_read(DATA_GFN + i * LOOP_STRIDE % (LOOP_SIZE / VMM_PAGE));
	vmm_loop(&vm, 0, list, LOOP_PAGES);
	for (i = 0; i < COUNT(ways); i++) {
		n = run_passes(&ways[i]);
		ok_eq(n.full, n.all, "%s: every page in every pass", ways[i].name);
	}
	without_flush();
	vmm_halt(&vm, 0);
	vmm_loop(&vm, 0, list, MOVING_PAGES);
	for (i = 0; i < COUNT(may_move); i++)
		moving(may_move[i]);
	vmm_halt(&vm, 0);
	end();
	vmm_stay_on(-1);
	vmm_free(memory, LOOP_SIZE);
}

#define HOLD_LIMIT_NS 500000

/* --- while the VM changes -------------------------------------------------------------- */

#define STABLE_SIZE (16ul << 20)
#define STABLE	    (STABLE_SIZE / VMM_PAGE)
#define OTHER_SIZE  (8ul << 20)
#define OTHER_WORDS (OTHER_SIZE / VMM_PAGE / 64)
#define COMING_GPA  (256ul << 20) /* a memslot that is created, moved and deleted */
#define LOGGED_GPA  (512ul << 20) /* a memslot whose log is used */
#define GIVEN_GPA   (768ul << 20) /* a memslot whose memory is returned to the host */

enum {
	STABLE_SLOT = 1,
	COMING_SLOT,
	LOGGED_SLOT,
	GIVEN_SLOT
};

static struct churn {
	pthread_t thread;
	volatile bool stop;
	/* Odd while a memslot is deleted or moved: KVM then drops all mappings. */
	uint32_t zaps;
	uint8_t *coming, *logged, *given;
	bool there; /* the memslot at COMING_GPA exists */
	uint64_t gpa;
	uint64_t adds, moves, deletes, logs, madvises, forks;
} churn;

/* The second vCPU writes pages of the memslots that are not deleted. */
static void churn_touch(uint64_t gpa, unsigned int *seed)
{
	uint32_t pages[64], n = 1 + rand_r(seed) % COUNT(pages), i;

	for (i = 0; i < n; i++)
		pages[i] = vmm_write(gpa / VMM_PAGE + rand_r(seed) % (OTHER_SIZE / VMM_PAGE));
	vmm_touch(&vm, 1, pages, n);
}

static void churn_slot(unsigned int *seed)
{
	bool drops = churn.there;

	if (drops)
		__atomic_add_fetch(&churn.zaps, 1, __ATOMIC_SEQ_CST);
	if (!churn.there) {
		churn.gpa = COMING_GPA;
		churn.there = true;
		churn.adds++;
	} else if (rand_r(seed) % 2) {
		churn.gpa += churn.gpa == COMING_GPA ? OTHER_SIZE : -OTHER_SIZE;
		churn.moves++;
	} else {
		churn.there = false;
		churn.deletes++;
	}
	if (vmm_map(&vm, COMING_SLOT, churn.gpa, churn.there ? OTHER_SIZE : 0, churn.coming, 0))
		bail("memslot that is created and deleted");
	if (drops)
		__atomic_add_fetch(&churn.zaps, 1, __ATOMIC_SEQ_CST);
}

static void churn_log(unsigned int *seed)
{
	static uint64_t bits[OTHER_WORDS];
	int i;

	if (vmm_map(&vm, LOGGED_SLOT, LOGGED_GPA, OTHER_SIZE, churn.logged,
		    KVM_MEM_LOG_DIRTY_PAGES))
		bail("log on");
	for (i = 0; i < 3; i++) {
		churn_touch(LOGGED_GPA, seed);
		if (vmm_get_log(&vm, LOGGED_SLOT, bits) ||
		    vmm_clear_log(&vm, LOGGED_SLOT, 0, OTHER_SIZE / VMM_PAGE, bits))
			bail("log");
	}
	if (vmm_map(&vm, LOGGED_SLOT, LOGGED_GPA, OTHER_SIZE, churn.logged, 0))
		bail("log off");
	churn.logs++;
}

static void churn_madvise(unsigned int *seed)
{
	uint64_t at = rand_r(seed) % (OTHER_SIZE / VMM_PAGE) * VMM_PAGE;

	churn_touch(GIVEN_GPA, seed);
	madvise(churn.given + at, OTHER_SIZE - at, MADV_DONTNEED);
	churn_touch(GIVEN_GPA, seed);
	churn.madvises++;
}

static void churn_fork(unsigned int *seed)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	churn_touch(LOGGED_GPA, seed);
	waitpid(pid, NULL, 0);
	churn.forks++;
}

static void *churn_thread(void *arg)
{
	static void (*const kinds[])(unsigned int *seed) = { churn_log, churn_madvise, churn_slot,
							     churn_fork };
	unsigned int seed = 7, i = 0;

	(void)arg;
	while (!churn.stop) {
		kinds[i++ % COUNT(kinds)](&seed);
		usleep(1000 + rand_r(&seed) % 8000);
	}
	return NULL;
}

static void *other_memory(enum vmm_backing backing)
{
	void *memory = vmm_memory(OTHER_SIZE, backing);

	if (!memory)
		bail("memory");
	return memory;
}

static void start_churn(enum vmm_backing backing)
{
	memset(&churn, 0, sizeof(churn));
	churn.coming = other_memory(backing);
	churn.logged = other_memory(backing);
	churn.given = other_memory(backing);
	if (vmm_map(&vm, LOGGED_SLOT, LOGGED_GPA, OTHER_SIZE, churn.logged, 0) ||
	    vmm_map(&vm, GIVEN_SLOT, GIVEN_GPA, OTHER_SIZE, churn.given, 0))
		bail("memslots");
	if (pthread_create(&churn.thread, NULL, churn_thread, NULL))
		bail("thread");
}

static void stop_churn(void)
{
	churn.stop = true;
	pthread_join(churn.thread, NULL);
}

static void free_churn(void)
{
	vmm_free(churn.coming, OTHER_SIZE);
	vmm_free(churn.logged, OTHER_SIZE);
	vmm_free(churn.given, OTHER_SIZE);
}

/* Chooses random pages of the stable memory, and notes their leaves of @leaf pages in want[]. */
static uint32_t stable_set(uint64_t leaf)
{
	unsigned int one_in = 1 + rand() % 50;
	uint32_t n = 0;
	uint64_t i;

	memset(want + DATA_GFN, 0, STABLE);
	for (i = 0; i < STABLE; i++) {
		if (rand() % (one_in * leaf))
			continue;
		list[n++] = rand() % 2 ? vmm_read(DATA_GFN + i) : vmm_write(DATA_GFN + i);
		memset(want + DATA_GFN + i - i % leaf, 1, leaf);
	}
	return n;
}

struct verdict {
	uint64_t missed, wrong;
};

static struct verdict judge(void)
{
	struct verdict v = { 0 };
	uint64_t gfn;

	for (gfn = DATA_GFN; gfn < DATA_GFN + STABLE; gfn++) {
		v.missed += want[gfn] && !got.page[gfn];
		v.wrong += !want[gfn] && got.page[gfn];
	}
	return v;
}

/* Runs a pass and drops its findings: later passes find only later accesses. */
static void drain(void)
{
	if (kx_run_pass(kx.fd, NULL))
		bail("pass");
	kx_read(&kx, &got);
	kx_samples_clear(&got);
}

struct totals {
	int rounds, strict; /* all rounds; rounds in which KVM dropped no mapping */
	uint64_t missed, wrong, bad;
};

/* The guest accesses the pages once. */
static void once(struct totals *t, uint64_t leaf)
{
	uint32_t n = stable_set(leaf), zaps = __atomic_load_n(&churn.zaps, __ATOMIC_SEQ_CST);
	struct verdict v;

	drain();
	vmm_touch(&vm, 0, list, n);
	if (kx_run_pass(kx.fd, NULL))
		bail("pass");
	kx_read(&kx, &got);
	v = judge();
	t->rounds++;
	t->wrong += v.wrong;
	t->bad += got.bad;
	if (zaps % 2 || zaps != __atomic_load_n(&churn.zaps, __ATOMIC_SEQ_CST))
		return;
	t->strict++;
	t->missed += v.missed;
}

/* The guest accesses the pages all the time, so a later pass finds what KVM has dropped. */
static void over_and_over(struct totals *t, uint64_t leaf)
{
	uint32_t n = stable_set(leaf);
	struct verdict v = { 0 };
	int i;

	drain();
	vmm_loop(&vm, 0, list, n);
	for (i = 0; i < 40; i++) {
		vmm_wait_iters(&vm, 0, 1);
		if (kx_run_pass(kx.fd, NULL))
			bail("pass");
		kx_read(&kx, &got);
		v = judge();
		if (!v.missed)
			break;
	}
	vmm_halt(&vm, 0);
	t->rounds++;
	t->missed += v.missed;
	t->wrong += v.wrong;
	t->bad += got.bad;
}

static void report_stress(const char *name, int rounds, const struct totals *o,
			  const struct totals *l)
{
	struct kvm_ext_stats s = kx_stats(kx.fd);

	note("%s: with %llu memslots added, %llu moved, %llu deleted, %llu logs, %llu madvises, "
	     "%llu forks: %llu passes, %llu met changed memslots, %llu pages dropped",
	     name, (unsigned long long)churn.adds, (unsigned long long)churn.moves,
	     (unsigned long long)churn.deletes, (unsigned long long)churn.logs,
	     (unsigned long long)churn.madvises, (unsigned long long)churn.forks,
	     (unsigned long long)s.passes, (unsigned long long)s.slot_changes,
	     (unsigned long long)s.dropped_pages);
	note("%s: %llu holds of the lock, mean %llu us, longest %llu us, %llu ended early for "
	     "other tasks",
	     name, (unsigned long long)s.walk.holds,
	     (unsigned long long)(s.walk.holds ? s.walk.hold_ns / s.walk.holds / 1000 : 0),
	     (unsigned long long)s.walk.max_hold_ns / 1000, (unsigned long long)s.walk.contended);
	ok(o->strict >= rounds && !o->missed,
	   "%s: accessed once: no page missed in %d rounds (of %d; in the others KVM dropped "
	   "mappings)",
	   name, o->strict, o->rounds);
	ok(l->rounds >= rounds && !l->missed,
	   "%s: accessed all the time: no page missed in %d rounds", name, l->rounds);
	if (o->missed || l->missed)
		note("pages missed: %llu and %llu", (unsigned long long)o->missed,
		     (unsigned long long)l->missed);
	ok_eq(o->wrong + l->wrong, 0, "%s: no page reported that was not accessed", name);
	ok_eq(o->bad + l->bad + s.lost_samples, 0, "%s: the records were always in order", name);
	ok(churn.deletes && churn.moves && churn.logs && churn.madvises && churn.forks,
	   "%s: the VM changed in every way meanwhile", name);
	ok(s.walk.holds && s.walk.hold_ns / s.walk.holds < kx_limit(kx.fd, HOLD_LIMIT_NS),
	   "%s: KVM's lock is held for less than %u us (mean), or longer on a slow machine", name,
	   HOLD_LIMIT_NS / 1000);
}

static void stress_on(enum vmm_backing backing, const char *name)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_EPT_WALK);
	const uint64_t leaf = backing == VMM_THP ? BLOCK : 1;
	const int rounds = 100;
	struct totals o = { 0 }, l = { 0 };
	uint64_t deadline;
	void *memory;

	vmm_create_as(&vm, &config_32, 2, -1);
	kx_attach(&kx, vm.fd, 4096);
	kx_samples_init(&got);
	memory = vmm_memory(STABLE_SIZE, backing);
	if (!memory || vmm_map(&vm, STABLE_SLOT, VMM_DATA_GPA, STABLE_SIZE, memory, 0))
		bail("guest memory");
	/* As in QEMU. Else a fork would make the pages copy-on-write, and KVM would unmap them. */
	madvise(memory, STABLE_SIZE, MADV_DONTFORK);
	t.interval_ns = one_cpu() ? 20000000 : 1000000;
	kx_start(&kx, &t);
	start_churn(backing);
	/* Reached only if the test hangs: a busy machine needs some minutes. */
	deadline = now_ns() + 400000000000ull;
	while ((o.strict < rounds || l.rounds < rounds) && now_ns() < deadline) {
		if (o.strict < rounds)
			once(&o, leaf);
		if (l.rounds < rounds)
			over_and_over(&l, leaf);
	}
	stop_churn();
	report_stress(name, rounds, &o, &l);
	end();
	vmm_free(memory, STABLE_SIZE);
	free_churn();
}

static void stress(void)
{
	stress_on(VMM_SMALL, "4K pages");
	stress_on(VMM_THP, "THP");
}

/* --- how long KVM's lock is held ------------------------------------------------------------ */

#define HOLD_SIZE    (256ul << 20)
#define ACCOUNTS     5
#define ACCOUNTS_MAX 100

/*
 * On an emulated host any hold can be long because the emulator itself did not run, and on a busy
 * machine most accounts contain such a hold. A hold that the code makes too long would be in every
 * account.
 */
static void holds(void)
{
	const uint64_t npages = HOLD_SIZE / VMM_PAGE;
	struct kvm_ext_tracker t = walk(DATA_GFN, npages);
	struct kvm_ext_walk_stats w;
	uint64_t limit, least = ~0ull, sum = 0, n = 0;
	void *memory;
	uint32_t i;

	begin(&config_64, 1, -1);
	memory = vmm_fresh_memory(HOLD_SIZE, VMM_SMALL);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, HOLD_SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < npages; i++)
		list[i] = vmm_read(DATA_GFN + i);
	limit = kx_limit(kx.fd, HOLD_LIMIT_NS);
	for (i = 0; i < ACCOUNTS || (least >= limit && i < ACCOUNTS_MAX); i++) {
		vmm_touch(&vm, 0, list, npages);
		kx_start(&kx, &t);
		w = kx_stats(kx.fd).walk;
		least = w.max_hold_ns < least ? w.max_hold_ns : least;
		sum += w.hold_ns;
		n += w.holds;
	}
	ok(n && sum / n < limit,
	   "256 MiB accessed: KVM's lock is held for %llu us (mean), allowed %llu us",
	   (unsigned long long)(n ? sum / n / 1000 : 0), (unsigned long long)limit / 1000);
	ok(least > 0 && least < limit,
	   "longest hold: %llu us, in the one of %u accounts where it was shortest",
	   (unsigned long long)least / 1000, i);
	end();
	vmm_free(memory, HOLD_SIZE);
}

/* --- VMs that cannot be tracked completely, or not at all ------------------------------------- */

static void nested(void)
{
	static const struct vmm_config host = { .mode = VMM_64, .hosts_guests = true };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_EPT_WALK);

	begin(&config_64, 1, -1);
	kx_start(&kx, &t);
	ok(!(kx_stats(kx.fd).state & KVM_EXT_STATE_NESTED),
	   "a guest without virtualisation does not set KVM_EXT_STATE_NESTED");
	end();
	begin(&host, 1, -1);
	list[0] = vmm_read(0);
	vmm_touch(&vm, 0, list, 1);
	kx_start(&kx, &t);
	kx_pass(&kx, &got);
	ok(kx_stats(kx.fd).state & KVM_EXT_STATE_NESTED,
	   "a guest with virtualisation enabled sets KVM_EXT_STATE_NESTED");
	end();
}

static void refusal(void)
{
	static const uint32_t ids[] = { KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_TRACKER_ABIT,
					KVM_EXT_TRACKER_ABIT_FLUSH };
	struct kvm_ext_tracker t;
	struct kvm_ext_vm info;
	size_t i;

	begin(&config_32, 1, -1);
	list[0] = vmm_read(0);
	vmm_touch(&vm, 0, list, 1);
	info = kx_vm(kx.fd);
	ok(info.paging == KVM_EXT_PAGING_SHADOW || info.ad_bits == 0,
	   "KVM uses no accessed bits of the hardware (paging %u, A/D bits %u)", info.paging,
	   info.ad_bits);
	for (i = 0; i < COUNT(ids); i++) {
		t = kx_tracker(ids[i]);
		ok_errno(kx_set(kx.fd, &t), EOPNOTSUPP, "tracker %u is refused", ids[i]);
	}
	end();
}

/* --- the parts ------------------------------------------------------------------------------- */

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "truth", truth },   { "skip", skipping }, { "loop", loop },
	{ "stress", stress }, { "holds", holds },   { "nested", nested },
};

static bool wanted(const char *part, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], part))
			return true;
	}
	return argc == 1;
}

int main(int argc, char **argv)
{
	uint64_t start;
	size_t i;

	srand(3);
	if (getenv("KX_EXPECT_REFUSAL")) {
		refusal();
		return tap_end();
	}
	for (i = 0; i < COUNT(parts); i++) {
		if (!wanted(parts[i].name, argc, argv))
			continue;
		start = now_ns();
		parts[i].run();
		note("%s took %.1f s", parts[i].name, (now_ns() - start) / 1e9);
	}
	return tap_end();
}
