// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Live migration with a tracker: two QEMUs on one host, a guest that writes pages with checksums
 * all the time, and migrations that begin at random moments. After each migration, the memories of
 * source and destination are compared page by page.
 *
 * Every destination is the source of the next migration, so the same guest passes through all of
 * them. The guest itself also checks its pages.
 *
 * Not tested: other kinds of migration (postcopy, multifd, over a network), and guests with
 * devices, for which QEMU itself writes guest memory.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"
#include "test.h"
#include "track.h"

void test_pause(const Test *test, int min_ms, int max_ms)
{
	g_usleep(g_rand_int_range(test->random, min_ms * 1000, max_ms * 1000));
}

static void wait_for_guest(const Vm *vm)
{
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;

	while (vm->box->magic != GUEST_MAGIC) {
		if (g_get_monotonic_time() > end)
			vm_died("it did not start, %u pages written", vm->box->writes);
		g_usleep(10000);
	}
}

/* The shortest of several times: while the machine is busy, the guest may get no CPU. */
static double microseconds_a_page(const Vm *vm, uint32_t loops)
{
	double least = G_MAXDOUBLE;
	gint64 start;
	uint32_t writes;

	vm->box->loops = loops;
	g_usleep(20000);
	for (int i = 0; i < 3; i++) {
		start = g_get_monotonic_time();
		writes = vm->box->writes;
		g_usleep(200000);
		least = MIN(least, (double)(g_get_monotonic_time() - start) /
					   (vm->box->writes - writes + 1));
	}
	return least;
}

/*
 * Computes the wait for @rate from measurements with two waits: the time of an iteration depends on
 * the machine.
 */
static void set_rate(const Vm *vm, int rate)
{
	const uint32_t some = 100000;
	double none_us = microseconds_a_page(vm, 0), some_us = microseconds_a_page(vm, some);
	double loops = (1e6 / rate - none_us) / ((some_us - none_us) / some);

	vm->box->loops = loops > 0 && some_us > none_us ? (uint32_t)loops : 0;
	note("the guest can write %.0f pages/s, and writes %.0f", 1e6 / none_us,
	     1e6 / microseconds_a_page(vm, vm->box->loops));
}

Vm *test_first_vm(const Test *test)
{
	gint64 start = g_get_monotonic_time();
	Vm *vm = vm_start(&test->vm, test->backings[0], FALSE);

	vm_cont(vm);
	wait_for_guest(vm);
	note("guest up after %.1f s", (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
	set_rate(vm, test->rate);
	return vm;
}

static void parse(Test *test, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{ "migrations", 0, 0, G_OPTION_ARG_INT, &test->migrations,
		  "Number of migrations (30)", "N" },
		{ "tracker", 0, 0, G_OPTION_ARG_STRING, &test->tracker,
		  "Tracker: abit-flush, dirty-log, pml-abit (none)", "NAME" },
		{ "interval-ns", 0, 0, G_OPTION_ARG_INT64, &test->interval_ns,
		  "Interval of the tracker's passes (10000000)", "NS" },
		{ "seed", 0, 0, G_OPTION_ARG_INT64, &test->seed,
		  "Seed of the random moments (a new one each time)", "S" },
		{ "cancel-every", 0, 0, G_OPTION_ARG_INT, &test->cancel_every,
		  "Before each N-th migration, start and cancel another one (4; 0: never)", "N" },
		{ "meddle", 0, 0, G_OPTION_ARG_NONE, &test->meddle,
		  "Attach, detach and change the tracker during migrations", NULL },
		{ "kill", 0, 0, G_OPTION_ARG_NONE, &test->kill,
		  "Kill the process that tracks the VMs during migrations", NULL },
		{ "hold", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT, &test->hold,
		  "Only track the VM of this process until killed", "PID" },
		{ "hostd", 0, 0, G_OPTION_ARG_FILENAME, &test->hostd,
		  "Directory of kvm-extd and kvm-ext, for --kill (build/hostd)", "DIR" },
		{ "dirty-rate", 0, 0, G_OPTION_ARG_NONE, &test->dirty_rate,
		  "Test QEMU's calc-dirty-rate instead of migrations", NULL },
		{ "rate", 0, 0, G_OPTION_ARG_INT, &test->rate,
		  "Rate at which the guest writes pages (2000)", "PAGES/S" },
		{ "bandwidth", 0, 0, G_OPTION_ARG_INT64, &test->vm.bandwidth,
		  "Bandwidth of migrations (48 MiB/s)", "BYTES/S" },
		{ "downtime-ms", 0, 0, G_OPTION_ARG_INT64, &test->vm.downtime_ms,
		  "Permitted downtime of a migration (60)", "MS" },
		{ "memory", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &test->backings,
		  "tmpfs for guest memory; several are used alternately (/dev/shm)", "DIR" },
		{ "run-dir", 0, 0, G_OPTION_ARG_FILENAME, &test->vm.run_dir,
		  "Directory of sockets and logs (/tmp)", "DIR" },
		{ "guest", 0, 0, G_OPTION_ARG_FILENAME, &test->vm.guest,
		  "Guest image (build/tests/migrate-guest)", "FILE" },
		{ "qemu", 0, 0, G_OPTION_ARG_FILENAME, &test->vm.qemu,
		  "QEMU (/usr/bin/qemu-system-x86_64)", "FILE" },
		{ "accel", 0, 0, G_OPTION_ARG_STRING, &test->vm.accel,
		  "kvm (tcg tests this program only; before QEMU 9.0 tcg loses pages)", "NAME" },
		{ NULL }
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (g_option_context_parse(context, &argc, &argv, &error) && argc == 1 &&
	    test->migrations > 0 && test->rate > 0 && track_knows(test->tracker))
		return;
	g_printerr("migrate: %s\n", error ? error->message : "bad arguments (see --help)");
	exit(2);
}

int main(int argc, char **argv)
{
	static char *shm[] = { "/dev/shm", NULL };
	Test test = {
		.vm = { .qemu = "/usr/bin/qemu-system-x86_64",
			.accel = "kvm",
			.guest = "build/tests/migrate-guest",
			.run_dir = "/tmp",
			.bandwidth = 48 << 20,
			.downtime_ms = 60 },
		.backings = shm,
		.tracker = "none",
		.hostd = "build/hostd",
		.interval_ns = 10000000,
		.migrations = 30,
		.cancel_every = 4,
		.rate = 2000,
		.seed = g_random_int(),
	};

	setlocale(LC_ALL, "");
	/* Line-buffered, so that the output of a run that hangs shows its last step. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(&test, argc, argv);
	if (test.hold)
		track_hold(&test, test.hold);
	test.random = g_rand_new_with_seed((guint32)test.seed);
	note("seed %lld", (long long)test.seed);
	if (test.dirty_rate)
		dirty_rate(&test);
	else
		migrations(&test);
	g_rand_free(test.random);
	return tap_end();
}
