// SPDX-License-Identifier: GPL-2.0-or-later
/* kvm-extd, built with the sanitizers, as a process: start, readiness, reload, stop, a second one, kill -9. */
#define _GNU_SOURCE /* unshare() */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cases.h"
#include "fake-root.h"
#include "tracker/damon-setup.h"

#define DAEMON "build/tests/kvm-extd"

#define LIMIT_S 60 /* for what takes milliseconds, on a machine that may be busy */

typedef struct {
	char *root, *socket, *config, *log, *notify;
	const char *watchdog_usec; /* NULL: systemd wants none */
	int notify_fd;
	GPid pid;
} State;

static int setup(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = LIMIT_S };
	State *s = g_new0(State, 1);

	s->root = fake_root_new();
	s->socket = g_build_filename(s->root, "s.sock", NULL);
	s->config = g_build_filename(s->root, "kvm-extd.conf", NULL);
	s->log = g_build_filename(s->root, "log", NULL);
	s->notify = g_build_filename(s->root, "notify", NULL);
	fake_write(s->root, "kvm-extd.conf", "[daemon]\nlibvirt-uri=\nsystem-bus=no\n");
	s->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	g_strlcpy(addr.sun_path, s->notify, sizeof(addr.sun_path));
	assert_int_equal(bind(s->notify_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(s->notify_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	if (s->pid) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	close(s->notify_fd);
	fake_remove(s->root);
	g_free(s->root);
	g_free(s->socket);
	g_free(s->config);
	g_free(s->log);
	g_free(s->notify);
	g_free(s);
	return 0;
}

static GPid spawn(State *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen(s->log, "a", stderr) || setenv("NOTIFY_SOCKET", s->notify, 1) ||
		    (s->watchdog_usec && setenv("WATCHDOG_USEC", s->watchdog_usec, 1)))
			_exit(126);
		execl(DAEMON, DAEMON, "--config", s->config, "--socket", s->socket, NULL);
		_exit(127);
	}
	return pid;
}

static void expect_notice(State *s, const char *want)
{
	char text[64] = "";
	ssize_t n = recv(s->notify_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		fail_msg("no %s within %d s", want, LIMIT_S);
	assert_string_equal(text, want);
}

/* Type=notify-reload needs the begin of the reload, with a time that is not before the signal, and its end. */
static void reload(State *s)
{
	gint64 before = g_get_monotonic_time(), began = 0;
	char text[64] = "";

	kill(s->pid, SIGHUP);
	if (recv(s->notify_fd, text, sizeof(text) - 1, 0) < 0)
		fail_msg("no RELOADING=1 within %d s", LIMIT_S);
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, &began), 1);
	assert_true(began >= before && began <= g_get_monotonic_time());
	expect_notice(s, "READY=1");
}

static void start(State *s)
{
	s->pid = spawn(s);
	expect_notice(s, "READY=1");
}

/* The exit status, or fails after LIMIT_S. */
static int ended(GPid pid)
{
	int status, i;

	for (i = 0; i < LIMIT_S * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		g_usleep(10000);
	}
	fail_msg("the daemon did not end within %d s", LIMIT_S);
	return -1;
}

static gboolean logged(State *s, const char *what)
{
	g_autofree char *text = NULL;

	return g_file_get_contents(s->log, &text, NULL, NULL) && strstr(text, what);
}

static void wait_logged(State *s, const char *what)
{
	int i;

	for (i = 0; i < LIMIT_S * 100 && !logged(s, what); i++)
		g_usleep(10000);
	if (!logged(s, what))
		fail_msg("the log does not say \"%s\"", what);
}

static GVariant *ask(State *s, const char *method, GVariant *params)
{
	g_autofree char *address = g_strdup_printf("unix:path=%s", s->socket);
	g_autoptr(GDBusConnection) c = g_dbus_connection_new_for_address_sync(
		address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, NULL);
	GVariant *reply;

	if (!c)
		return NULL;
	reply = g_dbus_connection_call_sync(c, NULL, "/org/kvmext1", "org.kvmext1.Manager", method,
					    params, NULL, 0, 10000, NULL, NULL);
	g_dbus_connection_close_sync(c, NULL, NULL);
	return reply;
}

