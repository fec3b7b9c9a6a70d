// SPDX-License-Identifier: GPL-2.0-or-later
#include "patience.h"

#include "base/error.h"
#include "procstat.h"

#define POLL_US 50000u
/* The vCPUs are idle if no vCPU ran for more than 1/IDLE_PART of the time. */
#define IDLE_PART 4u
/* The interval, by the host's clock, at which /proc is read. */
#define COUNT_NS G_GUINT64_CONSTANT(500000000)

struct _KxPatience {
	char *proc_root;
	pid_t pid;
	gint64 wait_ns;
	GCancellable *cancellable; /* NULL: none */
	guint64 start_ns, last_ns; /* CLOCK_MONOTONIC; of the last count */
	guint64 age_ns; /* of the VM; in a wait only time in which it could work is added */
	GArray *vcpus;	/* KxVcpuTime at @last_ns; NULL: not known */
	guint64 guest_ns, idle_ns;
	gboolean ran;	/* a vCPU ran at all since the vCPUs became idle */
	guint64 due_ns; /* time left before @guest_ns and @idle_ns count */
};

static guint64 monotonic_ns(void)
{
	return (guint64)g_get_monotonic_time() * 1000;
}

/* A process whose age cannot be read counts as an old process. */
static guint64 age_of(const char *proc_root, pid_t pid)
{
	guint64 age = 0;

	return kx_procstat_age(proc_root, pid, &age, NULL) ? age : KX_PATIENCE_BOOT_NS;
}

#define SECONDS(ns) ((ns) / G_GUINT64_CONSTANT(1000000000))

char *kx_patience_limit(const char *proc_root, pid_t pid, gint64 wait_ns)
{
	guint64 age_ns = age_of(proc_root ? proc_root : "/proc", pid);
	g_autofree char *boots =
		age_ns < KX_PATIENCE_BOOT_NS
			? g_strdup_printf(
				  ", but not before the VM has run for %" G_GUINT64_FORMAT
				  " s, so that it can boot (it was started %" G_GUINT64_FORMAT
				  " s ago)",
				  SECONDS(KX_PATIENCE_BOOT_NS), SECONDS(age_ns))
			: g_strdup("");

	if (wait_ns >= 0)
		return g_strdup_printf("for %.1f s at most, as --wait says", (double)wait_ns / 1e9);
	return g_strdup_printf("until its vCPUs could run for %" G_GUINT64_FORMAT
			       " s, or had nothing to do for %" G_GUINT64_FORMAT
			       " s%s; --wait TIME limits it",
			       SECONDS(KX_PATIENCE_GUEST_NS), SECONDS(KX_PATIENCE_IDLE_NS), boots);
}

KxPatience *kx_patience_new(const char *proc_root, pid_t pid, gint64 wait_ns,
			    GCancellable *cancellable)
{
	KxPatience *p = g_new0(KxPatience, 1);

	p->proc_root = g_strdup(proc_root ? proc_root : "/proc");
	p->pid = pid;
	p->wait_ns = wait_ns;
	p->cancellable = cancellable ? g_object_ref(cancellable) : NULL;
	p->start_ns = p->last_ns = monotonic_ns();
	p->age_ns = age_of(p->proc_root, pid);
	p->vcpus = kx_procstat_vcpus(p->proc_root, pid, NULL, NULL);
	return p;
}

void kx_patience_free(KxPatience *p)
{
	if (!p)
		return;
	g_clear_object(&p->cancellable);
	g_clear_pointer(&p->vcpus, g_array_unref);
	g_free(p->proc_root);
	g_free(p);
}

void kx_patience_renew(KxPatience *p, guint64 due_ns)
{
	p->age_ns = KX_PATIENCE_BOOT_NS; /* a guest that answers has booted */
	p->due_ns = due_ns;
	p->guest_ns = p->idle_ns = 0;
}

