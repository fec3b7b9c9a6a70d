// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The workload as a child, with virtual page numbers. Its memory, read from outside, shows which
 * pages an epoch wrote; the generators, run here with the same seed, tell which it had to touch.
 * Both must be what its log says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"
#include "touch.h"
#include "truth.h"

#define MAX_PAGES  32768u
#define MAX_WORDS  (MAX_PAGES / 64)
#define DEADLINE_S 300

struct child {
	pid_t pid;
	int commands;
	FILE *log;
	char *line; /* the last one read, without newline */
	size_t line_bytes;
};

/* The contents of the log, as pages of the arena (whose virtual pages are one run). */
struct truth {
	uint64_t epoch, begin, end, work_begin, work_end;
	int valid;
	uint64_t touched[MAX_WORDS], written[MAX_WORDS];
};

static uint64_t arena_first, arena_pages;

static void child_exec(const char *options, uid_t uid, int in, int out)
{
	char copy[512], *argv[40] = { (char *)WL_BINARY }, *save;
	int argc = 1, binary;

	snprintf(copy, sizeof(copy), "%s", options);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	/* Another user may have no permission for the binary's directory. */
	binary = open(argv[0], O_PATH | O_CLOEXEC);
	if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid)))
		_exit(98);
	alarm(DEADLINE_S);
	fexecve(binary, argv, environ);
	_exit(97);
}

/* @commands: the child's end, closed here, and ours. */
static struct child *child_start_with(const char *options, uid_t uid, const int commands[2])
{
	struct child *child = calloc(1, sizeof(*child));
	int log[2];

	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (!child->pid)
		child_exec(options, uid, commands[0], log[1]);
	close(commands[0]);
	close(log[1]);
	child->commands = commands[1];
	child->log = fdopen(log[0], "r");
	arena_pages = 0;
	return child;
}

static struct child *child_start(const char *options, uid_t uid)
{
	int commands[2];

	assert_int_equal(pipe2(commands, O_CLOEXEC), 0);
	return child_start_with(options, uid, commands);
}

static void command(struct child *child, const char *line)
{
	assert_int_equal(write(child->commands, line, strlen(line)), strlen(line));
}

/* The next line, or NULL at the log's end. */
static const char *next_line(struct child *child)
{
	ssize_t got = getline(&child->line, &child->line_bytes, child->log);

	if (got <= 0)
		return NULL;
	assert_int_equal(child->line[got - 1], '\n');
	child->line[got - 1] = '\0';
	return child->line;
}

