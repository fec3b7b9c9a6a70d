/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PASS_H
#define KVM_EXT_PASS_H

#include <linux/cpumask.h>
#include <linux/spinlock.h>
#include <kvm-ext/uapi.h>

#include "found.h"
#include "hold.h"
#include "leaf.h"
#include "log.h"
#include "slots.h"
#include "stats.h"
#include "writer.h"

struct kx_region_pass;
struct kx_tracker;
struct kx_vm;

/*
 * The state of the engine (engine.h). Only kx_pass_move() changes it:
 *
 *                    due                  cut short
 *   STOPPED <-> IDLE ----> PRIMING ------------+--> CUT --.
 *                ^  `----> COUNTING -----------'          | over
 *                `-----------'----------------------------'
 */
enum kx_pass_state {
	KX_PASS_STOPPED,	/* no pass may run: another task wants the thread, or no VM */
	KX_PASS_IDLE,		/* no pass runs, none is due */
	KX_PASS_PRIMING,	/* a pass runs; the age of its findings is unknown: not reported */
	KX_PASS_COUNTING,	/* a pass runs; its findings are reported */
	KX_PASS_CUT,		/* a pass of either kind has to end at once */
};

/* What has happened. */
enum kx_pass_event {
	KX_PASS_NEW_SETTING,	/* the setting is a new one; thread parked */
	KX_PASS_FORGET,		/* some memory was not tracked; thread parked, or in the thread */
	/* in the thread: */
	KX_PASS_LOOK,		/* time has passed: another task may want the thread */
	KX_PASS_DUE,		/* there is a reason to run a pass */
	KX_PASS_GIVE_UP,	/* the running pass cannot continue */
	KX_PASS_OVER,		/* the account of the pass is closed */
};

/**
 * struct kx_flusher - the TLB flush of passes
 * @kicked: scratch space of kx_flush_vm()
 * @scope: enum kvm_ext_flush_scope of the running pass; never KVM_EXT_FLUSH_DEFAULT
 * @unflushed: accessed bits were cleared since the last flush
 * @unbatched_pages: pages examined since the last batch ended
 */
struct kx_flusher {
	cpumask_var_t kicked;
	u32 scope;
	bool unflushed;
	u64 unbatched_pages;
};

/**
 * struct kx_pass - passes as trackers see them: the setting, the running pass, its account
 * @vm: the VM
 * @tracker: the tracker
 * @cfg: the setting, with defaults filled in
 * @first_gfn: first page that is tracked
 * @end_gfn: the page behind the last one
 * @own: the tracker's state for the VM; NULL: none
 * @regions: the regions; NULL: none
 * @lock: protects @stats, @progress, and the waiting tasks (engine.h); a leaf lock
 * @stats: the account of the setting
 * @progress: the progress of the running pass; while no pass runs: of the next pass
 * @state: the state; only kx_pass_move() writes it
 * @primed: a pass has gone over all memory, so the findings of the next pass have a known age
 * @prime_failed: the priming pass has failed: it is run again when a pass is due or requested
 * @nr: number of the last pass; a priming pass does not increment it
 * @epoch: number of the setting, counted from attach
 * @slots: the memory, for trackers that go over memory by address
 * @log: the dirty log, for trackers that use it
 * @account: the account of the running pass
 * @hold: for how long the thread has kept its CPU
 * @leaves: how memory is mapped, read a short time ago
 * @flusher: the TLB flush
 * @findings: pages that are not reported yet, because their gfns are not certain
 * @writer: writes the records
 * @error: why the running pass could not be run (negative errno); 0: no error
 * @yielded: in the running pass, the VMM logs all memory that would be tracked
 *
 * The members from @tracker to @regions are the setting, and change only while the thread is
 * parked. All members but these and those under @lock belong to the pass thread.
 */
struct kx_pass {
	struct kx_vm *vm;

	const struct kx_tracker *tracker;
	struct kvm_ext_tracker cfg;
	gfn_t first_gfn, end_gfn;
	void *own;
	struct kx_region_pass *regions;

	spinlock_t lock;	/* as said above */
	struct kx_stats stats;
	struct kvm_ext_progress progress;

