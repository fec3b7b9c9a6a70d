// SPDX-License-Identifier: GPL-2.0-only
/* The session: an open /dev/kvm-ext, which has a VM after KVM_EXT_ATTACH. */
#include <linux/bitfield.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <kvm-ext/uapi.h>

#include "engine.h"
#include "ring.h"
#include "session.h"
#include "setting.h"
#include "test-build.h"
#include "trace.h"
#include "tracker.h"
#include "vm.h"

/*
 * KVM_EXT_ATTACH sets up @vm, @engine and @ring. When the VMM exits, @gone is set, and @gone_work
 * stops @engine and releases @vm, so that KVM can destroy the VM. The ring and the account stay
 * until the file is closed.
 *
 * @lock is the outermost lock. session_mmap() does not take it, because mmap() holds the caller's
 * mmap_lock, and the VMM's mmap_lock, which may be the same lock, is taken under @lock.
 */
struct kx_session {
	struct mutex lock;	/* protects @has_vm, and changes of all members but @gone */
	bool has_vm;
	bool gone;		/* WRITE_ONCE; never reset after attach has succeeded */
	struct kx_vm vm;
	struct kx_engine engine;
	struct kx_ring *ring;	/* set once, with release; freed with the session */
	wait_queue_head_t wait;	/* pollers, and tasks that wait for a pass */
	struct work_struct gone_work;
	struct work_struct end_work;	/* for a closed file whose VM was not released yet */
};

static struct workqueue_struct *session_wq;	/* for @end_work, which waits for VMMs */

/* --- attach and detach ------------------------------------------------------- */

/* Runs in the exiting VMM, or in the task that drops the last reference to the VMM's memory. */
static void session_vm_gone(struct kx_vm *vm)
{
	struct kx_session *s = container_of(vm, struct kx_session, vm);

	WRITE_ONCE(s->gone, true);
	wake_up_all(&s->wait);
	queue_work(system_long_wq, &s->gone_work);
}

/*
 * Releases the VM, if there is one. False: the VMM has been in an ioctl on the dirty log for
 * @timeout jiffies, and the VM cannot be released yet.
 */
static bool session_drop_vm(struct kx_session *s, long timeout)
{
	lockdep_assert_held(&s->lock);
	if (!s->has_vm)
		return true;
	if (!kx_engine_may_stop(&s->engine, timeout))
		return false;
	s->has_vm = false;
	kx_engine_stop(&s->engine);
	kx_vm_detach(&s->vm);
	return true;
}

static void session_gone_work(struct work_struct *work)
{
	struct kx_session *s = container_of(work, struct kx_session, gone_work);

	mutex_lock(&s->lock);
	/* If attach has failed because its VM was gone, the session may have another VM by now. */
	if (READ_ONCE(s->vm.gone))
		session_drop_vm(s, MAX_SCHEDULE_TIMEOUT);
	mutex_unlock(&s->lock);
}

static int session_attach(struct kx_session *s, int vm_fd, u32 ring_pages)
{
	struct kx_ring *ring;
	int err;

	ring = kx_ring_new(ring_pages);
	if (!ring)
		return -ENOMEM;
	s->vm = (struct kx_vm){ .on_gone = session_vm_gone };
	/* Session and ring are freed together with the sum, so they are never subtracted. */
	kx_memory_count(&s->vm.memory, sizeof(*s) + kx_ring_bytes(ring));
	err = kx_vm_attach(&s->vm, vm_fd);
	if (err)
		goto free_ring;
	err = kx_engine_start(&s->engine, &s->vm, ring, kx_tracker_by_id(KVM_EXT_TRACKER_OFF),
			      &s->wait);
	if (err)
		goto detach;
	/* If the VM is gone already, @gone_work waits for @lock and then sees @has_vm. */
	s->has_vm = true;
	/* Pairs with the acquire in session_ring_of(). */
	smp_store_release(&s->ring, ring);
	return 0;

detach:
	kx_vm_detach(&s->vm);
	WRITE_ONCE(s->gone, false);
free_ring:
	kx_ring_free(ring);
	return err;
}

