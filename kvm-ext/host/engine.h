/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ENGINE_H
#define KVM_EXT_ENGINE_H

#include <linux/ktime.h>
#include <linux/wait.h>
#include <kvm-ext/uapi.h>

#include "pass.h"
#include "waiters.h"

struct kx_ring;
struct kx_setting;
struct kx_tracker;
struct kx_vm;

/**
 * struct kx_engine - what runs passes: one for each session, with a thread of its own
 * @pass: the running pass, and the setting
 * @thread: runs them
 * @wait: woken at the end of a pass, and when the ring is half full
 * @waiters: who waits for a pass, under the lock of @pass
 * @next: when the next pass is due, if there is an interval
 * @cpu_mark: the thread's CPU time that is accounted, in ns
 * @control: the running pass is a control of staleness,
 * @after_control: and so was the one before
 *
 * From kx_engine_start() to kx_engine_stop(). The setting changes only while the thread is
 * parked; the session's mutex keeps changes apart. The rest is the thread's.
 */
struct kx_engine {
	struct kx_pass pass;
	struct task_struct *thread;
	wait_queue_head_t *wait;
	struct kx_waiters waiters;
	ktime_t next;
	u64 cpu_mark;
	bool control;
	bool after_control;
};

/*
 * The caller of all these holds the session's mutex, but for kx_engine_wait() and
 * kx_engine_get_stats(), whose callers hold nothing.
 */

/**
 * kx_engine_start() - start the thread, with a tracker that runs no passes
 * @e: the engine, all zero, or one that was stopped
 * @vm: the VM, attached
 * @ring: for samples
 * @off: the tracker
 * @wait: outlives the engine
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, or another error of making a thread.
 */
int kx_engine_start(struct kx_engine *e, struct kx_vm *vm, struct kx_ring *ring,
		    const struct kx_tracker *off, wait_queue_head_t *wait);

/**
 * kx_engine_may_stop() - to be asked before kx_engine_stop()
 * @e: the engine
 * @timeout: how long to wait, in jiffies
 *
 * Context: may sleep.
 * Return: true if it may be stopped. False: a task of the VMM is in an ioctl on its dirty log,
 * out of which it did not come in time, and until then the log cannot be left.
 */
bool kx_engine_may_stop(struct kx_engine *e, long timeout);

/**
 * kx_engine_stop() - leave nothing in the VM, and end the thread
 * @e: the engine; kx_engine_get_stats() still works, and who waits is told -ENODEV
 *
 * Context: may sleep.
 */
void kx_engine_stop(struct kx_engine *e);

/**
 * kx_engine_set() - switch to another setting
 * @e: the engine
 * @tracker: the tracker, which this VM can be tracked by
 * @setting: checked (setting.h)
 *
 * Context: may sleep.
 * Return: 0; or an error, and the old setting goes on: -EAGAIN as in kx_engine_pause(), -ENOMEM,
 * -E2BIG: more pieces of memory than regions, or what the tracker says.
 */
int kx_engine_set(struct kx_engine *e, const struct kx_tracker *tracker,
		  const struct kx_setting *setting);

/**
 * kx_engine_pause() - cut the running pass short, leave nothing in the VM, and wait for that
 * @e: the engine
 *
 * Context: may sleep.
 * Return: 0, then kx_engine_resume() is to follow. -EAGAIN: a task of the VMM is in an ioctl on
 * its dirty log and does not come out. -EINTR: the caller was killed.
 */
int kx_engine_pause(struct kx_engine *e);

/**
 * kx_engine_resume() - go on
 * @e: the engine, paused
 * @prime: there is memory now that no pass has looked at before
 */
void kx_engine_resume(struct kx_engine *e, bool prime);

/**
 * kx_engine_request() - ask for a pass
 * @e: the engine
 * @waiter: of the caller, to be given to kx_engine_wait()
 *
 * Return: 0; -EINVAL: the tracker runs no passes.
 */
int kx_engine_request(struct kx_engine *e, struct kx_waiter *waiter);

/**
 * kx_engine_wait() - wait for the end of a pass that began after the request
 * @e: the engine; it may be stopped meanwhile
 * @waiter: of a request
 *
 * Context: may sleep.
 * Return: 0; -EINTR: a signal; -ECANCELED: the setting was changed; -ENODEV: the VM is gone; or
 * why the pass could not be run.
 */
int kx_engine_wait(struct kx_engine *e, struct kx_waiter *waiter);

/**
 * kx_engine_get_stats() - the account of the setting
 * @e: the engine
 * @out: all but @now_ns is filled in, and of @state what the engine knows
 *
 * Context: may sleep; waits for no ioctl of anybody's.
 */
void kx_engine_get_stats(struct kx_engine *e, struct kvm_ext_stats *out);

#endif /* KVM_EXT_ENGINE_H */
