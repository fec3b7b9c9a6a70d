// SPDX-License-Identifier: GPL-2.0-or-later
/* An experiment's file: its contents, its sweeps, and that each error names group and key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <glib/gstdio.h>

#include "compare/setting.h"
#include "experiment/plan.h"

static char *dir; /* with vm.xml */

static const char vm_xml[] = "<domain type='kvm'><name>web</name><memory unit='MiB'>256</memory>"
			     "<vcpu>2</vcpu><devices/></domain>";

/* A file of these lines, beside what every file needs. */
#define EXPERIMENT "[experiment]\ntrackers=abit,ept-walk\n"
#define VM	   "[vm]\ntemplate=vm.xml\n"
#define AGENT	   "[workload]\nexec=/bin/true\n"

static int set_up(void **state)
{
	g_autofree char *path = NULL;

	dir = g_dir_make_tmp("kx-plan-XXXXXX", NULL);
	path = g_build_filename(dir, "vm.xml", NULL);
	return dir && g_file_set_contents(path, vm_xml, -1, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	g_autofree char *path = g_build_filename(dir, "vm.xml", NULL);

	g_unlink(path);
	g_rmdir(dir);
	g_free(dir);
	return 0;
}

static KxPlan *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	KxPlan *p = kx_plan_parse(text, dir, &error);

	if (!p)
		fail_msg("%s", error->message);
	return p;
}

static void defaults(void **state)
{
	g_autoptr(KxPlan) p = parse(EXPERIMENT VM AGENT);
	const KxPoint *point = p->points->pdata[0];

	assert_string_equal(p->name, "web");
	assert_string_equal(p->uri, "qemu:///system");
	assert_int_equal(p->rounds, 5);
	assert_false(p->has_seed);
	assert_null(p->ready);
	assert_null(p->command);
	assert_string_equal(p->exec[0], "/bin/true");
	assert_int_equal(p->settings->len, 3);
	assert_string_equal(((KxSetting *)p->settings->pdata[0])->text, "off");
	assert_int_equal(p->points->len, 1);
	assert_int_equal(point->vms, 1);
	assert_int_equal(point->vcpus, 0);
	assert_string_equal(point->label, "");
	assert_false(p->placement.split);
}

static void all_keys(void **state)
{
	g_autoptr(KxPlan) p = parse(
		"[experiment]\nname=gups\ntrackers=abit\nrounds=3\nseed=9\n"
		"[vm]\ntemplate=vm.xml\nuri=test:///default\nvms=2\nvcpus=2\nmemory=1G\nprepare=a\n"
		"cleanup=b\nready=test -e \"$KVM_EXT_VM\\n\"\nboot-limit=10s\n"
		"[workload]\ncommand=echo 'a b'\nworking-set=64M\nrun-limit=2h\n"
		"[placement]\nfast=1/5\nfast-node=0\nslow-node=1\nmode=preferred\ncpus=4-6,1\n"
		"emulator-cpus=0\n");

	assert_string_equal(p->name, "gups");
	assert_int_equal(p->rounds, 3);
	assert_true(p->has_seed);
	assert_int_equal(p->seed, 9);
	/* as it is written: the shell's own escapes stay */
	assert_string_equal(p->ready, "test -e \"$KVM_EXT_VM\\n\"");
	assert_string_equal(p->command, "echo 'a b'");
	assert_string_equal(p->prepare, "a");
	assert_string_equal(p->cleanup, "b");
	assert_true(p->boot_limit_ns == 10000000000ull);
	assert_true(p->run_limit_ns == 7200000000000ull);
	assert_true(p->placement.split && p->placement.preferred);
	assert_int_equal(p->placement.fast_share[1], 5);
	assert_int_equal(p->placement.slow_node, 1);
	assert_int_equal(p->placement.cpus->len, 4);
	assert_int_equal(g_array_index(p->placement.cpus, guint, 3), 1);
	assert_string_equal(p->placement.emulator_cpus, "0");
}