static struct kx_ring *session_ring_of(struct kx_session *s)
{
	/* Pairs with the release in session_attach(). */
	return smp_load_acquire(&s->ring);
}

/* The error of an ioctl that needs a VM when there is none. */
static int session_check_vm(struct kx_session *s)
{
	lockdep_assert_held(&s->lock);
	if (!s->ring)
		return -ENOTCONN;
	return s->has_vm && !READ_ONCE(s->gone) ? 0 : -ENODEV;
}

/* --- ioctls: each gets a copy of its structure in the kernel, and may change it - */

static int session_get_caps(struct kx_session *s, void *arg)
{
	struct kvm_ext_caps *caps = arg;

	if (caps->flags)
		return -EINVAL;
	caps->api_version = KVM_EXT_API_VERSION;
	caps->caps = KX_ELIDES_YOUNG_FLUSH ? KVM_EXT_CAP_ELIDES_YOUNG_FLUSH : 0;
	caps->caps |= KX_TEST_BUILD ? KVM_EXT_CAP_TEST_BUILD : 0;
	caps->trackers = kx_tracker_mask();
	caps->vendor = kx_cpu_vendor();
	caps->sessions = kx_vm_count();
	return 0;
}

static int session_ioc_attach(struct kx_session *s, void *arg)
{
	struct kvm_ext_attach *a = arg;
	int err;

	if (a->flags)
		return -EINVAL;
	if (!a->ring_pages)
		a->ring_pages = KVM_EXT_RING_PAGES_DEFAULT;
	if (a->ring_pages > KVM_EXT_RING_PAGES_MAX || !is_power_of_2(a->ring_pages))
		return -EINVAL;
	mutex_lock(&s->lock);
	err = s->ring ? -EISCONN : session_attach(s, a->vm_fd, a->ring_pages);
	mutex_unlock(&s->lock);
	return err;
}

static int session_get_vm(struct kx_session *s, void *arg)
{
	struct kvm_ext_vm *info = arg;
	int err;

	if (info->flags)
		return -EINVAL;
	mutex_lock(&s->lock);
	err = session_check_vm(s);
	if (!err)
		err = kx_vm_info(&s->vm, info);
	mutex_unlock(&s->lock);
	return err;
}

static int session_set_tracker(struct kx_session *s, const struct kx_tracker *tracker,
			       const struct kx_setting *setting)
{
	int err;

	err = session_check_vm(s);
	if (err)
		return err;
	err = tracker->check ? tracker->check(s->vm.kvm) : 0;
	if (err)
		return err;
	err = kx_setting_check_range(setting, &s->vm);
	if (err)
		return err;
	return kx_engine_set(&s->engine, tracker, setting);
}

/* Copies a list of ranges and checks it. The caller frees the list, also after an error. */
static int session_get_ranges(struct kvm_ext_range **ranges, u64 user, u32 nr)
{
	struct kvm_ext_range *r;
	u64 end = 0;
	u32 i;

	if (!nr)
		return 0;
	r = vmemdup_user(u64_to_user_ptr(user), nr * sizeof(*r));
	if (IS_ERR(r))
		return PTR_ERR(r);
	*ranges = r;
	for (i = 0; i < nr; i++) {
		if (r[i].gfn < end || !r[i].npages || r[i].gfn + r[i].npages < r[i].gfn)
			goto refused;
		end = r[i].gfn + r[i].npages;
	}
	return 0;

refused:
	trace_kvm_ext_refused("the ranges are not in ascending order, overlap, or one is empty");
	return -EINVAL;
}

static int session_ioc_set_tracker(struct kx_session *s, void *arg)
{
	struct kx_setting setting = { .cfg = *(const struct kvm_ext_tracker *)arg };
	const struct kx_tracker *tracker = kx_tracker_by_id(setting.cfg.tracker);
	int err;

	err = kx_setting_check(&setting.cfg, tracker);
	if (err)
		return err;
	err = session_get_ranges(&setting.ranges, setting.cfg.ranges, setting.cfg.nr_ranges);
	if (!err) {
		mutex_lock(&s->lock);
		err = session_set_tracker(s, tracker, &setting);
		mutex_unlock(&s->lock);
	}
	kvfree(setting.ranges);
	return err;
}

