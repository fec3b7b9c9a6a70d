// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pml-abit: after the dirty log has named a page, passes test the page's accessed bit. So a page
 * that was written once is found when it is only read later; a page that was only read is never
 * found; and a page that was not accessed for long enough is not found again before it is written.
 *
 * The guest exits between two passes, which flushes the emulated CPU's TLB. So this does not test
 * the flush at the end of a pass (see t-flush).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;

/* Three kinds of pages; each kind is every third page of the memory. */
enum kind {
	WRITTEN,
	ONLY_READ,
	UNTOUCHED,
};

static struct dirty_set pages(enum kind kind)
{
	struct dirty_set s;
	uint32_t i;

	dirty_clear(&s);
	for (i = kind; i < DIRTY_PAGES; i += 3) {
		s.written[i] = 1;
		s.n++;
	}
	return s;
}

static void touch(enum kind kind, bool write)
{
	static uint32_t list[DIRTY_PAGES];
	uint32_t n = 0, i;

	for (i = kind; i < DIRTY_PAGES; i += 3)
		list[n++] = write ? vmm_write(DIRTY_GFN + i) : vmm_read(DIRTY_GFN + i);
	vmm_touch(&vm, 0, list, n);
}

/* Has the pass found each page of this kind once, and no other page? */
static bool found_only(enum kind kind)
{
	static struct dirty_set want;
	struct dirty_diff diff;

	want = pages(kind);
	diff = dirty_compare(&want, &got);
	if (!dirty_same(&diff))
		note("%llu missed, %llu extra, %llu twice", (unsigned long long)diff.missed,
		     (unsigned long long)diff.extra, (unsigned long long)diff.twice);
	return dirty_same(&diff) && dirty_account_agrees(&got);
}

static uint64_t candidates(void)
{
	return kx_stats(kx.fd).log.candidates;
}

/* Runs passes until no candidate is left. Returns the number of passes. */
static uint32_t passes_until_forgotten(bool *silent)
{
	uint32_t n = 0;

	*silent = true;
	while (candidates() && n < 100) {
		kx_pass(&kx, &got);
		*silent &= !got.samples;
		n++;
	}
	return n;
}

static void life_of_a_candidate(const char *name)
{
	const uint64_t third = DIRTY_PAGES / 3;
	uint64_t harvested;
	uint32_t n;
	bool good = true, silent;
	int i;

	touch(ONLY_READ, false);
	kx_pass(&kx, &got);
	ok_eq(got.samples, 0, "%s: pages that were only read are not found", name);
	ok_eq(candidates(), 0, "%s: pages that were only read are no candidates", name);

	touch(ONLY_READ, false);
	touch(WRITTEN, true);
	kx_pass(&kx, &got);
	ok(found_only(WRITTEN), "%s: written pages are found once", name);
	ok_eq(candidates(), third, "%s: the written pages are the candidates", name);

	for (i = 0; i < 3 * (int)KVM_EXT_CANDIDATE_PASSES; i++) {
		touch(ONLY_READ, false);
		touch(WRITTEN, i % 2);
		kx_pass(&kx, &got);
		good &= found_only(WRITTEN);
	}
	ok(good, "%s: candidates are found if read or written, pages that are only read never",
	   name);
	ok_eq(candidates(), third, "%s: candidates that are accessed stay candidates", name);

	/* Accesses to candidates are now found by their A bits, not by the log. */
	harvested = kx_stats(kx.fd).log.clear_pages;
	touch(WRITTEN, true);
	kx_pass(&kx, &got);
	ok(kx_stats(kx.fd).log.clear_pages == harvested,
	   "%s: the bits of candidates in the log stay set", name);

	touch(UNTOUCHED, false);
	n = passes_until_forgotten(&silent);
	ok(n >= KVM_EXT_CANDIDATE_PASSES && n <= 2 * KVM_EXT_CANDIDATE_PASSES && silent,
	   "%s: candidates that are not accessed return to the log after %u passes (%u to %u)",
	   name, n, KVM_EXT_CANDIDATE_PASSES, 2 * KVM_EXT_CANDIDATE_PASSES);
	touch(WRITTEN, false);
	kx_pass(&kx, &got);
	ok_eq(got.samples, 0, "%s: after that they are not found when they are read", name);
	touch(WRITTEN, true);
	kx_pass(&kx, &got);
	ok(found_only(WRITTEN), "%s: they are found when they are written", name);
}

/* Half of the candidates are accessed; only the other half returns to the log. */
static void half_go(const char *name)
{
	static struct dirty_set used, unused;
	static uint32_t list[DIRTY_PAGES];
	uint32_t n = 0, i;
	bool good = true;
	struct dirty_diff diff;

	dirty_clear(&used);
	dirty_clear(&unused);
	for (i = WRITTEN; i < DIRTY_PAGES; i += 3) {
		if (i / 3 % 2)
			used.written[i] = 1;
		else
			unused.written[i] = 1;
	}
	for (i = 0; i < DIRTY_PAGES; i++) {
		if (used.written[i])
			list[n++] = vmm_read(DIRTY_GFN + i);
	}
	for (i = 0; i < 2 * KVM_EXT_CANDIDATE_PASSES + 1; i++) {
		vmm_touch(&vm, 0, list, n);
		kx_pass(&kx, &got);
		diff = dirty_compare(&used, &got);
		good &= dirty_same(&diff);
	}
	ok(good && candidates() == n,
	   "%s: half of the candidates is accessed, only the other half returns to the log", name);
}

static void run(enum vmm_log log, enum vmm_backing backing)
{
	struct vmm_config config = { .mode = VMM_64, .log = log, .io_exit = true };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_PML_ABIT);
	void *memory = vmm_memory(DIRTY_SIZE, backing);
	struct kvm_ext_stats s;
	char name[60];

	snprintf(name, sizeof(name), "%s log, %s", dirty_log_name[log],
		 dirty_backing_name[backing]);
	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	kx_attach(&kx, vm.fd, 0);
	t.first_gfn = DIRTY_GFN;
	t.npages = DIRTY_PAGES;
	kx_start(&kx, &t);
	life_of_a_candidate(name);
	half_go(name);
	s = kx_stats(kx.fd);
	ok(s.log.pages == DIRTY_PAGES && !s.log.errors && s.flushes > 0,
	   "%s: memory is logged, without errors, and passes flush", name);
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

int main(void)
{
	enum vmm_log log;

	kx_samples_init(&got);
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++) {
		run(log, VMM_SMALL);
		run(log, VMM_THP);
	}
	kx_samples_free(&got);
	return tap_end();
}
