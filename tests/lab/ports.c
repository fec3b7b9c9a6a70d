// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Brings streams out of an emulated host that has no virtio: through the I/O port of Bochs whose
 * bytes appear on the emulator's standard output (0xe9). A serial line would transport only some 10
 * kB per second. This program is used at both ends; between them the bytes of the streams are in
 * frames.
 *
 * usage: ports inside DIR DEVICE COMMAND... Reads the FIFOs out, err, log and control in DIR, and
 *	sends their data. Ends after "exit" in control. If the first block of DEVICE (the boot block
 *	of a disk) begins with "stop", runs COMMAND once. In this way the other end says that the
 *	time will be over soon: clocks inside run at another speed. usage: ports outside OUT ERR LOG
 *	CONTROL <EMULATOR'S-OUTPUT Opens the four files, and writes each stream to its file. Data
 *	outside of frames is the emulator's own output, and is written to standard error.
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
#include <sys/io.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PORT	  0xe9
#define FRAME_MAX 65536
#define POLL_MS	  1000

/* In the order of sending: control comes last, because it contains the end. */
enum {
	OUT,
	ERR,
	LOG,
	CONTROL,
	STREAMS
};

static const char *const names[STREAMS] = { "out", "err", "log", "control" };

/* A frame: the mark, the stream, the length in 3 bytes (little-endian), the data. */
static const uint8_t mark[4] = { 0x01, 'k', 'x', 0x02 };
#define HEADER (sizeof(mark) + 4)

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "ports: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* --- inside ------------------------------------------------------------------ */

static void port_write(const void *data, size_t len)
{
	asm volatile("rep outsb" : "+S"(data), "+c"(len) : "d"(PORT) : "memory");
}

/* Sends the data in the FIFO, one frame at most. True: the data contained "exit". */
static bool send_frame(int fd, uint8_t stream)
{
	static char buffer[FRAME_MAX];
	uint8_t header[HEADER];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n <= 0)
		return false;
	memcpy(header, mark, sizeof(mark));
	header[4] = stream;
	header[5] = n;
	header[6] = n >> 8;
	header[7] = n >> 16;
	port_write(header, sizeof(header));
	port_write(buffer, n);
	return stream == CONTROL && memmem(buffer, n, "exit ", 5);
}

static bool something_in(int fd)
{
	int left;

	return !ioctl(fd, FIONREAD, &left) && left > 0;
}

static bool asked_to_stop(int device)
{
	static char block[4096] __attribute__((aligned(4096)));

	return pread(device, block, 512, 0) == 512 && !memcmp(block, "stop", 4);
}

/* Runs @command once, if the other end has requested it. Checks this once a second. */
static void look_for_stop(int device, char **command)
{
	static time_t looked;
	static bool done;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (done || now.tv_sec == looked)
		return;
	looked = now.tv_sec;
	done = asked_to_stop(device);
	if (!done || fork())
		return;
	execvp(command[0], command);
	_exit(127);
}

static int inside(const char *dir, const char *device_path, char **command)
{
	int device = open(device_path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct pollfd fds[STREAMS];
	char path[4096];

	signal(SIGCHLD, SIG_IGN);
	if (device < 0)
		fail(device_path);
	if (ioperm(PORT, 1, 1))
		fail("ioperm");
	for (int i = 0; i < STREAMS; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		/* Also open for writing, so that the stream does not end with a writer. */
		fds[i].fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		fds[i].events = POLLIN;
		if (fds[i].fd < 0)
			fail(path);
	}
	for (;;) {
		if (poll(fds, STREAMS, POLL_MS) < 0 && errno != EINTR)
			fail("poll");
		look_for_stop(device, command);
		/*
		 * A program that writes to control has written its other streams before. Only the
		 * kernel's messages may come a little later.
		 */
		if (something_in(fds[CONTROL].fd))
			usleep(50000);
		for (int i = 0; i < STREAMS; i++) {
			while (something_in(fds[i].fd))
				if (send_frame(fds[i].fd, i))
					return 0;
		}
	}
}

/* --- outside ------------------------------------------------------------------ */

static void write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* If the reader of one stream has ended, the other streams continue. */
		if (n < 0)
			return;
		data += n;
		len -= n;
	}
}

/* Handles the frames and other data in @data. Returns how many bytes were handled. */
static size_t take(const uint8_t *data, size_t len, const int *fds)
{
	size_t done = 0;

	while (len - done >= HEADER) {
		const uint8_t *at = data + done;
		const uint8_t *next = memmem(at, len - done, mark, sizeof(mark));
		size_t size;

		if (next != at) {
			/* The last bytes may be the beginning of a mark. */
			size = next ? (size_t)(next - at) : len - done - (sizeof(mark) - 1);
			write_all(2, at, size);
			done += size;
			continue;
		}
		size = at[5] | at[6] << 8 | at[7] << 16;
		if (at[4] >= STREAMS || size > FRAME_MAX) {
			write_all(2, at, 1);
			done++;
			continue;
		}
		if (len - done < HEADER + size)
			break;
		write_all(fds[at[4]], at + HEADER, size);
		done += HEADER + size;
	}
	return done;
}

static int outside(char **paths)
{
	static uint8_t buffer[2 * (HEADER + FRAME_MAX)];
	int fds[STREAMS];
	size_t have = 0, taken;
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	/* The emulator writes byte by byte, and is quicker if it need not wait. */
	fcntl(0, F_SETPIPE_SZ, 1 << 20);
	for (int i = 0; i < STREAMS; i++) {
		fds[i] = open(paths[i], O_WRONLY | O_APPEND | O_CLOEXEC);
		if (fds[i] < 0)
			fail(paths[i]);
	}
	while ((n = read(0, buffer + have, sizeof(buffer) - have)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			fail("read");
		}
		have += n;
		taken = take(buffer, have, fds);
		have -= taken;
		memmove(buffer, buffer + taken, have);
		/* So that this program does not wake up for every byte. */
		usleep(1000);
	}
	write_all(2, buffer, have);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "inside"))
		return inside(argv[2], argv[3], argv + 4);
	if (argc == 6 && !strcmp(argv[1], "outside"))
		return outside(argv + 2);
	fputs("usage: ports inside DIR DEVICE COMMAND...\n"
	      "       ports outside OUT ERR LOG CONTROL\n",
	      stderr);
	return 2;
}