static int session_get_stats(struct kx_session *s, void *arg)
{
	struct kvm_ext_stats *stats = arg;

	if (stats->flags)
		return -EINVAL;
	if (!session_ring_of(s))
		return -ENOTCONN;
	kx_engine_get_stats(&s->engine, stats);
	if (READ_ONCE(s->gone))
		stats->state |= KVM_EXT_STATE_VM_GONE;
	stats->now_ns = ktime_get_ns();
	return 0;
}

static int session_run_pass(struct kx_session *s, void *arg)
{
	struct kvm_ext_run_pass *run = arg;
	struct kx_waiter waiter;
	int err;

	if (run->flags)
		return -EINVAL;
	mutex_lock(&s->lock);
	err = session_check_vm(s);
	if (!err)
		err = kx_engine_request(&s->engine, &waiter);
	mutex_unlock(&s->lock);
	if (err)
		return err;
	err = kx_engine_wait(&s->engine, &waiter);
	run->pass = waiter.pass;
	return err;
}

static int session_set_excluded(struct kx_session *s, const struct kvm_ext_range *ranges, u32 nr,
				u64 *pages)
{
	struct kx_excluded excluded;
	bool freed;
	int err;

	err = session_check_vm(s);
	if (err)
		return err;
	err = kx_excluded_make(&excluded, &s->vm, ranges, nr);
	if (err)
		return err;
	err = kx_engine_pause(&s->engine);
	if (!err) {
		*pages = excluded.npages;
		swap(s->vm.excluded, excluded);
		s->vm.excluded_changes++;
		/* If pages are no longer excluded, it is unknown when they were accessed. */
		freed = !kx_excluded_covers(&s->vm.excluded, &excluded);
		kx_engine_resume(&s->engine, freed);
	}
	kx_excluded_drop(&excluded, &s->vm);
	return err;
}

static int session_ioc_set_excluded(struct kx_session *s, void *arg)
{
	struct kvm_ext_excluded *x = arg;
	struct kvm_ext_range *ranges = NULL;
	int err;

	if (x->flags || x->reserved || x->nr_ranges > KVM_EXT_RANGES_MAX ||
	    !x->ranges != !x->nr_ranges)
		return -EINVAL;
	err = session_get_ranges(&ranges, x->ranges, x->nr_ranges);
	if (!err) {
		mutex_lock(&s->lock);
		err = session_set_excluded(s, ranges, x->nr_ranges, &x->pages);
		mutex_unlock(&s->lock);
	}
	kvfree(ranges);
	return err;
}

union kx_args {
	u32 size;
	struct kvm_ext_caps caps;
	struct kvm_ext_attach attach;
	struct kvm_ext_vm vm;
	struct kvm_ext_tracker tracker;
	struct kvm_ext_stats stats;
	struct kvm_ext_run_pass run_pass;
	struct kvm_ext_excluded excluded;
};

/* Indexed by the number of the ioctl. @first_size: size of the structure in its first version. */
static const struct kx_ioctl {
	int (*run)(struct kx_session *s, void *arg);
	u32 size, first_size;
	bool in_only;		/* the caller's structure may be constant */
} ioctls[] = {
	[_IOC_NR(KVM_EXT_GET_CAPS)] = { session_get_caps,
		sizeof(struct kvm_ext_caps), offsetofend(struct kvm_ext_caps, sessions) },
	[_IOC_NR(KVM_EXT_ATTACH)] = { session_ioc_attach,
		sizeof(struct kvm_ext_attach), offsetofend(struct kvm_ext_attach, ring_pages) },
	[_IOC_NR(KVM_EXT_GET_VM)] = { session_get_vm,
		sizeof(struct kvm_ext_vm), offsetofend(struct kvm_ext_vm, remote_tlb_flushes) },
	[_IOC_NR(KVM_EXT_SET_TRACKER)] = { session_ioc_set_tracker,
		sizeof(struct kvm_ext_tracker), offsetofend(struct kvm_ext_tracker, reserved),
		.in_only = true },
	[_IOC_NR(KVM_EXT_GET_STATS)] = { session_get_stats,
		sizeof(struct kvm_ext_stats), offsetofend(struct kvm_ext_stats, dropped_pages) },
	[_IOC_NR(KVM_EXT_RUN_PASS)] = { session_run_pass,
		sizeof(struct kvm_ext_run_pass), offsetofend(struct kvm_ext_run_pass, pass) },
	[_IOC_NR(KVM_EXT_SET_EXCLUDED)] = { session_ioc_set_excluded,
		sizeof(struct kvm_ext_excluded), offsetofend(struct kvm_ext_excluded, pages) },
};

