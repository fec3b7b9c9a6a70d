// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks of the host: its CPU, KVM, and the kernel. */
#include "doctor-internal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "doctor-pebs.h"
#include "tracker/damon-setup.h"
#include "tracker/idle-page.h"
#include "tracker/logmech.h"
#include "tracker/lrugen.h"
#include "vm/hostinfo.h"

void kx_doctor_check_cpu(KxDoctor *d)
{
	g_autofree char *model = kx_cpuinfo_value(d->facts->root, "model name");

	if (!d->vendor)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "/proc/cpuinfo names no vendor");
	else if (!d->vendor_module)
		kx_doctor_say(d, KX_CHECK_NO, "use a host with an Intel or AMD CPU",
			      "the vendor is %s", d->vendor);
	else
		kx_doctor_say(d, KX_CHECK_YES, NULL, "%s, %s", d->vendor,
			      model ? model : "model unknown");
}

void kx_doctor_check_virtualization(KxDoctor *d)
{
	const char *flag = kx_doctor_is_intel(d) ? "vmx" : "svm";

	if (!d->vendor_module || !d->flags)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "the CPU's flags are not known");
	else if (kx_doctor_has_flag(d, flag))
		kx_doctor_say(d, KX_CHECK_YES, NULL, "the CPU has %s", flag);
	else if (!d->facts->kvm_error)
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "/dev/kvm can be opened, though the CPU's flags do not contain %s",
			      flag);
	else
		kx_doctor_say(d, KX_CHECK_NO,
			      "switch virtualization on in the firmware; in a VM, give it nested "
			      "virtualization",
			      "the CPU's flags do not contain %s", flag);
}

void kx_doctor_check_kvm_module(KxDoctor *d)
{
	g_autofree char *remedy = NULL;

	if (!d->vendor_module) {
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
		return;
	}
	remedy = g_strdup_printf("modprobe %s", d->vendor_module);
	if (kx_doctor_exists(d, "sys/module/%s", d->vendor_module))
		kx_doctor_say(d, KX_CHECK_YES, NULL, "%s is loaded", d->vendor_module);
	else if (!d->facts->kvm_error)
		kx_doctor_say(
			d, KX_CHECK_UNKNOWN, NULL,
			"/dev/kvm can be opened, though /sys/module has no %s: which KVM this "
			"is, is not known",
			d->vendor_module);
	else
		kx_doctor_say(d, KX_CHECK_NO, remedy, "%s is not loaded", d->vendor_module);
}

/* A boolean parameter of kvm, kvm_intel or kvm_amd. */
static void check_parameter(KxDoctor *d, const char *module, const char *name, const char *remedy)
{
	g_autofree char *value = kx_doctor_parameter(d, module, name);

	if (!value && !kx_doctor_exists(d, "sys/module/%s", module))
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "%s is not loaded", module);
	else if (!value)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "this kernel's %s shows no parameter %s",
			      module, name);
	else
		kx_doctor_say(d, kx_doctor_is_on(value) ? KX_CHECK_YES : KX_CHECK_NO,
			      kx_doctor_is_on(value) ? NULL : remedy, "%s %s=%s", module, name,
			      value);
}

void kx_doctor_check_nested_paging(KxDoctor *d)
{
	if (!d->vendor_module)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
	else if (kx_doctor_is_intel(d))
		check_parameter(d, "kvm_intel", "ept",
				"reload kvm_intel with ept=1; a CPU without EPT cannot be used");
	else
		check_parameter(d, "kvm_amd", "npt",
				"reload kvm_amd with npt=1; a CPU without NPT cannot be used");
}

void kx_doctor_check_ad_bits(KxDoctor *d)
{
	g_autofree char *npt = NULL;

	if (!d->vendor_module) {
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
		return;
	}
	if (kx_doctor_is_intel(d)) {
		check_parameter(
			d, "kvm_intel", "eptad",
			"reload kvm_intel with eptad=1 (Haswell or newer); without A/D bits, "
			"every found access costs a fault");
		return;
	}
	npt = kx_doctor_parameter(d, "kvm_amd", "npt");
	if (!npt)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "kvm_amd is not loaded");
	else if (kx_doctor_is_on(npt))
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "nested page tables of AMD CPUs always have them");
	else
		kx_doctor_say(d, KX_CHECK_NO, "reload kvm_amd with npt=1", "kvm_amd npt=%s", npt);
}

