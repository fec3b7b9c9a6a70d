/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dirty log's self-test: how its counts are judged, and one run on this machine, whatever the machine can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor/selftest-log.h"
#include "fake-root.h"

static KxSelftestRaw good(void)
{
	return (KxSelftestRaw){
		.done = 1,
		.count = { [KX_SELFTEST_IO] = { .rounds = 6, .written = 1855 },
			   [KX_SELFTEST_HLT] = { .rounds = 6, .written = 1855 } },
	};
}

static void expect(const KxSelftestRaw *raw, enum kvm_ext_log_mechanism mechanism,
		   KxSelftestOutcome outcome, const char *text)
{
	g_autoptr(KxSelftest) t = kx_selftest_judge(raw, mechanism);

	if (t->outcome != outcome || !strstr(t->text, text))
		fail_msg("%s (%s), expected %s (%s)", kx_selftest_outcome_name(t->outcome), t->text,
			 kx_selftest_outcome_name(outcome), text);
}

static void judges(void **state)
{
	KxSelftestRaw raw = good();

	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_OK, "ok: 3710 pages in 12 rounds");
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_OK, "(mechanism pml)");
	raw.count[KX_SELFTEST_HLT].missing = 319;
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_WRONG,
	       "loses dirty pages: 319 of 1855 missing at HLT exits without an in-kernel irqchip "
	       "(mechanism pml)");
	/* Pages that a HLT left in the CPU's buffer appear in later rounds: this is the same fault. */
	raw.count[KX_SELFTEST_HLT].extra = 300;
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_WRONG, "loses dirty pages: 319 of 1855");
	raw.count[KX_SELFTEST_IO].missing = 2;
	expect(&raw, KVM_EXT_LOG_WRITE_PROTECT, KX_SELFTEST_WRONG, "2 of 1855 missing at I/O");
	raw = good();
	raw.count[KX_SELFTEST_IO].extra = 1;
	expect(&raw, KVM_EXT_LOG_UNKNOWN, KX_SELFTEST_WRONG, "not written: 1 of 1855 too many");
}

/* A test that did not run is never ok. */
static void does_not_run(void **state)
{
	KxSelftestRaw raw = { .error = EACCES, .step = "/dev/kvm" };

	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_NOT_RUN, "not run: /dev/kvm: Permission denied");
	raw = (KxSelftestRaw){ .done = 1 };
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_NOT_RUN, "not run: ");
	raw = good();
	raw.done = 0;
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_NOT_RUN, "ended early");
	raw = good();
	raw.count[KX_SELFTEST_IO] = (KxSelftestCount){ 0 };
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_NOT_RUN, "not run: ");
	raw = good();
	memset(raw.step, 'x', sizeof(raw.step));
	raw.done = 0;
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_NOT_RUN, "xxx: ended early");
}

/* Text that the program prints, and text that it never prints. */
static void parses(void **state)
{
	KxSelftestRaw raw;

	assert_true(kx_selftest_parse("[vm]\ndone=true\n[io]\nrounds=6\nwritten=1855\n[hlt]\n"
				      "rounds=5\nwritten=1155\nmissing=319\nextra=2\n",
				      &raw));
	assert_true(raw.done);
	assert_int_equal(raw.count[KX_SELFTEST_IO].written, 1855);
	assert_int_equal(raw.count[KX_SELFTEST_HLT].rounds, 5);
	assert_int_equal(raw.count[KX_SELFTEST_HLT].missing, 319);
	assert_int_equal(raw.count[KX_SELFTEST_HLT].extra, 2);
	assert_true(kx_selftest_parse("[vm]\ndone=false\nstep=/dev/kvm\nerrno=13\n", &raw));
	expect(&raw, KVM_EXT_LOG_PML, KX_SELFTEST_NOT_RUN, "not run: /dev/kvm: Permission denied");
	assert_false(kx_selftest_parse("", &raw));
	assert_false(kx_selftest_parse("[io]\nrounds=6\n", &raw));
	assert_false(kx_selftest_parse("Segmentation fault\n", &raw));
}

static void runs_and_leaves_nothing(void **state)
{
	gint64 start = g_get_monotonic_time(), ms;
	g_autoptr(KxSelftest) t = kx_selftest_run(NULL);
	g_autoptr(KxSelftest) copy = kx_selftest_copy(t);

	ms = (g_get_monotonic_time() - start) / 1000;
	print_message("%s; %d ms\n", t->text, (int)ms);
	assert_null(strstr(t->text, "kvm-ext-testvm")); /* the program was found, and ended well */
	assert_true(ms < 61000);
	assert_true(g_str_has_prefix(t->text, t->outcome == KX_SELFTEST_OK	  ? "ok: "
					      : t->outcome == KX_SELFTEST_NOT_RUN ? "not run: "
										  : "lo"));
	assert_string_equal(copy->text, t->text);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	assert_int_equal(errno, ECHILD);
}

static void key_changes_with_the_load(void **state)
{
	g_autofree char *root = fake_root_new(), *empty = kx_selftest_key(root);
	g_autofree char *one = NULL, *same = NULL, *two = NULL, *three = NULL;

	fake_write(root, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
	fake_write(root, "proc/sys/kernel/random/boot_id", "b1\n");
	fake_write(root, "sys/module/kvm_intel/parameters/pml", "Y\n");
	one = kx_selftest_key(root);
	same = kx_selftest_key(root);
	assert_string_equal(one, same);
	assert_string_not_equal(one, empty);
	fake_write(root, "sys/module/kvm_intel/parameters/pml", "N\n");
	two = kx_selftest_key(root);
	assert_string_not_equal(one, two);
	fake_write(root, "proc/sys/kernel/random/boot_id", "b2\n");
	three = kx_selftest_key(root);
	assert_string_not_equal(two, three);
	fake_remove(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),
		cmocka_unit_test(does_not_run),
		cmocka_unit_test(parses),
		cmocka_unit_test(runs_and_leaves_nothing),
		cmocka_unit_test(key_changes_with_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