static const struct kx_ioctl *session_ioctl_of(unsigned int cmd)
{
	const struct kx_ioctl *op;

	if (cmd != _IO(KVM_EXT_IOC_MAGIC, _IOC_NR(cmd)) || _IOC_NR(cmd) >= ARRAY_SIZE(ioctls))
		return NULL;
	op = &ioctls[_IOC_NR(cmd)];
	return op->run ? op : NULL;
}

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	const struct kx_ioctl *op = session_ioctl_of(cmd);
	union kx_args args = {};
	u32 size;
	int err;

	if (!op)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->first_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&args, op->size, user, size);
	if (err)
		return err;
	err = op->run(file->private_data, &args);
	if (err || op->in_only)
		return err;
	/* The size that was checked: the copy has read the caller's memory a second time. */
	args.size = size;
	return copy_to_user(user, &args, min(size, op->size)) ? -EFAULT : 0;
}

/* --- the file -------------------------------------------------------------------- */

/* The file is closed and the VM released. */
static void session_free(struct kx_session *s)
{
	/* After kx_vm_detach() the notifier is not called: nothing queues the work any more. */
	cancel_work_sync(&s->gone_work);
	kx_ring_free(s->ring);
	kfree(s);
}

/* The VM keeps its session until the VMM leaves its ioctl or is killed. */
static void session_end_work(struct work_struct *work)
{
	struct kx_session *s = container_of(work, struct kx_session, end_work);

	mutex_lock(&s->lock);
	session_drop_vm(s, MAX_SCHEDULE_TIMEOUT);
	mutex_unlock(&s->lock);
	session_free(s);
	/* kx_session_exit() waits for this work before the code is freed. */
	module_put(THIS_MODULE);
}

static int session_open(struct inode *inode, struct file *file)
{
	struct kx_session *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	init_waitqueue_head(&s->wait);
	INIT_WORK(&s->gone_work, session_gone_work);
	INIT_WORK(&s->end_work, session_end_work);
	file->private_data = s;
	return nonseekable_open(inode, file);
}

/* How long close() waits for a VMM that is in an ioctl on the dirty log. */
#define CLOSE_JIFFIES	(HZ / 2)

static int session_release(struct inode *inode, struct file *file)
{
	struct kx_session *s = file->private_data;
	bool dropped;

	mutex_lock(&s->lock);
	dropped = session_drop_vm(s, CLOSE_JIFFIES);
	mutex_unlock(&s->lock);
	if (dropped) {
		session_free(s);
	} else {
		__module_get(THIS_MODULE);
		queue_work(session_wq, &s->end_work);
	}
	return 0;
}

static int session_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kx_ring *ring = session_ring_of(file->private_data);

	return ring ? kx_ring_mmap(ring, vma) : -ENOTCONN;
}

static __poll_t session_poll(struct file *file, poll_table *wait)
{
	struct kx_session *s = file->private_data;
	struct kx_ring *ring;
	__poll_t mask = 0;

	poll_wait(file, &s->wait, wait);
	ring = session_ring_of(s);
	if (ring && kx_ring_readable(ring))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(s->gone))
		mask |= EPOLLHUP;
	return mask;
}

const struct file_operations kx_session_fops = {
	.owner = THIS_MODULE,
	.open = session_open,
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = session_mmap,
	.poll = session_poll,
};

int kx_session_init(void)
{
	/* Each work item may wait for as long as its VMM likes, so many may run at a time. */
	session_wq = alloc_workqueue("kvm-ext", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return session_wq ? 0 : -ENOMEM;
}

void kx_session_exit(void)
{
	destroy_workqueue(session_wq);
}