/* Every combination of the lists is a point; an option's list multiplies the settings that take it. */
static void sweeps(void **state)
{
	g_autoptr(KxPlan) p =
		parse("[experiment]\ntrackers=abit,guest-pebs,ept-walk:interval=2s\n"
		      "[options]\nperiod=509,4093\ninterval=100ms,1s\n"
		      "[vm]\ntemplate=vm.xml\nvms=1, 2,4\n"
		      "[workload]\nexec=/bin/x -s {working-set}\nworking-set=16M,1G\n");
	static const char *const settings[] = {
		"off",
		"abit:interval=100ms",
		"abit:interval=1s",
		"guest-pebs:period=509",
		"guest-pebs:period=4093",
		"ept-walk:interval=2s",
	};

	assert_int_equal(p->points->len, 6);
	assert_string_equal(((KxPoint *)p->points->pdata[0])->label, "vms=1 working-set=16M");
	assert_string_equal(((KxPoint *)p->points->pdata[5])->label, "vms=4 working-set=1G");
	assert_int_equal(((KxPoint *)p->points->pdata[3])->vms, 2);
	assert_string_equal(((KxPoint *)p->points->pdata[3])->working_set, "1G");
	assert_int_equal(p->settings->len, G_N_ELEMENTS(settings));
	for (guint i = 0; i < G_N_ELEMENTS(settings); i++)
		assert_string_equal(((KxSetting *)p->settings->pdata[i])->text, settings[i]);
	assert_string_equal(p->exec[2], "{working-set}");
}

/* Wrong contents, and the words that the error must have. */
static const struct {
	const char *text, *says;
} wrong[] = {
	{ "", "[experiment] trackers: it is missing" },
	{ "trackers=abit\n", "no experiment's file" },
	{ "[experiment]\n\xff\n", "no UTF-8" },
	{ EXPERIMENT "[vms]\n" VM AGENT, "[vms]: there is no such group" },
	{ EXPERIMENT "runs=3\n" VM AGENT, "[experiment] runs: there is no such key" },
	{ "[experiment]\ntrackers=\n" VM AGENT, "[experiment] trackers: it has no value" },
	{ "[experiment]\ntrackers=warp\n" VM AGENT, "[experiment] trackers: 'warp'" },
	{ "[experiment]\ntrackers=all\n" VM AGENT, "[experiment] trackers: each tracker must" },
	{ "[experiment]\ntrackers=off\n" VM AGENT, "[experiment] trackers: a tracker beside off" },
	{ "[experiment]\ntrackers=abit:interval=0\n" VM AGENT, "[experiment] trackers: setting" },
	{ EXPERIMENT "rounds=1\n" VM AGENT, "[experiment] rounds: 2 to 1000" },
	{ EXPERIMENT "rounds=4\n\n rounds = 8\n" VM AGENT,
	  "[experiment] rounds: it is there twice, in lines 3 and 5" },
	{ EXPERIMENT VM AGENT "[experiment]\ntrackers=abit\n",
	  "[experiment] trackers: it is there twice, in lines 2 and 8" },
	{ EXPERIMENT VM "[workload]\nexec=/bin/x {working_set}\nworking-set=1M\n",
	  "[workload] exec: nothing stands for the placeholder {working_set}" },
	{ EXPERIMENT VM "[workload]\nexec=/bin/x {working-set}\n", "{working-set} here" },
	{ EXPERIMENT "rounds=99999999999999999999\n" VM AGENT, "[experiment] rounds" },
	{ EXPERIMENT "seed=-1\n" VM AGENT, "[experiment] seed" },
	{ EXPERIMENT "name=../../etc\n" VM AGENT, "[experiment] name" },
	{ EXPERIMENT "[options]\nperiod=509\n" VM AGENT, "[options] period: no tracker" },
	{ EXPERIMENT "[options]\nwarp=1\n" VM AGENT, "[options] warp: there is no such option" },
	{ EXPERIMENT "[options]\ninterval=1s,soon\n" VM AGENT, "[options] interval" },
	{ EXPERIMENT "[options]\ninterval=1s,1s\n" VM AGENT, "[options] interval" },
	{ EXPERIMENT "[options]\ninterval=1s,,2s\n" VM AGENT, "[options] interval: values" },
	{ EXPERIMENT "[vm]\nvms=1\n" AGENT, "[vm] template: it is missing" },
	{ EXPERIMENT "[vm]\ntemplate=none.xml\n" AGENT, "[vm] template: " },
	{ EXPERIMENT VM "vms=0\n" AGENT, "[vm] vms: numbers from 1 to 64" },
	{ EXPERIMENT VM "vms=1,1\n" AGENT, "[vm] vms: 1 is there twice" },
	{ EXPERIMENT VM "memory=1G,1024M\n" AGENT, "[vm] memory: 1024M is there twice" },
	{ EXPERIMENT VM "[workload]\nexec=/bin/x {working-set}\nworking-set=1G,1024M\n",
	  "[workload] working-set: 1024M is there twice" },
	{ EXPERIMENT VM "vcpus=x\n" AGENT, "[vm] vcpus" },
	{ EXPERIMENT VM "memory=1K\n" AGENT, "[vm] memory: whole MiB" },
	{ EXPERIMENT VM "boot-limit=0\n" AGENT, "[vm] boot-limit" },
	{ EXPERIMENT VM "vms=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n"
			"vcpus=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n" AGENT,
	  "more than 256" },
	{ EXPERIMENT VM, "[workload] exec: either exec or command must be there: none is" },
	{ EXPERIMENT VM AGENT "command=x\n", "[workload] exec: either exec or command must be "
					     "there: both are" },
	{ EXPERIMENT VM "[workload]\ncommand=x\n", "[vm] ready: it is missing" },
	{ EXPERIMENT VM "[workload]\nexec='/bin/true\n", "[workload] exec: " },
	{ EXPERIMENT VM "[workload]\nexec=true\n", "[workload] exec: the program needs" },
	{ EXPERIMENT VM AGENT "working-set=big\n", "[workload] working-set" },
	{ EXPERIMENT VM AGENT "run-limit=1y\n", "[workload] run-limit" },
	{ EXPERIMENT VM AGENT "[placement]\nmode=strict\n", "[placement] fast: it is missing" },
	{ EXPERIMENT VM AGENT "[placement]\nfast=5/5\n", "[placement] fast: a share" },
	{ EXPERIMENT VM AGENT "[placement]\nfast=1/5\n", "[placement] fast-node: it is missing" },
	{ EXPERIMENT VM AGENT "[placement]\nfast=1/5\nfast-node=0\nslow-node=b\n",
	  "[placement] slow-node: a node's number" },
	{ EXPERIMENT VM AGENT "[placement]\nfast=1/5\nfast-node=0\nslow-node=1\n",
	  "[vm] memory: it is missing" },
	{ EXPERIMENT VM AGENT "[placement]\ncpus=3-1\n", "[placement] cpus: a list" },
	{ EXPERIMENT VM AGENT "[placement]\ncpus=1\n", "[placement] cpus: 1 CPUs are too few" },
	{ EXPERIMENT VM AGENT "[placement]\nemulator-cpus=all\n", "[placement] emulator-cpus" },
};

