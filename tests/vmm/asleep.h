/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A task of a VMM asleep in KVM_GET_DIRTY_LOG, for as long as the test likes: its bitmap
 * lies in a page that only the test can bring (userfaultfd). KVM holds the VM's slots_lock
 * meanwhile.
 */
#ifndef ASLEEP_H
#define ASLEEP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Pages of memslots that can be asked for: a bitmap of one page. */
#define ASLEEP_PAGES_MAX (8u * 4096u)

struct asleep {
	int uffd, vm_fd;
	uint32_t slot;
	bool x32;	  /* by the system call of x32's ABI */
	uint64_t *bitmap; /* below 4 GiB; where it is to be read once the task is back */
	int ret, err;
	pthread_t thread;
};

/* Makes the page. false: the kernel has no userfaultfd, or none that serves the kernel's accesses. */
bool asleep_init(struct asleep *a);
/* The calling task goes to sleep: returns when it was woken. */
void asleep_here(struct asleep *a);
/* A thread does, and is asleep when this returns. */
void asleep_begin(struct asleep *a, int vm_fd, uint32_t slot);
/* Is somebody asleep? For a process that has @uffd alone; waits @ms for that. */
bool asleep_is(int uffd, int ms);
/* Brings the page: the task wakes up. Any process may that has @uffd and knows the address. */
void asleep_wake(int uffd, uint64_t *bitmap);
/* Wakes the thread; what KVM answered is in @ret, @err and @bitmap. */
void asleep_end(struct asleep *a);
/* Takes the page away, for another time. */
void asleep_again(struct asleep *a);

#endif /* ASLEEP_H */
