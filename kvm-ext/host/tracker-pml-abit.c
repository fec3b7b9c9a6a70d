// SPDX-License-Identifier: GPL-2.0-only
/*
 * `pml-abit`: the dirty log shows which pages are used, and only the accessed bits of these pages
 * are tested. A page that was written is a candidate: its bit in the log stays set, so that further
 * writes cost nothing, and each pass tests and clears its accessed bit. A candidate that is not
 * accessed any more is cleared in the log, which then logs the next write of the page.
 *
 * Not found: pages that are only read; and accesses to a candidate after its last test and before
 * its bit in the log is cleared.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "abit.h"
#include "log.h"
#include "log-mode.h"
#include "log-walk.h"
#include "pass.h"
#include "tracker.h"
#include "vm.h"

#define CALLS_PER_REST	16

struct pml_abit {
	struct kx_vm *vm;
	u64 candidates;		/* number after the running pass, as far as it has gone */
};

/* Tests and clears the accessed bits of @candidates; sets the bits of accessed pages in @young. */
static void pml_abit_test_candidates(struct kx_pass *p, struct kx_log_slot *s, u64 first,
				     unsigned int npages, const unsigned long *candidates,
				     unsigned long *young)
{
	unsigned int i, calls = 0;
	bool accessed;

	for_each_set_bit(i, candidates, npages) {
		accessed = kx_clear_young(p->vm->kvm, s->hva + ((first + i) << PAGE_SHIFT), 1);
		if (accessed)
			__set_bit(i, young);
		kx_pass_scanned(p, 0, 1, accessed);
		if (++calls % CALLS_PER_REST == 0 && kx_pass_rest(p))
			break;
	}
}

static u64 pml_abit_block(struct kx_pass *p, struct kx_log_slot *s, u64 first, unsigned int npages,
			  unsigned long *bits)
{
	unsigned long *candidates = s->candidates + BIT_WORD(first);
	unsigned long *seen = s->seen + BIT_WORD(first);
	DECLARE_BITMAP(young, KX_BLOCK_PAGES) = {};
	struct pml_abit *state = p->own;

	/* A fast path: nearly all blocks of a large VM have neither. */
	if (bitmap_empty(bits, npages) && bitmap_empty(candidates, npages))
		return 0;
	bitmap_or(candidates, candidates, bits, npages);
	/* If the log was given back, the hva may belong to another memslot by now: no test. */
	if (READ_ONCE(s->ours))
		pml_abit_test_candidates(p, s, first, npages, candidates, young);
	kx_log_found(p, s, first, npages, young);
	bitmap_or(seen, seen, young, npages);
	bitmap_zero(bits, npages);
	if (p->nr % KVM_EXT_CANDIDATE_PASSES == 0 && !kx_pass_is_cut(p)) {
		bitmap_andnot(bits, candidates, seen, npages);
		bitmap_copy(candidates, seen, npages);
		bitmap_zero(seen, npages);
	}
	state->candidates += bitmap_weight(candidates, npages);
	return bitmap_weight(bits, npages);
}

static void pml_abit_pass(struct kx_pass *p)
{
	static const struct kx_log_walk walk = { .block = pml_abit_block, .watch = true };
	struct pml_abit *state = p->own;

	state->candidates = 0;
	kx_log_walk(p, &walk);
	/* A pass that was cut has not seen all candidates. */
	if (!kx_pass_is_cut(p))
		kx_log_set_candidates(&p->log, state->candidates);
}

static void *pml_abit_setup(struct kx_vm *vm, const struct kx_setting *setting)
{
	struct pml_abit *state = kx_memory_new(&vm->memory, 1, sizeof(*state));

	if (!state)
		return ERR_PTR(-ENOMEM);
	state->vm = vm;
	return state;
}

static void pml_abit_cleanup(void *own)
{
	struct pml_abit *state = own;

	kx_memory_free(&state->vm->memory, state, 1, sizeof(*state));
}

static int pml_abit_check(struct kvm *kvm)
{
	int err = kx_abit_check(kvm);

	return err ? err : kx_log_check(kvm);
}

const struct kx_tracker kx_tracker_pml_abit = {
	.id = KVM_EXT_TRACKER_PML_ABIT,
	.flush_scope = KVM_EXT_FLUSH_PASS,
	.flush_scopes = KX_FLUSH_SCOPES,
	.flags = KVM_EXT_SET_STALENESS,
	.pages_only = true,
	.check = pml_abit_check,
	.setup = pml_abit_setup,
	.cleanup = pml_abit_cleanup,
	.pass = pml_abit_pass,
	.leave = kx_log_walk_leave,
};
