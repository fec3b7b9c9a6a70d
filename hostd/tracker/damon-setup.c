// SPDX-License-Identifier: GPL-2.0-or-later
#include "damon-setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "damon-kernel.h"
#include "vm/procstat.h"

#define ADMIN "sys/kernel/mm/damon/admin/kdamonds"
/* DAMON's files are busy while another program uses one of them. */
#define BUSY_US	     1000000
#define BUSY_STEP_US 5000

struct _KxDamon {
	char *root, *proc_root;
	guint slot;
	pid_t pid;
};

/* The part of DAMON's setup that this daemon uses; @lock protects all members. */
static struct {
	GMutex lock;
	gboolean taken[KX_DAMON_KDAMONDS]; /* not of kdamond 0, which is the mark */
	guint in_use;
	gint64 until; /* g_get_monotonic_time() until which the caller waits for busy files */
} ours;

/*
 * Locks DAMON's setup against other processes of ours, by nr_kdamonds: between the first write of a setup and the last one of its mark, the
 * setup looks as if a daemon that was killed had left it. Only root can open the file, and so keep the lock. Returns a descriptor to
 * close; -1: there is no such file, or this user may not open it, and then cannot write it either; BUSY_ELSEWHERE: another process kept the
 * lock.
 */
#define BUSY_ELSEWHERE -2
static int lock_setup(const char *root)
{
	g_autofree char *path = g_build_filename(root, ADMIN "/nr_kdamonds", NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		if (g_get_monotonic_time() >= ours.until) {
			close(fd);
			return BUSY_ELSEWHERE;
		}
		g_usleep(BUSY_STEP_US);
	}
	return fd;
}

/* Returns the descriptor of lock_setup(), for leave(). */
static int enter(const char *root)
{
	int setup;

	g_mutex_lock(&ours.lock);
	ours.until = g_get_monotonic_time() + BUSY_US;
	setup = lock_setup(root);
	ours.until = g_get_monotonic_time() + BUSY_US;
	return setup;
}

static void leave(int setup)
{
	if (setup >= 0)
		close(setup);
	g_mutex_unlock(&ours.lock);
}

static const char changing[] = "another kvm-extd is changing DAMON's setup at this moment";

/* --- files ------------------------------------------------------------------------------------------------------------ */

static char *path_of(const char *root, const char *format, va_list args)
{
	g_autofree char *name = g_strdup_vprintf(format, args);

	return g_build_filename(root, ADMIN, name, NULL);
}

static int put_once(const char *path, const char *text)
{
	int err;

	while ((err = kx_damon_kernel->put(path, text)) == EBUSY &&
	       g_get_monotonic_time() < ours.until)
		g_usleep(BUSY_STEP_US);
	return err;
}

/* 0, or an errno. */
static int put(const char *root, const char *text, const char *format, ...) G_GNUC_PRINTF(3, 4);
static int put(const char *root, const char *text, const char *format, ...)
{
	g_autofree char *path = NULL;
	va_list args;

	va_start(args, format);
	path = path_of(root, format, args);
	va_end(args);
	return put_once(path, text);
}

/* NULL: it cannot be read. */
static char *get(const char *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
static char *get(const char *root, const char *format, ...)
{
	g_autofree char *path = NULL;
	char *text = NULL;
	va_list args;

	va_start(args, format);
	path = path_of(root, format, args);
	va_end(args);
	for (;;) {
		g_autoptr(GError) error = NULL;

		if (g_file_get_contents(path, &text, NULL, &error))
			return g_strchomp(text);
		/* EBUSY has no code of its own in GLib. */
		if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_FAILED) ||
		    g_get_monotonic_time() >= ours.until)
			return NULL;
		g_usleep(BUSY_STEP_US);
	}
}

static gboolean number(const char *text, guint64 *n)
{
	return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, n, NULL);
}

static gboolean kdamonds(const char *root, guint64 *n)
{
	g_autofree char *text = get(root, "nr_kdamonds");

	return number(text, n);
}

static gboolean is_on(const char *root, guint slot)
{
	g_autofree char *state = get(root, "%u/state", slot);

	return !g_strcmp0(state, "on");
}

