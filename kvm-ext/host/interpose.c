// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeing a VM's ioctls before KVM does, by giving its file other operations.
 *
 * Why not a probe on KVM's function: a probe may not sleep, so it can tell that
 * the VMM is about to use the dirty log but not hold it back until the log has
 * been put in order, and it cannot keep the VMM from changing a memslot between
 * our look at it and our own ioctl, which names the slot by all it consists of
 * and would create one that the VMM has just deleted. Here the VMM's ioctl and
 * ours exclude each other, on every kernel, with and without kprobes.
 *
 * What it costs: an ioctl on the file of an interposed VM takes a list lookup
 * more (KVM_RUN is not one: vCPUs have files of their own). What it breaks:
 * KVM tells its VM files by their operations where one VM is made from another
 * (SEV's move and copy of an encryption context): refused while interposed.
 *
 * A task may sleep in KVM for as long as it likes, with our function below it on
 * its stack. It holds nothing then that another VM's session needs: only its
 * interposer, if the call concerned that, and the module, which cannot be
 * unloaded meanwhile.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>

#include "interpose.h"
#include "suspects.h"

static DEFINE_MUTEX(interposers_lock);
static LIST_HEAD(interposers);		/* changed under the lock, read under RCU */
DEFINE_STATIC_SRCU(inside_srcu);	/* held by every task that is in interpose_ioctl() */

/*
 * KVM has one set of operations for all its VMs' files, and is not unloaded as
 * long as one of these is open. So both of these change only while no VM is
 * interposed, and to the same values again unless KVM was loaded anew.
 */
static const struct file_operations *kvm_fops;	/* NULL: never was one */
static struct file_operations our_fops;

/*
 * Files whose operations somebody else has replaced after us: what these lead to is
 * still ours. Each has a reference to the module, until we have the file back.
 */
struct stuck_file {
	struct list_head link;
	const struct file *file;	/* its address alone: it may be closed by now */
};

static LIST_HEAD(stuck_files);		/* under the interposers' lock */

static long interpose_call(long (*ioctl)(struct file *, unsigned int, unsigned long),
			   struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl ? ioctl(file, cmd, arg) : -ENOTTY;
}

/* Never by way of the file: somebody may have put operations there that lead to ours. */
long kx_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	return interpose_call(compat ? kvm_fops->compat_ioctl : kvm_fops->unlocked_ioctl,
			      file, cmd, arg);
}

/* Under the RCU read lock, or the interposers' lock: the loop asserts that. */
static struct kx_interposer *interpose_find(const struct file *file)
{
	struct kx_interposer *i;

	list_for_each_entry_rcu(i, &interposers, link, lockdep_is_held(&interposers_lock)) {
		if (i->file == file)
			return i;
	}
	return NULL;
}

/* --- the file's operations ------------------------------------------------------ */

static bool interpose_is_of_concern(const struct file *file, unsigned int cmd)
{
	struct kx_interposer *i;
	bool of_concern;

	rcu_read_lock();
	i = interpose_find(file);
	if (i)
		kx_suspects_acquit(i);
	/* KVM serves only tasks that have the VMM's memory. */
	of_concern = i && i->mm == current->mm && i->concerns(cmd);
	rcu_read_unlock();
	return of_concern;
}

static struct kx_interposer *interpose_get(const struct file *file)
{
	struct kx_interposer *i;

	rcu_read_lock();
	i = interpose_find(file);
	if (i && !refcount_inc_not_zero(&i->users))
		i = NULL;
	rcu_read_unlock();
	return i;
}

static void interpose_put(struct kx_interposer *i)
{
	if (refcount_dec_and_test(&i->users))
		complete(&i->unused);
}

/* @words are read, which may take as long as the VMM likes, before anything is held. */
static long interpose_watched_ioctl(struct file *file, unsigned int cmd, unsigned long arg,
				    bool compat)
{
	struct kx_vm_call vm_call = { .cmd = cmd };
	struct kx_interposer *i;
	long ret;

	if (copy_from_user(vm_call.words, (void __user *)arg, sizeof(vm_call.words)))
		return -EFAULT;
	i = interpose_get(file);
	ret = i ? i->before(i, &vm_call) : 0;
	if (i && ret) {
		interpose_put(i);
		i = NULL;
		if (ret != -ESHUTDOWN)
			return ret;
	}
	ret = kx_kvm_ioctl(file, cmd, arg, compat);
	if (i) {
		i->after(i, &vm_call);
		interpose_put(i);
	}
	return ret;
}

static long interpose_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	/* Refused only while the module goes, which then waits for the srcu. */
	bool held = try_module_get(THIS_MODULE);
	int idx;
	long ret;

	idx = srcu_read_lock(&inside_srcu);
	if (interpose_is_of_concern(file, cmd))
		ret = interpose_watched_ioctl(file, cmd, arg, compat);
	else
		ret = kx_kvm_ioctl(file, cmd, arg, compat);
	srcu_read_unlock(&inside_srcu, idx);
	if (held)
		module_put(THIS_MODULE);
	return ret;
}