static void errors_name_group_and_key(void **state)
{
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		if (kx_plan_parse(wrong[i].text, dir, &error))
			fail_msg("it was taken: %s", wrong[i].text);
		if (!strstr(error->message, wrong[i].says))
			fail_msg("'%s' says '%s', not '%s'", wrong[i].text, error->message,
				 wrong[i].says);
	}
}

/* A good file with one byte changed, at each place, is taken or refused; nothing else happens. */
static void survives_changed_bytes(void **state)
{
	static const char good[] = "[experiment]\ntrackers=abit:interval=1s\nrounds=3\n[options]\n"
				   "granularity=4K,2M\n[vm]\ntemplate=vm.xml\nvms=1,2\nmemory=64M\n"
				   "[workload]\nexec=/bin/x 'a b'\nworking-set=1M\n[placement]\n"
				   "fast=1/5\nfast-node=0\nslow-node=1\ncpus=0-7\n";
	static const char others[] = { '\0' + 1, '=', ',', '[', '-', '9', '\n', '\xff' };

	for (gsize i = 0; i < sizeof(good) - 1; i++) {
		for (gsize k = 0; k < G_N_ELEMENTS(others); k++) {
			g_autofree char *text = g_strdup(good);
			g_autoptr(GError) error = NULL;
			g_autoptr(KxPlan) p = NULL;

			text[i] = others[k];
			p = kx_plan_parse(text, dir, &error);
			assert_true(!p == !!error);
		}
	}
}

static void no_file(void **state)
{
	g_autoptr(GError) error = NULL;

	assert_null(kx_plan_read("/nowhere/at/all.conf", &error));
	assert_non_null(strstr(error->message, "/nowhere/at/all.conf"));
	g_clear_error(&error);
	assert_null(kx_plan_read("/proc/self/exe", &error));
	assert_non_null(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_keys),
		cmocka_unit_test(sweeps),
		cmocka_unit_test(errors_name_group_and_key),
		cmocka_unit_test(survives_changed_bytes),
		cmocka_unit_test(no_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
