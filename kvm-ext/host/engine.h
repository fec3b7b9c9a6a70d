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
 * struct kx_engine - runs the passes of a session, with a thread of its own
 * @pass: the running pass, and the setting
 * @thread: runs the passes
 * @wait: woken at the end of a pass, and when the ring is half full
 * @waiters: tasks that wait for a pass, under the lock of @pass
 * @next: when the next pass is due, if there is an interval
 * @cpu_mark: CPU time of the thread that was charged to passes so far, in ns
 * @control: the running pass is the control of a pair (staleness)
 * @after_control: the pass before the running pass was a control
 *
 * The thread exists from kx_engine_start() to kx_engine_stop(). The setting changes only while the
 * thread is parked; the session's mutex serialises changes. All other members belong to the thread.
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
 * The caller of these functions holds the session's mutex, except for kx_engine_wait() and
 * kx_engine_get_stats(): their callers hold no lock.
 */

/**
 * kx_engine_start() - start the thread, with a tracker that runs no passes
 * @e: the engine, all zero, or one that was stopped
 * @vm: the VM, attached
 * @ring: the ring for the records
 * @off: the tracker that runs no passes
 * @wait: wait queue that outlives the engine
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; or another error of creating a thread.
 */
int kx_engine_start(struct kx_engine *e, struct kx_vm *vm, struct kx_ring *ring,
		    const struct kx_tracker *off, wait_queue_head_t *wait);

/**
 * kx_engine_may_stop() - wait until kx_engine_stop() may be called
 * @e: the engine
 * @timeout: how long to wait, in jiffies
 *
 * Context: may sleep.
 * Return: true: call kx_engine_stop() now. False: a task of the VMM has stayed in an ioctl on its
 * dirty log for @timeout; the log cannot be given back before the task leaves the ioctl.
 */
bool kx_engine_may_stop(struct kx_engine *e, long timeout);

/**
 * kx_engine_stop() - restore the VM, and end the thread
 * @e: the engine; kx_engine_get_stats() still works, and waiting tasks get -ENODEV
 *
 * Context: may sleep.
 */
void kx_engine_stop(struct kx_engine *e);

/**
 * kx_engine_set() - switch to another setting
 * @e: the engine
 * @tracker: the tracker, which can track this VM
 * @setting: checked (setting.h)
 *
 * Context: may sleep.
 * Return: 0; or an error, and the old setting continues: -EAGAIN as in kx_engine_pause(), -ENOMEM,
 * -E2BIG: more pieces of memory than regions, or an error of the tracker.
 */
int kx_engine_set(struct kx_engine *e, const struct kx_tracker *tracker,
		  const struct kx_setting *setting);

/**
 * kx_engine_pause() - cut the running pass short, and wait until the thread has restored the VM
 * @e: the engine
 *
 * Context: may sleep.
 * Return: 0: then call kx_engine_resume(); -EAGAIN: a task of the VMM stays in an ioctl on its
 * dirty log; -EINTR: the caller was killed.
 */
int kx_engine_pause(struct kx_engine *e);

/**
 * kx_engine_resume() - continue after kx_engine_pause()
 * @e: the engine, paused
 * @prime: there is memory now that no pass has tracked before
 */
void kx_engine_resume(struct kx_engine *e, bool prime);

/**
 * kx_engine_request() - request a pass
 * @e: the engine
 * @waiter: memory of the caller, for kx_engine_wait()
 *
 * Return: 0; -EINVAL: the tracker runs no passes.
 */
int kx_engine_request(struct kx_engine *e, struct kx_waiter *waiter);

/**
 * kx_engine_wait() - wait for the end of a pass that began after the request
 * @e: the engine; it may be stopped meanwhile
 * @waiter: as given to kx_engine_request()
 *
 * Context: may sleep.
 * Return: 0; -EINTR: a signal; -ECANCELED: the setting was changed; -ENODEV: the VM is gone; or
 * the error of a pass that could not be run.
 */
int kx_engine_wait(struct kx_engine *e, struct kx_waiter *waiter);

/**
 * kx_engine_get_stats() - copy the account of the setting
 * @e: the engine
 * @out: result, without @now_ns; @state does not contain KVM_EXT_STATE_VM_GONE
 *
 * Context: may sleep, but does not wait for any ioctl.
 */
void kx_engine_get_stats(struct kx_engine *e, struct kvm_ext_stats *out);

#endif /* KVM_EXT_ENGINE_H */
