// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands to a guest agent, and how its answers, which come from the guest, are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "experiment/agent.h"

static void asks(void **state)
{
	char *argv[] = { (char *)"/bin/x", (char *)"a b", (char *)"\"\\", NULL };
	g_autofree char *exec = kx_agent_exec(argv), *status = kx_agent_status(42);

	assert_string_equal(exec, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/x\","
				  "\"arg\":[\"a b\",\"\\\"\\\\\"],\"capture-output\":true}}");
	assert_string_equal(status,
			    "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":42}}");
}

static void takes_answers(void **state)
{
	gboolean exited;
	gint64 pid;

	assert_true(kx_agent_read_exec("{\"return\":{\"pid\":7}}", &pid, NULL));
	assert_int_equal(pid, 7);
	assert_true(kx_agent_read_status("{\"return\":{\"exited\":false}}", &exited, NULL));
	assert_false(exited);
	assert_true(kx_agent_read_status("{\"return\":{\"exited\":true,\"exitcode\":0}}", &exited,
					 NULL));
	assert_true(exited);
}

static void reports_failures(void **state)
{
	gboolean exited;
	g_autoptr(GError) error = NULL;

	/* "no\x1b[1m room\n": control characters of the guest must not reach the terminal */
	assert_false(kx_agent_read_status(
		"{\"return\":{\"exited\":true,\"exitcode\":3,\"err-data\":\"bm8bWzFtIHJvb20K\"}}",
		&exited, &error));
	assert_true(exited);
	assert_non_null(strstr(error->message, "status 3: no"));
	assert_null(strchr(error->message, '\x1b'));
	g_clear_error(&error);
	assert_false(kx_agent_read_status("{\"return\":{\"exited\":true,\"signal\":9}}", &exited,
					  &error));
	assert_string_equal(error->message, "the workload ended with signal 9");
}

static void refuses_what_is_none(void **state)
{
	static const char *const answers[] = {
		"",
		"{",
		"[]",
		"null",
		"7",
		"{}",
		"{\"return\":{}}",
		"{\"return\":[]}",
		"{\"return\":null}",
		"{\"return\":{\"pid\":\"7\",\"exited\":\"yes\"}}",
		"{\"return\":{\"pid\":{},\"exited\":1}}",
		"{\"error\":{\"class\":\"GenericError\"}}",
	};

	for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
		gboolean exited = TRUE;
		gint64 pid;
		g_autoptr(GError) a = NULL, b = NULL;

		assert_false(kx_agent_read_exec(answers[i], &pid, &a));
		assert_false(kx_agent_read_status(answers[i], &exited, &b));
		assert_false(exited);
		assert_true(a && b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks),
		cmocka_unit_test(takes_answers),
		cmocka_unit_test(reports_failures),
		cmocka_unit_test(refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