gboolean kx_patience_count(KxPatience *p, guint64 passed_ns, guint64 run_ns, guint64 steal_ns)
{
	guint64 could = passed_ns - MIN(steal_ns, passed_ns);

	p->age_ns += could;
	if (p->due_ns) {
		p->due_ns -= MIN(p->due_ns, could);
		return TRUE;
	}
	p->guest_ns += could;
	p->ran = run_ns > passed_ns / IDLE_PART ? FALSE : p->ran || run_ns;
	p->idle_ns = run_ns > passed_ns / IDLE_PART ? 0 : p->idle_ns + could;
	if (p->age_ns < KX_PATIENCE_BOOT_NS)
		return TRUE;
	return p->guest_ns < KX_PATIENCE_GUEST_NS && p->idle_ns < KX_PATIENCE_IDLE_NS;
}

/* Since the last count: the run time of the vCPU that ran most, and the wait time of the vCPU that waited most; by thread. */
static void differences(const GArray *before, const GArray *now, guint64 *run, guint64 *steal)
{
	for (guint i = 0, k = 0; i < now->len; i++) {
		const KxVcpuTime *n = &g_array_index(now, KxVcpuTime, i), *b = NULL;

		while (k < before->len && g_array_index(before, KxVcpuTime, k).tid < n->tid)
			k++;
		if (k < before->len && g_array_index(before, KxVcpuTime, k).tid == n->tid)
			b = &g_array_index(before, KxVcpuTime, k);
		if (!b || n->run_ns < b->run_ns || n->wait_ns < b->wait_ns)
			continue; /* a new vCPU, or a thread number that was used again */
		*run = MAX(*run, n->run_ns - b->run_ns);
		*steal = MAX(*steal, n->wait_ns - b->wait_ns);
	}
}

/* The vCPUs' threads are not known: the host's clock is used, and the vCPUs do not count as idle. */
static gboolean count_now(KxPatience *p, guint64 now_ns)
{
	guint64 passed = now_ns - p->last_ns, run = passed, steal = 0;
	GArray *vcpus = kx_procstat_vcpus(p->proc_root, p->pid, NULL, NULL);

	if (vcpus && p->vcpus) {
		run = 0;
		differences(p->vcpus, vcpus, &run, &steal);
	}
	g_clear_pointer(&p->vcpus, g_array_unref);
	p->vcpus = vcpus;
	p->last_ns = now_ns;
	return kx_patience_count(p, passed, run, steal);
}

static gboolean is_there(const KxPatience *p)
{
	g_autofree char *path = g_strdup_printf("%s/%d", p->proc_root, p->pid);

	return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static gboolean over(const KxPatience *p, guint64 now_ns, const char *what, GError **error)
{
	guint64 waited = now_ns - p->start_ns;

	if (p->wait_ns >= 0)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "%s (waited %.1f s, as long as --wait says)", what,
			    (double)waited / 1e9);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "%s (waited %.1f s, in which the guest %s; --wait TIME waits longer)",
			    what, (double)waited / 1e9,
			    p->idle_ns < KX_PATIENCE_IDLE_NS ? "had time enough for it"
			    : p->ran			     ? "had nothing else to do"
							     : "did not run at all: is it paused?");
	return FALSE;
}

gboolean kx_patience_rest(KxPatience *p, const char *what, GError **error)
{
	guint64 now_ns;

	if (g_cancellable_set_error_if_cancelled(p->cancellable, error))
		return FALSE;
	if (!is_there(p)) {
		g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE,
			    "the VM (process %d) has ended while its guest was waited for", p->pid);
		return FALSE;
	}
	now_ns = monotonic_ns();
	if (p->wait_ns >= 0 ? now_ns - p->start_ns >= (guint64)p->wait_ns
			    : now_ns - p->last_ns >= COUNT_NS && !count_now(p, now_ns))
		return over(p, now_ns, what, error);
	g_usleep(POLL_US);
	return TRUE;
}
