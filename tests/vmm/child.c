// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

/* For what takes milliseconds, on a machine that may be busy. */
#define SOON_NS 60000000000ull

/* --- counts --------------------------------------------------------------- */

int module_references(void)
{
	FILE *f = fopen("/sys/module/kvm_ext/refcnt", "r");
	int n = -1;

	if (!f || fscanf(f, "%d", &n) != 1)
		bail("/sys/module/kvm_ext/refcnt");
	fclose(f);
	return n;
}

static int entries(const char *path, bool (*wanted)(const char *name))
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!dir)
		bail("%s", path);
	while ((e = readdir(dir)))
		n += wanted(e->d_name);
	closedir(dir);
	return n;
}

static bool is_pass_thread(const char *pid)
{
	char path[300], name[32] = "";
	FILE *f;

	if (pid[0] < '0' || pid[0] > '9')
		return false;
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return !strncmp(name, "kvm-ext/", 8);
}

/* KVM makes a directory for each VM, with process and descriptor in its name. */
static bool is_vm(const char *name)
{
	return name[0] >= '0' && name[0] <= '9';
}

int session_threads(void)
{
	return entries("/proc", is_pass_thread);
}

int vms(void)
{
	return entries("/sys/kernel/debug/kvm", is_vm);
}

bool soon(int (*count)(void), int want)
{
	const uint64_t late = now_ns() + SOON_NS;

	do {
		if (count() == want)
			return true;
		usleep(10000);
	} while (now_ns() < late);
	return false;
}

long kernel_memory_kb(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb, sum = 0;

	if (!f)
		bail("/proc/meminfo");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SUnreclaim: %ld", &kb) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &kb) == 1 ||
		    sscanf(line, "KernelStack: %ld", &kb) == 1)
			sum += kb;
	}
	fclose(f);
	return sum;
}

/* --- a VMM of its own ----------------------------------------------------- */

void child_send_fd(int socket, int fd)
{
	char byte = 0, buffer[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = buffer,
			      .msg_controllen = sizeof(buffer) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(socket, &msg, 0) != 1)
		bail("sendmsg");
}

int child_receive_fd(int socket)
{
	char byte, buffer[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = buffer,
			      .msg_controllen = sizeof(buffer) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(socket, &msg, 0) != 1 || !(c = CMSG_FIRSTHDR(&msg)))
		bail("recvmsg");
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static void other_vmm(int socket, const void *arg)
{
	unsigned int pages = *(const unsigned int *)arg;
	static const struct vmm_config config = { .io_exit = true };
	uint32_t *list = calloc(pages, sizeof(*list)), i;
	size_t size = (pages * VMM_PAGE + VMM_2M - 1) & ~(VMM_2M - 1);
	void *memory = vmm_memory(size, VMM_SMALL);
	struct vmm own;
	char byte;

	vmm_create_as(&own, &config, 1, -1);
	if (!list || !memory || vmm_map(&own, 1, VMM_DATA_GPA, size, memory, 0))
		bail("guest memory");
	for (i = 0; i < pages; i++)
		list[i] = vmm_write(VMM_DATA_GPA / VMM_PAGE + i);
	vmm_loop(&own, 0, list, pages);
	child_send_fd(socket, own.fd);
	/* Runs until the parent closes its end of the socket, or kills this process. */
	if (read(socket, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

pid_t child_fork(int *socket, void (*run)(int socket, const void *arg), const void *arg)
{
	int pair[2];
	pid_t pid;

	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		bail("socketpair");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		run(pair[1], arg);
		_exit(1);
	}
	close(pair[1]);
	*socket = pair[0];
	return pid;
}

struct child child_start(unsigned int pages)
{
	struct child c;

	c.pid = child_fork(&c.socket, other_vmm, &pages);
	c.vm_fd = child_receive_fd(c.socket);
	return c;
}

bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0 };

	return poll(&p, 1, SOON_NS / 1000000) == 1 && (p.revents & POLLHUP);
}
