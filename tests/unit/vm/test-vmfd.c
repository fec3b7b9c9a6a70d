// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding QEMU and its VM: over a made-up /proc, and live against a child of ours that holds an eventfd in the place of
 * a KVM VM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-root.h"
#include "vm/vmfd.h"

#define UUID1	"11111111-2222-3333-4444-555555555555"
#define UUID2	"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
#define EVENTFD "anon_inode:[eventfd]"

static int setup(void **state)
{
	char *root = fake_root_new();
	static const char qemu1[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=web "
				    "\xce\xb1,debug-threads=on\0-uuid\0" UUID1;
	static const char qemu2[] =
		"qemu-system-x86_64\0-name\0a,,b\0--uuid\0AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE";
	static const char liar[] = "sh\0-c\0echo -uuid " UUID1;

	fake_write_len(root, "proc/100/cmdline", qemu1, sizeof(qemu1));
	fake_write_len(root, "proc/200/cmdline", qemu2, sizeof(qemu2));
	fake_write_len(root, "proc/300/cmdline", liar, sizeof(liar));
	fake_write(root, "proc/self", "");
	fake_link(root, "proc/100/fd/3", "/dev/kvm");
	fake_link(root, "proc/100/fd/12", KX_VMFD_LINK);
	fake_link(root, "proc/100/fd/13", "anon_inode:kvm-vcpu:0");
	fake_link(root, "proc/200/fd/3", "socket:[1]");
	fake_link(root, "proc/400/fd/8", KX_VMFD_LINK);
	fake_link(root, "proc/400/fd/9", KX_VMFD_LINK);
	fake_write(root, "run/web \xce\xb1.pid", "100\n");
	fake_write(root, "run/stale.pid", "200\n");
	fake_write(root, "run/junk.pid", "no number");
	*state = root;
	return 0;
}

static int teardown(void **state)
{
	fake_remove(*state);
	g_free(*state);
	return 0;
}

static void reads_what_qemu_says(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_auto(KxQemuIdent) a = { 0 }, b = { 0 }, c = { 0 };
	g_autoptr(GError) error = NULL;

	assert_true(kx_vmfd_ident(proc, 100, &a, NULL));
	assert_string_equal(a.name, "web \xce\xb1");
	assert_string_equal(a.uuid, UUID1);
	assert_true(kx_vmfd_ident(proc, 200, &b, NULL));
	assert_string_equal(b.name, "a,b");
	assert_string_equal(b.uuid, UUID2);
	assert_false(kx_vmfd_ident(proc, 555, &c, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_SUCH_VM));
}

/* A UUID becomes part of file names and D-Bus strings, so text that is not a UUID is refused, whoever wrote it. */
static void takes_no_path_for_a_uuid(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	static const char path[] = "qemu\0-uuid\0../../etc/shadow";
	static const char bytes[] = "qemu\0-uuid\0" UUID1 "\0-uuid\0\xff\xfe";
	g_auto(KxQemuIdent) a = { 0 }, b = { 0 };

	fake_write_len(*state, "proc/202/cmdline", path, sizeof(path));
	fake_write_len(*state, "proc/203/cmdline", bytes, sizeof(bytes));
	assert_true(kx_vmfd_ident(proc, 202, &a, NULL));
	assert_null(a.uuid);
	assert_true(kx_vmfd_ident(proc, 203, &b, NULL));
	assert_null(b.uuid);
}

static void finds_pids(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_autofree char *run = g_build_filename(*state, "run", NULL);
	const char *const dirs[] = { "/nonexistent", run, NULL };
	g_autoptr(GError) error = NULL;

	assert_int_equal(kx_vmfd_find_pid(proc, dirs, "web \xce\xb1", UUID1, NULL), 100);
	/* The pid file is from an earlier run: the command line decides. */
	assert_int_equal(kx_vmfd_find_pid(proc, dirs, "stale", UUID1, NULL), 100);
	assert_int_equal(kx_vmfd_find_pid(proc, dirs, "junk", UUID2, NULL), 200);
	assert_int_equal(kx_vmfd_find_pid(proc, NULL, NULL, UUID2, NULL), 200);
	assert_int_equal(kx_vmfd_find_pid(proc, dirs, "none",
					  "00000000-0000-0000-0000-000000000000", &error),
			 0);
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_SUCH_VM));
}

static void knows_all_uuids(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_autoptr(GHashTable) uuids = kx_vmfd_uuids(proc);

	assert_int_equal(g_hash_table_size(uuids), 2);
	assert_true(g_hash_table_contains(uuids, UUID1));
	assert_true(g_hash_table_contains(uuids, UUID2)); /* written in capitals */
	assert_null(kx_vmfd_uuids("/nonexistent"));
}

static void refuses_two_of_one_uuid(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	static const char twin[] = "qemu\0-uuid\0" UUID2;
	g_autoptr(GError) error = NULL;

	fake_write_len(*state, "proc/201/cmdline", twin, sizeof(twin));
	assert_int_equal(kx_vmfd_find_pid(proc, NULL, NULL, UUID2, &error), 0);
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_FAILED));
	assert_non_null(strstr(error->message, "--pid"));
}

