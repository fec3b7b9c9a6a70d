// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does dirty-log lose a write of a guest that writes while passes run?
 *
 * The test works as a migration does: after each pass it copies the pages that the pass has found,
 * while the guest continues to write. When the guest has stopped, one more pass has to make the
 * copy equal to the memory. Each list of writes writes another value. So if neither the running
 * pass nor the next one finds the last write to a page, the page differs.
 *
 * What it cannot show: a lost write to a page that is written again before the guest stops. Lists
 * are random subsets, so that many lists contain pages that no later list contains.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define ROUNDS 10
#define PASSES 4 /* in each round at least, before the guest stops */
#define LISTS  3

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;

struct writer {
	pthread_t thread;
	bool stop;
	uint32_t lists; /* number of lists that the guest has completed */
	struct dirty_set set;
};

/* Pages that the guest never writes: no pass may find them. */
static bool is_reserved(uint32_t page)
{
	return page % 16 == 15;
}

static void drop_reserved(struct dirty_set *s)
{
	uint32_t n = 0, i;

	for (i = 0; i < s->count; i++) {
		if (!is_reserved((uint32_t)(vmm_entry_gfn(s->list[i]) - DIRTY_GFN)))
			s->list[n++] = s->list[i];
	}
	s->count = n;
}

/* The guest writes the number of the list to each page of the list. */
static void *write_on(void *arg)
{
	struct writer *w = arg;

	do {
		dirty_pick(&w->set, dirty_size());
		drop_reserved(&w->set);
		dirty_touch(&vm, &w->set);
		__atomic_add_fetch(&w->lists, 1, __ATOMIC_RELEASE);
	} while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE));
	return NULL;
}

static uint32_t value_of(const void *memory, uint32_t page)
{
	const volatile uint32_t *first = (const void *)((const uint8_t *)memory + page * VMM_PAGE);

	return *first;
}

struct along {
	uint32_t copy[DIRTY_PAGES];
	int passes;
	uint64_t meanwhile, found, reserved, twice, odd_accounts, different;
};

/*
 * As in a VMM, the copy is made after the log was read. The next pass finds what is written after
 * that.
 */
static void copy_found(struct along *a, const void *memory)
{
	uint32_t i;

	kx_pass(&kx, &got);
	a->odd_accounts += !dirty_account_agrees(&got);
	for (i = 0; i < DIRTY_PAGES; i++) {
		if (!got.page[DIRTY_GFN + i])
			continue;
		a->found++;
		a->reserved += is_reserved(i);
		a->twice += got.page[DIRTY_GFN + i] > 1;
		a->copy[i] = value_of(memory, i);
	}
}

static void along_round(struct along *a, struct writer *w, const void *memory)
{
	uint32_t first = w->lists, i;
	uint64_t before = a->found;
	int pass;

	w->stop = false;
	if (pthread_create(&w->thread, NULL, write_on, w))
		bail("thread");
	for (pass = 0;
	     pass < PASSES || __atomic_load_n(&w->lists, __ATOMIC_ACQUIRE) - first < LISTS; pass++)
		copy_found(a, memory);
	a->passes += pass;
	a->meanwhile += a->found - before;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	pthread_join(w->thread, NULL);
	copy_found(a, memory);
	for (i = 0; i < DIRTY_PAGES; i++)
		a->different += a->copy[i] != value_of(memory, i);
}

static void writes_all_along(const struct vmm_config *config, enum vmm_backing backing,
			     int nr_vcpus)
{
	struct kvm_ext_tracker tracker = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	static struct along a;
	static struct writer w;
	void *memory = vmm_memory(DIRTY_SIZE, backing);
	char name[120];
	uint32_t i;
	int round;

	snprintf(name, sizeof(name), "%s, %d vCPU%s, %s log", dirty_backing_name[backing], nr_vcpus,
		 nr_vcpus > 1 ? "s" : "", dirty_log_name[config->log]);
	vmm_create_as(&vm, config, nr_vcpus, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	kx_attach(&kx, vm.fd, 0);
	tracker.first_gfn = DIRTY_GFN;
	tracker.npages = DIRTY_PAGES;
	memset(&a, 0, sizeof(a));
	w.lists = 0;
	kx_start(&kx, &tracker);
	for (i = 0; i < DIRTY_PAGES; i++)
		a.copy[i] = value_of(memory, i);
	for (round = 0; round < ROUNDS; round++)
		along_round(&a, &w, memory);
	ok_eq(a.different, 0, "%s: the last write to each page was found", name);
	ok(!a.reserved && !a.twice && !a.odd_accounts,
	   "%s: a page is found once in a pass, and pages that are not written are not found "
	   "(%llu, %llu, %llu)",
	   name, (unsigned long long)a.twice, (unsigned long long)a.reserved,
	   (unsigned long long)a.odd_accounts);
	ok(a.meanwhile > 0, "%s: passes found pages while the guest wrote: %llu of %llu", name,
	   (unsigned long long)a.meanwhile, (unsigned long long)a.found);
	note("%u lists of writes, %d passes at the same time", w.lists, a.passes);
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

int main(void)
{
	struct vmm_config config = { .mode = VMM_64, .io_exit = true };
	int log, nr_vcpus;

	dirty_seed();
	kx_samples_init(&got);
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++) {
		for (nr_vcpus = 1; nr_vcpus <= 2; nr_vcpus++) {
			config.log = log;
			writes_all_along(&config, VMM_SMALL, nr_vcpus);
			writes_all_along(&config, VMM_THP, nr_vcpus);
		}
	}
	kx_samples_free(&got);
	return tap_end();
}
