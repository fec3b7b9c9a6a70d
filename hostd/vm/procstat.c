// SPDX-License-Identifier: GPL-2.0-or-later
#include "procstat.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

static gboolean matches(const char *comm, int end)
{
	return end && (comm[end] == '\n' || !comm[end]);
}

/* One thread runs all vCPUs in turn if QEMU cannot emulate them side by side. */
static gboolean is_tcg_comm(const char *comm)
{
	unsigned int index;
	int end = 0;

	return (sscanf(comm, "CPU %u/TCG%n", &index, &end) == 1 && matches(comm, end)) ||
	       (g_str_has_prefix(comm, "ALL CPUs/TCG") && matches(comm, strlen("ALL CPUs/TCG")));
}

static gboolean is_vcpu_comm(const char *comm)
{
	unsigned int index;
	int end = 0;

	return (sscanf(comm, "CPU %u/KVM%n", &index, &end) == 1 && matches(comm, end)) ||
	       is_tcg_comm(comm);
}

gboolean kx_procstat_is_vcpu(const char *task_dir, const char *tid)
{
	g_autofree char *path = g_build_filename(task_dir, tid, "comm", NULL);
	g_autofree char *comm = NULL;

	return g_file_get_contents(path, &comm, NULL, NULL) && is_vcpu_comm(comm);
}

static gint by_tid(gconstpointer a, gconstpointer b)
{
	const KxVcpuTime *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

gboolean kx_procstat_is_emulated(const char *proc_root, pid_t pid)
{
	g_autofree char *task_dir = g_strdup_printf("%s/%d/task", proc_root, pid);
	g_autoptr(GDir) dir = g_dir_open(task_dir, 0, NULL);
	const char *tid;

	/* The first vCPU tells: all are of one kind, and the other threads of a large VM are many. */
	while (dir && (tid = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(task_dir, tid, "comm", NULL);
		g_autofree char *comm = NULL;

		if (g_file_get_contents(path, &comm, NULL, NULL) && is_vcpu_comm(comm))
			return is_tcg_comm(comm);
	}
	return FALSE;
}

static void add_tid(GArray *tids, const char *text)
{
	KxVcpuTime t = { 0 };
	guint64 n;

	if (g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &n, NULL)) {
		t.tid = (pid_t)n;
		g_array_append_val(tids, t);
	}
}

static gboolean tids_by_comm(GArray *tids, const char *task_dir, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(task_dir, 0, error);
	const char *name;

	if (!dir)
		return FALSE;
	while ((name = g_dir_read_name(dir))) {
		if (kx_procstat_is_vcpu(task_dir, name))
			add_tid(tids, name);
	}
	return TRUE;
}

static void tids_by_kvm(GArray *tids, const char *kvm_dir)
{
	g_autoptr(GDir) dir = g_dir_open(kvm_dir, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(kvm_dir, name, "pid", NULL);
		g_autofree char *text = NULL;

		if (g_str_has_prefix(name, "vcpu") && g_file_get_contents(path, &text, NULL, NULL))
			add_tid(tids, g_strstrip(text));
	}
}

static gboolean read_time(const char *task_dir, KxVcpuTime *t, GError **error)
{
	g_autofree char *tid = g_strdup_printf("%d", t->tid);
	g_autofree char *path = g_build_filename(task_dir, tid, "schedstat", NULL);
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	if (sscanf(text, "%" G_GINT64_MODIFIER "u %" G_GINT64_MODIFIER "u", &t->run_ns,
		   &t->wait_ns) == 2)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: not two numbers", path);
	return FALSE;
}

GArray *kx_procstat_vcpus(const char *proc_root, pid_t pid, const char *kvm_dir, GError **error)
{
	g_autofree char *name = g_strdup_printf("%d", pid);
	g_autofree char *task_dir = g_build_filename(proc_root, name, "task", NULL);
	g_autoptr(GArray) vcpus = g_array_new(FALSE, FALSE, sizeof(KxVcpuTime));
	guint i;

	if (!tids_by_comm(vcpus, task_dir, error))
		return NULL;
	if (!vcpus->len && kvm_dir)
		tids_by_kvm(vcpus, kvm_dir);
	if (!vcpus->len) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "the vCPU threads of process %d cannot be told apart (QEMU without "
			    "-name debug-threads=on, and no "
			    "vcpuN/pid in debugfs)",
			    pid);
		return NULL;
	}
	g_array_sort(vcpus, by_tid);
	for (i = 0; i < vcpus->len; i++) {
		if (!read_time(task_dir, &g_array_index(vcpus, KxVcpuTime, i), error))
			return NULL;
	}
	return g_steal_pointer(&vcpus);
}