static long interpose_native_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return interpose_ioctl(file, cmd, arg, false);
}

static long interpose_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return interpose_ioctl(file, cmd, arg, true);
}

/* --- whose operations they are ---------------------------------------------------- */

static bool interpose_has_name(const void *address, const char *name)
{
	char text[KSYM_SYMBOL_LEN];

	/* "kvm_vm_ioctl [kvm]"; a compiler may add to the name. */
	snprintf(text, sizeof(text), "%ps", address);
	return strstarts(text, name);
}

/* By the names that the kernel has for them: KVM exports neither. */
static bool interpose_are_kvms(const struct file_operations *fops)
{
	if (IS_ENABLED(CONFIG_KALLSYMS_ALL) && !interpose_has_name(fops, "kvm_vm_fops"))
		return false;
	return !IS_ENABLED(CONFIG_KALLSYMS) ||
	       interpose_has_name(fops->unlocked_ioctl, "kvm_vm_ioctl");
}

/* No file is interposed. */
static void interpose_copy_operations(const struct file_operations *fops)
{
	lockdep_assert_held(&interposers_lock);
	kvm_fops = fops;
	our_fops = *fops;	/* the owner, too: the file's reference to it is not ours */
	our_fops.unlocked_ioctl = interpose_native_ioctl;
	if (our_fops.compat_ioctl)
		our_fops.compat_ioctl = interpose_compat_ioctl;
}

/* True if the file had been stuck. */
static bool interpose_forget_stuck(const struct file *file)
{
	struct stuck_file *s;

	lockdep_assert_held(&interposers_lock);
	list_for_each_entry(s, &stuck_files, link) {
		if (s->file == file) {
			list_del(&s->link);
			kfree(s);
			return true;
		}
	}
	return false;
}

/* Without memory for the note the module stays for good. */
static void interpose_note_stuck(const struct file *file)
{
	struct stuck_file *s;

	lockdep_assert_held(&interposers_lock);
	if (interpose_forget_stuck(file))
		module_put(THIS_MODULE);
	__module_get(THIS_MODULE);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (s) {
		s->file = file;
		list_add(&s->link, &stuck_files);
	}
	pr_warn_ratelimited("kvm-ext: %ps has replaced a VM file's operations after us: they are left as they are, and this module stays loaded until that VM is tracked again with ours or KVM's in place\n",
			    READ_ONCE(file->f_op)->unlocked_ioctl);
}

static int interpose_begin(struct kx_interposer *self)
{
	const struct file_operations *fops;
	int err = 0;

	mutex_lock(&interposers_lock);
	fops = READ_ONCE(self->file->f_op);
	if (fops != &our_fops && !interpose_are_kvms(fops))
		err = -EBUSY;
	else if (fops != &our_fops && list_empty(&interposers))
		interpose_copy_operations(fops);
	else if (fops != &our_fops && fops != kvm_fops)
		err = -EBUSY;
	if (!err) {
		/* The file is closed whose address this was, or its operations are back. */
		if (interpose_forget_stuck(self->file))
			module_put(THIS_MODULE);
		refcount_set(&self->users, 1);
		init_completion(&self->unused);
		list_add_rcu(&self->link, &interposers);
		/* What the list and the copy hold comes before the pointer to it. */
		smp_store_release(&self->file->f_op, &our_fops);
	}
	mutex_unlock(&interposers_lock);
	return err;
}

int kx_interpose(struct kx_interposer *self)
{
	int err;

	if (!self->begun) {
		err = interpose_begin(self);
		if (err)
			return err;
		self->begun = true;
		/*
		 * A task writes its registers to its stack and then reads the file's
		 * operations; we wrote these and then read the stack. Each CPU executes a
		 * full barrier within this, or leaves an extended quiescent state by one
		 * later, so a task that still read the old ones is one that we see. And no
		 * CPU is interrupted for it, an isolated one least of all.
		 */
		synchronize_rcu();
	}
	if (self->settled)
		return 0;
	err = kx_suspects_settle(self);
	self->settled = !err;
	return err;
}

void kx_interpose_end(struct kx_interposer *self)
{
	if (!self->begun)
		return;
	mutex_lock(&interposers_lock);
	if (cmpxchg(&self->file->f_op, &our_fops, kvm_fops) != &our_fops)
		interpose_note_stuck(self->file);
	list_del_rcu(&self->link);
	mutex_unlock(&interposers_lock);
	/* For who has found it in the list and not counted itself yet. */
	synchronize_rcu();
	interpose_put(self);
	wait_for_completion(&self->unused);
	kx_suspects_drop(self);
	self->begun = false;
	self->settled = false;
	self->listed = false;
}

/*
 * A task may have read the address of our function and not be in the srcu yet,
 * or have left the srcu and not yet returned. On neither way does it sleep of
 * its own will, which is what the first and the last wait for. A task that sleeps in
 * KVM holds the module, which then is not on its way here.
 */
void kx_interpose_exit(void)
{
	if (!kvm_fops)
		return;
	synchronize_rcu_tasks();
	synchronize_srcu(&inside_srcu);
	synchronize_rcu_tasks();
}
