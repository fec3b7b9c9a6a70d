// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does abit-flush flush the TLB, and is the flush needed?
 *
 * A guest accesses some pages again and again without a VM exit. Its CPU keeps the translations of
 * these pages, so an access does not walk the page table and does not set an accessed bit that a
 * pass has cleared. Between two passes every page is accessed, which the guest's own counter
 * proves. If there was no VM exit between the two passes either (the host's timer tick causes VM
 * exits), abit must miss most of these accesses. abit-flush must miss none, with any flush scope,
 * in any pass.
 *
 * A module built with KVM_EXT_TEST and loaded with noflush=1 has to fail this test.
 *
 * What it cannot show: how many accesses abit misses on hardware, where the TLB has another size
 * and is shared with other code; and what an interrupt costs there.
 */
#include <stdio.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

/* With two CPUs: one for the guest, the other for the passes and this program. */
#define GUEST_CPU 1
#define OUR_CPU	  0

#define DATA_GFN  (VMM_DATA_GPA / VMM_PAGE)
#define DATA_SIZE (4ul << 20)
#define PAGES	  32u
#define BATCH	  8u
#define ROUNDS	  200
#define ENOUGH	  (ROUNDS / 10) /* number of passes that suffices to judge */

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[PAGES];

struct result {
	uint64_t found, full_rounds;
	uint64_t stayed, stayed_found; /* of passes without a VM exit since the pass before */
	uint64_t flushes, flush_ipis, flush_ns; /* of all passes */
};

static struct kvm_ext_tracker tracker(uint32_t id, uint32_t scope)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.first_gfn = DATA_GFN;
	t.npages = PAGES;
	t.cpu = OUR_CPU;
	t.flush_scope = scope;
	t.batch_pages = scope == KVM_EXT_FLUSH_BATCH ? BATCH : 0;
	return t;
}

static struct result rounds(uint32_t id, uint32_t scope)
{
	struct kvm_ext_tracker t = tracker(id, scope);
	struct kvm_ext_stats before, after;
	struct result r = { 0 };
	uint64_t exits;
	int i;

	kx_start(&kx, &t);
	before = kx_stats(kx.fd);
	kx_stayed(kx.fd, &exits);
	for (i = 0; i < ROUNDS; i++) {
		vmm_wait_iters(&vm, 0, 2);
		kx_pass(&kx, &got);
		if (kx_stayed(kx.fd, &exits)) {
			r.stayed++;
			r.stayed_found += got.samples;
		}
		r.found += got.samples;
		r.full_rounds += got.samples == PAGES;
	}
	after = kx_stats(kx.fd);
	r.flushes = after.flushes - before.flushes;
	r.flush_ipis = after.flush_ipis - before.flush_ipis;
	r.flush_ns = after.flush_ns - before.flush_ns;
	return r;
}

/*
 * Only passes before which the guest was not taken off its CPU show what abit misses. While other
 * programs keep the CPUs of the emulator busy there are few such passes, so the rounds are
 * repeated.
 */
static struct result undisturbed_rounds(uint32_t id, uint32_t scope)
{
	const uint64_t deadline = now_ns() + 30000000000ull;
	struct result r;

	do {
		r = rounds(id, scope);
	} while (r.stayed < ENOUGH && now_ns() < deadline);
	return r;
}

static void report(const char *name, const struct result *r)
{
	note("%s: recall %.3f, all pages in %llu of %d passes, %llu passes without an exit since "
	     "the one before, %llu flushes, %llu vCPU interruptions, %.1f us a flush",
	     name, (double)r->found / ((double)PAGES * ROUNDS), (unsigned long long)r->full_rounds,
	     ROUNDS, (unsigned long long)r->stayed, (unsigned long long)r->flushes,
	     (unsigned long long)r->flush_ipis, r->flushes ? r->flush_ns / 1e3 / r->flushes : 0.0);
}

static void misses_most(const struct result *abit)
{
	static const char what[] = "abit misses most accesses that go through cached translations";

	if (abit->stayed < ENOUGH)
		skip("the guest was taken off its CPU before every pass", what);
	else
		ok(abit->stayed_found * 2 < PAGES * abit->stayed, what);
}

static void running_guest(void)
{
	struct result abit, page, batch, pass;

	vmm_loop(&vm, 0, list, PAGES);
	abit = undisturbed_rounds(KVM_EXT_TRACKER_ABIT, KVM_EXT_FLUSH_DEFAULT);
	pass = rounds(KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_DEFAULT);
	batch = rounds(KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_BATCH);
	page = rounds(KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_PAGE);
	vmm_halt(&vm, 0);

	report("abit", &abit);
	report("abit-flush by pass", &pass);
	report("abit-flush by batch", &batch);
	report("abit-flush by page", &page);

	misses_most(&abit);
	ok_eq(pass.full_rounds, ROUNDS, "abit-flush by pass finds every page in every pass");
	ok_eq(batch.full_rounds, ROUNDS, "abit-flush by batch finds every page in every pass");
	ok_eq(page.full_rounds, ROUNDS, "abit-flush by page finds every page in every pass");

	ok(abit.flushes == 0 && abit.flush_ipis == 0 && abit.flush_ns == 0, "abit does not flush");
	ok_eq(pass.flushes, ROUNDS, "by pass: a flush a pass");
	ok_eq(batch.flushes, ROUNDS * (PAGES / BATCH), "by batch: a flush a batch");
	ok_eq(page.flushes, ROUNDS * PAGES, "by page: a flush a page");
	ok(pass.flush_ipis <= pass.flushes && pass.flush_ipis * 10 > pass.flushes * 8,
	   "by pass: nearly every flush interrupts the one vCPU");
	ok(page.flush_ipis > batch.flush_ipis && batch.flush_ipis > pass.flush_ipis,
	   "vCPU interruptions: most by page, fewer by batch, fewest by pass");
	/* The ratio depends on the load of the machine: a flush waits for the vCPU's CPU. */
	note("time spent in flushes: by page %.1f times that by pass",
	     (double)page.flush_ns / (double)(pass.flush_ns ? pass.flush_ns : 1));
	ok(page.flush_ns > 0 && batch.flush_ns > 0 && pass.flush_ns > 0,
	   "the statistics contain the time spent in flushes for each scope");
}

static void halted_guest(void)
{
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_PASS);
	struct kvm_ext_stats stats;

	kx_start(&kx, &t);
	stats = kx_stats(kx.fd);
	vmm_touch(&vm, 0, list, PAGES);
	kx_pass(&kx, &got);
	ok_eq(kx_stats(kx.fd).flushes, stats.flushes + 1,
	      "pages of a halted guest are flushed, too");
	kx_pass(&kx, &got);
	ok_eq(kx_stats(kx.fd).flushes, stats.flushes + 1,
	      "a pass that finds nothing does not flush");
	ok_eq(kx_stats(kx.fd).flush_ipis, 0, "no vCPU is interrupted when none is in guest mode");
}

int main(void)
{
	void *memory = vmm_memory(DATA_SIZE, VMM_SMALL);
	uint32_t i;

	vmm_create(&vm, 1, GUEST_CPU);
	vmm_stay_on(OUR_CPU);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, DATA_SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < PAGES; i++)
		list[i] = vmm_read(DATA_GFN + i);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	note("this kernel's clear_flush_young %s by itself",
	     kx_caps(kx.fd).caps & KVM_EXT_CAP_ELIDES_YOUNG_FLUSH ? "does not flush" : "flushes");
	running_guest();
	halted_guest();
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	return tap_end();
}
