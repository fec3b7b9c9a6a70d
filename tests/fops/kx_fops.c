// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests/vmm/t-fops: another module that exchanges the operations of a VM's file, as
 * kvm_ext does. Write "take FD" to /dev/kx-fops and "back" to undo it; the parameter calls
 * counts the ioctls that went by it.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

static unsigned int calls;
module_param(calls, uint, 0444);
MODULE_PARM_DESC(calls, "ioctls seen");

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
	/* What was copied comes before the pointer to it. */
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