/* --- whose setup ------------------------------------------------------------------------------------------------------ */

#define INTERVALS "contexts/0/monitoring_attrs/intervals"

static gboolean is_marked(const char *root, guint slot)
{
	g_autofree char *text = get(root, "%u/" INTERVALS "/update_us", slot);
	guint64 n;

	return number(text, &n) && n == KX_DAMON_MARK;
}

/*
 * A daemon that is killed between the writes of its mark (put_mark()) leaves a context without a target. The first write makes the
 * context; before the second one nothing tells it from a context of another user, and it is left alone.
 */
static gboolean is_half_marked(const char *root)
{
	g_autofree char *contexts = get(root, "0/contexts/nr_contexts");
	g_autofree char *targets = get(root, "0/contexts/0/targets/nr_targets");

	return is_marked(root, 0) && !g_strcmp0(contexts, "1") && !g_strcmp0(targets, "0") &&
	       !is_on(root, 0);
}

/* Whether everything is as it was created, or has the beginning of a mark: then no user's settings can be lost. */
static gboolean is_blank(const char *root, guint64 n)
{
	for (guint i = 0; i < n; i++) {
		g_autofree char *contexts = get(root, "%u/contexts/nr_contexts", i);

		if (g_strcmp0(contexts, "0") != 0 && !(i == 0 && is_half_marked(root)))
			return FALSE;
	}
	return TRUE;
}

/* The daemon that the mark names. FALSE: there is no mark. */
static gboolean owner(const char *root, pid_t *pid, guint64 *started)
{
	g_autofree char *target = get(root, "0/contexts/0/targets/0/pid_target");
	g_autofree char *ticks = get(root, "0/" INTERVALS "/aggr_us");
	guint64 n;

	if (!is_marked(root, 0) || !number(target, &n) || n > G_MAXINT32 || !number(ticks, started))
		return FALSE;
	*pid = (pid_t)n;
	return TRUE;
}

static gboolean lives(const char *proc_root, pid_t pid, guint64 started)
{
	guint64 ticks;

	return kx_procstat_started(proc_root, pid, &ticks, NULL) && ticks == started;
}

typedef enum {
	FREE,	 /* there is no setup */
	OURS,	 /* this daemon's */
	LEFT,	 /* of a daemon that has ended, or blank */
	DAEMON,	 /* of another kvm-extd, which still runs */
	ANOTHER, /* another user's */
} Whose;

/* FALSE: a kdamond runs without the mark, so another user has started it in this daemon's setup. */
static gboolean all_marked(const char *root, char **found)
{
	for (guint i = 0; i < KX_DAMON_KDAMONDS; i++) {
		if (!is_on(root, i) || (i && is_marked(root, i)))
			continue;
		*found = g_strdup_printf("another user runs DAMON's kdamond %u", i);
		return FALSE;
	}
	return TRUE;
}

static char *what_runs(const char *root, guint64 n)
{
	g_autofree char *pid = NULL;

	for (guint i = 0; i < n; i++) {
		if (!is_on(root, i))
			continue;
		pid = get(root, "%u/pid", i);
		return g_strdup_printf("another user runs DAMON: kdamond %u of %" G_GUINT64_FORMAT
				       " is on%s%s",
				       i, n, pid ? ", its pid is " : "", pid ? pid : "");
	}
	return g_strdup_printf("another user has set DAMON up: there are %" G_GUINT64_FORMAT
			       " kdamonds, none of which runs",
			       n);
}

/* @found: what another user has. */
static Whose whose(const char *root, const char *proc_root, char **found)
{
	guint64 n, started;
	pid_t pid;

	if (!kdamonds(root, &n)) {
		*found = g_strdup("DAMON's file nr_kdamonds cannot be read, or holds no number");
		return ANOTHER;
	}
	if (!n)
		return FREE;
	if (n != KX_DAMON_KDAMONDS || (!owner(root, &pid, &started) && !is_blank(root, n))) {
		*found = what_runs(root, n);
		return ANOTHER;
	}
	if (!owner(root, &pid, &started))
		return LEFT;
	if (!lives(proc_root, pid, started))
		return all_marked(root, found) ? LEFT : ANOTHER;
	if (pid == getpid())
		return ours.in_use ? OURS : all_marked(root, found) ? LEFT : ANOTHER;
	*found = g_strdup_printf("another kvm-extd, process %d, has set DAMON up", pid);
	return DAEMON;
}

