// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests/vmm/t-fops: another module that, like kvm_ext, exchanges the operations of a VM's file.
 * "take FD", written to /dev/kx-fops, exchanges them, and "back" restores them. The parameter
 * `calls` is the number of ioctls that this module has passed on.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

static unsigned int calls;
module_param(calls, uint, 0444);
MODULE_PARM_DESC(calls, "Number of ioctls passed on");

static struct file *victim;
static const struct file_operations *saved;
static struct file_operations theirs;

static long seen_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	calls++;
	return saved->unlocked_ioctl(file, cmd, arg);
}

static int take(int fd)
{
	if (victim)
		return -EBUSY;
	victim = fget(fd);
	if (!victim)
		return -EBADF;
	saved = victim->f_op;
	theirs = *saved;
	theirs.unlocked_ioctl = seen_ioctl;
	/* Publishes the pointer after the copy that it points to. */
	smp_store_release(&victim->f_op, &theirs);
	return 0;
}

static int back(void)
{
	if (!victim)
		return -EINVAL;
	WRITE_ONCE(victim->f_op, saved);
	fput(victim);
	victim = NULL;
	return 0;
}

static ssize_t fops_write(struct file *file, const char __user *user, size_t size, loff_t *pos)
{
	char text[32] = "";
	int fd, err;

	if (size >= sizeof(text) || copy_from_user(text, user, size))
		return -EFAULT;
	if (sscanf(text, "take %d", &fd) == 1)
		err = take(fd);
	else
		err = strstarts(text, "back") ? back() : -EINVAL;
	return err ?: size;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.write = fops_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kx-fops",
	.mode = 0600,
	.fops = &device_fops,
};

module_misc_device(device);

MODULE_DESCRIPTION("Exchanges a VM file's operations, for a test of kvm_ext");
MODULE_LICENSE("GPL");
