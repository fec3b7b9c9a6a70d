// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs migrations one after the other, and counts the lost pages. */
#include <errno.h>
#include <string.h>

#include "hunted.h"
#include "tap.h"
#include "test.h"
#include "track.h"
#include "verify.h"

typedef struct {
	unsigned int lost, stale; /* pages in all migrations */
	unsigned int done;
	unsigned int huge; /* migrations whose source had 2M mappings in KVM */
	unsigned int
		least_written; /* minimum of the pages that the guest wrote during a migration */
	gint64 took_us;
	unsigned int kills, kills_meanwhile; /* meanwhile: the migration still ran afterwards */
} Sum;

typedef struct {
	Vm *source, *destination;
	Track *track;	/* of the source; nullable */
	Hunted *hunted; /* tracks in other processes, which are killed; nullable */
	gboolean killed_meanwhile;
} Migration;

static unsigned int pages_changed(const Vm *vm, const uint32_t *before)
{
	const volatile uint32_t *now = vm_versions(vm);
	unsigned int n = 0, i;

	for (i = 0; i < GUEST_PAGES; i++)
		n += now[i] != before[i];
	return n;
}

static void must_complete(Vm *vm)
{
	static const char *const ends[] = { "completed", "failed", "cancelled", NULL };
	const char *end = qmp_wait_migration(vm->qmp, ends);

	errno = EIO;
	if (strcmp(end, "completed"))
		bail("the migration of %s ended as %s", vm->name, end);
}

static void say_how(const Vm *vm, const char *course, unsigned int written, gint64 huge)
{
	g_autoptr(JsonNode) node = qmp_call(vm->qmp, "query-migrate", NULL);
	JsonObject *info = json_node_get_object(node);
	JsonObject *ram = json_object_get_object_member(info, "ram");

	note("  %s, %d pages of 2M; %u pages written; %d rounds, %d MiB, %d ms, stopped for %d ms",
	     course, (int)huge, written, (int)json_object_get_int_member(ram, "dirty-sync-count"),
	     (int)(json_object_get_int_member(ram, "transferred") >> 20),
	     (int)json_object_get_int_member(info, "total-time"),
	     (int)json_object_get_int_member(info, "downtime"));
}

/* Fails if the guest itself has found bad pages, which an earlier migration lost. */
static void guest_agrees(const Vm *vm, int number)
{
	if (vm->box->bad)
		ok(FALSE, "migration %d: the guest itself found %u bad pages, first gfn %u", number,
		   vm->box->bad, GUEST_FIRST_GFN + vm->box->bad_page);
}

static void judge(const Vm *source, const Vm *destination, int number, Sum *sum)
{
	Verdict v = verify(source, destination);
	g_autoptr(GString) gfns = g_string_new(NULL);
	unsigned int i;

	for (i = 0; i < MIN(v.lost, VERIFY_SHOWN); i++)
		g_string_append_printf(gfns, " %#x", v.first[i]);
	ok(!v.lost && !v.stale && !v.unwritten,
	   "migration %d, %s to %s: %u of %u pages lost, %u of the guest's %u old or with a wrong "
	   "checksum",
	   number, source->backing, destination->backing, v.lost, v.compared, v.stale, GUEST_PAGES);
	if (v.lost)
		note("  lost gfns:%s%s", gfns->str, v.lost > VERIFY_SHOWN ? " …" : "");
	sum->lost += v.lost;
	sum->stale += v.stale;
}

/* Starts a migration to /dev/null and cancels it: the guest and the tracker must continue. */
static void call_one_off(const Test *test, Vm *vm, Track *track, int number)
{
	static const char *const active[] = { "active", NULL };
	static const char *const ends[] = { "cancelled", "completed", "failed", NULL };
	g_autofree char *when = g_strdup_printf("migration %d, a cancelled one before it", number);
	const char *end;

	/* So slow that it does not end before it is cancelled, however late that is. */
	vm_limit_bandwidth(vm, 1 << 20);
	qmp_do(vm->qmp, "migrate", "{'uri': <%s>}", "exec:cat >/dev/null");
	qmp_wait_migration(vm->qmp, active);
	test_pause(test, 20, 300);
	if (track && track_yields(track))
		ok(track_has_yielded(track), "%s: the tracker has yielded", when);
	qmp_do(vm->qmp, "migrate_cancel", NULL);
	end = qmp_wait_migration(vm->qmp, ends);
	errno = EIO;
	if (strcmp(end, "cancelled"))
		bail("a migration that was cancelled ended as %s", end);
	vm_limit_bandwidth(vm, vm->settings->bandwidth);
	if (track && track_yields(track)) {
		ok(track_resumed(track), "%s: the tracker works again", when);
		track_check_samples(test, track, vm, when);
	}
}

