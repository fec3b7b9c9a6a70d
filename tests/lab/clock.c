// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets the clock of a guest to the clock of its host.
 *
 * A guest that gets little CPU time loses ticks before it has kvm-clock, and its RTC counts whole
 * seconds. So under emulation the clock of a guest can be wrong by a second after boot. KVM's own
 * method (ptp_kvm) needs a host whose clocksource is the TSC; this program needs only a
 * virtio-serial port. The guest sends a token, and the host sends the token back with the host's
 * CLOCK_REALTIME. Of a burst of such questions the quickest answer is used; its error is at most
 * half of its round trip.
 *
 * usage: clock serve SOCKET    on the host, for all guests; never ends
 *        clock set PORT        in the guest; ends when the clock is right
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S    1000000000ll
#define NS_PER_MS   1000000ll
#define CLIENTS_MAX 64
#define BURST	    8
#define ANSWER_MS   1000
#define TRY_FOR_NS  (300 * NS_PER_S)
/* The largest error: during the first WANT_GOOD_NS, and after that, when answers take long. */
#define GOOD_ENOUGH  (20 * NS_PER_MS)
#define WANT_GOOD_NS (20 * NS_PER_S)
#define USABLE	     (100 * NS_PER_MS)

/* The message in both directions; the host fills in the time. */
struct message {
	uint64_t token;
	int64_t realtime_ns;
};

struct reading {
	int64_t behind_ns; /* how far the guest's clock is behind the host's */
	int64_t error_ns;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "clock: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* --- host ----------------------------------------------------------------- */

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		fail(path);
	}
	strcpy(address.sun_path, path);
	unlink(path);
	/* QEMU runs as another user. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) ||
	    listen(fd, CLIENTS_MAX))
		fail(path);
	return fd;
}

/* False: the guest has ended, or has sent something else. */
static bool answer(int fd)
{
	struct message message;

	if (recv(fd, &message, sizeof(message), MSG_WAITALL) != sizeof(message))
		return false;
	message.realtime_ns = now(CLOCK_REALTIME);
	return send(fd, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message);
}

static int serve(const char *path)
{
	struct pollfd fds[1 + CLIENTS_MAX] = { { .fd = listen_at(path), .events = POLLIN } };
	struct sched_param first = { .sched_priority = 1 };
	nfds_t n = 1;

	/* Answers that wait for a CPU are less exact. If this fails, they are still useful. */
	sched_setscheduler(0, SCHED_FIFO, &first);
	for (;;) {
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			fail("poll");
		for (nfds_t i = n - 1; i > 0; i--) {
			if (!fds[i].revents || answer(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
		}
		if (fds[0].revents) {
			int fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC);

			if (n <= CLIENTS_MAX && fd >= 0)
				fds[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
			else if (fd >= 0)
				close(fd);
		}
	}
}

/* --- guest ---------------------------------------------------------------- */

/* Reads until the answer to @token; older answers are ignored. */
static bool read_answer(int fd, uint64_t token, struct message *message)
{
	size_t got = 0;

	for (;;) {
		struct pollfd port = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&port, 1, ANSWER_MS) <= 0)
			return false;
		n = read(fd, (char *)message + got, sizeof(*message) - got);
		if (n <= 0)
			return false;
		got += (size_t)n;
		if (got < sizeof(*message))
			continue;
		if (message->token == token)
			return true;
		got = 0;
	}
}

static bool ask(int fd, struct reading *reading)
{
	static uint64_t token;
	struct message message = { 0 };
	int64_t before = now(CLOCK_REALTIME), after;

	message.token = ++token;
	if (write(fd, &message, sizeof(message)) != sizeof(message) ||
	    !read_answer(fd, token, &message))
		return false;
	after = now(CLOCK_REALTIME);
	reading->error_ns = (after - before) / 2;
	reading->behind_ns = message.realtime_ns - (before + reading->error_ns);
	return true;
}

static bool ask_burst(int fd, struct reading *best)
{
	bool any = false;

	for (int i = 0; i < BURST; i++) {
		struct reading reading;

		if (!ask(fd, &reading)) {
			poll(NULL, 0, 50);
			continue;
		}
		if (!any || reading.error_ns < best->error_ns)
			*best = reading;
		any = true;
	}
	return any;
}

static void step(int64_t by_ns)
{
	int64_t ns = now(CLOCK_REALTIME) + by_ns;
	struct timespec ts = { ns / NS_PER_S, ns % NS_PER_S };

	if (clock_settime(CLOCK_REALTIME, &ts))
		fail("clock_settime");
}

static int set(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int64_t start = now(CLOCK_MONOTONIC), tried = 0;
	struct reading reading = { 0 };
	int steps = 0;

	if (fd < 0)
		fail(path);
	do {
		bool answered = ask_burst(fd, &reading);

		tried = now(CLOCK_MONOTONIC) - start;
		if (!answered)
			continue;
		printf("clock: %+.1f ms behind the host's, +-%.1f ms\n",
		       (double)reading.behind_ns / NS_PER_MS, (double)reading.error_ns / NS_PER_MS);
		if (llabs(reading.behind_ns) + reading.error_ns <=
		    (tried < WANT_GOOD_NS ? GOOD_ENOUGH : USABLE))
			return 0;
		step(reading.behind_ns);
		steps++;
	} while (tried < TRY_FOR_NS);
	fprintf(stderr, "clock: not set to the host's clock: %s\n",
		steps ? "the host's answers take too long" : "the host does not answer");
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "set"))
		return set(argv[2]);
	fprintf(stderr, "usage: clock serve SOCKET | clock set PORT\n");
	return 2;
}