static void assert_answers(State *s)
{
	g_autoptr(GVariant) reply = ask(s, "List", NULL);

	assert_non_null(reply);
}

static void starts_answers_and_stops(void **state)
{
	State *s = *state;
	g_autoptr(GVariant) reply = NULL;

	start(s);
	reply = ask(s, "List", NULL);
	assert_non_null(reply);
	assert_string_equal(g_variant_get_type_string(reply), "(aa{sv})");
	kill(s->pid, SIGTERM);
	assert_int_equal(ended(s->pid), 0);
	s->pid = 0;
	expect_notice(s, "STOPPING=1");
	assert_false(g_file_test(s->socket, G_FILE_TEST_EXISTS));
}

/* While the main loop runs, and for as long as systemd asked for it. */
static void feeds_the_watchdog(void **state)
{
	State *s = *state;

	s->watchdog_usec = "100000";
	start(s);
	for (guint i = 0; i < 3; i++)
		expect_notice(s, "WATCHDOG=1");
	assert_answers(s);
	expect_notice(s, "WATCHDOG=1");
}

static void second_one_is_refused(void **state)
{
	State *s = *state;
	g_autoptr(GVariant) reply = NULL;

	start(s);
	/* Repeated, because a daemon that had begun work on a thread before it was refused crashed in one of ten runs. */
	for (guint i = 0; i < 20; i++)
		assert_int_equal(ended(spawn(s)), 1);
	assert_true(logged(s, "another kvm-extd"));
	reply = ask(s, "List", NULL);
	assert_non_null(reply);
}

static void kill_leaves_nothing_in_the_way(void **state)
{
	State *s = *state;

	start(s);
	kill(s->pid, SIGKILL);
	assert_int_equal(ended(s->pid), 128 + SIGKILL);
	assert_true(g_file_test(s->socket, G_FILE_TEST_EXISTS));
	start(s);
	assert_answers(s);
}

/* Metrics never replace a socket on which a program listens, such as the daemon's own socket. */
static void sockets_in_use_stay(void **state)
{
	State *s = *state;
	g_autofree char *text = g_strdup_printf(
		"[daemon]\nlibvirt-uri=\nsystem-bus=no\n[metrics]\nlisten=%s\n", s->socket);

	fake_write(s->root, "kvm-extd.conf", text);
	start(s);
	wait_logged(s, "a program listens on");
	assert_answers(s);
	kill(s->pid, SIGTERM);
	assert_int_equal(ended(s->pid), 0);
	s->pid = 0;
}

/* For an address that others can reach, the warning says what the metrics show, and how to allow or deny readers. */
static void says_who_reaches_the_metrics(void **state)
{
	State *s = *state;

	fake_write(s->root, "kvm-extd.conf",
		   "[daemon]\nlibvirt-uri=\nsystem-bus=no\n[metrics]\nlisten=0.0.0.0:1\n");
	start(s);
	assert_true(logged(s, "IPAddressAllow="));
}

static void reload_takes_good_and_refuses_bad(void **state)
{
	State *s = *state;

	start(s);
	fake_write(s->root, "kvm-extd.conf",
		   "[daemon]\nlibvirt-uri=\nsystem-bus=no\n[domain x]\ntracker=warp\n");
	reload(s);
	wait_logged(s, "the old one stays");
	assert_true(logged(s, "[domain x] tracker=warp"));
	fake_write(s->root, "kvm-extd.conf",
		   "[daemon]\nlibvirt-uri=\nsystem-bus=no\nlog-format=json\n[domain "
		   "x]\ntracker=abit\n");
	reload(s);
	wait_logged(s, "\"event\":\"config-loaded\"");
	assert_true(logged(s, "1 rules"));
	assert_answers(s);
}

/* With a status of its own, for which the unit does not start the daemon again. */
static void bad_configuration_is_refused(void **state)
{
	State *s = *state;

	fake_write(s->root, "kvm-extd.conf", "[daemon]\nsystem-bus=perhaps\n");
	assert_int_equal(ended(spawn(s)), 2);
	assert_true(logged(s, "[daemon] system-bus=perhaps"));
	unlink(s->config);
	assert_int_equal(ended(spawn(s)), 2); /* named on the command line: must be there */
}

