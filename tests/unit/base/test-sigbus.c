// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of a file that is truncated while it is used: with a guard, with a watch, and with neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/filewatch.h"
#include "base/sigbus.h"
#include "cases.h"

#define LEN (4u << 20)

typedef struct {
	int fd;
	volatile guint8 *map;
} Memory;

static int setup(void **state)
{
	Memory *m = g_new0(Memory, 1);
	char path[] = "/dev/shm/kx-test-sigbus.XXXXXX";

	m->fd = g_mkstemp(path);
	assert_true(m->fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(m->fd, LEN), 0);
	m->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	assert_true(m->map != MAP_FAILED);
	m->map[0] = m->map[LEN - 1] = 7;
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	Memory *m = *state;

	munmap((void *)m->map, LEN);
	close(m->fd);
	g_free(m);
	return 0;
}

static void missing_pages_read_as_zeros(void **state)
{
	Memory *m = *state;
	g_autoptr(KxGuard) g = kx_guard_new((void *)m->map, LEN);

	assert_non_null(g);
	assert_int_equal(m->map[LEN - 1], 7);
	assert_false(kx_guard_was_hit(g));
	assert_int_equal(ftruncate(m->fd, 4096), 0);
	assert_int_equal(m->map[0], 7);
	assert_false(kx_guard_was_hit(g));
	assert_int_equal(m->map[LEN - 1], 0);
	assert_true(kx_guard_was_hit(g));
	/* a write there has no effect, and does no harm */
	m->map[4096] = 1;
	assert_int_equal(m->map[4096], 1);
}

/* Two guards at a time: a fault in one mapping does not mark the other guard. */
static void guards_are_told_apart(void **state)
{
	Memory *m = *state;
	void *second = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	g_autoptr(KxGuard) a = kx_guard_new((void *)m->map, LEN), b = kx_guard_new(second, LEN);

	assert_int_equal(ftruncate(m->fd, 0), 0);
	assert_int_equal(m->map[0], 0);
	assert_true(kx_guard_was_hit(a));
	assert_false(kx_guard_was_hit(b));
	g_clear_pointer(&b, kx_guard_free);
	munmap(second, LEN);
}

static void faults_elsewhere_end_the_process(void **state)
{
	Memory *m = *state;
	int status;
	pid_t pid;

	assert_int_equal(ftruncate(m->fd, 0), 0);
	pid = fork();
	if (pid == 0) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGBUS, SIG_DFL); /* the test framework's, that is */
		assert_non_null(kx_guard_new((void *)m->map, 4096));
		m->map[8192] = 1; /* after the end of the guarded memory */
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void on_cut(gpointer data)
{
	g_atomic_int_inc((gint *)data);
}

static void a_file_that_is_cut_is_made_whole(void **state)
{
	Memory *m = *state;
	gint cuts = 0;
	g_autoptr(KxFileWatch) w = kx_filewatch_new(m->fd, LEN, on_cut, &cuts);
	gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
	struct stat st;

	assert_non_null(w);
	assert_int_equal(ftruncate(m->fd, 4096), 0);
	while (!g_atomic_int_get(&cuts) && g_get_monotonic_time() < end)
		g_usleep(1000);
	assert_true(g_atomic_int_get(&cuts) > 0);
	assert_int_equal(fstat(m->fd, &st), 0);
	assert_int_equal(st.st_size, LEN);
	assert_int_equal(m->map[0], 7);
	assert_int_equal(m->map[LEN - 1], 0);
}

/* The file may grow; the owner is not notified. */
static void a_file_that_grows_is_left_alone(void **state)
{
	Memory *m = *state;
	gint cuts = 0;
	g_autoptr(KxFileWatch) w = kx_filewatch_new(m->fd, LEN, on_cut, &cuts);
	struct stat st;

	assert_int_equal(ftruncate(m->fd, 2 * LEN), 0);
	g_clear_pointer(&w, kx_filewatch_free);
	assert_int_equal(g_atomic_int_get(&cuts), 0);
	assert_int_equal(fstat(m->fd, &st), 0);
	assert_int_equal(st.st_size, 2 * LEN);
	/* not watched any more */
	assert_int_equal(ftruncate(m->fd, 0), 0);
	assert_int_equal(g_atomic_int_get(&cuts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(missing_pages_read_as_zeros),	CASE(guards_are_told_apart),
		CASE(faults_elsewhere_end_the_process), CASE(a_file_that_is_cut_is_made_whole),
		CASE(a_file_that_grows_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
