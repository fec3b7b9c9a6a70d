// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends a line to a program in a guest and waits for the answer.
 *
 * The line goes through a virtio-serial port, whose end on the host is a socket of QEMU. QEMU reads
 * nothing from the socket before the guest has opened the port, and data in the socket is lost when
 * the socket is closed. So the socket stays open until the guest has answered. This program sends
 * "@ID LINE"; the guest answers "@ID | TEXT" for each line of text, and "@ID STATUS" at the end.
 * Answers with another ID belong to programs that have not waited for them.
 *
 * usage: ask SOCKET SECONDS LINE
 * Exit status: that of the guest; 124: no answer came within SECONDS; 125: no answer can come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	EXIT_LATE = 124,
	EXIT_NO_WAY = 125,
};

static char id[64]; /* including the '@' */

static _Noreturn void fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("ask: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		fail(EXIT_NO_WAY, "%s: %s", path, strerror(ENAMETOOLONG));
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail(EXIT_NO_WAY, "%s: %s", path, strerror(errno));
	return fd;
}

static void send_line(int fd, const char *line)
{
	char *text;
	int len = asprintf(&text, "%s %s\n", id, line);

	if (len < 0 || send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		fail(EXIT_NO_WAY, "cannot send '%s': %s", line, strerror(errno));
	free(text);
}

/* Handles one line of an answer. Ends the program if this is the last line of its own answer. */
static void take(char *line)
{
	size_t prefix = strlen(id);
	char *rest = line + prefix + 1, *end;
	long status;

	line[strcspn(line, "\r")] = '\0';
	if (strncmp(line, id, prefix) || line[prefix] != ' ')
		return;
	if (*rest == '|') {
		puts(rest + (rest[1] == ' ' ? 2 : 1));
		return;
	}
	status = strtol(rest, &end, 10);
	if (end == rest || *end || status < 0 || status > 255)
		fail(EXIT_NO_WAY, "'%s' is no answer", line);
	exit((int)status);
}

/* Handles all complete lines in @text. Moves the rest to the front, and returns its length. */
static size_t take_lines(char *text, size_t bytes)
{
	char *line = text, *newline;

	while ((newline = memchr(line, '\n', bytes - (size_t)(line - text)))) {
		*newline = '\0';
		take(line);
		line = newline + 1;
	}
	bytes -= (size_t)(line - text);
	memmove(text, line, bytes);
	return bytes;
}

static _Noreturn void wait_for_answer(int fd, long seconds, const char *line)
{
	int64_t until = now_ms() + seconds * 1000ll;
	struct pollfd socket = { .fd = fd, .events = POLLIN };
	char text[4096];
	size_t bytes = 0;

	for (;;) {
		int64_t left = until - now_ms();
		ssize_t got;

		if (left <= 0)
			fail(EXIT_LATE, "no answer to '%s' within %ld s", line, seconds);
		if (poll(&socket, 1, (int)left) <= 0)
			continue;
		got = recv(fd, text + bytes, sizeof(text) - bytes, 0);
		if (got <= 0)
			fail(EXIT_NO_WAY, "the guest ended before its answer to '%s'", line);
		bytes = take_lines(text, bytes + (size_t)got);
		if (bytes == sizeof(text))
			fail(EXIT_NO_WAY, "a line of %zu bytes", bytes);
	}
}

int main(int argc, char **argv)
{
	char *end = NULL;
	long seconds = argc == 4 ? strtol(argv[2], &end, 10) : 0;
	int fd;

	if (argc != 4 || *end || seconds <= 0 || seconds > 86400 || strchr(argv[3], '\n')) {
		fputs("usage: ask SOCKET SECONDS LINE\n", stderr);
		return 2;
	}
	snprintf(id, sizeof(id), "@%d.%lld", getpid(), (long long)now_ms());
	fd = connect_to(argv[1]);
	send_line(fd, argv[3]);
	wait_for_answer(fd, seconds, argv[3]);
}