/* --- changes of the tracker during a migration --- */

/* Waits until QEMU switches its log on (half of the calls), or until it copies memory. */
static void some_time(const Test *test)
{
	if (g_rand_boolean(test->random))
		test_pause(test, 0, 15);
	else
		test_pause(test, 15, 400);
}

static void leave_alone(const Test *test, Migration *m)
{
}

static void attach_late(const Test *test, Migration *m)
{
	some_time(test);
	m->track = track_new(test, m->source->pid);
}

static void detach_early(const Test *test, Migration *m)
{
	some_time(test);
	track_free(g_steal_pointer(&m->track));
}

static void change_it(const Test *test, Migration *m)
{
	int i;

	for (i = 0; i < 6; i++) {
		test_pause(test, 10, 60);
		track_set(test, m->track, i % 2 ? test->tracker : "off");
	}
}

/* --- processes that track, and are killed during a migration --- */

static gboolean is_running(Vm *source)
{
	static const char *const running[] = { "setup", "active", "pre-switchover", "device",
					       NULL };
	g_autoptr(JsonNode) node = qmp_call(source->qmp, "query-migrate", NULL);

	return g_strv_contains(running,
			       json_object_get_string_member(json_node_get_object(node), "status"));
}

static void hunt_source(const Test *test, Migration *m)
{
	m->hunted = hunted_new(test);
	hunted_hold(m->hunted, m->source);
}

static void hunt_destination(const Test *test, Migration *m)
{
	m->hunted = hunted_new(test);
	hunted_hold(m->hunted, m->destination);
}

static void hunt_daemon(const Test *test, Migration *m)
{
	m->hunted = hunted_new(test);
	hunted_start_daemon(m->hunted);
	hunted_attach(m->hunted, m->source);
	hunted_attach(m->hunted, m->destination);
}

static void kill_it(const Test *test, Migration *m)
{
	some_time(test);
	hunted_kill(m->hunted);
	m->killed_meanwhile = is_running(m->source);
}

/* The kill comes while the daemon switches trackers, or soon afterwards. */
static void kill_it_at_work(const Test *test, Migration *m)
{
	some_time(test);
	hunted_set(m->hunted, m->source, g_rand_boolean(test->random) ? "off" : test->tracker);
	hunted_set(m->hunted, m->destination, "off");
	kill_it(test, m);
}

typedef struct {
	const char *name;
	gboolean attached; /* before the migration begins */
	gboolean stays;	   /* to the migration's end, without an interruption */
	void (*meanwhile)(const Test *test, Migration *m);
	void (*hunt)(const Test *test, Migration *m); /* before the migration begins; nullable */
} Course;

static const Course steady = { "steady", TRUE, TRUE, leave_alone, NULL };
static const Course meddling[] = {
	{ "attached meanwhile", FALSE, FALSE, attach_late, NULL },
	{ "detached meanwhile", TRUE, FALSE, detach_early, NULL },
	{ "changed meanwhile", TRUE, FALSE, change_it, NULL },
};
static const Course killing[] = {
	{ "source's session killed", FALSE, FALSE, kill_it, hunt_source },
	{ "destination's session killed", FALSE, FALSE, kill_it, hunt_destination },
	{ "kvm-extd killed", FALSE, FALSE, kill_it, hunt_daemon },
	{ "kvm-extd killed at work", FALSE, FALSE, kill_it_at_work, hunt_daemon },
};

static const Course *course_of(const Test *test, int number)
{
	if (test->kill)
		return &killing[number % G_N_ELEMENTS(killing)];
	return test->meddle ? &meddling[number % G_N_ELEMENTS(meddling)] : &steady;
}

/*
 * At the migration's end QEMU still logs all memory, so the tracker must have yielded. A tracker
 * that was attached during the whole migration must have counted this (@stayed).
 */
