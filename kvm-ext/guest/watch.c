// SPDX-License-Identifier: GPL-2.0-only
/* Finds the processes to watch, and holds their memory's structures. */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "watch.h"

/* A process that could be watched; holds a reference to @mm (mmgrab). */
struct candidate {
	struct mm_struct *mm;
	unsigned long rss;
	pid_t tgid;
	char name[KVM_EXT_CHANNEL_NAME];
};

/* The candidates with the most memory, the largest first. */
struct candidates {
	struct candidate c[KVM_EXT_CHANNEL_PROCESSES];
	u32 nr;
};

static_assert(KVM_EXT_CHANNEL_NAME == TASK_COMM_LEN);

/* --- finding processes -------------------------------------------------------------- */

static bool watch_is_wanted(const struct kvm_ext_channel_command *command, pid_t tgid,
			    const char *name)
{
	u32 i;

	if (!command->nr_pids && !command->nr_names)
		return true;
	for (i = 0; i < command->nr_pids; i++) {
		if (command->pids[i] == tgid)
			return true;
	}
	for (i = 0; i < command->nr_names; i++) {
		if (!strncmp(command->names[i], name, KVM_EXT_CHANNEL_NAME))
			return true;
	}
	return false;
}

/* Takes over the reference to the candidate's mm. */
static void watch_insert(struct candidates *list, const struct candidate *new)
{
	u32 at = list->nr;

	if (list->nr == ARRAY_SIZE(list->c)) {
		at--;
		if (list->c[at].rss >= new->rss) {
			mmdrop(new->mm);
			return;
		}
		mmdrop(list->c[at].mm);
	} else {
		list->nr++;
	}
	for (; at && list->c[at - 1].rss < new->rss; at--)
		list->c[at] = list->c[at - 1];
	list->c[at] = *new;
}

/* Takes the mm of the first thread that has one, because the leader may have exited already. */
static void watch_hold_mm(struct candidate *c, struct task_struct *leader)
{
	struct task_struct *task;

	for_each_thread(leader, task) {
		task_lock(task);
		if (task->mm && !(task->flags & PF_KTHREAD)) {
			c->mm = task->mm;
			mmgrab(c->mm);
			c->rss = get_mm_rss(c->mm);
		}
		task_unlock(task);
		if (c->mm)
			return;
	}
}

static void watch_consider(struct candidates *list, struct task_struct *leader,
			   const struct kvm_ext_channel_command *command)
{
	struct candidate new = { .tgid = leader->tgid };

	task_lock(leader);
	strscpy(new.name, leader->comm, sizeof(new.name));
	task_unlock(leader);
	if (!watch_is_wanted(command, new.tgid, new.name))
		return;
	watch_hold_mm(&new, leader);
	if (new.mm)
		watch_insert(list, &new);
}

static void watch_find_candidates(struct candidates *list,
				  const struct kvm_ext_channel_command *command)
{
	struct task_struct *task;

	rcu_read_lock();
	for_each_process(task)
		watch_consider(list, task, command);
	rcu_read_unlock();
}

/* --- watched processes ---------------------------------------------------------------- */

static void watch_forget(struct kx_watch *w, u32 i)
{
	struct kx_process *p = w->process[i];

	w->memory_bytes -= sizeof(*p) + kx_ranges_bytes(w->command->max_ranges) +
			   (p->raw ? KX_RAW_MAX * sizeof(*p->raw) : 0);
	mmdrop(p->mm);
	kvfree(p->ranges_memory);
	kvfree(p->raw);
	kfree(p);
	w->process[i] = w->process[--w->nr];
}

static int watch_init_ranges(struct kx_process *p, const struct kvm_ext_channel_command *command)
{
	struct kx_ranges_config config = {
		.first = 0,
		.last = TASK_SIZE_MAX - 1,
		.granularity = command->granularity,
		.max = command->max_ranges,
		.vcpus = num_online_cpus(),
	};

	p->ranges_memory = kvzalloc(kx_ranges_bytes(config.max), GFP_KERNEL);
	if (!p->ranges_memory)
		return -ENOMEM;
	return kx_ranges_init(&p->ranges, p->ranges_memory, &config);
}

/* True: the reference to the candidate's mm now belongs to the watched process. */
static bool watch_add(struct kx_watch *w, const struct candidate *c)
{
	bool raw = w->command->flags & KVM_EXT_COMMAND_RAW_SAMPLES;
	struct kx_process *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return false;
	p->tgid = c->tgid;
	p->mm = c->mm;
	memcpy(p->name, c->name, sizeof(p->name));
	if (raw)
		p->raw = kvcalloc(KX_RAW_MAX, sizeof(*p->raw), GFP_KERNEL);
	if ((raw && !p->raw) || watch_init_ranges(p, w->command)) {
		kvfree(p->ranges_memory);
		kvfree(p->raw);
		kfree(p);
		return false;
	}
	w->process[w->nr++] = p;
	w->memory_bytes += sizeof(*p) + kx_ranges_bytes(w->command->max_ranges) +
			   (raw ? KX_RAW_MAX * sizeof(*p->raw) : 0);
	return true;
}

static struct candidate *watch_candidate_of(struct candidates *list, const struct kx_process *p)
{
	u32 i;

	for (i = 0; i < list->nr; i++) {
		if (list->c[i].mm == p->mm && list->c[i].tgid == p->tgid)
			return &list->c[i];
	}
	return NULL;
}

static void watch_publish(struct kx_watch *w)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(w->tgid); i++)
		WRITE_ONCE(w->tgid[i], i < w->nr ? w->process[i]->tgid : 0);
}

int kx_watch_refresh(struct kx_watch *w, const struct kvm_ext_channel_command *command)
{
	struct candidates list = {};
	struct candidate *c;
	int err = 0;
	u32 i;

	w->command = command;
	watch_find_candidates(&list, command);
	for (i = 0; i < w->nr; ) {
		c = watch_candidate_of(&list, w->process[i]);
		if (!c) {
			watch_forget(w, i);
			continue;
		}
		memcpy(w->process[i]->name, c->name, sizeof(c->name));
		mmdrop(c->mm);
		c->mm = NULL;
		i++;
	}
	for (i = 0; i < list.nr; i++) {
		c = &list.c[i];
		if (!c->mm || watch_add(w, c))
			continue;
		err = -ENOMEM;
		mmdrop(c->mm);
	}
	watch_publish(w);
	return err;
}

void kx_watch_drop(struct kx_watch *w)
{
	while (w->nr)
		watch_forget(w, w->nr - 1);
	watch_publish(w);
}

bool kx_watch_has(const struct kx_watch *w, pid_t tgid)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(w->tgid); i++) {
		pid_t watched = READ_ONCE(w->tgid[i]);

		if (!watched)
			break;
		if (watched == tgid)
			return true;
	}
	return false;
}

struct kx_process *kx_watch_find(struct kx_watch *w, pid_t tgid)
{
	u32 i;

	for (i = 0; i < w->nr; i++) {
		if (w->process[i]->tgid == tgid)
			return w->process[i];
	}
	return NULL;
}