/* A VM of KVM is none that QEMU emulates, whatever its threads are called. */
static void knows_who_emulates(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);

	assert_null(kx_vmfd_emulator(proc, 200));
	fake_write(*state, "proc/200/task/201/comm", "CPU 0/TCG\n");
	assert_string_equal(kx_vmfd_emulator(proc, 200), "QEMU TCG");
	fake_write(*state, "proc/100/task/101/comm", "CPU 0/TCG\n");
	assert_null(kx_vmfd_emulator(proc, 100));
	assert_null(kx_vmfd_emulator(proc, 999));
}

static void finds_the_descriptor(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_autoptr(GError) tcg = NULL, several = NULL, none = NULL;

	assert_int_equal(kx_vmfd_find_number(proc, 100, KX_VMFD_LINK, NULL), 12);
	assert_int_equal(kx_vmfd_find_number(proc, 200, KX_VMFD_LINK, &tcg), -1);
	assert_true(g_error_matches(tcg, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
	assert_non_null(strstr(tcg->message, "TCG"));
	assert_int_equal(kx_vmfd_find_number(proc, 400, KX_VMFD_LINK, &several), -1);
	assert_true(g_error_matches(several, KX_ERROR, KX_ERROR_FAILED));
	assert_int_equal(kx_vmfd_find_number(proc, 999, KX_VMFD_LINK, &none), -1);
	assert_true(g_error_matches(none, KX_ERROR, KX_ERROR_NO_SUCH_VM));
}

/* --- live ---------------------------------------------------------------------------------------------------------- */

/* A child with an eventfd of value 42 at descriptor 50 (and 51: the same file, if asked for). */
static pid_t start_child(gboolean twice, gboolean other)
{
	int ready[2], fd;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		fd = eventfd(42, EFD_NONBLOCK);
		dup2(fd, 50);
		if (twice)
			dup2(fd, 51);
		close(fd);
		if (other)
			dup2(eventfd(1, 0), 52);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void copies_a_descriptor(void **state)
{
	pid_t pid = start_child(TRUE, FALSE);
	g_autoptr(GError) error = NULL;
	guint64 value = 0;
	KxVmFd vm;
	gboolean ok = kx_vmfd_open("/proc", pid, NULL, EVENTFD, &vm, &error);

	stop_child(pid);
	if (!ok && g_error_matches(error, KX_ERROR, KX_ERROR_ACCESS_DENIED))
		skip(); /* no ptrace rights here: the error path is what can be seen */
	assert_true(ok);
	assert_int_equal(vm.number, 50);
	assert_int_equal(read(vm.fd, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 42);
	close(vm.fd);
}

static void refuses_the_wrong_process(void **state)
{
	pid_t pid = start_child(FALSE, TRUE);
	g_autoptr(GError) uuid = NULL, several = NULL, none = NULL, dead = NULL;
	KxVmFd vm;

	assert_false(kx_vmfd_open("/proc", pid, UUID1, EVENTFD, &vm, &uuid));
	assert_true(g_error_matches(uuid, KX_ERROR, KX_ERROR_NO_SUCH_VM));
	assert_false(kx_vmfd_open("/proc", pid, NULL, EVENTFD, &vm, &several));
	assert_true(g_error_matches(several, KX_ERROR, KX_ERROR_FAILED));
	assert_false(kx_vmfd_open("/proc", pid, NULL, KX_VMFD_LINK, &vm, &none));
	assert_true(g_error_matches(none, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
	stop_child(pid);
	assert_false(kx_vmfd_open("/proc", pid, NULL, EVENTFD, &vm, &dead));
	assert_true(g_error_matches(dead, KX_ERROR, KX_ERROR_NO_SUCH_VM));
}

static int count_fds(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	int n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

static void leaks_no_descriptor(void **state)
{
	pid_t pid = start_child(FALSE, FALSE);
	int before = count_fds(), i;
	KxVmFd vm;

	for (i = 0; i < 20; i++) {
		assert_false(kx_vmfd_open("/proc", pid, UUID1, EVENTFD, &vm, NULL));
		assert_false(kx_vmfd_open("/proc", pid, NULL, KX_VMFD_LINK, &vm, NULL));
		if (kx_vmfd_open("/proc", pid, NULL, EVENTFD, &vm, NULL))
			close(vm.fd);
	}
	stop_child(pid);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reads_what_qemu_says),
		CASE(takes_no_path_for_a_uuid),
		CASE(finds_pids),
		CASE(knows_all_uuids),
		CASE(refuses_two_of_one_uuid),
		CASE(finds_the_descriptor),
		CASE(knows_who_emulates),
		cmocka_unit_test(copies_a_descriptor),
		cmocka_unit_test(refuses_the_wrong_process),
		cmocka_unit_test(leaks_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
