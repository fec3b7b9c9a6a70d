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
	KX_PASS_PRIMING,	/* a pass runs; its findings are of unknown age, and not reported */
	KX_PASS_COUNTING,	/* a pass runs; its findings are reported */
	KX_PASS_CUT,		/* a pass of either kind has to end at once */
};

/* What has happened. */
enum kx_pass_event {
	KX_PASS_NEW_SETTING,	/* the thread is parked */
	KX_PASS_FORGET,		/* no pass has seen some memory; thread parked, or in it */
	/* in the thread: */
	KX_PASS_LOOK,		/* only time has passed */
	KX_PASS_DUE,		/* there is a reason to run a pass */
	KX_PASS_GIVE_UP,	/* the running pass cannot continue */
	KX_PASS_OVER,		/* the account of the pass is closed */
};

/**
 * struct kx_flusher - the TLB flush of passes
 * @kicked: scratch space
 * @scope: enum kvm_ext_flush_scope of the running pass; not DEFAULT
 * @unflushed: accessed bits were cleared since the last flush
 * @unbatched_pages: scanned since the last batch ended
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
 * @tracker: as set, like @cfg, @first_gfn, @end_gfn, @own and @regions: they change only while
 *	the thread is parked
 * @cfg: with defaults filled in
 * @first_gfn: first page that is tracked
 * @end_gfn: the page behind the last one
 * @own: the tracker's state for the VM; NULL: none
 * @regions: NULL: no regions
 * @lock: a leaf lock, for @stats, @progress, and the waiting tasks (engine.h)
 * @stats: over the passes since the tracker was set
 * @progress: of the running pass, or the next
 * @state: written by kx_pass_move() alone
 * @primed: a pass has gone over all memory: the findings of the next pass are newer than that
 * @prime_failed: priming has failed: prime again when the next pass is due or requested
 * @nr: of the last pass; one that primes does not count up
 * @epoch: of the setting, counted from attach
 * @slots: the memory, for trackers that go over memory by address
 * @log: the dirty log, for trackers that use it
 * @account: of the running pass
 * @hold: for how long the thread has kept its CPU
 * @leaves: what is known of the memory's mappings
 * @flusher: the TLB flush
 * @findings: not yet reported, because their gfns are not certain
 * @writer: writes their records
 * @error: why the pass could not be run; 0
 * @yielded: the VMM logged all memory that would be tracked
 *
 * Except for the members of @lock and the setting, everything belongs to the pass thread.
 */
struct kx_pass {
	struct kx_vm *vm;

	const struct kx_tracker *tracker;
	struct kvm_ext_tracker cfg;
	gfn_t first_gfn, end_gfn;
	void *own;
	struct kx_region_pass *regions;

	spinlock_t lock;	/* a leaf: as said above */
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
 * Is the running pass, or the next one, a priming pass? Also true for a priming pass that is cut.
 */
static inline bool kx_pass_primes(const struct kx_pass *p)
{
	return !p->primed;
}

/* --- for trackers, in the pass thread, with no lock held ----------------------------- */

/**
 * kx_pass_rest() - let the thread yield the CPU if it is time; call this every few calls into KVM
 * @p: the running pass
 *
 * Context: may sleep.
 * Return: true if the pass has to end at once.
 */
bool kx_pass_rest(struct kx_pass *p);

/**
 * kx_pass_begin_resting() - call before a long function that yields the CPU by itself; its time is
 * in no stretch (hold.h)
 * @p: the running pass
 *
 * Context: may sleep.
 */
void kx_pass_begin_resting(struct kx_pass *p);

/**
 * kx_pass_end_resting() - call after such a function; forgets the map of leaves
 * @p: the running pass
 *
 * Context: may sleep.
 */
void kx_pass_end_resting(struct kx_pass *p);

/**
 * kx_pass_fail() - note that the pass cannot be run, or not to its end
 * @p: the running pass; the caller then ends it
 * @err: negative errno, which tasks that wait for the pass get
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
 * @p: the running pass; it fails if there is no memory for the snapshot, because the old snapshot
 *	is wrong
 *
 * Context: may sleep.
 * Return: true if the memslots have changed.
 */
bool kx_pass_refresh_slots(struct kx_pass *p);

/**
 * kx_pass_set_total() - set how much memory the pass goes over
 * @p: the running pass
 * @npages: pages of 4 KiB, as far as is known now; 0: it does not go over memory
 */
void kx_pass_set_total(struct kx_pass *p, u64 npages);

/**
 * kx_pass_set_step() - set the current step of the pass
 * @p: the running pass
 * @step: for the progress that GET_STATS reports
 */
void kx_pass_set_step(struct kx_pass *p, enum kvm_ext_step step);

/**
 * kx_pass_scanned() - account for examined pages, and flush if the flush scope requires it
 * @p: the running pass
 * @npages: number of examined pages of 4 KiB
 * @tests: number of tests of leaves
 * @young: accessed bits were cleared
 *
 * Context: interrupts on.
 */
void kx_pass_scanned(struct kx_pass *p, u64 npages, u64 tests, bool young);

/**
 * kx_pass_flush() - flush the TLB now, unless the flush scope is NONE
 * @p: the running pass
 * @always: also if no bits were cleared since the last flush
 *
 * Context: interrupts on.
 */
void kx_pass_flush(struct kx_pass *p, bool always);

#endif /* KVM_EXT_PASS_H */