/* --- setting up and removing, under the lock --------------------------------------------------------------------------- */

static int remove_all(const char *root)
{
	for (guint i = 1; i < KX_DAMON_KDAMONDS; i++) {
		if (is_on(root, i))
			put(root, "off\n", "%u/state", i);
	}
	return put(root, "0\n", "nr_kdamonds");
}

/* A value for a file below sysfs' directory of a kdamond. */
typedef struct {
	const char *file;
	guint64 value;
} Setting;

/* In this order: a number creates the directories that the settings after it are in. */
static int put_settings(const char *root, guint slot, const Setting *s, gsize n)
{
	int err = 0;

	for (gsize i = 0; i < n && !err; i++) {
		g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", s[i].value);

		err = put(root, text, "%u/%s", slot, s[i].file);
	}
	return err;
}

static int put_mark(const char *root, const char *proc_root)
{
	guint64 started;
	Setting mark[] = {
		{ "contexts/nr_contexts", 1 },
		{ INTERVALS "/update_us", KX_DAMON_MARK },
		{ INTERVALS "/aggr_us", 0 },
		{ "contexts/0/targets/nr_targets", 1 },
		{ "contexts/0/targets/0/pid_target", (guint64)getpid() },
	};

	if (!kx_procstat_started(proc_root, getpid(), &started, NULL))
		return ESRCH;
	mark[2].value = started;
	return put_settings(root, 0, mark, G_N_ELEMENTS(mark));
}

static int create(const char *root, const char *proc_root)
{
	g_autofree char *n = g_strdup_printf("%u\n", KX_DAMON_KDAMONDS);
	int err = put(root, n, "nr_kdamonds");

	if (err)
		return err;
	err = put_mark(root, proc_root);
	if (err)
		remove_all(root);
	return err;
}

static const char no_damon[] =
	"this kernel has no DAMON, or none that sysfs controls (CONFIG_DAMON, CONFIG_DAMON_VADDR, "
	"CONFIG_DAMON_SYSFS)";

static gboolean has_damon(const char *root)
{
	g_autofree char *admin = g_build_filename(root, ADMIN, NULL);

	return g_file_test(admin, G_FILE_TEST_IS_DIR);
}

static void refuse(const char *found, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
		    "tracker damon: %s; kvm-extd leaves it alone. End it, and write 0 to "
		    "/" ADMIN "/nr_kdamonds, if it is not needed any more",
		    found);
}

static gboolean failed(const char *what, int err, GError **error)
{
	g_set_error(error, KX_ERROR,
		    err == EACCES || err == EPERM ? KX_ERROR_ACCESS_DENIED : KX_ERROR_FAILED,
		    "tracker damon: %s: %s", what, g_strerror(err));
	return FALSE;
}

static gboolean have_setup(const char *root, const char *proc_root, GError **error)
{
	g_autofree char *found = NULL;
	Whose w = whose(root, proc_root, &found);
	int err;

	if (w == ANOTHER || w == DAEMON) {
		refuse(found, error);
		return FALSE;
	}
	if (w == OURS)
		return TRUE;
	err = w == LEFT ? remove_all(root) : 0;
	if (!err)
		err = create(root, proc_root);
	return !err || failed("setting DAMON up", err, error);
}

/* Kdamonds that could not be stopped when their VM was left, because other users kept DAMON's files busy. */
static void stop_strays(const char *root)
{
	for (guint i = 1; i < KX_DAMON_KDAMONDS; i++) {
		if (!ours.taken[i] && is_on(root, i) && is_marked(root, i))
			put(root, "off\n", "%u/state", i);
	}
}

/* FALSE: all are in use. A kdamond that is not taken and still runs could not be stopped earlier, because its files were busy. */
static gboolean take_slot(const char *root, guint *slot)
{
	stop_strays(root);
	for (guint i = 1; i < KX_DAMON_KDAMONDS; i++) {
		if (ours.taken[i] || is_on(root, i))
			continue;
		ours.taken[i] = TRUE;
		ours.in_use++;
		*slot = i;
		return TRUE;
	}
	return FALSE;
}

