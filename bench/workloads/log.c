// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define WRITE_BYTES (32u << 10) /* as much as a virtio port takes at once */
#define STALL_NS    (2 * WL_NS_PER_S)
#define RETRY_MS    50

struct wl_log {
	pthread_mutex_t lock; /* guards all below; queued text belongs to the writer */
	pthread_cond_t filled, drained;
	uint64_t head, tail; /* bytes queued and bytes written since the start */
	uint64_t waited_ns, lost;
	int error;
	bool stalled; /* nobody reads: do not wait again until something is written */
	int fd;
	uint64_t size; /* of the queue; a power of two */
	char text[];
};

/* A port without a reader and a hung-up terminal come back; a closed pipe or a full disk do not. */
static bool is_passing(int error)
{
	return error == EINTR || error == EAGAIN || error == EIO;
}

static ssize_t write_some(const struct wl_log *log, uint64_t tail, uint64_t bytes)
{
	uint64_t at = tail % log->size;
	ssize_t done;

	if (bytes > WRITE_BYTES)
		bytes = WRITE_BYTES;
	if (bytes > log->size - at)
		bytes = log->size - at;
	for (;;) {
		done = write(log->fd, log->text + at, bytes);
		if (done > 0)
			return done;
		if (done < 0 && !is_passing(errno))
			return -errno;
		poll(NULL, 0, RETRY_MS);
	}
}

static void *write_lines(void *arg)
{
	struct wl_log *log = arg;

	pthread_mutex_lock(&log->lock);
	while (!log->error) {
		uint64_t tail = log->tail, bytes = log->head - tail;
		ssize_t done;

		if (!bytes) {
			pthread_cond_wait(&log->filled, &log->lock);
			continue;
		}
		/* Bytes between tail and head are not written by anyone else. */
		pthread_mutex_unlock(&log->lock);
		done = write_some(log, tail, bytes);
		pthread_mutex_lock(&log->lock);
		if (done < 0)
			log->error = -done;
		else
			log->tail += done;
		log->stalled = false;
		pthread_cond_broadcast(&log->drained);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

struct wl_log *wl_log_start(int fd, uint64_t queue_bytes)
{
	uint64_t size = 1;
	struct wl_log *log;
	pthread_t thread;

	while (size < queue_bytes)
		size *= 2;
	log = calloc(1, sizeof(*log) + size);
	if (!log)
		return NULL;
	log->fd = fd;
	log->size = size;
	pthread_mutex_init(&log->lock, NULL);
	wl_cond_init(&log->filled);
	wl_cond_init(&log->drained);
	if (pthread_create(&thread, NULL, write_lines, log)) {
		free(log);
		return NULL;
	}
	pthread_detach(thread);
	return log;
}

/* Waits for @room bytes while the reader makes progress. Called with the lock held. */
static bool wait_for_room(struct wl_log *log, size_t room)
{
	uint64_t began = wl_now_monotonic();

	while (log->size - (log->head - log->tail) < room && !log->stalled && !log->error) {
		uint64_t tail = log->tail, until = wl_now_monotonic() + STALL_NS;

		if (wl_cond_wait_until(&log->drained, &log->lock, until) == ETIMEDOUT &&
		    log->tail == tail)
			log->stalled = true;
	}
	log->waited_ns += wl_now_monotonic() - began;
	return !log->error && log->size - (log->head - log->tail) >= room;
}

static void enqueue(struct wl_log *log, const char *text, size_t bytes)
{
	size_t at = log->head % log->size;
	size_t first = bytes < log->size - at ? bytes : log->size - at;

	memcpy(log->text + at, text, first);
	memcpy(log->text, text + first, bytes - first);
	log->head += bytes;
	pthread_cond_signal(&log->filled);
}

static bool put(struct wl_log *log, const char *line, bool may_wait)
{
	size_t bytes = strlen(line);
	bool fits;

	pthread_mutex_lock(&log->lock);
	fits = log->size - (log->head - log->tail) >= bytes + 1;
	if (!fits && may_wait)
		fits = wait_for_room(log, bytes + 1);
	if (fits) {
		enqueue(log, line, bytes);
		enqueue(log, "\n", 1);
	} else {
		log->lost++;
	}
	pthread_mutex_unlock(&log->lock);
	return fits;
}

static bool put_formatted(struct wl_log *log, bool may_wait, const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	return put(log, line, may_wait);
}

bool wl_log_line(struct wl_log *log, const char *line)
{
	return put(log, line, true);
}

bool wl_log_printf(struct wl_log *log, const char *format, ...)
{
	va_list args;
	bool ok;

	va_start(args, format);
	ok = put_formatted(log, true, format, args);
	va_end(args);
	return ok;
}

bool wl_log_try_printf(struct wl_log *log, const char *format, ...)
{
	va_list args;
	bool ok;

	va_start(args, format);
	ok = put_formatted(log, false, format, args);
	va_end(args);
	return ok;
}

void wl_log_flush(struct wl_log *log)
{
	pthread_mutex_lock(&log->lock);
	wait_for_room(log, log->size);
	pthread_mutex_unlock(&log->lock);
}

static uint64_t read_locked(struct wl_log *log, const uint64_t *value)
{
	uint64_t copy;

	pthread_mutex_lock(&log->lock);
	copy = *value;
	pthread_mutex_unlock(&log->lock);
	return copy;
}

uint64_t wl_log_waited_ns(struct wl_log *log)
{
	return read_locked(log, &log->waited_ns);
}

uint64_t wl_log_lost(struct wl_log *log)
{
	return read_locked(log, &log->lost);
}

int wl_log_error(struct wl_log *log)
{
	int error;

	pthread_mutex_lock(&log->lock);
	error = log->error;
	pthread_mutex_unlock(&log->lock);
	return error;
}
