// SPDX-License-Identifier: GPL-2.0-only
/* Finds the tasks that are in KVM, by the registers of their system call, and waits for them. */
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <asm/ptrace.h>

#include "interpose.h"
#include "suspects.h"

/* How long kx_suspects_settle() waits before it returns -EAGAIN. */
#define SETTLE_MS	50

/* The numbers of ioctl(2) in x86-64, i386 and x32; a number of x32 has an additional bit. */
#define NATIVE_IOCTL	16
#define COMPAT_IOCTL	54
#define X32_BIT		0x40000000ul
#define X32_IOCTL	(X32_BIT + 514)

static bool suspects_is_native_ioctl(unsigned long nr)
{
	return nr == NATIVE_IOCTL || nr == X32_IOCTL || nr == (X32_BIT | NATIVE_IOCTL);
}

/*
 * True if the last system call of @task was an ioctl that concerns the interposer. If the task has
 * returned from such an ioctl, its stack looks the same until its next system call.
 */
static bool suspects_seen_in_ioctl(struct task_struct *task, bool (*concerns)(unsigned int cmd))
{
	const void *stack = READ_ONCE(task->stack);
	const struct pt_regs *regs;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "a task's stack may go");
	/* The stack of an exiting task is released, but stays mapped for an RCU grace period. */
	if (!stack || task == current || task->flags & PF_KTHREAD)
		return false;
	regs = (const struct pt_regs *)(stack + THREAD_SIZE - TOP_OF_KERNEL_STACK_PADDING) - 1;
	if (task_thread_info(task)->status & TS_COMPAT)
		return READ_ONCE(regs->orig_ax) == COMPAT_IOCTL && concerns(regs->cx);
	return suspects_is_native_ioctl(READ_ONCE(regs->orig_ax)) && concerns(regs->si);
}

/* If the leader of a process has exited, only other threads of the process have its memory. */
static bool suspects_has_mm(struct task_struct *process, const struct mm_struct *mm)
{
	struct task_struct *task;
	const struct mm_struct *theirs;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "threads may go");
	for_each_thread(process, task) {
		theirs = READ_ONCE(task->mm);
		if (theirs)
			return theirs == mm;
	}
	return false;
}

/* Finds the suspects. -EAGAIN: there are more than KX_SUSPECTS_MAX. */
static int suspects_find(struct kx_interposer *self)
{
	struct task_struct *process, *task;
	int n = 0;

	kx_suspects_drop(self);
	rcu_read_lock();
	for_each_process(process) {
		if (!suspects_has_mm(process, self->mm))
			continue;
		for_each_thread(process, task) {
			if (!suspects_seen_in_ioctl(task, self->concerns))
				continue;
			if (n < KX_SUSPECTS_MAX)
				self->suspects[n] = get_task_struct(task);
			n++;
		}
	}
	rcu_read_unlock();
	return n <= KX_SUSPECTS_MAX ? 0 : -EAGAIN;
}

static void suspects_clear(struct kx_interposer *self, int i, struct task_struct *task)
{
	if (cmpxchg(&self->suspects[i], task, NULL) == task)
		put_task_struct(task);
}

void kx_suspects_acquit(struct kx_interposer *self)
{
	int i;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "the interposer may go");
	for (i = 0; i < KX_SUSPECTS_MAX; i++) {
		if (READ_ONCE(self->suspects[i]) == current)
			suspects_clear(self, i, current);
	}
}

static bool suspects_are_left(struct kx_interposer *self)
{
	struct task_struct *task;
	bool left = false;
	int i;

	for (i = 0; i < KX_SUSPECTS_MAX; i++) {
		/* A suspect removes itself (kx_suspects_acquit()); all others are removed here. */
		rcu_read_lock();
		task = READ_ONCE(self->suspects[i]);
		if (task && suspects_seen_in_ioctl(task, self->concerns))
			left = true;
		else if (task)
			suspects_clear(self, i, task);
		rcu_read_unlock();
	}
	return left;
}

void kx_suspects_drop(struct kx_interposer *self)
{
	struct task_struct *task;
	int i;

	for (i = 0; i < KX_SUSPECTS_MAX; i++) {
		task = xchg(&self->suspects[i], NULL);
		if (task)
			put_task_struct(task);
	}
}

int kx_suspects_settle(struct kx_interposer *self)
{
	int ms;

	if (!self->listed) {
		if (suspects_find(self))
			return -EAGAIN;
		self->listed = true;
	}
	for (ms = 0; suspects_are_left(self); ms++) {
		if (ms == SETTLE_MS)
			return -EAGAIN;
		usleep_range(500, 1000);
	}
	return 0;
}
