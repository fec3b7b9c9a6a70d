/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VMM in a process of its own, to be killed, and counts of what must not be
 * left behind when it or its session is gone.
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

/* Forks: the child has its end of a socket pair and does not come back from @run; *@socket: ours. */
pid_t child_fork(int *socket, void (*run)(int socket, const void *arg), const void *arg);
/* Its guest writes @pages pages from VMM_DATA_GPA on over and over. */
struct child child_start(unsigned int pages);
/* A descriptor to the process at the other end of @socket, and from it. */
void child_send_fd(int socket, int fd);
int child_receive_fd(int socket);
/* The session of this descriptor polls POLLHUP within some seconds. */
bool hung_up(int fd);

int module_references(void);
int session_threads(void);
int vms(void); /* that KVM knows */
/* Ends are carried out by others than who asked for them: gives them a moment. */
bool soon(int (*count)(void), int want);
long kernel_memory_kb(void);

#endif /* CHILD_H */
