/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VMM in a process of its own, which can be killed; and counts of what must not be left when this
 * VMM, or its session, has ended.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int socket; /* closing it asks the child to end */
	int vm_fd;
};

/* Forks. The child runs @run with one end of a socket pair, then exits; *@socket: the other end. */
pid_t child_fork(int *socket, void (*run)(int socket, const void *arg), const void *arg);
/* Starts a VMM whose guest writes @pages pages from VMM_DATA_GPA on, again and again. */
struct child child_start(unsigned int pages);
/* Sends a descriptor to the process at the other end of @socket, and receives one from there. */
void child_send_fd(int socket, int fd);
int child_receive_fd(int socket);
/* Does the session of this descriptor poll POLLHUP within some seconds? */
bool hung_up(int fd);

int module_references(void);
int session_threads(void);
int vms(void); /* number of VMs that KVM knows */
/* Waits for @count() to become @want: other tasks than the caller do the work at an end. */
bool soon(int (*count)(void), int want);
long kernel_memory_kb(void);

#endif /* CHILD_H */
