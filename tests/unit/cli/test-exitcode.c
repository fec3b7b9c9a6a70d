/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <gio/gio.h>

#include "cli/exitcode.h"
#include "tracker/options.h"

static void test_remote(void **state)
{
	static const struct {
		const char *name;
		int code;
	} cases[] = {
		{ "org.kvmext1.Error.Failed", 1 },
		{ "org.kvmext1.Error.InvalidOption", 2 },
		{ "org.kvmext1.Error.NoSuchVm", 4 },
		{ "org.kvmext1.Error.AlreadyAttached", 5 },
		{ "org.kvmext1.Error.NotAttached", 5 },
		{ "org.kvmext1.Error.Busy", 5 },
		{ "org.kvmext1.Error.NoLibvirt", 6 },
		{ "org.kvmext1.Error.NotSupported", 7 },
		{ "org.kvmext1.Error.NoModule", 7 },
		{ "org.kvmext1.Error.AccessDenied", 8 },
		{ "org.kvmext1.Error.VmGone", 9 },
		{ "org.kvmext1.Error.FromTheFuture", 1 },
		{ "org.freedesktop.DBus.Error.ServiceUnknown", 6 },
		{ "org.freedesktop.DBus.Error.AccessDenied", 8 },
		{ "org.freedesktop.DBus.Error.UnknownMethod", 1 },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error =
			g_dbus_error_new_for_dbus_error(cases[i].name, "a message");

		if (kx_exit_code(error) != cases[i].code)
			fail_msg("%s: %d, expected %d", cases[i].name, kx_exit_code(error),
				 cases[i].code);
	}
}

static void test_local(void **state)
{
	static const struct {
		int code, exit;
	} cases[] = {
		{ G_IO_ERROR_NOT_FOUND, 6 },	     { G_IO_ERROR_CONNECTION_REFUSED, 6 },
		{ G_IO_ERROR_CONNECTION_CLOSED, 6 }, { G_IO_ERROR_CLOSED, 6 },
		{ G_IO_ERROR_PERMISSION_DENIED, 8 }, { G_IO_ERROR_FAILED, 1 },
		{ G_IO_ERROR_INVALID_DATA, 1 },
	};
	g_autoptr(GError) option = NULL;
	KxOptions o;

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = g_error_new_literal(G_IO_ERROR, cases[i].code, "x");

		assert_int_equal(kx_exit_code(error), cases[i].exit);
	}
	kx_options_init(&o);
	assert_false(kx_options_set(&o, "cpu", "x", &option));
	assert_int_equal(kx_exit_code(option), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote),
		cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
