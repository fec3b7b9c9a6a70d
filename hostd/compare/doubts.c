// SPDX-License-Identifier: GPL-2.0-or-later
#include "doubts.h"

#include <stdlib.h>
#include <string.h>

#include "vm/hostinfo.h"
#include "vm/procstat.h"

#define CPUS  "sys/devices/system/cpu"
#define DAMON "sys/kernel/mm/damon/admin/kdamonds"
#define KSM   "sys/kernel/mm/ksm/run"
#define NUMA  "proc/sys/kernel/numa_balancing"
#define THP   "sys/kernel/mm/transparent_hugepage/enabled"

static char *path_in(const char *root, const char *path)
{
	return g_build_filename(root ? root : "/", path, NULL);
}

static void add(GPtrArray *doubts, char *sentence)
{
	g_ptr_array_add(doubts, sentence);
}

/* "always [madvise] never": the word in brackets; else the whole line. */
static char *chosen(const char *root, const char *path)
{
	g_autofree char *line = kx_read_line(root, path);
	const char *open = line ? strchr(line, '[') : NULL;
	const char *close = open ? strchr(open, ']') : NULL;

	return close ? g_strndup(open + 1, (gsize)(close - open - 1)) : g_steal_pointer(&line);
}

/* --- the host ----------------------------------------------------------------------------------------------------- */

static void doubt_frequency(GPtrArray *doubts, const char *root)
{
	g_autofree char *governor = kx_read_line(root, CPUS "/cpu0/cpufreq/scaling_governor");

	if (governor && !g_str_equal(governor, "performance"))
		add(doubts,
		    g_strdup_printf("the CPUs' frequency changes (governor %s): a time is not a "
				    "number of cycles; set the governor performance",
				    governor));
}

static void doubt_ksm(GPtrArray *doubts, const char *root)
{
	g_autofree char *run = kx_read_line(root, KSM);

	if (run && g_str_equal(run, "1"))
		add(doubts,
		    g_strdup("KSM merges pages (" KSM " is 1): it reads and remaps the VMs' memory "
			     "meanwhile"));
}

static void doubt_numa_balancing(GPtrArray *doubts, const char *root)
{
	g_autofree char *mode = kx_read_line(root, NUMA);

	if (mode && !g_str_equal(mode, "0"))
		add(doubts,
		    g_strdup_printf("NUMA balancing is on (" NUMA " is %s): it unmaps and moves "
				    "the VMs' pages meanwhile, and KVM's mappings with them",
				    mode));
}

/* DAMON clears accessed bits that host trackers look for. */
static void doubt_damon(GPtrArray *doubts, const char *root)
{
	g_autofree char *all = path_in(root, DAMON);
	g_autoptr(GDir) dir = g_dir_open(all, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(DAMON, name, "state", NULL);
		g_autofree char *state = g_ascii_isdigit(*name) ? kx_read_line(root, path) : NULL;

		if (state && g_str_equal(state, "on"))
			add(doubts,
			    g_strdup_printf("DAMON's kdamond %s is on: it clears accessed bits "
					    "that other trackers look for",
					    name));
	}
}

GPtrArray *kx_doubts_of_host(const char *root)
{
	GPtrArray *doubts = g_ptr_array_new_with_free_func(g_free);

	doubt_frequency(doubts, root);
	doubt_ksm(doubts, root);
	doubt_numa_balancing(doubts, root);
	doubt_damon(doubts, root);
	return doubts;
}

/* --- a VM --------------------------------------------------------------------------------------------------------- */

/* The value of "KEY:\tvalue" in a status file. */
static char *status_value(const char *text, const char *key)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		if (g_str_has_prefix(*line, key) && (*line)[strlen(key)] == ':')
			return g_strstrip(g_strdup(*line + strlen(key) + 1));
	}
	return NULL;
}

/* The CPUs on which the thread may run, if it runs a vCPU. NULL: it does not run a vCPU, or it is gone. */
static char *vcpu_cpus(const char *tasks, const char *tid)
{
	g_autofree char *path = g_build_filename(tasks, tid, "status", NULL);
	g_autofree char *text = NULL;

	if (!kx_procstat_is_vcpu(tasks, tid) || !g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	return status_value(text, "Cpus_allowed_list");
}

GPtrArray *kx_doubts_of_vm(const char *root, pid_t pid, const char *emulated_by)
{
	GPtrArray *doubts = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *relative = g_strdup_printf("proc/%d/task", pid);
	g_autofree char *tasks = path_in(root, relative);
	g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
	guint vcpus = 0, loose = 0;
	const char *tid;

	while (dir && (tid = g_dir_read_name(dir))) {
		g_autofree char *cpus = vcpu_cpus(tasks, tid);

		vcpus += cpus != NULL;
		loose += cpus && strpbrk(cpus, "-,");
	}
	if (loose)
		add(doubts,
		    g_strdup_printf("%u of %u vCPUs are not pinned to a CPU each: the scheduler's "
				    "choices are part of the differences (virsh vcpupin)",
				    loose, vcpus));
	if (emulated_by)
		add(doubts, g_strdup_printf("%s emulates it, without KVM: its times are the "
					    "emulator's, good as ratios within this VM only",
					    emulated_by));
	return doubts;
}

/* --- what changed ------------------------------------------------------------------------------------------------- */

char *kx_doubts_state(const char *root)
{
	g_autofree char *thp = chosen(root, THP), *ksm = kx_read_line(root, KSM);
	g_autofree char *governor = kx_read_line(root, CPUS "/cpu0/cpufreq/scaling_governor");
	g_autofree char *numa = kx_read_line(root, NUMA);

	return g_strdup_printf("transparent huge pages %s, KSM %s, governor %s, NUMA balancing %s",
			       thp ? thp : "?", ksm ? ksm : "?", governor ? governor : "?",
			       numa ? numa : "?");
}

void kx_doubts_of_change(GPtrArray *doubts, const char *before, const char *after)
{
	if (!g_str_equal(before, after))
		add(doubts,
		    g_strdup_printf("the host was changed meanwhile: first %s; at the end %s",
				    before, after));
}

/* --- between two readings ----------------------------------------------------------------------------------------- */

static gboolean has(GPtrArray *doubts, const char *doubt)
{
	return g_ptr_array_find_with_equal_func(doubts, doubt, g_str_equal, NULL);
}

/* A VM that was paused did less work in the same time, and its rates do not show that a pause was the reason. */
void kx_doubts_of_pauses(GPtrArray *doubts, const KxWindow *before, const KxWindow *after)
{
	const char *why = after->paused_na ? after->paused_na : before->paused_na;
	g_autofree char *doubt = NULL;

	if (!why)
		return;
	doubt = g_strdup_printf("whether it was paused meanwhile is not known (%s): time in which "
				"it did not run may be part of the differences",
				why);
	if (!has(doubts, doubt))
		add(doubts, g_steal_pointer(&doubt));
}

void kx_doubts_add(GPtrArray *to, const GPtrArray *from)
{
	for (guint i = 0; i < from->len; i++) {
		if (!has(to, from->pdata[i]))
			add(to, g_strdup(from->pdata[i]));
	}
}