void kx_doctor_check_tdp_mmu(KxDoctor *d)
{
	check_parameter(d, "kvm", "tdp_mmu",
			"reload kvm with tdp_mmu=1; needed to walk the tables");
}

void kx_doctor_check_pml(KxDoctor *d)
{
	g_auto(KxLogMechanism) m = { 0 };

	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, d->facts->root, &m);
	if (m.mechanism == KVM_EXT_LOG_PML)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "the CPU logs written pages: %s", m.host);
	else if (m.mechanism == KVM_EXT_LOG_UNKNOWN)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "%s", m.host);
	else
		kx_doctor_say(
			d, KX_CHECK_NO,
			kx_doctor_is_intel(d)
				? "reload kvm_intel with ept=1 eptad=1 pml=1, if the CPU has it"
				: NULL,
			"written pages are found by write protection: %s", m.host);
}

void kx_doctor_check_pebs(KxDoctor *d)
{
	g_autofree char *pmu = kx_doctor_parameter(d, "kvm", "enable_pmu"), *found = NULL;
	const char *remedy = NULL;
	KxCheckStatus status;

	if (!d->vendor_module) {
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
		return;
	}
	status = kx_pebs_judge(&d->facts->pebs, kx_doctor_is_intel(d), d->flags, pmu, &found,
			       &remedy);
	kx_doctor_say(d, status, remedy, "%s", found);
}

void kx_doctor_check_kvm_device(KxDoctor *d)
{
	if (!d->facts->kvm_error)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "/dev/kvm can be opened");
	else if (d->facts->kvm_error == EACCES)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, "run as root, or join the group kvm",
			      "this user may not open /dev/kvm");
	else
		kx_doctor_say(d, KX_CHECK_NO, "load the KVM module of this CPU",
			      "/dev/kvm: %s; without it only VMs that QEMU emulates (<domain "
			      "type='qemu'>) can be attached, with guest-abit and guest-pebs",
			      g_strerror(d->facts->kvm_error));
}

/*
 * DAMON_STAT, which is on by default in some kernels since 6.17, clears accessed bits of all memory, also of guests. So does who
 * reads the bitmap of idle pages, of pages that are marked in it.
 */
void kx_doctor_check_rivals(KxDoctor *d)
{
	g_autofree char *stat = kx_doctor_parameter(d, "damon_stat", "enabled");
	const char *marks = kx_idle_page_check(d->facts->root, NULL)
				    ? "; who reads /" KX_IDLE_BITMAP
				      " (idle-page, page-types) clears those of all marked pages"
				    : "";

	if (!stat)
		kx_doctor_say(d, KX_CHECK_INFO, NULL,
			      "this kernel has no DAMON_STAT, which clears accessed bits%s", marks);
	else if (*stat == 'Y')
		kx_doctor_say(
			d, KX_CHECK_NO,
			"echo N >/sys/module/damon_stat/parameters/enabled, while you measure",
			"DAMON_STAT runs: accessed bits that it clears before a tracker reads "
			"them are missing from samples");
	else
		kx_doctor_say(d, KX_CHECK_YES, NULL, "DAMON_STAT is off%s", marks);
}

void kx_doctor_check_huge_pages(KxDoctor *d)
{
	g_autofree char *thp =
		kx_read_line(d->facts->root, "sys/kernel/mm/transparent_hugepage/enabled");
	g_autofree char *nx = kx_doctor_parameter(d, "kvm", "nx_huge_pages");
	g_autofree char *ksm = kx_read_line(d->facts->root, "sys/kernel/mm/ksm/run");

	kx_doctor_say(d, KX_CHECK_INFO, NULL, "THP %s; KSM run=%s; kvm nx_huge_pages=%s",
		      thp ? thp : "unknown", ksm ? ksm : "unknown", nx ? nx : "unknown");
}

/* --- the kernel ----------------------------------------------------------- */

/* The kernel series on which the module's tests run. */
static const char *const tested_series[] = { "6.1", "6.12", "7.2", "7.3" };

static gboolean is_of_series(const char *release, const char *series)
{
	gsize len = strlen(series);

	return !strncmp(release, series, len) && !g_ascii_isdigit(release[len]);
}

