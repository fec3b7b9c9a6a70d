// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of a measurement, read from a directory that stands for the host's root, and its way over D-Bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "fake-root.h"
#include "vm/environment.h"

static char *root;

static int setup(void **state)
{
	root = fake_root_new();
	fake_write(root, "proc/sys/kernel/osrelease", "6.12.48\n");
	fake_write(root, "proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1\n");
	fake_write(root, "proc/cpuinfo",
		   "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\n"
		   "model name\t: AMD EPYC\nstepping\t: 1\nmicrocode\t: 0xa0011d1\n");
	return 0;
}

static int teardown(void **state)
{
	fake_remove(root);
	g_free(root);
	return 0;
}

static void assert_fact(const GPtrArray *e, const char *key, const char *value)
{
	const KxFact *f = kx_environment_find(e, key);

	if (!f)
		fail_msg("there is no %s", key);
	if (g_strcmp0(f->value, value) != 0)
		fail_msg("%s is %s (%s), not %s", key, f->value, f->na, value);
	assert_true(!f->value != !f->na);
}

static void test_reads_what_there_is(void **state)
{
	static const char note[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef";
	g_autoptr(GPtrArray) e = NULL;

	fake_write(
		root, "boot/config-6.12.48",
		"CONFIG_HZ=250\nCONFIG_KVM_ELIDE_TLB_FLUSH_IF_YOUNG=y\n# CONFIG_KASAN is not set\n"
		"CONFIG_LRU_GEN_STATS=y\n");
	fake_write(root, "sys/module/kvm/parameters/tdp_mmu", "Y\n");
	fake_write(root, "sys/module/kvm_amd/parameters/npt", "Y\n");
	fake_write_len(root, "sys/module/kvm_ext/notes/.note.gnu.build-id", note, sizeof(note) - 1);
	e = kx_environment_read(root, NULL);
	assert_fact(e, "kernel_build", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1");
	assert_fact(e, "cpu_signature", "family 25, model 1, stepping 1");
	assert_fact(e, "microcode", "0xa0011d1");
	assert_fact(e, "CONFIG_KVM_ELIDE_TLB_FLUSH_IF_YOUNG", "y");
	assert_fact(e, "CONFIG_HZ", "250");
	assert_fact(e, "CONFIG_KASAN", "n");
	assert_fact(e, "CONFIG_LRU_GEN", "absent"); /* not to be taken for CONFIG_LRU_GEN_STATS */
	assert_fact(e, "kvm.tdp_mmu", "Y");
	assert_fact(e, "kvm_amd.npt", "Y");
	assert_null(kx_environment_find(e, "kvm_intel.ept"));
	assert_fact(e, "kvm_ext.build", "deadbeef");
	assert_fact(e, "libvirt", NULL);
	assert_fact(e, "qemu", NULL);
}

static void test_says_what_it_cannot_read(void **state)
{
	g_autoptr(GPtrArray) e = kx_environment_read(root, NULL);

	assert_fact(e, "CONFIG_HZ", NULL);
	assert_fact(e, "transparent_hugepage", NULL);
	assert_fact(e, "kvm_ext.build", NULL);
	assert_string_equal(kx_environment_find(e, "kvm_ext.build")->na,
			    "the module is not loaded");
}

/* A note of another kind, or one that ends too early, is no build id. */
static void test_odd_notes(void **state)
{
	static const char *const notes[] = { "\4\0\0", "\4\0\0\0\x40\0\0\0\3\0\0\0GNU",
					     "\4\0\0\0\xff\xff\xff\xff\3\0\0\0GNU" };
	static const gssize sizes[] = { 3, 15, 15 };

	for (guint i = 0; i < G_N_ELEMENTS(notes); i++) {
		g_autoptr(GPtrArray) e = NULL;

		fake_write_len(root, "sys/module/kvm_ext/notes/.note.gnu.build-id", notes[i],
			       sizes[i]);
		e = kx_environment_read(root, NULL);
		assert_fact(e, "kvm_ext.build", NULL);
	}
}

static void test_packed_configuration(void **state)
{
	g_autoptr(GPtrArray) e = NULL;
	g_autofree char *path = g_build_filename(root, "proc/config.gz", NULL);
	g_autofree char *command = g_strdup_printf("sh -c 'echo CONFIG_HZ=1000 | gzip >%s'", path);
	int status;

	assert_true(g_spawn_command_line_sync(command, NULL, NULL, &status, NULL));
	assert_int_equal(status, 0);
	e = kx_environment_read(root, NULL);
	assert_fact(e, "CONFIG_HZ", "1000");
	assert_fact(e, "CONFIG_PREEMPT_RT", "absent");
}

static void test_goes_over_dbus(void **state)
{
	g_autoptr(GPtrArray) e = kx_environment_read(root, NULL), back = NULL;
	g_autoptr(GVariant) v = g_variant_ref_sink(kx_environment_to_variant(e));

	back = kx_environment_from_variant(v);
	assert_int_equal(back->len, e->len);
	for (guint i = 0; i < e->len; i++) {
		const KxFact *f = e->pdata[i], *g = back->pdata[i];

		assert_string_equal(f->key, g->key);
		assert_int_equal(g_strcmp0(f->value, g->value), 0);
		assert_int_equal(g_strcmp0(f->na, g->na), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_reads_what_there_is), CASE(test_says_what_it_cannot_read),
		CASE(test_odd_notes),		CASE(test_packed_configuration),
		CASE(test_goes_over_dbus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