static int child_end(struct child *child)
{
	int status;

	while (next_line(child))
		;
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	if (child->commands >= 0)
		close(child->commands);
	fclose(child->log);
	free(child->line);
	free(child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool starts_with(const char *line, const char *prefix)
{
	return !strncmp(line, prefix, strlen(prefix));
}

static void expect(struct child *child, const char *prefix)
{
	const char *line = next_line(child);

	if (!line || !starts_with(line, prefix))
		fail_msg("got \"%.60s\", want \"%s\"", line ? line : "end of log", prefix);
}

static void expect_setup(struct child *child)
{
	int used = 0;

	expect(child, "kx-workload 1 pattern=");
	assert_non_null(strstr(child->line, " addr=virtual"));
	expect(child, "arena ");
	assert_int_equal(sscanf(child->line, "arena %" SCNx64 "+%" SCNu64 "%n", &arena_first,
				&arena_pages, &used),
			 2);
	assert_int_equal(child->line[used], '\0');
	assert_true(arena_pages <= MAX_PAGES);
	expect(child, "ready ");
}

static void add_runs(const char *runs, uint64_t *bitmap)
{
	while (*runs) {
		uint64_t first, count;
		int used;

		assert_int_equal(sscanf(runs, "%" SCNx64 "+%" SCNu64 "%n", &first, &count, &used),
				 2);
		assert_true(first >= arena_first && first + count <= arena_first + arena_pages);
		for (uint64_t i = 0; i < count; i++)
			wl_bitmap_set(bitmap, first - arena_first + i);
		runs += used;
		runs += *runs == ',';
	}
}

/* Reads on to the end of an epoch; false at the log's end. */
static bool read_epoch(struct child *child, struct truth *truth)
{
	const char *line;

	memset(truth, 0, sizeof(*truth));
	while ((line = next_line(child))) {
		uint64_t epoch;
		int used = 0;

		if (sscanf(line, "epoch %" SCNu64 " begin %" SCNu64 " work=%" SCNu64, &epoch,
			   &truth->begin, &truth->work_begin) == 3) {
			memset(truth->touched, 0, sizeof(truth->touched));
			memset(truth->written, 0, sizeof(truth->written));
			truth->epoch = epoch;
		} else if (sscanf(line, "touch %" SCNu64 " %n", &epoch, &used) == 1) {
			assert_int_equal(epoch, truth->epoch);
			add_runs(line + used, truth->touched);
		} else if (sscanf(line, "write %" SCNu64 " %n", &epoch, &used) == 1) {
			assert_int_equal(epoch, truth->epoch);
			add_runs(line + used, truth->written);
		} else if (sscanf(line,
				  "epoch %" SCNu64 " end %" SCNu64 " work=%" SCNu64 " valid=%d",
				  &epoch, &truth->end, &truth->work_end, &truth->valid) == 4) {
			assert_int_equal(epoch, truth->epoch);
			return true;
		} else {
			assert_true(starts_with(line, "work ") || starts_with(line, "idle ") ||
				    starts_with(line, "log ") || starts_with(line, "bye "));
		}
	}
	return false;
}

/* The arena pages with a word that was written in @epoch; checks that all stamps are there. */
static void written_in_memory(const struct child *child, uint64_t epoch, uint64_t *bitmap)
{
	static uint64_t page[512];

	memset(bitmap, 0, MAX_WORDS * sizeof(*bitmap));
	for (uint64_t i = 0; i < arena_pages; i++) {
		struct iovec local = { page, sizeof(page) };
		struct iovec remote = { (void *)((arena_first + i) * WL_PAGE_BYTES), sizeof(page) };

		assert_int_equal(process_vm_readv(child->pid, &local, 1, &remote, 1, 0),
				 sizeof(page));
		assert_int_equal(page[0], WL_STAMP | i);
		for (int line = 0; line < 64; line++)
			if (page[line * 8 + 1] == epoch)
				wl_bitmap_set(bitmap, i);
	}
}

/* What one thread with these parameters must touch in an epoch of @n touches. */
static void predict(struct wl_cursor *cursor, const struct wl_pattern *pattern, uint64_t epoch,
		    size_t n, struct truth *truth)
{
	wl_pick *picks = calloc(n, sizeof(*picks));

	memset(truth, 0, sizeof(*truth));
	wl_cursor_start_epoch(cursor, pattern, 0, epoch);
	wl_cursor_fill(cursor, pattern, picks, n);
	for (size_t i = 0; i < n; i++) {
		wl_bitmap_set(truth->touched, wl_pick_page(picks[i]));
		if (wl_pick_is_write(picks[i]))
			wl_bitmap_set(truth->written, wl_pick_page(picks[i]));
	}
	free(picks);
}

static void check_lockstep(enum wl_pattern_kind kind, const char *more)
{
	static struct truth truth, predicted;
	static uint64_t memory[MAX_WORDS];
	struct wl_pattern_params params = {
		.kind = kind,
		.seed = 11,
		.ws_pages = 768,
		.hot_pages = 100,
		.hot_share = 0.75,
		.theta = 0.9,
		.step_epochs = 1,
		.read_share = 0.5,
		.threads = 1,
	};
	struct wl_pattern pattern;
	struct wl_cursor cursor;
	struct child *child;
	char options[256];

	assert_int_equal(wl_pattern_init(&pattern, &params), 0);
	wl_cursor_init(&cursor, &pattern, 0);
	snprintf(options, sizeof(options),
		 "--virtual --wait --pattern %s --mem 4M --ws 3M --hot-bytes 400K --hot-share 0.75 "
		 "--theta 0.9 --step-epochs 1 --seed 11 --epoch-touches 700%s",
		 wl_pattern_names[kind], more);
	child = child_start(options, 0);
	expect_setup(child);
	for (uint64_t epoch = 1; epoch <= 4; epoch++) {
		command(child, "epoch\n");
		assert_true(read_epoch(child, &truth));
		expect(child, "idle ");
		assert_int_equal(truth.epoch, epoch);
		assert_int_equal(truth.valid, 1);
		assert_true(truth.end >= truth.begin);
		assert_int_equal(truth.work_begin, (epoch - 1) * 700);
		assert_int_equal(truth.work_end, epoch * 700);
		predict(&cursor, &pattern, epoch, 700, &predicted);
		assert_memory_equal(truth.touched, predicted.touched, sizeof(truth.touched));
		assert_memory_equal(truth.written, predicted.written, sizeof(truth.written));
		written_in_memory(child, epoch, memory);
		assert_memory_equal(truth.written, memory, sizeof(memory));
	}
	command(child, "quit\n");
	expect(child, "log ");
	expect(child, "bye ");
	assert_int_equal(child_end(child), 0);
	wl_pattern_destroy(&pattern);
}

static void test_lockstep_log_memory_and_generator_agree(void **state)
{
	(void)state;
	for (int kind = 0; kind < WL_IDLE; kind++)
		check_lockstep(kind, "");
}

/* Minor faults of the child so far. */
static unsigned long faults_of(const struct child *child)
{
	unsigned long faults = 0;
	char path[64], text[1024];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", child->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_int_equal(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %lu", &faults),
			 1);
	return faults;
}

