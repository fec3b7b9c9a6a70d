// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the lab's command inside the emulated host, and copies the command's output, byte by byte,
 * to virtio-serial ports.
 *
 * The command writes to pipes, as under a shell, and not to the ports: a port can be open only
 * once, so /dev/stderr could not be opened again. Daemons that the command has started may keep the
 * pipes open for ever. So the relay ends when the command has ended and the pipes are empty.
 *
 * usage: relay CONTROL OUT ERR DIRECTORY ENVIRONMENT ARGUMENTS
 * ENVIRONMENT and ARGUMENTS are files of strings; each string ends with a NUL.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A stream of the command: its source and its destination. */
struct stream {
	int pipe[2];
	int port;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(125);
}

static int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		fail(path);
	return fd;
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("write to a port");
		data += n;
		len -= n;
	}
}

/* Reads a file of strings that end with a NUL. Returns a vector that ends with NULL. */
static char **read_strings(const char *path)
{
	int fd = open_or_fail(path, O_RDONLY);
	struct stat st;
	size_t count = 0, have = 0;
	char **strings, *data;

	if (fstat(fd, &st))
		fail(path);
	data = calloc(1, st.st_size + 1);
	if (!data)
		fail(path);
	while (have < (size_t)st.st_size) {
		ssize_t n = read(fd, data + have, st.st_size - have);

		if (n <= 0)
			fail(path);
		have += n;
	}
	close(fd);
	for (size_t i = 0; i < have; i++)
		count += !data[i];
	strings = calloc(count + 1, sizeof(*strings));
	if (!strings)
		fail(path);
	for (size_t i = 0; i < count; i++) {
		strings[i] = data;
		data += strlen(data) + 1;
	}
	return strings;
}

/* Copies at most @max bytes. False: the stream has ended. */
static bool pass(struct stream *stream, size_t max)
{
	static char buffer[65536];
	ssize_t n = read(stream->pipe[0], buffer, max < sizeof(buffer) ? max : sizeof(buffer));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	write_all(stream->port, buffer, n);
	return true;
}

/* The command has ended: all of its output is in the pipe. */
static void drain(struct stream *stream)
{
	int left;

	while (!ioctl(stream->pipe[0], FIONREAD, &left) && left > 0)
		if (!pass(stream, left))
			break;
}

static _Noreturn void child(struct stream *streams, const char *dir, char **argv)
{
	int null = open_or_fail("/dev/null", O_RDONLY);

	if (dup2(null, 0) < 0 || dup2(streams[0].pipe[1], 1) < 0 || dup2(streams[1].pipe[1], 2) < 0)
		_exit(125);
	setsid();
	if (chdir(dir)) {
		fprintf(stderr, "lab: %s: %s\n", dir, strerror(errno));
		_exit(125);
	}
	execvp(argv[0], argv);
	fprintf(stderr, "lab: cannot run '%s': %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int relay_until_exit(struct stream *streams, pid_t pid)
{
	struct pollfd fds[3] = {
		{ .fd = streams[0].pipe[0], .events = POLLIN },
		{ .fd = streams[1].pipe[0], .events = POLLIN },
		{ .fd = pidfd_open(pid, 0), .events = POLLIN },
	};
	int status;

	if (fds[2].fd < 0)
		fail("pidfd_open");
	while (!(fds[2].revents & POLLIN)) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			fail("poll");
		for (int i = 0; i < 2; i++)
			if (fds[i].revents && !pass(&streams[i], SIZE_MAX))
				fds[i].fd = -1;
	}
	drain(&streams[0]);
	drain(&streams[1]);
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct stream streams[2];
	char **command, **env;
	int control, status;
	pid_t pid;

	if (argc != 7) {
		fputs("usage: relay CONTROL OUT ERR DIRECTORY ENVIRONMENT ARGUMENTS\n", stderr);
		return 2;
	}
	control = open_or_fail(argv[1], O_WRONLY);
	for (int i = 0; i < 2; i++) {
		streams[i].port = open_or_fail(argv[2 + i], O_WRONLY);
		if (pipe2(streams[i].pipe, O_CLOEXEC))
			fail("pipe2");
	}
	env = read_strings(argv[5]);
	command = read_strings(argv[6]);

	clearenv();
	for (char **var = env; *var; var++)
		putenv(*var);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid)
		child(streams, argv[4], command);
	close(streams[0].pipe[1]);
	close(streams[1].pipe[1]);
	status = relay_until_exit(streams, pid);
	dprintf(control, "exit %d\n", status);
	return 0;
}
