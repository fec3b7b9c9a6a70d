// SPDX-License-Identifier: GPL-2.0-only
/* Attaches probes to KVM's tracepoints while faults are expected. */
#include <linux/ktime.h>

#include "events.h"
#include "listener.h"

/*
 * How long the probes stay attached after the last mapping was disarmed. Detaching patches code and
 * interrupts every CPU, and the vCPU of the last fault may not have entered the guest yet.
 */
#define LINGER	msecs_to_jiffies(250)

static void listener_switch_off(struct kx_listener *l)
{
	lockdep_assert_held(&l->lock);
	kx_event_unprobe(KX_EVENT_PAGE_FAULT, l->fault_probe, l->data);
	kx_event_unprobe(KX_EVENT_ENTRY, l->entry_probe, l->data);
	l->on = false;
	l->listened_ns += ktime_get_ns() - l->since_ns;
}

static int listener_switch_on(struct kx_listener *l)
{
	int err;

	lockdep_assert_held(&l->lock);
	/* Set before the probes are attached, because they read it. */
	WRITE_ONCE(l->since_ns, ktime_get_ns());
	err = kx_event_probe(KX_EVENT_ENTRY, l->entry_probe, l->data);
	if (err)
		return -EOPNOTSUPP;
	err = kx_event_probe(KX_EVENT_PAGE_FAULT, l->fault_probe, l->data);
	if (err) {
		kx_event_unprobe(KX_EVENT_ENTRY, l->entry_probe, l->data);
		return -EOPNOTSUPP;
	}
	l->on = true;
	return 0;
}

static void listener_off_work(struct work_struct *work)
{
	struct kx_listener *l = container_of(work, struct kx_listener, off.work);

	mutex_lock(&l->lock);
	/* A concurrent kx_listener_expect() waits for the lock, then attaches the probes again. */
	if (l->on && !atomic_read(&l->expected))
		listener_switch_off(l);
	mutex_unlock(&l->lock);
}

int kx_listener_init(struct kx_listener *l, void *fault_probe, void *entry_probe, void *data)
{
	*l = (struct kx_listener){
		.fault_probe = fault_probe, .entry_probe = entry_probe, .data = data,
	};
	mutex_init(&l->lock);
	INIT_DELAYED_WORK(&l->off, listener_off_work);
	return kx_event_is_known(KX_EVENT_PAGE_FAULT) && kx_event_is_known(KX_EVENT_ENTRY) ?
	       0 : -EOPNOTSUPP;
}

void kx_listener_stop(struct kx_listener *l)
{
	mutex_lock(&l->lock);
	if (l->on)
		listener_switch_off(l);
	mutex_unlock(&l->lock);
	/* No probe is left that could queue the work again. */
	cancel_delayed_work_sync(&l->off);
}

int kx_listener_expect(struct kx_listener *l, u32 nr)
{
	int err;

	atomic_add(nr, &l->expected);
	mutex_lock(&l->lock);
	err = l->on ? 0 : listener_switch_on(l);
	mutex_unlock(&l->lock);
	if (err)
		atomic_sub(nr, &l->expected);
	return err;
}

void kx_listener_expect_less(struct kx_listener *l, u32 nr)
{
	if (nr && atomic_sub_and_test(nr, &l->expected))
		mod_delayed_work(system_long_wq, &l->off, LINGER);
}

u64 kx_listener_ns(struct kx_listener *l)
{
	u64 ns;

	mutex_lock(&l->lock);
	ns = l->listened_ns + (l->on ? ktime_get_ns() - l->since_ns : 0);
	mutex_unlock(&l->lock);
	return ns;
}