static void tracker_gave_way(Track *track, const struct kvm_ext_stats *before, gboolean stayed,
			     int number)
{
	struct kvm_ext_stats now;

	if (!track || !track_yields(track))
		return;
	ok(track_has_yielded(track), "migration %d: the tracker has yielded all memory to QEMU",
	   number);
	now = track_stats(track);
	/* EAGAIN is no refusal: it only delays a pass that begins during one of QEMU's ioctls. */
	ok(!now.log.errors || now.log.last_errno == EAGAIN,
	   "migration %d: KVM refused no operation of the tracker", number);
	if (now.log.errors)
		note("  %llu errors, the last: %s", (unsigned long long)now.log.errors,
		     strerror((int)now.log.last_errno));
	if (!stayed)
		return;
	ok(now.log.yields > before->log.yields, "migration %d: the tracker yielded", number);
	note("  %llu memslots yielded after %llu passes",
	     (unsigned long long)(now.log.yields - before->log.yields),
	     (unsigned long long)before->passes);
}

/*
 * Runs a migration until both ends have completed it; returns the time that it took in
 * microseconds.
 */
static gint64 carry_out(const Test *test, const Course *course, Migration *m)
{
	gint64 start = g_get_monotonic_time();

	qmp_do(m->source->qmp, "migrate", "{'uri': <%s>}", m->destination->migration_uri);
	course->meanwhile(test, m);
	must_complete(m->source);
	must_complete(m->destination);
	return g_get_monotonic_time() - start;
}

/* Nothing of what was killed is left. */
static void end_hunt(Migration *m, int number, Sum *sum)
{
	if (!m->hunted)
		return;
	ok(hunted_left_nothing(), "migration %d: the module has no user after the kill", number);
	sum->kills++;
	sum->kills_meanwhile += m->killed_meanwhile;
	hunted_free(m->hunted);
}

static Vm *migrate(const Test *test, Vm *source, int number, Sum *sum)
{
	const Course *course = course_of(test, number);
	guint backings = g_strv_length(test->backings);
	Migration m = { .source = source,
			.destination =
				vm_start(&test->vm, test->backings[number % backings], TRUE) };
	g_autofree uint32_t *versions = NULL;
	struct kvm_ext_stats before = { 0 };
	gint64 huge = vm_pages_2m(source);
	unsigned int written;

	sum->huge += huge > 0;
	/* Random waits, so that the states of the tracker and of the guest are random. */
	test_pause(test, 0, 50);
	if (course->attached)
		m.track = track_new(test, source->pid);
	if (course->hunt)
		course->hunt(test, &m);
	test_pause(test, 30, 400);
	if (test->cancel_every && number % test->cancel_every == 0) {
		call_one_off(test, source, m.track, number);
		test_pause(test, 5, 100);
	}
	versions = g_memdup2((const void *)vm_versions(source), GUEST_PAGES * sizeof(uint32_t));
	if (m.track)
		before = track_stats(m.track);
	sum->took_us += carry_out(test, course, &m);
	written = pages_changed(source, versions);
	sum->least_written = MIN(sum->least_written, written);
	judge(source, m.destination, number, sum);
	guest_agrees(source, number);
	if (written < VM_ALIVE_PAGES)
		vm_died("migration %d, it wrote %u pages", number, written);
	tracker_gave_way(m.track, &before, course->stays, number);
	say_how(source, course->name, written, huge);
	end_hunt(&m, number, sum);
	track_free(m.track);
	vm_free(source);
	sum->done++;
	return m.destination;
}

/* Kills that come after the end of a migration show nothing; and the last of them must not have harmed the log. */
static void judge_kills(const Test *test, const Vm *vm, const Sum *sum)
{
	Track *track = track_new(test, vm->pid);

	ok(sum->kills_meanwhile * 2 > sum->kills, "%u of %u kills came while the migration ran",
	   sum->kills_meanwhile, sum->kills);
	if (track)
		track_check_samples(test, track, vm, "after the last kill");
	track_free(track);
}

void migrations(const Test *test)
{
	Sum sum = { .least_written = UINT_MAX };
	Vm *vm = test_first_vm(test);
	int i;

	for (i = 1; i <= test->migrations; i++) {
		vm = migrate(test, vm, i, &sum);
		vm_cont(vm);
	}
	test_pause(test, 100, 300);
	guest_agrees(vm, i);
	if (test->kill)
		judge_kills(test, vm, &sum);
	note("the guest wrote at least %u pages in every migration", sum.least_written);
	if (g_strv_length(test->backings) > 1)
		ok(sum.huge && sum.huge < sum.done, "%u guests had 2M mappings, %u had none",
		   sum.huge, sum.done - sum.huge);
	ok(!sum.lost && !sum.stale, "%u migrations with tracker %s: %u pages lost", sum.done,
	   test->tracker, sum.lost);
	note("a migration took %.2f s on average", (double)sum.took_us / sum.done / G_USEC_PER_SEC);
	vm_free(vm);
}