/* Once no kdamond of ours runs, another user may have made a setup of their own in its place. */
static void leave_slot(const char *root, const char *proc_root, guint slot)
{
	g_autofree char *found = NULL;
	gboolean still = whose(root, proc_root, &found) == OURS && is_marked(root, slot);

	ours.taken[slot] = FALSE;
	ours.in_use--;
	if (!still)
		return;
	put(root, "off\n", "%u/state", slot); /* refused if it has ended, because the VM has */
	stop_strays(root);
	if (ours.in_use)
		put(root, "0\n", "%u/contexts/nr_contexts", slot);
	else
		put(root, "0\n", "nr_kdamonds");
}

/* --- a kdamond ---------------------------------------------------------------------------------------------------------- */

/* Monitors of the kernel itself, each of which excludes all others. */
static const char *exclusive_monitor(const char *root)
{
	static const char *const names[] = { "damon_stat", "damon_reclaim", "damon_lru_sort" };

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path =
			g_build_filename(root, "sys/module", names[i], "parameters/enabled", NULL);
		g_autofree char *text = NULL;

		if (g_file_get_contents(path, &text, NULL, NULL) && *text == 'Y')
			return names[i];
	}
	return NULL;
}

static char *exclusive_found(const char *root)
{
	const char *monitor = exclusive_monitor(root);

	return monitor ? g_strdup_printf(
				 "the kernel's own monitor %s is on, and the kernel starts no "
				 "other "
				 "monitor beside it (echo N >/sys/module/%s/parameters/enabled)",
				 monitor, monitor)
		       : NULL;
}

static gboolean not_started(const char *root, int err, GError **error)
{
	g_autofree char *found = err == EBUSY ? exclusive_found(root) : NULL;

	if (!found)
		return failed("starting the monitor", err, error);
	g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "tracker damon: %s", found);
	return FALSE;
}

static gboolean has_fixed_ranges(const char *root, guint slot)
{
	g_autofree char *text = get(root, "%u/contexts/0/avail_operations", slot);
	g_auto(GStrv) words = g_strsplit_set(text ? text : "", " \n", -1);

	return g_strv_contains((const char *const *)words, "fvaddr");
}

static int put_ranges(const char *root, guint slot, const GArray *ranges)
{
	int err = 0;

	for (guint i = 0; i < ranges->len && !err; i++) {
		const KxDamonRange *r = &g_array_index(ranges, KxDamonRange, i);
		g_autofree char *start = g_strdup_printf("%" G_GUINT64_FORMAT "\n", r->start);
		g_autofree char *end = g_strdup_printf("%" G_GUINT64_FORMAT "\n", r->end);

		err = put(root, start, "%u/contexts/0/targets/0/regions/%u/start", slot, i);
		if (!err)
			err = put(root, end, "%u/contexts/0/targets/0/regions/%u/end", slot, i);
	}
	return err;
}

/* Newer kernels can tune the intervals by themselves: switches this off. ENOENT: the kernel cannot. */
static int keep_intervals(const char *root, guint slot)
{
	int err = put(root, "0\n", "%u/" INTERVALS "/intervals_goal/aggrs", slot);

	return err == ENOENT ? 0 : err;
}

static int configure(const char *root, guint slot, const KxDamonTarget *t)
{
	const Setting settings[] = {
		{ INTERVALS "/sample_us", t->sample_us },
		{ INTERVALS "/aggr_us", t->aggregation_us },
		{ "contexts/0/monitoring_attrs/nr_regions/min", t->regions_min },
		{ "contexts/0/monitoring_attrs/nr_regions/max", t->regions_max },
		{ "contexts/0/targets/nr_targets", 1 },
		{ "contexts/0/targets/0/pid_target", (guint64)t->pid },
		{ "contexts/0/targets/0/regions/nr_regions", t->ranges->len },
	};
	int err = put(root, "fvaddr\n", "%u/contexts/0/operations", slot);

	if (!err)
		err = keep_intervals(root, slot);
	if (!err)
		err = put_settings(root, slot, settings, G_N_ELEMENTS(settings));
	return err ? err : put_ranges(root, slot, t->ranges);
}