	enum kx_pass_state state;
	bool primed;
	bool prime_failed;

	u64 nr;
	u64 epoch;
	struct kx_slots slots;
	struct kx_log log;

	struct kx_pass_account account;
	struct kx_hold hold;
	struct kx_leaf_map leaves;
	struct kx_flusher flusher;
	struct kx_findings findings;
	struct kx_writer writer;
	int error;
	bool yielded;
};

/**
 * kx_pass_move() - decide what state passes are in
 * @p: the passes
 * @event: what has happened
 *
 * Context: see each event; does not sleep.
 */
void kx_pass_move(struct kx_pass *p, enum kx_pass_event event);

/* Does a pass run that may continue? */
static inline bool kx_pass_runs(const struct kx_pass *p)
{
	return p->state == KX_PASS_PRIMING || p->state == KX_PASS_COUNTING;
}

/* Does a pass run that has to end at once? */
static inline bool kx_pass_is_cut(const struct kx_pass *p)
{
	return p->state == KX_PASS_CUT;
}

/*
 * Is the running pass a priming pass, also if it is cut? While no pass runs: is the next pass one?
 */
static inline bool kx_pass_primes(const struct kx_pass *p)
{
	return !p->primed;
}

/* --- for trackers, in the pass thread, with no lock held ----------------------------- */

/**
 * kx_pass_rest() - let other tasks run if it is time; call this every few calls into KVM
 * @p: the running pass
 *
 * Context: may sleep.
 * Return: true if the pass has to end at once.
 */
bool kx_pass_rest(struct kx_pass *p);

/**
 * kx_pass_begin_resting() - call before a long function that lets other tasks run by itself
 * @p: the running pass
 *
 * The time of such a function is in no stretch (hold.h).
 *
 * Context: may sleep.
 */
void kx_pass_begin_resting(struct kx_pass *p);

/**
 * kx_pass_end_resting() - call after such a function; @leaves is then empty
 * @p: the running pass
 *
 * Context: may sleep.
 */
void kx_pass_end_resting(struct kx_pass *p);

/**
 * kx_pass_fail() - note that the pass cannot be run, or not to its end
 * @p: the running pass; the caller ends it after this call
 * @err: negative errno, for the tasks that wait for the pass
 */
void kx_pass_fail(struct kx_pass *p, int err);

/**
 * kx_pass_must_stop() - has the pass to end at once?
 * @p: the running pass
 *
 * Context: does not sleep.
 */
bool kx_pass_must_stop(struct kx_pass *p);

/**
 * kx_pass_refresh_slots() - take a new snapshot of the memslots if they have changed
 * @p: the running pass; without memory for a new snapshot the pass fails, because the old snapshot
 *	is wrong
 *
 * Context: may sleep.
 * Return: true if the memslots have changed.
 */
bool kx_pass_refresh_slots(struct kx_pass *p);

/**
 * kx_pass_set_total() - set how much memory the pass goes over
 * @p: the running pass
 * @npages: pages of 4 KiB, as far as is known now; 0: the pass does not go over memory
 */
void kx_pass_set_total(struct kx_pass *p, u64 npages);

/**
 * kx_pass_set_step() - set the current step of the pass
 * @p: the running pass
 * @step: the step, which KVM_EXT_GET_STATS reports
 */
void kx_pass_set_step(struct kx_pass *p, enum kvm_ext_step step);

/**
 * kx_pass_scanned() - account for examined pages, and flush if the flush scope requires it
 * @p: the running pass
 * @npages: number of examined pages of 4 KiB
 * @tests: number of tests of leaves
 * @young: accessed bits of these pages were cleared
 *
 * Context: interrupts on.
 */
void kx_pass_scanned(struct kx_pass *p, u64 npages, u64 tests, bool young);

/**
 * kx_pass_flush() - flush the TLB now, unless the flush scope is NONE
 * @p: the running pass
 * @always: flush also if no accessed bits were cleared since the last flush
 *
 * Context: interrupts on.
 */
void kx_pass_flush(struct kx_pass *p, bool always);

#endif /* KVM_EXT_PASS_H */