/* ExecReload runs this check first: nothing is served, and the exit status is the answer. */
static void checks_a_configuration(void **state)
{
	State *s = *state;
	const char *const args[] = { DAEMON, "--config", s->config, "--check-config", NULL };
	g_autofree char *out = NULL, *err = NULL;
	int status;

	fake_write(s->root, "kvm-extd.conf", "[domain x]\ntracker=abit\n");
	assert_true(
		g_spawn_sync(NULL, (char **)args, NULL, 0, NULL, NULL, &out, NULL, &status, NULL));
	assert_int_equal(status, 0);
	assert_non_null(strstr(out, "1 rules"));
	assert_false(g_file_test(s->socket, G_FILE_TEST_EXISTS));
	fake_write(s->root, "kvm-extd.conf", "[domain x]\ntracker=guest-abit\ninterval=1ms\n");
	assert_true(
		g_spawn_sync(NULL, (char **)args, NULL, 0, NULL, NULL, NULL, &err, &status, NULL));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(err, "option interval does not apply"));
}

/* Each line has its level, so that readers see which lines are important. */
static void text_has_levels(void **state)
{
	State *s = *state;

	start(s);
	fake_write(s->root, "kvm-extd.conf", "[domain x]\ntracker=warp\n");
	reload(s);
	wait_logged(s, "the old one stays");
	assert_true(logged(s, "kvm-ext-WARNING **"));
	assert_true(logged(s, "kvm-ext-Message"));
}

static guint descriptors(const char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	guint n;

	for (n = 0; g_dir_read_name(d); n++)
		;
	g_dir_close(d);
	return n;
}

static void call_often(State *s, guint times)
{
	for (guint i = 0; i < times; i++) {
		g_autoptr(GVariant) reply = ask(s, "List", NULL);

		assert_non_null(reply);
	}
}

static void many_callers_leak_nothing(void **state)
{
	State *s = *state;
	g_autofree char *dir = NULL;
	guint before, after, i;

	start(s);
	dir = g_strdup_printf("/proc/%d/fd", s->pid);
	call_often(s, 10);
	before = descriptors(dir);
	call_often(s, 50);
	/* closed connections go when the daemon's loop comes round */
	for (i = 0; (after = descriptors(dir)) > before && i < LIMIT_S * 100; i++)
		g_usleep(10000);
	assert_in_range(after, 1, before);
}

/* --- kvm-extd --recover ----------------------------------------------------------------------------------------------------- */

#define NOT_HERE 77
#define KDAMONDS "mm/damon/admin/kdamonds/"

static void put_kdamond(State *s, guint nr, const char *file, const char *text)
{
	g_autofree char *path = g_strdup_printf(KDAMONDS "%u/%s", nr, file);

	fake_write(s->root, path, text);
}

/* DAMON's directory with @n kdamonds, of which all but number 1 are as they were created; that one runs. */
static void put_damon(State *s, guint n)
{
	g_autofree char *text = g_strdup_printf("%u\n", n);

	fake_write(s->root, KDAMONDS "nr_kdamonds", text);
	for (guint i = 0; i < n; i++) {
		put_kdamond(s, i, "state", i == 1 ? "on\n" : "off\n");
		put_kdamond(s, i, "contexts/nr_contexts", i == 1 ? "1\n" : "0\n");
	}
}

/* The mark of a daemon that was process @pid, in the form that damon-setup.c gives it. */
static void put_mark(State *s, pid_t pid)
{
	g_autofree char *owner = g_strdup_printf("%d\n", pid);
	g_autofree char *mark = g_strdup_printf("%u\n", (guint)KX_DAMON_MARK);

	put_kdamond(s, 0, "contexts/nr_contexts", "1\n");
	put_kdamond(s, 0, "contexts/0/monitoring_attrs/intervals/update_us", mark);
	put_kdamond(s, 0, "contexts/0/monitoring_attrs/intervals/aggr_us", "77\n");
	put_kdamond(s, 0, "contexts/0/targets/nr_targets", "1\n");
	put_kdamond(s, 0, "contexts/0/targets/0/pid_target", owner);
	put_kdamond(s, 1, "contexts/0/monitoring_attrs/intervals/update_us", mark);
}

