// SPDX-License-Identifier: GPL-2.0-or-later
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define RETRY_MS 100
#define MAX_ID	 64

struct wl_control {
	pthread_mutex_t lock; /* guards all up to epochs_ordered */
	pthread_cond_t changed;
	bool running, quit;
	bool closed;	  /* no command will come any more */
	bool interrupted; /* by a signal */
	bool cuttable;	  /* the epoch under way was not ordered one by one */
	unsigned long epochs_ordered;
	int fd;
	bool eof_is_final;
	bool takes_answers; /* fd does */
	bool fd_is_logs;    /* what is said there goes through the log */
	struct wl_log *log;
};

static void on_go(struct wl_control *control)
{
	control->running = true;
}

static void on_stop(struct wl_control *control)
{
	control->running = false;
	control->epochs_ordered = 0;
}

static void on_epoch(struct wl_control *control)
{
	control->running = false;
	control->epochs_ordered++;
}

static void on_quit(struct wl_control *control)
{
	control->quit = true;
}

static void on_signal(struct wl_control *control)
{
	control->interrupted = true;
}

static void on_closed(struct wl_control *control)
{
	control->closed = true;
}

struct command {
	const char *word;
	void (*apply)(struct wl_control *control);
	bool ends; /* the process: once it is applied nobody may be left to answer */
};

static const struct command commands[] = {
	{ "go", on_go, false },
	{ "stop", on_stop, false },
	{ "epoch", on_epoch, false },
	{ "quit", on_quit, true },
};

static void apply(struct wl_control *control, void (*change)(struct wl_control *))
{
	pthread_mutex_lock(&control->lock);
	change(control);
	pthread_cond_broadcast(&control->changed);
	pthread_mutex_unlock(&control->lock);
}

static const struct command *find_command(const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(word, commands[i].word))
			return &commands[i];
	}
	return NULL;
}

/* The sender may have gone: an answer that cannot be written is no error. */
static void answer(struct wl_control *control, const char *id, const char *what)
{
	char line[MAX_ID + 64];
	int bytes = snprintf(line, sizeof(line), "%.*s %s\n", MAX_ID, id, what);

	if (control->fd_is_logs)
		wl_log_try_printf(control->log, "%.*s", bytes - 1, line);
	else if (control->takes_answers && write(control->fd, line, (size_t)bytes) < 0)
		return;
}

/* A command, or "@ID COMMAND" by somebody who waits for the answer. */
static void take_line(struct wl_control *control, char *line)
{
	const struct command *command;
	const char *id = NULL;

	line[strcspn(line, "\r")] = '\0';
	if (*line == '@') {
		id = line;
		line += strcspn(line, " ");
		if (*line)
			*line++ = '\0';
	} else if (!*line) {
		return;
	}
	command = find_command(line);
	if (!command) {
		wl_log_try_printf(control->log, "error unknown command: %.40s", line);
		if (id) {
			answer(control, id, "| unknown command");
			answer(control, id, "2");
		}
		return;
	}
	if (id && command->ends)
		answer(control, id, "0");
	apply(control, command->apply);
	if (id && !command->ends)
		answer(control, id, "0");
}

/* Takes the complete lines off @text and returns how many bytes remain. */
static size_t obey_lines(struct wl_control *control, char *text, size_t bytes)
{
	char *line = text, *newline;

	while ((newline = memchr(line, '\n', bytes - (line - text)))) {
		*newline = '\0';
		take_line(control, line);
		line = newline + 1;
	}
	bytes -= line - text;
	memmove(text, line, bytes);
	return bytes;
}

static void *read_commands(void *arg)
{
	struct wl_control *control = arg;
	char text[256];
	size_t bytes = 0;

	for (;;) {
		ssize_t got = read(control->fd, text + bytes, sizeof(text) - bytes);

		if (got > 0) {
			bytes = obey_lines(control, text, bytes + got);
			/* A line that is longer than any command is dropped. */
			if (bytes == sizeof(text))
				bytes = 0;
		} else if ((got == 0 && control->eof_is_final) || (got < 0 && errno == EBADF)) {
			apply(control, on_closed);
			return NULL;
		} else {
			/* A port that nobody has connected to reads as EOF, a terminal as EIO. */
			poll(NULL, 0, RETRY_MS);
		}
	}
}

static sigset_t quit_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

void wl_control_block_signals(void)
{
	sigset_t signals = quit_signals();

	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static void *wait_for_signal(void *arg)
{
	sigset_t signals = quit_signals();
	int signal;

	sigwait(&signals, &signal);
	apply(arg, on_signal);
	return NULL;
}

/* After an EOF only a device may have data again, and /dev/null never has. */
static bool eof_is_final(int fd)
{
	struct stat st;

	return fstat(fd, &st) || !S_ISCHR(st.st_mode) || st.st_rdev == makedev(1, 3);
}

static bool takes_answers(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)) &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

struct wl_control *wl_control_start(int fd, bool running, struct wl_log *log, bool fd_is_logs)
{
	struct wl_control *control = calloc(1, sizeof(*control));
	pthread_t reader, waiter;

	if (!control)
		return NULL;
	control->fd = fd;
	control->running = running;
	control->log = log;
	control->eof_is_final = eof_is_final(fd);
	control->takes_answers = takes_answers(fd);
	control->fd_is_logs = fd_is_logs;
	pthread_mutex_init(&control->lock, NULL);
	wl_cond_init(&control->changed);
	if (pthread_create(&reader, NULL, read_commands, control) ||
	    pthread_create(&waiter, NULL, wait_for_signal, control))
		return NULL;
	pthread_detach(reader);
	pthread_detach(waiter);
	return control;
}

static enum wl_order next_order(const struct wl_control *control)
{
	if (control->interrupted)
		return WL_ORDER_QUIT;
	if (control->epochs_ordered)
		return WL_ORDER_EPOCH;
	if (control->quit)
		return WL_ORDER_QUIT;
	if (control->running)
		return WL_ORDER_RUN;
	return control->closed ? WL_ORDER_QUIT : WL_ORDER_NONE;
}

enum wl_order wl_control_next(struct wl_control *control)
{
	enum wl_order order;

	pthread_mutex_lock(&control->lock);
	order = next_order(control);
	if (order == WL_ORDER_EPOCH)
		control->epochs_ordered--;
	control->cuttable = order == WL_ORDER_RUN;
	pthread_mutex_unlock(&control->lock);
	return order;
}

void wl_control_wait(struct wl_control *control)
{
	pthread_mutex_lock(&control->lock);
	while (next_order(control) == WL_ORDER_NONE)
		pthread_cond_wait(&control->changed, &control->lock);
	pthread_mutex_unlock(&control->lock);
}

bool wl_control_cuts_epoch(struct wl_control *control)
{
	bool cut;

	pthread_mutex_lock(&control->lock);
	cut = control->interrupted || (control->quit && control->cuttable);
	pthread_mutex_unlock(&control->lock);
	return cut;
}
