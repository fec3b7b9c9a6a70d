// SPDX-License-Identifier: GPL-2.0-or-later
/* Which VMs are held, by whom, and until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "control/holds.h"
#include "fake-root.h"

typedef struct {
	char *root;
	KxHolds *holds;
	GCancellable *first, *second;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->root = fake_root_new();
	f->holds = kx_holds_new(f->root);
	f->first = g_cancellable_new();
	f->second = g_cancellable_new();
	fake_process(f->root, "100", "5000");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	kx_holds_free(f->holds);
	g_object_unref(f->first);
	g_object_unref(f->second);
	fake_remove(f->root);
	g_free(f->root);
	g_free(f);
	return 0;
}

static gboolean first(Fixture *f, pid_t pid)
{
	return kx_holds_take(f->holds, pid, "1", "the first", f->first, NULL);
}

static gboolean second(Fixture *f, pid_t pid)
{
	return kx_holds_take(f->holds, pid, "2", "the second", f->second, NULL);
}

static void test_one_at_a_time(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	assert_true(first(f, 100));
	assert_true(first(f, 100));
	assert_false(kx_holds_take(f->holds, 100, "2", "the second", f->second, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_BUSY));
	assert_non_null(strstr(error->message, "the first"));
	assert_true(second(f, 200));
	kx_holds_release(f->holds, 100, "2");
	assert_false(second(f, 100));
	kx_holds_release(f->holds, 100, "1");
	assert_true(second(f, 100));
}

static void test_the_client_is_gone(void **state)
{
	Fixture *f = *state;

	assert_true(first(f, 100) && first(f, 200));
	g_cancellable_cancel(f->first);
	assert_true(second(f, 100) && second(f, 200));
	/* The client has disconnected before its request is handled. */
	assert_false(first(f, 300));
	assert_true(second(f, 300));
}

/* The VM has ended, and another VM's process has its number. */
static void test_another_vm(void **state)
{
	Fixture *f = *state;

	assert_true(first(f, 100));
	fake_process(f->root, "100", "9000");
	assert_true(second(f, 100));
	assert_false(first(f, 100));
	/* The hold of the earlier VM ends as well, and does not end the new one. */
	g_cancellable_cancel(f->first);
	assert_false(kx_holds_take(f->holds, 100, "3", "the third", NULL, NULL));
}

static void test_text_is_bounded(void **state)
{
	Fixture *f = *state;
	g_autofree char *name = g_strnfill(100000, 'x');
	g_autofree char *who = g_strconcat("\033[2Jö", name, NULL);
	g_autoptr(GError) error = NULL;

	assert_true(kx_holds_take(f->holds, 100, "1", who, f->first, NULL));
	assert_false(kx_holds_take(f->holds, 100, "2", "", f->second, &error));
	assert_true(strlen(error->message) < 400);
	assert_null(strchr(error->message, '\033'));
	assert_true(g_utf8_validate(error->message, -1, NULL));
}

static void test_number_is_bounded(void **state)
{
	Fixture *f = *state;
	pid_t n = 0;

	while (n < 100000 && first(f, 1000 + n))
		n++;
	assert_true(n >= 1000 && n < 100000);
	assert_true(first(f, 1000));
	kx_holds_release(f->holds, 1001, "1");
	assert_true(second(f, 1001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_client_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_vm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number_is_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
