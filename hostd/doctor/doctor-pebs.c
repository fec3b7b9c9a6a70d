/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor-pebs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MSR_PERF_CAPABILITIES 0x345u
#define MSR_PEBS_LD_LAT	      0x3f6u
/* Fields of IA32_PERF_CAPABILITIES (Intel SDM, performance monitoring). */
#define PEBS_FORMAT(caps)   ((guint)((caps) >> 8 & 0xf))
#define PEBS_BASELINE(caps) ((caps) >> 14 & 1)
/* From this format on, a record contains the data's address only if the CPU has adaptive records (PEBS baseline). */
#define FORMAT_ADAPTIVE 4u

#define SURROGATE "guest-pebs works with --event page-faults, a surrogate"

static int read_feature(int kvm, guint32 index, guint64 *value)
{
	g_autofree struct kvm_msrs *m = g_malloc0(sizeof(*m) + sizeof(m->entries[0]));
	int n;

	m->nmsrs = 1;
	m->entries[0].index = index;
	n = ioctl(kvm, KVM_GET_MSRS, m);
	if (n != 1)
		return n < 0 ? errno : ENOENT; /* 0: KVM does not have this register */
	*value = m->entries[0].data;
	return 0;
}

/* Whether a VM of this KVM has the register: 1, 0, -1 unknown. */
static int has_msr(int kvm, guint32 index)
{
	struct kvm_msr_list empty = { 0 };
	g_autofree struct kvm_msr_list *list = NULL;

	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &empty) == 0 || errno != E2BIG)
		return -1;
	list = g_malloc0(sizeof(*list) + empty.nmsrs * sizeof(list->indices[0]));
	list->nmsrs = empty.nmsrs;
	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list))
		return -1;
	for (guint32 i = 0; i < list->nmsrs; i++) {
		if (list->indices[i] == index)
			return 1;
	}
	return 0;
}

void kx_pebs_probe(KxPebsFacts *facts)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	facts->kvm_error = fd < 0 ? errno : read_feature(fd, MSR_PERF_CAPABILITIES, &facts->kvm);
	facts->kvm_latency = fd < 0 ? -1 : has_msr(fd, MSR_PEBS_LD_LAT);
	if (fd >= 0)
		close(fd);
	fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	facts->cpu_error = fd < 0 ? errno
			   : pread(fd, &facts->cpu, sizeof(facts->cpu), MSR_PERF_CAPABILITIES) ==
					   sizeof(facts->cpu)
				   ? 0
				   : EIO;
	if (fd >= 0)
		close(fd);
}

static gboolean has_flag(const char *flags, const char *flag)
{
	g_auto(GStrv) words = g_strsplit(flags, " ", -1);

	return g_strv_contains((const char *const *)words, flag);
}

/* "the CPU has format 4 with adaptive records", or why the value cannot be read. */
static char *cpu_text(const KxPebsFacts *f)
{
	guint format = PEBS_FORMAT(f->cpu);

	if (f->cpu_error)
		return g_strdup_printf("the CPU's own format is not readable (/dev/cpu/0/msr: %s)",
				       g_strerror(f->cpu_error));
	return g_strdup_printf("the CPU has format %u%s", format,
			       format < FORMAT_ADAPTIVE ? ""
			       : PEBS_BASELINE(f->cpu)	? " with adaptive records"
							: " without adaptive records");
}

/* A guest's kernel decides by the version of performance monitoring that KVM reports, which is 2: see kvm-ext/guest/event.c. */
static const char *latency_text(const KxPebsFacts *f, guint format)
{
	if (f->kvm_latency < 0)
		return "not known";
	if (!f->kvm_latency)
		return "not available: only stores and all loads (--event loads+stores)";
	return format < FORMAT_ADAPTIVE ? "available"
					: "available, but Linux 6.1 and 6.12 crash with it in a "
					  "guest: use --event loads+stores";
}

static KxCheckStatus judge_kvm(const KxPebsFacts *f, char **found, const char **remedy)
{
	guint format = PEBS_FORMAT(f->kvm);
	g_autofree char *cpu = cpu_text(f);

	if (!format) {
		*found = g_strdup_printf("KVM offers no PEBS to its guests; %s; " SURROGATE, cpu);
		return KX_CHECK_NO;
	}
	/* In a VM whose host masks the bit, patches of the KVM in the VM would not help. */
	if (format >= FORMAT_ADAPTIVE && !PEBS_BASELINE(f->kvm) && !f->cpu_error &&
	    !PEBS_BASELINE(f->cpu)) {
		*found =
			g_strdup_printf("KVM offers its guests format %u without adaptive records, "
					"whose records hold no address: bit 14 of "
					"IA32_PERF_CAPABILITIES is clear in this CPU, too (in a "
					"VM: its host's KVM may mask it); " SURROGATE,
					format);
		return KX_CHECK_NO;
	}
	if (format >= FORMAT_ADAPTIVE && !PEBS_BASELINE(f->kvm)) {
		*found = g_strdup_printf("KVM offers its guests format %u without adaptive records "
					 "(bit 14 of IA32_PERF_CAPABILITIES is masked), whose "
					 "records hold no address; %s; " SURROGATE,
					 format, cpu);
		*remedy = "build KVM with kvm-ext/kvm-patches and load it with "
			  "kvm_intel.guest_adaptive_pebs=1 (Linux before commit 9e985cbf2942 does "
			  "not mask it)";
		return KX_CHECK_NO;
	}
	*found = g_strdup_printf(
		"KVM offers its guests format %u with addresses; %s; load latency %s; the guest "
		"needs QEMU -cpu host,migratable=no (libvirt: host-passthrough, migratable='off') "
		"and pmu=on",
		format, cpu, latency_text(f, format));
	return KX_CHECK_YES;
}

KxCheckStatus kx_pebs_judge(const KxPebsFacts *f, gboolean intel, const char *flags,
			    const char *enable_pmu, char **found, const char **remedy)
{
	*remedy = NULL;
	if (!intel) {
		*found = g_strdup("PEBS is a feature of Intel CPUs, and KVM does not give AMD's "
				  "IBS to guests; " SURROGATE);
		return KX_CHECK_NO;
	}
	if (flags && !has_flag(flags, "dtes64")) {
		*found = g_strdup("this CPU has no 64-bit debug store (flag dtes64), so it has no "
				  "PEBS; " SURROGATE);
		return KX_CHECK_NO;
	}
	if (enable_pmu && (*enable_pmu == 'N' || *enable_pmu == '0')) {
		*found = g_strdup_printf("kvm enable_pmu=%s: guests have no performance counters",
					 enable_pmu);
		*remedy = "reload kvm and kvm_intel with enable_pmu=1";
		return KX_CHECK_NO;
	}
	if (!f->kvm_error)
		return judge_kvm(f, found, remedy);
	{
		g_autofree char *cpu = cpu_text(f);

		*found = g_strdup_printf("KVM does not say what it offers its guests (%s); %s",
					 g_strerror(f->kvm_error), cpu);
	}
	return KX_CHECK_UNKNOWN;
}
