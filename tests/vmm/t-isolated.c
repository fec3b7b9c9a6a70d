// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * On a host with isolated CPUs (isolcpus=, nohz_full=), the pass thread does not run on these CPUs,
 * unless the setting names one of them.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

static struct vmm vm;
static struct kx kx;

/* A list of CPUs as the kernel prints it: "1,4-7". */
static void read_cpus(const char *path, cpu_set_t *cpus)
{
	FILE *f = fopen(path, "r");
	char text[256] = "", *at = text;
	unsigned long first, last;

	CPU_ZERO(cpus);
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	while (isdigit((unsigned char)*at)) {
		first = strtoul(at, &at, 10);
		last = *at == '-' ? strtoul(at + 1, &at, 10) : first;
		for (; first <= last; first++)
			CPU_SET(first, cpus);
		at += *at == ',';
	}
}

static pid_t pass_thread(void)
{
	char want[32], path[300], name[32];
	struct dirent *entry;
	pid_t pid = 0;
	DIR *dir;
	FILE *f;

	/* The kernel cuts the name of a thread to 15 characters. */
	snprintf(want, sizeof(want), "kvm-ext/%d", getpid());
	want[15] = '\0';
	dir = opendir("/proc");
	while (dir && !pid && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "r");
		if (f && fscanf(f, "%31s", name) == 1 && !strcmp(name, want))
			pid = atoi(entry->d_name);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	if (!pid)
		bail("there is no thread %s", want);
	return pid;
}

static void allowed(cpu_set_t *cpus)
{
	if (sched_getaffinity(pass_thread(), sizeof(*cpus), cpus))
		bail("sched_getaffinity");
}

static void spares(const cpu_set_t *isolated, const char *what)
{
	cpu_set_t cpus, both;

	allowed(&cpus);
	CPU_AND(&both, &cpus, isolated);
	ok(CPU_COUNT(&cpus) && !CPU_COUNT(&both),
	   "%s: the thread may run on no isolated CPU (%d other CPUs)", what, CPU_COUNT(&cpus));
}

static void obeys(int cpu)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	cpu_set_t cpus;

	t.cpu = cpu;
	kx_start(&kx, &t);
	allowed(&cpus);
	ok(CPU_COUNT(&cpus) == 1 && CPU_ISSET(cpu, &cpus),
	   "with CPU %d in the setting, the thread runs there", cpu);
}

int main(void)
{
	struct kvm_ext_tracker any = kx_tracker(KVM_EXT_TRACKER_ABIT);
	cpu_set_t isolated, nohz;
	int cpu;

	read_cpus("/sys/devices/system/cpu/isolated", &isolated);
	read_cpus("/sys/devices/system/cpu/nohz_full", &nohz);
	note("isolated CPUs: %d, without a tick: %d", CPU_COUNT(&isolated), CPU_COUNT(&nohz));
	CPU_OR(&isolated, &isolated, &nohz);
	if (!CPU_COUNT(&isolated)) {
		skip("this host isolates none", "the pass thread does not run on isolated CPUs");
		return tap_end();
	}
	vmm_create(&vm, 1, 0);
	kx_attach(&kx, vm.fd, 0);
	spares(&isolated, "before a tracker is set");
	kx_start(&kx, &any);
	spares(&isolated, "on any CPU");
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		obeys(cpu);
	kx_start(&kx, &any);
	spares(&isolated, "on any CPU again");
	kx_close(&kx);
	vmm_destroy(&vm);
	return tap_end();
}