/* What the program writes to a file that has been longer is at its beginning. */
static void begins(State *s, const char *file, const char *with)
{
	g_autofree char *path = g_build_filename(s->root, KDAMONDS, file, NULL), *text = NULL;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	if (!g_str_has_prefix(text, with))
		fail_msg("%s is '%s', expected '%s'", file, text, with);
}

/* Only with our directory in the place of the kernel's: this host's DAMON is not to be touched. */
static void run_recover(State *s)
{
	g_autofree char *mm = g_build_filename(s->root, "mm", NULL);
	g_autofree char *said = g_build_filename(s->root, "recover.err", NULL);

	if (!freopen(said, "w", stderr))
		_exit(126);
	if ((unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(mm, "/sys/kernel/mm", NULL, MS_BIND, NULL))
		_exit(NOT_HERE);
	execl(DAEMON, DAEMON, "--recover", NULL);
	_exit(127);
}

static void recover(State *s)
{
	pid_t pid = fork();
	int rc;

	if (pid == 0)
		run_recover(s);
	rc = ended(pid);
	if (rc == NOT_HERE) {
		print_message("this user cannot have mounts of its own here\n");
		skip();
	}
	assert_int_equal(rc, 0);
}

static pid_t ended_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ended(pid);
	return pid;
}

static void recover_removes_what_is_ours(void **state)
{
	State *s = *state;

	put_damon(s, KX_DAMON_KDAMONDS);
	put_mark(s, ended_process());
	recover(s);
	begins(s, "1/state", "off\n");
	begins(s, "nr_kdamonds", "0\n");
}

static void recover_leaves_others_alone(void **state)
{
	State *s = *state;

	put_damon(s, 3);
	recover(s);
	begins(s, "1/state", "on\n");
	begins(s, "nr_kdamonds", "3\n");
	/* As many as ours, without the mark. */
	put_damon(s, KX_DAMON_KDAMONDS);
	recover(s);
	begins(s, "1/state", "on\n");
	begins(s, "nr_kdamonds", "128\n");
	/* Somebody runs a kdamond in what we left. */
	put_mark(s, ended_process());
	put_kdamond(s, 9, "state", "on\n");
	recover(s);
	begins(s, "1/state", "on\n");
	begins(s, "9/state", "on\n");
	begins(s, "nr_kdamonds", "128\n");
}

/* Another daemon makes its setup at this moment: DAMON is left alone, and the program says so. */
static void recover_leaves_a_setup_in_the_making(void **state)
{
	State *s = *state;
	g_autofree char *path = g_build_filename(s->root, KDAMONDS "nr_kdamonds", NULL);
	g_autofree char *err = g_build_filename(s->root, "recover.err", NULL), *said = NULL;
	int fd;

	put_damon(s, KX_DAMON_KDAMONDS);
	put_kdamond(s, 1, "contexts/nr_contexts", "0\n");
	put_kdamond(s, 1, "state", "off\n");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	recover(s);
	begins(s, "nr_kdamonds", "128\n");
	assert_true(g_file_get_contents(err, &said, NULL, NULL));
	assert_non_null(strstr(said, "DAMON is left alone: another kvm-extd"));
	close(fd);
	recover(s);
	begins(s, "nr_kdamonds", "0\n");
}

/* And where there is no DAMON, there is nothing to do. */
static void recover_without_damon(void **state)
{
	State *s = *state;
	g_autofree char *damon = g_build_filename(s->root, "mm/damon", NULL);

	fake_write(s->root, "mm/ksm/run", "0\n");
	recover(s);
	assert_false(g_file_test(damon, G_FILE_TEST_EXISTS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(starts_answers_and_stops),
		CASE(feeds_the_watchdog),
		CASE(second_one_is_refused),
		CASE(kill_leaves_nothing_in_the_way),
		CASE(sockets_in_use_stay),
		CASE(says_who_reaches_the_metrics),
		CASE(reload_takes_good_and_refuses_bad),
		CASE(bad_configuration_is_refused),
		CASE(checks_a_configuration),
		CASE(text_has_levels),
		CASE(many_callers_leak_nothing),
		CASE(recover_removes_what_is_ours),
		CASE(recover_leaves_others_alone),
		CASE(recover_leaves_a_setup_in_the_making),
		CASE(recover_without_damon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
