// SPDX-License-Identifier: GPL-2.0-or-later
/* How long a guest is waited for: the rule with made-up times, and the reading of /proc in a directory in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-root.h"
#include "vm/patience.h"
#include "vm/procstat.h"

#define S   G_GUINT64_CONSTANT(1000000000)
#define PID 4242

typedef struct {
	char *root;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->root = fake_root_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	fake_remove(f->root);
	g_free(f->root);
	g_free(f);
	return 0;
}

/* A QEMU that was started @age_s ago; what @text says of a process whose name is odd. */
static void make_vm(const Fixture *f, guint64 age_s)
{
	guint64 per_second = (guint64)sysconf(_SC_CLK_TCK), ticks;
	g_autofree char *text = NULL;
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	ticks = ((guint64)now.tv_sec > age_s ? (guint64)now.tv_sec - age_s : 0) * per_second;
	text = g_strdup_printf(
		"4242 (a ) 1 (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %" G_GUINT64_FORMAT
		" 20 21 22\n",
		ticks);
	fake_write(f->root, "4242/stat", text);
	fake_write(f->root, "4242/task/4242/comm", "qemu\n");
	fake_write(f->root, "4242/task/4243/comm", "CPU 0/KVM\n");
	fake_write(f->root, "4242/task/4243/schedstat", "1000 2000 3\n");
}

/* The number of seconds until the guest's time is over, if in each second the vCPUs ran for @run and waited for @steal. */
static guint64 seconds(KxPatience *p, guint64 run, guint64 steal)
{
	for (guint64 n = 1; n < 10000; n++) {
		if (!kx_patience_count(p, S, run, steal))
			return n;
	}
	return 0;
}

static KxPatience *of(const Fixture *f, guint64 age_s)
{
	make_vm(f, age_s);
	return kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);
}

static void time_is_the_guests_own(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxPatience) busy = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);
	g_autoptr(KxPatience) shared = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);
	g_autoptr(KxPatience) starved = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);

	/* no process: taken for an old one */
	assert_int_equal(seconds(busy, S, 0), 60);
	assert_int_equal(seconds(shared, S / 2, S / 2), 120);
	/* a guest that got no CPU had no time to answer, however long this lasts */
	assert_int_equal(seconds(starved, 0, S), 0);
}

static void an_idle_guest_is_done_sooner(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxPatience) idle = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);
	g_autoptr(KxPatience) later = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);

	assert_int_equal(seconds(idle, S / 100, 0), 10);
	for (guint i = 0; i < 9; i++)
		assert_true(kx_patience_count(later, S, S / 100, 0));
	assert_true(kx_patience_count(later, S, S, 0)); /* it works: its idle time begins again */
	assert_int_equal(seconds(later, S / 100, 0), 10);
}

static void says_until_when(void **state)
{
	const Fixture *f = *state;
	g_autofree char *given = kx_patience_limit(f->root, PID, 90 * (gint64)S);
	g_autofree char *old = kx_patience_limit(f->root, PID, KX_PATIENCE_AUTO);
	g_autofree char *young = NULL;

	assert_string_equal(given, "for 90.0 s at most, as --wait says");
	assert_string_equal(old,
			    "until its vCPUs could run for 60 s, or had nothing to do for 10 s; "
			    "--wait TIME limits it");
	make_vm(f, 0);
	young = kx_patience_limit(f->root, PID, KX_PATIENCE_AUTO);
	assert_non_null(strstr(young, ", but not before the VM has run for 180 s"));
	assert_non_null(strstr(young, "; --wait TIME limits it"));
}

/* The host of the test may itself be younger than a VM that is old. */
static void a_young_vm_may_boot(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxPatience) idle = of(f, 0), busy = of(f, 0);
	guint64 n = seconds(idle, 0, 0);

	assert_in_range(n, 178, 181);
	assert_in_range(seconds(busy, S, 0), 178, 181);
}

static void what_is_due_does_not_count(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxPatience) p = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, NULL);
	g_autoptr(KxPatience) young = of(f, 0);

	for (guint i = 0; i < 50; i++)
		assert_true(kx_patience_count(p, S, S, 0));
	kx_patience_renew(p, 30 * S);
	assert_int_equal(seconds(p, S, 0), 90);
	/* a guest that has answered does not boot any more */
	kx_patience_renew(young, 0);
	assert_int_equal(seconds(young, 0, 0), 10);
}

static void rests_until_the_end(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GCancellable) cancellable = g_cancellable_new();
	g_autoptr(KxPatience) given = NULL, automatic = NULL;
	g_autoptr(GError) over = NULL, cancelled = NULL, gone = NULL;

	make_vm(f, 10);
	given = kx_patience_new(f->root, PID, 120000000, NULL);
	while (kx_patience_rest(given, "nobody answers", &over))
		;
	assert_int_equal(over->code, KX_ERROR_NOT_SUPPORTED);
	assert_non_null(strstr(over->message, "nobody answers (waited 0."));
	assert_non_null(strstr(over->message, "--wait says"));

	automatic = kx_patience_new(f->root, PID, KX_PATIENCE_AUTO, cancellable);
	assert_true(kx_patience_rest(automatic, "nobody answers", NULL));
	g_cancellable_cancel(cancellable);
	assert_false(kx_patience_rest(automatic, "nobody answers", &cancelled));
	assert_true(g_error_matches(cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED));

	fake_remove(f->root);
	assert_false(kx_patience_rest(given, "nobody answers", &gone));
	assert_int_equal(gone->code, KX_ERROR_VM_GONE);
}

static void reads_when_it_was_started(void **state)
{
	const Fixture *f = *state;
	guint64 ticks, ns;

	fake_write(f->root, "4242/stat",
		   "4242 (a ) 1 (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 77 20\n");
	assert_true(kx_procstat_started(f->root, PID, &ticks, NULL));
	assert_int_equal(ticks, 77);
	fake_write(f->root, "4242/stat", "4242 (qemu) S 1 2\n");
	assert_false(kx_procstat_started(f->root, PID, &ticks, NULL));
	/* this process, by its own /proc */
	assert_true(kx_procstat_age("/proc", getpid(), &ns, NULL));
	assert_true(ns < 3600 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(time_is_the_guests_own), CASE(an_idle_guest_is_done_sooner),
		CASE(a_young_vm_may_boot),    CASE(what_is_due_does_not_count),
		CASE(rests_until_the_end),    CASE(reads_when_it_was_started),
		CASE(says_until_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