static void test_faults_lose_no_page(void **state)
{
	static struct truth truth;
	unsigned long before;
	struct child *child;

	(void)state;
	for (int kind = 0; kind < WL_IDLE; kind++)
		check_lockstep(kind, " --faults");

	child = child_start(
		"--virtual --wait --mem 1M --read-share 0 --epoch-touches 4096 --faults", 0);
	expect_setup(child);
	before = faults_of(child);
	command(child, "epoch\n");
	assert_true(read_epoch(child, &truth));
	/* 16 batches of 256 touches; each finds well more than half as many of the 256 pages. */
	assert_true(faults_of(child) - before > 16 * 128);
	command(child, "quit\n");
	assert_int_equal(child_end(child), 0);
}

static void test_threads_do_all_the_work(void **state)
{
	static struct truth truth;
	static uint64_t memory[MAX_WORDS];
	struct child *child = child_start("--virtual --wait --mem 16M --threads 3 --read-share 0 "
					  "--epoch-touches 10000",
					  0);

	(void)state;
	expect_setup(child);
	for (uint64_t epoch = 1; epoch <= 3; epoch++) {
		command(child, "epoch\n");
		assert_true(read_epoch(child, &truth));
		assert_int_equal(truth.work_end, epoch * 10000);
		written_in_memory(child, epoch, memory);
		assert_memory_equal(truth.written, memory, sizeof(memory));
		assert_memory_equal(truth.touched, memory, sizeof(memory));
	}
	command(child, "quit\n");
	assert_int_equal(child_end(child), 0);
}

static void test_timed_epoch_is_exact_too(void **state)
{
	static struct truth truth;
	static uint64_t memory[MAX_WORDS];
	struct child *child =
		child_start("--virtual --wait --mem 64M --pattern zipf --read-share 0 "
			    "--epoch-ms 60 --threads 2",
			    0);

	(void)state;
	expect_setup(child);
	command(child, "epoch\nepoch\n");
	assert_true(read_epoch(child, &truth));
	assert_true(truth.end - truth.begin >= 60000000);
	assert_true(truth.work_end > 0);
	assert_true(read_epoch(child, &truth));
	assert_int_equal(truth.epoch, 2);
	expect(child, "idle ");
	written_in_memory(child, 2, memory);
	assert_memory_equal(truth.written, memory, sizeof(memory));
	command(child, "quit\n");
	assert_int_equal(child_end(child), 0);
}

static void test_idle_pattern_touches_nothing(void **state)
{
	static struct truth truth, nothing;
	static uint64_t memory[MAX_WORDS];
	struct child *child =
		child_start("--virtual --wait --pattern idle --mem 4M --epoch-ms 20", 0);

	(void)state;
	expect_setup(child);
	for (int epoch = 1; epoch <= 3; epoch++) {
		command(child, "epoch\n");
		assert_true(read_epoch(child, &truth));
		assert_memory_equal(truth.touched, nothing.touched, sizeof(truth.touched));
		assert_int_equal(truth.work_end, 0);
		written_in_memory(child, epoch, memory);
		assert_memory_equal(memory, nothing.touched, sizeof(memory));
	}
	command(child, "quit\n");
	assert_int_equal(child_end(child), 0);
}

static void test_rate_holds_over_short_epochs(void **state)
{
	static struct truth truth;
	struct child *child =
		child_start("--virtual --mem 4M --rate 20 --epoch-ms 10 --epochs 100", 0);
	uint64_t work = 0, epochs = 0, ns = 0;

	(void)state;
	expect_setup(child);
	while (read_epoch(child, &truth)) {
		work = truth.work_end;
		ns += truth.end - truth.begin;
		epochs++;
	}
	assert_int_equal(epochs, 100);
	/* A fifth of a touch an epoch: neither rounded to none nor to one. A busy machine makes epochs longer, and touches fewer. */
	assert_true(work >= 5);
	assert_true(work * 50 <= ns / 1000000 + 100);
	assert_int_equal(child_end(child), 0);
}

