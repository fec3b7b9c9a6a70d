// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's tracepoints, found by their names. KVM may be loaded and unloaded while this module stays;
 * if this module were linked with the tracepoints, it would depend on KVM's modules.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/tracepoint.h>

#include "events.h"

static const char *const names[KX_NR_EVENTS] = {
	[KX_EVENT_PML_FULL] = "kvm_pml_full",
	[KX_EVENT_PAGE_FAULT] = "kvm_page_fault",
	[KX_EVENT_ENTRY] = "kvm_entry",
};

static DEFINE_MUTEX(lock);
static struct tracepoint *events[KX_NR_EVENTS];	/* NULL: does not exist; under lock */

int kx_event_probe(enum kx_event event, void *probe, void *data)
{
	int err = -ENOENT;

	mutex_lock(&lock);
	if (events[event])
		err = tracepoint_probe_register(events[event], probe, data);
	mutex_unlock(&lock);
	return err;
}

bool kx_event_is_known(enum kx_event event)
{
	return READ_ONCE(events[event]);
}

void kx_event_unprobe(enum kx_event event, void *probe, void *data)
{
	mutex_lock(&lock);
	if (events[event])
		tracepoint_probe_unregister(events[event], probe, data);
	mutex_unlock(&lock);
	tracepoint_synchronize_unregister();
}

static void events_look_at(struct tracepoint *tp, bool goes)
{
	int i;

	for (i = 0; i < KX_NR_EVENTS; i++) {
		if (strcmp(tp->name, names[i]))
			continue;
		mutex_lock(&lock);
		events[i] = goes ? NULL : tp;
		mutex_unlock(&lock);
	}
}

static void events_look_at_builtin(struct tracepoint *tp, void *unused)
{
	events_look_at(tp, false);
}

static int events_on_module(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct tp_module *tp_module = data;
	const struct module *mod = tp_module->mod;
	unsigned int i;

	if (state == MODULE_STATE_COMING || state == MODULE_STATE_GOING) {
		for (i = 0; i < mod->num_tracepoints; i++)
			events_look_at(tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]),
				       state == MODULE_STATE_GOING);
	}
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = events_on_module,
};

int kx_events_init(void)
{
	for_each_kernel_tracepoint(events_look_at_builtin, NULL);
	/* This also calls the notifier for modules that are loaded already. */
	return register_tracepoint_module_notifier(&module_nb);
}

void kx_events_exit(void)
{
	unregister_tracepoint_module_notifier(&module_nb);
}
