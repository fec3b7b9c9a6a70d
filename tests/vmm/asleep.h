/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A task of a VMM that sleeps in KVM_GET_DIRTY_LOG for as long as the test likes: the bitmap lies
 * in a page that is missing until the test provides it (userfaultfd). KVM holds the VM's slots_lock
 * meanwhile.
 */
#ifndef ASLEEP_H
#define ASLEEP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The largest memslot, in pages: its bitmap has one page. */
#define ASLEEP_PAGES_MAX (8u * 4096u)

struct asleep {
	int uffd, vm_fd;
	uint32_t slot;
	bool x32;	  /* use the system call of the x32 ABI */
	uint64_t *bitmap; /* below 4 GiB; holds the result after the task was woken */
	int ret, err;
	pthread_t thread;
};

/* Makes the missing page. False: userfaultfd is not available for accesses by the kernel. */
bool asleep_init(struct asleep *a);
/* The calling task sleeps in the ioctl; returns when the task was woken. */
void asleep_here(struct asleep *a);
/* Starts a thread that sleeps in the ioctl. It sleeps when this function returns. */
void asleep_begin(struct asleep *a, int vm_fd, uint32_t slot);
/* Does a task sleep? Waits up to @ms milliseconds. For any process that has @uffd. */
bool asleep_is(int uffd, int ms);
/* Provides the page, so that the task wakes up. For any process that has @uffd and the address. */
void asleep_wake(int uffd, uint64_t *bitmap);
/* Wakes the thread and waits for its end. KVM's answer is in @ret, @err and @bitmap. */
void asleep_end(struct asleep *a);
/* Removes the page, so that a task can sleep again. */
void asleep_again(struct asleep *a);

#endif /* ASLEEP_H */