static void test_work_lines_come_often(void **state)
{
	struct child *child = child_start("--virtual --mem 4M --epoch-ms 1500 --epochs 1", 0);
	uint64_t time, work, first_time = 0, last_time = 0, last_work = 0, lines = 0;

	(void)state;
	expect_setup(child);
	while (next_line(child)) {
		if (sscanf(child->line, "work %" SCNu64 " %" SCNu64, &time, &work) != 2)
			continue;
		assert_true(time > last_time && work >= last_work);
		first_time = lines ? first_time : time;
		last_time = time;
		last_work = work;
		lines++;
	}
	/* About ten a second; a busy machine may delay some, but none comes early. */
	assert_in_range(lines, 2, 3 + (last_time - first_time) / 90000000);
	assert_true(last_work > 0);
	assert_int_equal(child_end(child), 0);
}

static void test_go_stop_and_noise(void **state)
{
	static struct truth truth;
	struct child *child = child_start("--virtual --wait --mem 4M --epoch-ms 20", 0);
	uint64_t epoch;

	(void)state;
	expect_setup(child);
	command(child, "bogus\r\n");
	expect(child, "error unknown command: bogus");
	command(child, "go\r\n");
	for (epoch = 1; epoch <= 3; epoch++) {
		assert_true(read_epoch(child, &truth));
		assert_int_equal(truth.epoch, epoch);
	}
	command(child, "st");
	command(child, "op\n");
	while (!starts_with(next_line(child), "idle "))
		;
	command(child, "epoch\n");
	assert_true(read_epoch(child, &truth));
	expect(child, "idle ");
	command(child, "quit\n");
	expect(child, "log ");
	expect(child, "bye ");
	assert_int_equal(child_end(child), 0);
}

static void expect_answer(struct child *child, const char *answer)
{
	char got[128] = "";

	for (size_t n = 0; n < strlen(answer); n++)
		assert_int_equal(read(child->commands, got + n, 1), 1);
	assert_string_equal(got, answer);
}

/* A command with "@ID" is answered when it is accepted, and also if there is no such command. */
static void check_answers(struct child *child)
{
	static struct truth truth;

	expect_setup(child);
	command(child, "@1 epoch\n");
	expect_answer(child, "@1 0\n");
	assert_true(read_epoch(child, &truth));
	expect(child, "idle ");
	command(child, "epoch\n@b-2 jump\n");
	expect_answer(child, "@b-2 | unknown command\n@b-2 2\n");
	while (!starts_with(next_line(child), "error unknown command: jump"))
		;
	command(child, "@3\n@4 quit\n");
	expect_answer(child, "@3 | unknown command\n@3 2\n@4 0\n");
	assert_int_equal(child_end(child), 0);
}

static void test_answers_on_a_socket(void **state)
{
	int commands[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, commands), 0);
	check_answers(
		child_start_with("--virtual --wait --mem 4M --epoch-touches 10", 0, commands));
}

/* The command ends the process, which must first answer that it has accepted the command. */
static void test_quit_is_answered(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		struct child *child;
		int commands[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, commands), 0);
		child = child_start_with("--virtual --wait --mem 1M", 0, commands);
		command(child, "@1 quit\n");
		expect_answer(child, "@1 0\n");
		assert_int_equal(child_end(child), 0);
	}
}

static void test_answers_on_a_device(void **state)
{
	int commands[2] = { open("/dev/null", O_RDONLY | O_CLOEXEC),
			    posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) };
	char options[128];

	(void)state;
	assert_true(commands[1] >= 0);
	assert_int_equal(grantpt(commands[1]), 0);
	assert_int_equal(unlockpt(commands[1]), 0);
	snprintf(options, sizeof(options),
		 "--virtual --wait --mem 4M --epoch-touches 10 --control %s", ptsname(commands[1]));
	check_answers(child_start_with(options, 0, commands));
}

static void test_end_of_commands(void **state)
{
	static struct truth truth;
	struct child *child = child_start("--virtual --wait --mem 4M --epoch-touches 10", 0);

	(void)state;
	command(child, "epoch\nepoch\n");
	close(child->commands);
	child->commands = -1;
	expect_setup(child);
	assert_true(read_epoch(child, &truth));
	assert_true(read_epoch(child, &truth));
	assert_false(read_epoch(child, &truth));
	assert_int_equal(child_end(child), 0);
}