void kx_doctor_check_kernel(KxDoctor *d)
{
	g_autofree char *names = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(tested_series); i++) {
		if (is_of_series(d->release, tested_series[i])) {
			kx_doctor_say(d, KX_CHECK_YES, NULL,
				      "%s; the module is tested on series %s", d->release,
				      tested_series[i]);
			return;
		}
	}
	names = kx_text_list(tested_series, G_N_ELEMENTS(tested_series));
	kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL,
		      "%s; the module is tested on %s, others may build and work", d->release,
		      names);
}

void kx_doctor_check_pidfd_getfd(KxDoctor *d)
{
	if (d->facts->pidfd_error == EBADF)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "the kernel has it");
	else if (d->facts->pidfd_error == ENOSYS)
		kx_doctor_say(d, KX_CHECK_NO, "use Linux 5.6 or newer",
			      "the kernel does not have it");
	else
		kx_doctor_say(d, KX_CHECK_UNKNOWN, "look for a seccomp filter around this process",
			      "the call ended with: %s", g_strerror(d->facts->pidfd_error));
}

static const char built_with_it[] = "use a kernel built with it; only some trackers need it";

/* Only root can read who uses DAMON. */
static char *damon_refusal(const KxDoctor *d)
{
	const char *root = d->facts->root ? d->facts->root : "/";
	g_autofree char *nr =
		g_build_filename(root, "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", NULL);
	g_autofree char *proc_root = g_build_filename(root, "proc", NULL);

	return kx_doctor_exists(d, "sys/kernel/mm/damon/admin") && g_access(nr, R_OK)
		       ? NULL
		       : kx_damon_refusal(root, proc_root);
}

/* Whether a VM has a memory cgroup of its own shows when the tracker is set. */
void kx_doctor_check_mglru(KxDoctor *d)
{
	g_autoptr(GError) why = NULL;

	if (kx_lru_check(d->facts->root, &why))
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "mglru can age a VM's memory cgroup, and the kernel asks KVM");
	else
		kx_doctor_say(d, KX_CHECK_NO, NULL, "mglru: %s", why->message);
}

/* What removes KVM's mappings, or clears accessed bits, without a look at the marks. "": nothing does. */
static char *thieves_of_marks(const KxDoctor *d)
{
	g_autofree char *numa = kx_read_line(d->facts->root, "proc/sys/kernel/numa_balancing");
	g_autofree char *mglru = kx_read_line(d->facts->root, "sys/kernel/mm/lru_gen/enabled");
	gboolean balances = numa && !g_str_equal(numa, "0");
	gboolean ages = mglru && g_ascii_strtoull(mglru, NULL, 0);

	return g_strdup_printf("%s%s",
			       balances ? "; NUMA balancing is on (kernel.numa_balancing): "
					  "accesses are missed whose mappings it removes"
					: "",
			       ages ? "; MGLRU is on (lru_gen/enabled): accesses are missed that "
				      "it sees first"
				    : "");
}

void kx_doctor_check_idle_page(KxDoctor *d)
{
	g_autofree char *thieves = thieves_of_marks(d);
	g_autoptr(GError) why = NULL;

	if (kx_idle_page_check(d->facts->root, &why))
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "the kernel marks pages as idle, for tracker idle-page%s", thieves);
	else
		kx_doctor_say(d, KX_CHECK_NO, built_with_it, "%s", why->message);
}

void kx_doctor_check_damon(KxDoctor *d)
{
	g_autofree char *found = damon_refusal(d);

	if (!found)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "the kernel's own monitor, as a baseline");
	else if (!kx_doctor_exists(d, "sys/kernel/mm/damon/admin"))
		kx_doctor_say(d, KX_CHECK_NO, built_with_it, "tracker damon: %s", found);
	else
		kx_doctor_say(d, KX_CHECK_NO,
			      "end that monitor, and write 0 to "
			      "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds if it is not needed "
			      "any more",
			      "%s: tracker damon is refused", found);
}

void kx_doctor_check_debugfs(KxDoctor *d)
{
	g_autofree char *mounts = kx_read_line(d->facts->root, "proc/mounts");

	if (mounts && strstr(mounts, " debugfs "))
		kx_doctor_say(d, KX_CHECK_YES, NULL, "mounted");
	else
		kx_doctor_say(d, KX_CHECK_NO, "mount -t debugfs none /sys/kernel/debug",
			      "not mounted; KVM's own counters cannot be read");
}