/* Fields of proc(5)'s stat after the second one, the name, which is in parentheses and may contain any characters. */
#define UTIME_AFTER_NAME 12
#define STIME_AFTER_NAME 13
#define START_AFTER_NAME 20

/* @what: the clause of the error if the field is no number. */
static gboolean stat_field(const char *proc_root, pid_t pid, guint after_name, const char *what,
			   guint64 *n, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%d/stat", proc_root, pid);
	g_auto(GStrv) fields = NULL;
	g_autofree char *text = NULL;
	const char *after;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	after = strrchr(text, ')');
	fields = g_strsplit(after ? after + 1 : "", " ", (gint)after_name + 2);
	if (g_strv_length(fields) > after_name &&
	    g_ascii_string_to_unsigned(fields[after_name], 10, 0, G_MAXUINT64, n, NULL))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s does not say %s", path, what);
	return FALSE;
}

static guint64 ticks_ns(guint64 ticks)
{
	guint64 per_second = (guint64)sysconf(_SC_CLK_TCK);

	return ticks / per_second * 1000000000 + ticks % per_second * 1000000000 / per_second;
}

gboolean kx_procstat_started(const char *proc_root, pid_t pid, guint64 *ticks, GError **error)
{
	return stat_field(proc_root, pid, START_AFTER_NAME, "when it was started", ticks, error);
}

gboolean kx_procstat_cpu(const char *proc_root, pid_t pid, guint64 *ns, GError **error)
{
	static const char what[] = "how much CPU time it has used";
	guint64 user, system;

	if (!stat_field(proc_root, pid, UTIME_AFTER_NAME, what, &user, error) ||
	    !stat_field(proc_root, pid, STIME_AFTER_NAME, what, &system, error))
		return FALSE;
	*ns = ticks_ns(user + system);
	return TRUE;
}

/* Field 43 of proc(5)'s stat. */
#define GUEST_AFTER_NAME 41

gboolean kx_procstat_guest_time(const char *proc_root, pid_t pid, guint64 *ns, GError **error)
{
	g_autofree char *task_dir = g_strdup_printf("%s/%d/task", proc_root, pid);
	g_autoptr(GArray) vcpus = kx_procstat_vcpus(proc_root, pid, NULL, error);
	guint64 sum = 0, ticks;

	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		if (!stat_field(task_dir, g_array_index(vcpus, KxVcpuTime, i).tid, GUEST_AFTER_NAME,
				"how long it ran in guest mode", &ticks, error))
			return FALSE;
		sum += ticks;
	}
	if (vcpus && !sum)
		g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
				    "this kernel accounts no guest time of vCPU threads");
	*ns = ticks_ns(sum);
	return sum > 0;
}

/* Fields 3 and 9 of proc(5)'s stat, after the name; PF_EXITING of the kernel's include/linux/sched.h, unchanged since 2.6. */
#define FLAG_EXITING 0x4u

gboolean kx_procstat_is_over(const char *proc_root, pid_t pid)
{
	g_autofree char *path = g_strdup_printf("%s/%d/stat", proc_root, pid);
	g_autofree char *text = NULL;
	const char *after;
	guint flags;
	char state;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return TRUE;
	after = strrchr(text, ')');
	if (!after || sscanf(after + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return FALSE;
	return state == 'Z' || state == 'X' || flags & FLAG_EXITING;
}

gboolean kx_procstat_age(const char *proc_root, pid_t pid, guint64 *ns, GError **error)
{
	guint64 ticks, start_ns, now_ns;
	struct timespec now;

	if (!kx_procstat_started(proc_root, pid, &ticks, error))
		return FALSE;
	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ns = (guint64)now.tv_sec * 1000000000 + (guint64)now.tv_nsec;
	start_ns = ticks_ns(ticks);
	*ns = now_ns - MIN(start_ns, now_ns);
	return TRUE;
}