static void test_signal_ends_a_long_epoch_in_order(void **state)
{
	static struct truth truth;
	struct child *child = child_start("--virtual --mem 4M --epoch-ms 86400000", 0);

	(void)state;
	expect_setup(child);
	expect(child, "epoch 1 begin ");
	assert_int_equal(kill(child->pid, SIGTERM), 0);
	memset(&truth, 0, sizeof(truth));
	while (next_line(child) && !starts_with(child->line, "bye "))
		if (starts_with(child->line, "epoch 1 end "))
			truth.valid = strstr(child->line, "valid=1") != NULL;
	assert_true(starts_with(child->line, "bye "));
	assert_int_equal(truth.valid, 1);
	assert_int_equal(child_end(child), 0);
}

/*
 * Nobody reads for some seconds while every epoch has some 30 KB of truth: touching goes on, whole
 * lines are dropped and counted, and an epoch that claims to be valid is complete.
 */
static void test_absent_reader_is_survived_and_told(void **state)
{
	static struct truth truth, predicted;
	struct wl_pattern_params params = {
		.kind = WL_UNIFORM, .seed = 1, .ws_pages = 16384, .read_share = 0.5, .threads = 1
	};
	struct child *child = child_start("--virtual --mem 64M --epoch-touches 3000", 0);
	struct wl_pattern pattern;
	struct wl_cursor cursor;
	uint64_t lost = 0, valid = 0, gap = 0, last = 0;

	(void)state;
	assert_int_equal(wl_pattern_init(&pattern, &params), 0);
	wl_cursor_init(&cursor, &pattern, 0);
	expect_setup(child);
	sleep(5);
	while (valid < 400 || !gap) {
		assert_true(read_epoch(child, &truth));
		gap |= truth.epoch != last + 1 || !truth.valid;
		last = truth.epoch;
		if (!truth.valid)
			continue;
		valid++;
		predict(&cursor, &pattern, truth.epoch, 3000, &predicted);
		assert_memory_equal(truth.touched, predicted.touched, sizeof(truth.touched));
		assert_memory_equal(truth.written, predicted.written, sizeof(truth.written));
		assert_int_equal(truth.work_end, truth.epoch * 3000);
	}
	command(child, "quit\n");
	while (next_line(child))
		sscanf(child->line, "log wait_ns=%*u lost=%" SCNu64, &lost);
	assert_true(lost > 0);
	assert_int_equal(child_end(child), 0);
}

static void test_closed_log_is_an_error(void **state)
{
	struct child *child = child_start("--virtual --mem 4M --epoch-ms 20", 0);
	int status;

	(void)state;
	expect_setup(child);
	fclose(child->log);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	close(child->commands);
	free(child->line);
	free(child);
}

/* An unprivileged process sees no page frames: no gfn may be claimed. */
static void test_no_gfns_is_said(void **state)
{
	struct child *child = child_start("--mem 64K --epochs 1", geteuid() ? 0 : 65534);

	(void)state;
	expect(child, "kx-workload 1 pattern=");
	assert_non_null(strstr(child->line, " addr=none"));
	expect(child, "error ");
	assert_null(next_line(child));
	assert_int_equal(child_end(child), 3);
}

static void test_bad_usage_is_status_2(void **state)
{
	struct child *child = child_start("--mem 5", 0);

	(void)state;
	assert_null(next_line(child));
	assert_int_equal(child_end(child), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockstep_log_memory_and_generator_agree),
		cmocka_unit_test(test_faults_lose_no_page),
		cmocka_unit_test(test_threads_do_all_the_work),
		cmocka_unit_test(test_timed_epoch_is_exact_too),
		cmocka_unit_test(test_idle_pattern_touches_nothing),
		cmocka_unit_test(test_rate_holds_over_short_epochs),
		cmocka_unit_test(test_work_lines_come_often),
		cmocka_unit_test(test_go_stop_and_noise),
		cmocka_unit_test(test_answers_on_a_socket),
		cmocka_unit_test(test_quit_is_answered),
		cmocka_unit_test(test_answers_on_a_device),
		cmocka_unit_test(test_end_of_commands),
		cmocka_unit_test(test_signal_ends_a_long_epoch_in_order),
		cmocka_unit_test(test_absent_reader_is_survived_and_told),
		cmocka_unit_test(test_closed_log_is_an_error),
		cmocka_unit_test(test_no_gfns_is_said),
		cmocka_unit_test(test_bad_usage_is_status_2),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("workload-run", tests, NULL, NULL);
}