static gboolean turn_on(KxDamon *d, const KxDamonTarget *t, GError **error)
{
	static const Setting context[] = { { "contexts/nr_contexts", 1 },
					   { INTERVALS "/update_us", KX_DAMON_MARK } };
	g_autofree char *pid = NULL;
	guint64 n;
	int err = put_settings(d->root, d->slot, context, G_N_ELEMENTS(context));

	if (err)
		return failed("making a context", err, error);
	if (!has_fixed_ranges(d->root, d->slot)) {
		g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
				    "tracker damon: this kernel's DAMON does not monitor addresses "
				    "of processes (fvaddr: CONFIG_DAMON_VADDR)");
		return FALSE;
	}
	err = configure(d->root, d->slot, t);
	if (err)
		return failed("setting the monitor's context", err, error);
	err = put(d->root, "on\n", "%u/state", d->slot);
	if (err)
		return not_started(d->root, err, error);
	pid = get(d->root, "%u/pid", d->slot);
	if (!number(pid, &n) || !n || n > G_MAXINT32)
		return failed("the pid of the monitor's thread", ESRCH, error);
	d->pid = (pid_t)n;
	return TRUE;
}

static void damon_free(KxDamon *d)
{
	g_free(d->root);
	g_free(d->proc_root);
	g_free(d);
}

static KxDamon *start(const char *root, const char *proc_root, const KxDamonTarget *t,
		      GError **error)
{
	KxDamon *d;
	guint slot;

	if (!has_damon(root)) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "tracker damon: %s", no_damon);
		return NULL;
	}
	if (!have_setup(root, proc_root, error))
		return NULL;
	if (!take_slot(root, &slot)) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "tracker damon: %u VMs have it already, which is the maximum",
			    KX_DAMON_KDAMONDS - 1);
		return NULL;
	}
	d = g_new0(KxDamon, 1);
	d->root = g_strdup(root);
	d->proc_root = g_strdup(proc_root);
	d->slot = slot;
	if (turn_on(d, t, error))
		return d;
	leave_slot(root, proc_root, slot);
	damon_free(d);
	return NULL;
}

KxDamon *kx_damon_start(const char *root, const char *proc_root, const KxDamonTarget *t,
			GError **error)
{
	int setup = enter(root);
	KxDamon *d = NULL;

	if (setup == BUSY_ELSEWHERE)
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "tracker damon: %s", changing);
	else
		d = start(root, proc_root, t, error);
	leave(setup);
	return d;
}

pid_t kx_damon_pid(const KxDamon *d)
{
	return d->pid;
}

void kx_damon_stop(KxDamon *d)
{
	int setup;

	if (!d)
		return;
	/* Stops its own kdamond in any case: no other process of ours removes the setup of a daemon that lives. */
	setup = enter(d->root);
	leave_slot(d->root, d->proc_root, d->slot);
	leave(setup);
	damon_free(d);
}

void kx_damon_recover(const char *root, const char *proc_root)
{
	g_autofree char *found = NULL;
	int setup = enter(root);
	Whose w = setup == BUSY_ELSEWHERE ? DAEMON
		  : has_damon(root)	  ? whose(root, proc_root, &found)
					  : FREE;

	if (w == LEFT)
		remove_all(root);
	else if (w == DAEMON)
		kx_log(G_LOG_LEVEL_MESSAGE, "damon", NULL, "damon", "DAMON is left alone: %s",
		       found ? found : changing);
	leave(setup);
}

char *kx_damon_refusal(const char *root, const char *proc_root)
{
	char *found = NULL;
	int setup;

	if (!has_damon(root))
		return g_strdup(no_damon);
	setup = enter(root);
	/* The doctor is another process than the daemon: the daemon's own setup does not prevent a monitor. */
	if (setup != BUSY_ELSEWHERE && whose(root, proc_root, &found) == DAEMON)
		g_clear_pointer(&found, g_free);
	leave(setup);
	return found ? found : exclusive_found(root);
}
