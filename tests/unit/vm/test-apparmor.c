// SPDX-License-Identifier: GPL-2.0-or-later
/* A profile's text with one more rule. tests/e2e tests that AppArmor accepts the text, and that QEMU may then open the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "vm/apparmor.h"

#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"

static void adds_one_rule(void **state)
{
	static const char text[] = "#include <tunables/global>\n"
				   "profile libvirt-" UUID " flags=(attach_disconnected) {\n"
				   "  #include <abstractions/libvirt-qemu>\n"
				   "  #include <libvirt/libvirt-" UUID ".files>\n"
				   "}\n";
	g_autofree char *with = kx_apparmor_with_rule(text, "/dev/shm/kvm-ext-" UUID);

	assert_string_equal(with, "#include <tunables/global>\n"
				  "profile libvirt-" UUID " flags=(attach_disconnected) {\n"
				  "  #include <abstractions/libvirt-qemu>\n"
				  "  #include <libvirt/libvirt-" UUID ".files>\n"
				  "  owner /dev/shm/kvm-ext-" UUID " rw,\n"
				  "}\n");
}

/* No file name can add more permissions to a profile. */
static void puts_no_pattern_into_a_profile(void **state)
{
	static const char *const paths[] = { "/dev/shm/*",     "/dev/shm/a rw, /b",
					     "/dev/shm/{a,b}", "/dev/shm/@{HOME}",
					     "/dev/shm/a\n/b", "/dev/shm/[a]" };

	for (guint i = 0; i < G_N_ELEMENTS(paths); i++)
		assert_null(kx_apparmor_with_rule("profile a {\n}\n", paths[i]));
	assert_null(kx_apparmor_with_rule("", "/dev/shm/a"));
}

static void only_libvirts_own_profiles(void **state)
{
	static const char *const names[] = { "libvirt-../../x", "usr.sbin.libvirtd", "unconfined" };

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;

		assert_false(kx_apparmor_allow(names[i], "/dev/shm/a", &error));
		assert_int_equal(error->code, KX_ERROR_NOT_SUPPORTED);
		/* the error says what to do */
		assert_non_null(strstr(error->message, "owner /dev/shm/a rw,"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_one_rule),
		cmocka_unit_test(puts_no_pattern_into_a_profile),
		cmocka_unit_test(only_libvirts_own_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
