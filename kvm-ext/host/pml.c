// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts PML-full exits by KVM's tracepoint, found by its name: KVM may come and
 * go while this module stays. The event says which vCPU but not of which VM; the
 * task in which it happens has the VM's memory.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/tracepoint.h>

#include "pml.h"

static DEFINE_MUTEX(lock);		/* both below */
static struct tracepoint *pml_full;	/* NULL: KVM is not there, or has none */
static LIST_HEAD(counters);		/* read under RCU; any: the probe is registered */

static void on_pml_full(void *data, unsigned int vcpu_id)
{
	struct kx_pml_counter *c;

	rcu_read_lock();
	list_for_each_entry_rcu(c, &counters, link) {
		if (c->mm == current->mm)
			atomic64_inc(&c->exits);
	}
	rcu_read_unlock();
}

/* Caller holds the lock. Both do nothing where there is no event, or nobody to count for. */
static void listen(void)
{
	if (pml_full && !list_empty(&counters))
		tracepoint_probe_register(pml_full, on_pml_full, NULL);
}

static void stop_listening(void)
{
	if (pml_full && !list_empty(&counters))
		tracepoint_probe_unregister(pml_full, on_pml_full, NULL);
}

void kx_pml_count(struct kx_pml_counter *counter, const struct mm_struct *mm)
{
	mutex_lock(&lock);
	counter->mm = mm;
	if (list_empty(&counters)) {
		list_add_rcu(&counter->link, &counters);
		listen();
	} else {
		list_add_rcu(&counter->link, &counters);
	}
	mutex_unlock(&lock);
}

void kx_pml_count_end(struct kx_pml_counter *counter)
{
	mutex_lock(&lock);
	if (list_is_singular(&counters))
		stop_listening();
	list_del_rcu(&counter->link);
	mutex_unlock(&lock);
	synchronize_rcu();
}

static void look_at(struct tracepoint *tp, bool goes)
{
	if (strcmp(tp->name, "kvm_pml_full"))
		return;
	mutex_lock(&lock);
	stop_listening();
	pml_full = goes ? NULL : tp;
	listen();
	mutex_unlock(&lock);
}

static void look_at_builtin(struct tracepoint *tp, void *unused)
{
	look_at(tp, false);
}

static int on_module(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct tp_module *tp_module = data;
	const struct module *mod = tp_module->mod;
	unsigned int i;

	if (state == MODULE_STATE_COMING || state == MODULE_STATE_GOING) {
		for (i = 0; i < mod->num_tracepoints; i++)
			look_at(tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]),
				state == MODULE_STATE_GOING);
	}
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = on_module,
};

int kx_pml_init(void)
{
	for_each_kernel_tracepoint(look_at_builtin, NULL);
	/* Calls us for the modules that are there already. */
	return register_tracepoint_module_notifier(&module_nb);
}

void kx_pml_exit(void)
{
	unregister_tracepoint_module_notifier(&module_nb);
	tracepoint_synchronize_unregister();
}
