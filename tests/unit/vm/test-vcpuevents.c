// SPDX-License-Identifier: GPL-2.0-or-later
/* Events of guests: the vCPU threads are found, and if nothing can be counted there is a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "fake-root.h"
#include "vm/vcpuevents.h"

static void assert_refused(const char *proc, pid_t pid, const char *why)
{
	g_autoptr(GError) error = NULL;

	for (KxVcpuEvent event = KX_EVENT_INSTRUCTIONS; event <= KX_EVENT_LLC_MISSES; event++) {
		g_clear_error(&error);
		assert_null(kx_vcpu_events_open(proc, pid, event, &error));
		assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
		if (!strstr(error->message, why))
			fail_msg("'%s' does not say '%s'", error->message, why);
	}
}

static void test_reasons(void **state)
{
	char *root = fake_root_new();

	assert_refused(root, 77, "cannot be looked at");
	fake_write(root, "77/task/77/comm", "qemu-system-x86\n");
	assert_refused(root, 77, "no thread that runs a vCPU");
	fake_remove(root);
	g_free(root);
}

/* A thread of this process with the name of a vCPU thread of QEMU: it is counted, or the error says why not. */
static void check_counted_or_refused(KxVcpuEvent event)
{
	char *root = fake_root_new();
	g_autofree char *path = g_strdup_printf("%d/task/%d/comm", getpid(), getpid());
	g_autoptr(KxVcpuEvents) i = NULL;
	g_autoptr(GError) error = NULL;
	double count = -1;

	fake_write(root, path, "CPU 0/KVM\n");
	i = kx_vcpu_events_open(root, getpid(), event, &error);
	if (!i) {
		assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
		assert_true(*error->message);
	} else if (kx_vcpu_events_read(i, &count)) {
		/* It runs no guest. */
		assert_true(count == 0);
	}
	fake_remove(root);
	g_free(root);
}

static void test_a_thread_is_counted_or_refused(void **state)
{
	check_counted_or_refused(KX_EVENT_INSTRUCTIONS);
	check_counted_or_refused(KX_EVENT_LLC_MISSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_a_thread_is_counted_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
