// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "asleep.h"
#include "tap.h"

#define PAGE	  4096ul
#define X32_IOCTL (0x40000000l + 514)

/* The argument of KVM_GET_DIRTY_LOG as 32-bit programs and x32 programs have it. */
struct dirty_log_32 {
	uint32_t slot, padding1;
	uint32_t bitmap, padding2;
};

bool asleep_init(struct asleep *a)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg;

	memset(a, 0, sizeof(*a));
	a->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (a->uffd < 0 || ioctl(a->uffd, UFFDIO_API, &api))
		return false;
	a->bitmap = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (a->bitmap == MAP_FAILED)
		bail("memory for a bitmap");
	reg = (struct uffdio_register){
		.range = { .start = (uintptr_t)a->bitmap, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	return !ioctl(a->uffd, UFFDIO_REGISTER, &reg);
}

/* This is a 64-bit program: the kernel knows the ABI of the call only by its number. */
static long x32_ioctl(int fd, unsigned long cmd, void *arg)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(X32_IOCTL), "D"((long)fd), "S"(cmd), "d"(arg)
			 : "rcx", "r11", "memory");
	return ret;
}

void asleep_here(struct asleep *a)
{
	struct kvm_dirty_log get = { .slot = a->slot, .dirty_bitmap = a->bitmap };
	static struct dirty_log_32 *get_32;
	long ret;

	if (!a->x32) {
		a->ret = ioctl(a->vm_fd, KVM_GET_DIRTY_LOG, &get);
		a->err = a->ret ? errno : 0;
		return;
	}
	get_32 = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		      -1, 0);
	if (get_32 == MAP_FAILED)
		bail("memory for an argument");
	*get_32 =
		(struct dirty_log_32){ .slot = a->slot, .bitmap = (uint32_t)(uintptr_t)a->bitmap };
	ret = x32_ioctl(a->vm_fd, _IOW(KVMIO, 0x42, struct dirty_log_32), get_32);
	a->ret = ret ? -1 : 0;
	a->err = (int)-ret;
	munmap(get_32, PAGE);
}

static void *sleeper(void *arg)
{
	asleep_here(arg);
	return NULL;
}

bool asleep_is(int uffd, int ms)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&p, 1, ms) == 1 && read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

void asleep_begin(struct asleep *a, int vm_fd, uint32_t slot)
{
	a->vm_fd = vm_fd;
	a->slot = slot;
	if (pthread_create(&a->thread, NULL, sleeper, a))
		bail("thread");
	if (!asleep_is(a->uffd, 60000))
		bail("KVM_GET_DIRTY_LOG does not reach its bitmap");
}

void asleep_wake(int uffd, uint64_t *bitmap)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)bitmap, .len = PAGE },
	};

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero) && errno != EEXIST)
		bail("UFFDIO_ZEROPAGE");
}

void asleep_end(struct asleep *a)
{
	asleep_wake(a->uffd, a->bitmap);
	pthread_join(a->thread, NULL);
}

void asleep_again(struct asleep *a)
{
	madvise(a->bitmap, PAGE, MADV_DONTNEED);
}
