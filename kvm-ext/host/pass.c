// SPDX-License-Identifier: GPL-2.0-only
/* The running pass: its state, and the functions that trackers call. */
#include <linux/kthread.h>
#include <linux/sched.h>

#include "flush.h"
#include "pass.h"
#include "test-build.h"
#include "tracker.h"
#include "vm.h"

/* --- the state --------------------------------------------------------------- */

/* True if another task wants the thread, or the VM is gone. */
static bool pass_has_to_go(const struct kx_pass *p)
{
	return kthread_should_stop() || kthread_should_park() || READ_ONCE(p->vm->gone);
}

/*
 * Is the next pass to count? A priming pass that was cut has not gone over all memory, so the next
 * pass would report accesses of unknown age. With regions this is true of every pass that was cut:
 * it is unknown since when the regions watch their pages. With traps it is never true, because each
 * fault has a time of its own.
 */
static bool pass_has_primed(const struct kx_pass *p)
{
	return !kx_pass_is_cut(p) || p->tracker->traps || (p->primed && !p->regions);
}

void kx_pass_move(struct kx_pass *p, enum kx_pass_event event)
{
	bool runs = kx_pass_runs(p) || kx_pass_is_cut(p);

	switch (event) {
	case KX_PASS_NEW_SETTING:
		p->state = KX_PASS_STOPPED;
		p->primed = false;
		p->prime_failed = false;
		break;
	case KX_PASS_FORGET:
		p->primed = false;
		break;
	case KX_PASS_OVER:
		p->primed = pass_has_primed(p);
		p->prime_failed = !p->primed && p->error;
		p->state = KX_PASS_IDLE;
		break;
	case KX_PASS_GIVE_UP:
		p->state = KX_PASS_CUT;
		break;
	case KX_PASS_DUE:
	case KX_PASS_LOOK:
		if (pass_has_to_go(p))
			p->state = runs ? KX_PASS_CUT : KX_PASS_STOPPED;
		else if (!runs && event == KX_PASS_DUE)
			p->state = p->primed ? KX_PASS_COUNTING : KX_PASS_PRIMING;
		else if (!runs)
			p->state = KX_PASS_IDLE;
		break;
	}
}

bool kx_pass_must_stop(struct kx_pass *p)
{
	kx_pass_move(p, KX_PASS_LOOK);
	return kx_pass_is_cut(p);
}

void kx_pass_fail(struct kx_pass *p, int err)
{
	p->error = err;
	kx_pass_move(p, KX_PASS_GIVE_UP);
}

/* --- rest, and progress -------------------------------------------------------- */

void kx_pass_begin_resting(struct kx_pass *p)
{
	kx_hold_end(&p->hold);
}

void kx_pass_end_resting(struct kx_pass *p)
{
	kx_hold_cpu_ns();
	kx_hold_begin(&p->hold);
	kx_leaf_forget(&p->leaves);
}

static void pass_tell_pages(struct kx_pass *p)
{
	spin_lock(&p->lock);
	p->progress.pages = min(p->account.end.pages_scanned, p->progress.total_pages);
	spin_unlock(&p->lock);
}

void kx_pass_set_total(struct kx_pass *p, u64 npages)
{
	spin_lock(&p->lock);
	p->progress.total_pages = npages;
	spin_unlock(&p->lock);
}

void kx_pass_set_step(struct kx_pass *p, enum kvm_ext_step step)
{
	spin_lock(&p->lock);
	p->progress.step = step;
	spin_unlock(&p->lock);
}

bool kx_pass_rest(struct kx_pass *p)
{
	if (kx_hold_is_long(&p->hold)) {
		pass_tell_pages(p);
		kx_hold_end(&p->hold);
		kx_hold_begin(&p->hold);
		kx_leaf_forget(&p->leaves);
		p->findings.rested = true;
	}
	return kx_pass_must_stop(p);
}

/* --- flush ------------------------------------------------------------------- */

static void pass_flush_now(struct kx_pass *p)
{
	struct kvm_ext_rec_pass_end *end = &p->account.end;
	u64 start = ktime_get_ns();

	p->flusher.unflushed = false;
	p->flusher.unbatched_pages = 0;
	if (!kx_test(noflush))
		end->flush_ipis += kx_flush_vm(p->vm->kvm, p->flusher.kicked);
	end->flushes++;
	end->flush_ns += ktime_get_ns() - start;
}

void kx_pass_scanned(struct kx_pass *p, u64 npages, u64 tests, bool young)
{
	struct kx_flusher *f = &p->flusher;

	p->account.end.pages_scanned += npages;
	p->account.end.leaves_tested += tests;
	f->unflushed |= young;
	f->unbatched_pages += npages;
	switch (f->scope) {
	case KVM_EXT_FLUSH_PAGE:
		if (young)
			pass_flush_now(p);
		break;
	case KVM_EXT_FLUSH_BATCH:
		if (f->unbatched_pages < p->cfg.batch_pages)
			break;
		if (f->unflushed)
			pass_flush_now(p);
		f->unbatched_pages = 0;
		break;
	}
}

void kx_pass_flush(struct kx_pass *p, bool always)
{
	if (p->flusher.scope != KVM_EXT_FLUSH_NONE && (p->flusher.unflushed || always))
		pass_flush_now(p);
	p->flusher.unflushed = false;
}

/* --- memslots ------------------------------------------------------------------ */

bool kx_pass_refresh_slots(struct kx_pass *p)
{
	if (kx_memslots_generation(p->vm) == p->slots.generation)
		return false;
	kx_pass_begin_resting(p);
	if (kx_slots_take_kept(&p->slots, p->vm))
		kx_pass_fail(p, -ENOMEM);
	kx_pass_end_resting(p);
	return true;
}
