/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host facts and the doctor on made-up hosts: trees of /proc and /sys in a temporary folder. */
#define _GNU_SOURCE /* nftw */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <kvm-ext/version.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cases.h"
#include "doctor/doctor.h"
#include "fake-module-file.h"
#include "tracker/logmech.h"
#include "vm/hostinfo.h"

static char *root;

static void put(const char *path, const char *text)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autofree char *folder = g_path_get_dirname(full);

	assert_int_equal(g_mkdir_with_parents(folder, 0755), 0);
	assert_true(g_file_set_contents(full, text, -1, NULL));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	root = g_dir_make_tmp("kvm-ext-test-XXXXXX", NULL);
	g_unsetenv("KVM_EXT_EMULATED");
	return root ? 0 : -1;
}

static int teardown(void **state)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	g_clear_pointer(&root, g_free);
	return 0;
}

static void put_cpu(const char *vendor, const char *flags)
{
	g_autofree char *text =
		g_strdup_printf("processor\t: 0\nvendor_id\t: %s\nmodel name\t: Model of %s\n"
				"flags\t\t: fpu %s\n\nprocessor\t: 1\nvendor_id\t: %s\n",
				vendor, vendor, flags, vendor);

	put("proc/cpuinfo", text);
	put("proc/sys/kernel/osrelease", "6.1.0-40-amd64\n");
}

static KxDoctorFacts good_facts(void)
{
	return (KxDoctorFacts){
		.root = root,
		.caps = { .api_version = KVM_EXT_API_VERSION, .trackers = 0x1f },
		.pidfd_error = EBADF,
		.group = 1,
		.daemon_version = KVM_EXT_VERSION,
		.libvirt = 1,
		.libvirt_uri = "qemu:///system",
		.qemu = (char *)"/usr/bin/qemu-system-x86_64",
		.ivshmem = 1,
		.shm_free_bytes = 1 << 30,
	};
}

static const KxCheck *find(const GPtrArray *checks, const char *name)
{
	for (guint i = 0; i < checks->len; i++) {
		const KxCheck *c = checks->pdata[i];

		if (g_str_equal(c->name, name))
			return c;
	}
	fail_msg("there is no check %s", name);
	return NULL;
}

static void expect(const GPtrArray *checks, const char *name, KxCheckStatus status,
		   const char *found)
{
	const KxCheck *c = find(checks, name);

	if (c->status != status || !strstr(c->found, found))
		fail_msg("%s is %s: %s; expected %s: %s", name, kx_check_status_name(c->status),
			 c->found, kx_check_status_name(status), found);
	if (c->status == KX_CHECK_NO && c->needed && !c->remedy)
		fail_msg("%s is needed and missing, but has no remedy", name);
}

/* Checks one row for the tree as it is now; all other facts are good. */
static void expect_here(const char *name, KxCheckStatus status, const char *found)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = kx_doctor_run(&facts);

	expect(checks, name, status, found);
}

static void put_intel(void)
{
	put_cpu("GenuineIntel", "vmx");
	put("sys/module/kvm_intel/parameters/ept", "Y\n");
	put("sys/module/kvm_intel/parameters/eptad", "Y\n");
	put("sys/module/kvm_intel/parameters/pml", "Y\n");
	put("sys/module/kvm/parameters/tdp_mmu", "Y\n");
	put("sys/module/kvm/parameters/nx_huge_pages", "N\n");
	put("sys/module/kvm_ext/version", KVM_EXT_VERSION "\n");
	put("proc/mounts", "debugfs /sys/kernel/debug debugfs rw 0 0\n");
	put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
}

static void test_kernel_series(void **state)
{
	static const struct {
		const char *release;
		KxCheckStatus status;
		const char *found;
	} cases[] = {
		{ "6.1.0-40-amd64", KX_CHECK_YES, "series 6.1" },
		{ "6.12.95+deb13-amd64", KX_CHECK_YES, "series 6.12" },
		{ "7.2.13", KX_CHECK_YES, "series 7.2" },
		{ "7.3-rc1", KX_CHECK_YES, "series 7.3" },
		{ "7.3", KX_CHECK_YES, "series 7.3" },
		{ "6.18.2", KX_CHECK_UNKNOWN, "6.1, 6.12, 7.2 and 7.3" },
		{ "7.20.1", KX_CHECK_UNKNOWN, "others may build" },
	};

	put_intel();
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		put("proc/sys/kernel/osrelease", cases[i].release);
		expect_here("kernel", cases[i].status, cases[i].found);
	}
}

static void test_pebs(void **state)
{
	static const struct {
		const char *vendor, *flags, *pmu;
		KxPebsFacts facts;
		KxCheckStatus status;
		const char *found;
	} cases[] = {
		{ "AuthenticAMD", "svm", "Y", { .kvm = 0x2400 }, KX_CHECK_NO, "IBS" },
		{ "GenuineIntel", "vmx", "Y", { .kvm = 0x6400 }, KX_CHECK_NO, "dtes64" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  "N",
		  { .kvm = 0x6400 },
		  KX_CHECK_NO,
		  "enable_pmu=N" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm_error = EACCES, .cpu = 0x7400 },
		  KX_CHECK_UNKNOWN,
		  "the CPU has format 4 with adaptive records" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x2000, .cpu = 0x7400 },
		  KX_CHECK_NO,
		  "offers no PEBS to its guests" },
		/* what the kernels since 2024 do */
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x2400, .cpu = 0x6400 },
		  KX_CHECK_NO,
		  "format 4 without adaptive records (bit 14" },
		/* the same, if the CPU's own value is not readable */
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x2400, .cpu_error = EACCES },
		  KX_CHECK_NO,
		  "format 4 without adaptive records (bit 14" },
		/* a VM of such a kernel, whose own KVM has nothing to mask */
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x2400, .cpu = 0x2400 },
		  KX_CHECK_NO,
		  "clear in this CPU, too" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x6400, .cpu_error = EACCES },
		  KX_CHECK_YES,
		  "load latency not available: only stores" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x6400, .kvm_latency = 1 },
		  KX_CHECK_YES,
		  "migratable='off'" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  "Y",
		  { .kvm = 0x6400, .kvm_latency = 1 },
		  KX_CHECK_YES,
		  "crash with it in a guest: use --event loads+stores" },
		{ "GenuineIntel",
		  "vmx dtes64",
		  NULL,
		  { .kvm = 0x300, .kvm_latency = -1 },
		  KX_CHECK_YES,
		  "format 3 with addresses" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		KxDoctorFacts facts = good_facts();
		g_autoptr(GPtrArray) checks = NULL;

		put_intel();
		put_cpu(cases[i].vendor, cases[i].flags);
		facts.pebs = cases[i].facts;
		if (cases[i].pmu)
			put("sys/module/kvm/parameters/enable_pmu", cases[i].pmu);
		checks = kx_doctor_run(&facts);
		expect(checks, "pebs", cases[i].status, cases[i].found);
		/* patches are named only where they help */
		assert_int_equal(strstr(find(checks, "pebs")->found, "is masked") != NULL,
				 find(checks, "pebs")->remedy &&
					 strstr(find(checks, "pebs")->remedy, "kvm-patches"));
		assert_true(kx_doctor_ok(checks) || strcmp(cases[i].vendor, "GenuineIntel"));
	}
}

static void test_tap(void **state)
{
	static const struct {
		int tap;
		KxCheckStatus status;
		const char *found;
	} cases[] = {
		{ 1, KX_CHECK_YES, "qemu-system-x86_64 has a tap of its dirty log" },
		{ 0, KX_CHECK_INFO, "qemu-system-x86_64 has no tap of its dirty log" },
		{ -1, KX_CHECK_UNKNOWN, "does not say" },
	};
	KxDoctorFacts none = good_facts();
	g_autoptr(GPtrArray) unknown = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		KxDoctorFacts facts = good_facts();
		g_autoptr(GPtrArray) checks = NULL;

		facts.tap = cases[i].tap;
		checks = kx_doctor_run(&facts);
		expect(checks, "qemu-tap", cases[i].status, cases[i].found);
	}
	none.qemu = NULL;
	unknown = kx_doctor_run(&none);
	expect(unknown, "qemu-tap", KX_CHECK_UNKNOWN, "no QEMU was found");
}

/* A program in QEMU's place says on its monitor what it is asked. */
static void test_tap_is_asked(void **state)
{
	static const char *const answers[] = { "x-dirty-tap-start", "query-status" };
	g_autofree char *program = g_build_filename(root, "qemu", NULL);

	for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
		g_autofree char *script = g_strdup_printf(
			"#!/bin/sh\ncat | grep query-commands >&2 && echo '{\"name\": \"%s\"}'\n",
			answers[i]);

		put("qemu", script);
		assert_int_equal(chmod(program, 0755), 0);
		assert_int_equal(kx_doctor_ask_tap(program), !i);
	}
	/* it may end before it has read what it is asked */
	signal(SIGPIPE, SIG_IGN);
	put("qemu", "#!/bin/sh\nexit 1\n");
	assert_int_equal(kx_doctor_ask_tap(program), -1);
	assert_int_equal(kx_doctor_ask_tap(NULL), -1);
}

static void test_channel_to_guests(void **state)
{
	static const struct {
		int libvirt, ivshmem;
		gint64 shm;
		gboolean no_qemu;
		KxCheckStatus status;
		const char *found;
	} cases[] = {
		{ 1, 1, 1 << 30, FALSE, KX_CHECK_YES, "the guest needs kvm_ext_guest.ko" },
		{ -1, 1, 2 << 20, FALSE, KX_CHECK_YES, "ivshmem-plain" },
		{ 0, 1, 1 << 30, FALSE, KX_CHECK_NO, "need libvirt" },
		{ 1, 0, 1 << 30, FALSE, KX_CHECK_NO, "has no device ivshmem-plain" },
		{ 1, -1, 1 << 30, FALSE, KX_CHECK_UNKNOWN, "does not say" },
		{ 1, -1, 1 << 30, TRUE, KX_CHECK_UNKNOWN, "no QEMU was found" },
		{ 1, 1, (2 << 20) - 1, FALSE, KX_CHECK_NO, "does not have the 2 MiB" },
		{ 1, 1, -1, FALSE, KX_CHECK_NO, "there is no /dev/shm" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		KxDoctorFacts facts = good_facts();
		g_autoptr(GPtrArray) checks = NULL;

		facts.libvirt = cases[i].libvirt;
		facts.ivshmem = cases[i].ivshmem;
		facts.shm_free_bytes = cases[i].shm;
		facts.qemu = cases[i].no_qemu ? NULL : facts.qemu;
		checks = kx_doctor_run(&facts);
		expect(checks, "guest-channel", cases[i].status, cases[i].found);
	}
}

/* AppArmor as on Debian and Ubuntu hosts; a minimal host may lack the parser. */
static void test_channel_with_apparmor(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) without = NULL, with = NULL;
	g_autofree char *parser = NULL;

	put("sys/module/apparmor/parameters/enabled", "Y\n");
	without = kx_doctor_run(&facts);
	expect(without, "guest-channel", KX_CHECK_NO, "without apparmor_parser");
	put("usr/sbin/apparmor_parser", "");
	parser = g_build_filename(facts.root, "usr/sbin/apparmor_parser", NULL);
	assert_int_equal(chmod(parser, 0755), 0);
	with = kx_doctor_run(&facts);
	expect(with, "guest-channel", KX_CHECK_YES, "AppArmor's profile");
}

static void test_intel_with_pml(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	put_intel();
	checks = kx_doctor_run(&facts);
	assert_true(kx_doctor_ok(checks));
	expect(checks, "cpu", KX_CHECK_YES, "Model of GenuineIntel");
	expect(checks, "virtualization", KX_CHECK_YES, "vmx");
	expect(checks, "kvm-module", KX_CHECK_YES, "kvm_intel");
	expect(checks, "nested-paging", KX_CHECK_YES, "ept=Y");
	expect(checks, "ad-bits", KX_CHECK_YES, "eptad=Y");
	expect(checks, "pml", KX_CHECK_YES, "pml=Y");
	expect(checks, "dirty-log", KX_CHECK_YES, "mechanism pml");
	expect(checks, "migration", KX_CHECK_YES, "yields before");
	expect(checks, "tdp-mmu", KX_CHECK_YES, "tdp_mmu=Y");
	expect(checks, "module", KX_CHECK_YES, "loaded");
	expect(checks, "kernel", KX_CHECK_YES, "6.1.0-40");
	expect(checks, "debugfs", KX_CHECK_YES, "mounted");
	expect(checks, "damon", KX_CHECK_NO, "this kernel has no DAMON");
	expect(checks, "dirty-rate", KX_CHECK_YES, "through libvirt");
	expect(checks, "mglru", KX_CHECK_NO, "CONFIG_LRU_GEN");
	expect(checks, "idle-page", KX_CHECK_NO, "CONFIG_IDLE_PAGE_TRACKING");
	expect(checks, "a-bit-rivals", KX_CHECK_INFO, "no DAMON_STAT");
	expect(checks, "huge-pages", KX_CHECK_INFO, "[madvise]");
	expect(checks, "cpus", KX_CHECK_INFO, "2");
	expect(checks, "young-flush", KX_CHECK_INFO, "this kernel flushes");
	expect(checks, "libvirt", KX_CHECK_YES, "qemu:///system");
}

static void test_no_libvirt(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	put_intel();
	facts.libvirt = 0;
	checks = kx_doctor_run(&facts);
	expect(checks, "libvirt", KX_CHECK_NO, "not connected");
	expect(checks, "dirty-rate", KX_CHECK_NO, "not connected");
}

/* A daemon with an empty URI uses no libvirt: to start libvirtd does not help. */
static void test_empty_uri(void **state)
{
	static const char *const names[] = { "libvirt", "dirty-rate", "guest-channel" };
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	put_intel();
	facts.libvirt = 0;
	facts.libvirt_uri = "";
	checks = kx_doctor_run(&facts);
	expect(checks, "libvirt", KX_CHECK_NO, "its libvirt-uri is empty");
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		assert_non_null(strstr(find(checks, names[i])->remedy, "libvirt-uri"));
}

/* The running kernel is asked, not its configuration: a file in /boot that says otherwise changes nothing. */
static void test_running_kernel(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) without = NULL, with = NULL;

	put_intel();
	put("boot/config-6.1.0-40-amd64",
	    "# x\nCONFIG_DAMON_SYSFS=y\nCONFIG_IDLE_PAGE_TRACKING=y\n");
	without = kx_doctor_run(&facts);
	expect(without, "idle-page", KX_CHECK_NO, "/sys/kernel/mm/page_idle/bitmap");
	expect(without, "damon", KX_CHECK_NO, "this kernel has no DAMON");
	assert_null(strstr(find(without, "damon")->remedy, "end that monitor"));
	put("sys/kernel/mm/page_idle/bitmap", "");
	put("sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "0\n");
	with = kx_doctor_run(&facts);
	expect(with, "idle-page", KX_CHECK_YES, "marks pages as idle");
	expect(with, "damon", KX_CHECK_YES, "baseline");
}

/* What opens as KVM is KVM, though the CPU's flags and the modules do not show it. */
static void test_kvm_without_flag(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) opens = NULL, missing = NULL;

	put_cpu("GenuineIntel", "ept");
	opens = kx_doctor_run(&facts);
	expect(opens, "virtualization", KX_CHECK_YES, "do not contain vmx");
	expect(opens, "kvm-module", KX_CHECK_UNKNOWN, "/dev/kvm can be opened");
	assert_true(kx_doctor_ok(opens));
	facts.kvm_error = ENOENT;
	missing = kx_doctor_run(&facts);
	expect(missing, "virtualization", KX_CHECK_NO, "do not contain vmx");
	expect(missing, "kvm-module", KX_CHECK_NO, "not loaded");
	assert_false(kx_doctor_ok(missing));
}

static void test_intel_without_ept(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	put_intel();
	put("sys/module/kvm_intel/parameters/ept", "N\n");
	put("sys/module/kvm_intel/parameters/eptad", "N\n");
	put("sys/module/kvm_intel/parameters/pml", "N\n");
	facts.caps.caps = KVM_EXT_CAP_ELIDES_YOUNG_FLUSH;
	checks = kx_doctor_run(&facts);
	/* Trackers that do without the host's module do without these, too. */
	assert_true(kx_doctor_ok(checks));
	expect(checks, "nested-paging", KX_CHECK_NO, "ept=N");
	expect(checks, "ad-bits", KX_CHECK_NO, "eptad=N");
	expect(checks, "pml", KX_CHECK_NO, "pml=N");
	expect(checks, "dirty-log", KX_CHECK_YES, "mechanism write-protect");
	expect(checks, "young-flush", KX_CHECK_INFO, "omits the flush");
}

static void test_amd(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	put_cpu("AuthenticAMD", "svm npt");
	put("sys/module/kvm_amd/parameters/npt", "1\n");
	put("sys/module/kvm_ext/version", "");
	put("sys/module/damon_stat/parameters/enabled", "Y\n");
	checks = kx_doctor_run(&facts);
	assert_true(kx_doctor_ok(checks));
	expect(checks, "virtualization", KX_CHECK_YES, "svm");
	expect(checks, "nested-paging", KX_CHECK_YES, "npt=1");
	expect(checks, "ad-bits", KX_CHECK_YES, "always");
	expect(checks, "pml", KX_CHECK_NO, "AMD without PML");
	expect(checks, "dirty-log", KX_CHECK_YES, "mechanism write-protect");
	expect(checks, "tdp-mmu", KX_CHECK_UNKNOWN, "kvm is not loaded");
	expect(checks, "damon", KX_CHECK_NO, "this kernel has no DAMON");
	expect(checks, "debugfs", KX_CHECK_NO, "not mounted");
	expect(checks, "a-bit-rivals", KX_CHECK_NO, "missing from samples");
}

/* What is in the way of the kernel's idle flags, and whom these are in the way of. */
static void test_idle_flags(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL, alone = NULL;

	put("sys/kernel/mm/page_idle/bitmap", "");
	put("proc/sys/kernel/numa_balancing", "1\n");
	put("sys/kernel/mm/lru_gen/enabled", "0x0007\n");
	checks = kx_doctor_run(&facts);
	expect(checks, "idle-page", KX_CHECK_YES, "NUMA balancing is on");
	expect(checks, "idle-page", KX_CHECK_YES, "MGLRU is on");
	expect(checks, "a-bit-rivals", KX_CHECK_INFO, "page_idle/bitmap");
	put("proc/sys/kernel/numa_balancing", "0\n");
	put("sys/kernel/mm/lru_gen/enabled", "0x0000\n");
	alone = kx_doctor_run(&facts);
	expect(alone, "idle-page", KX_CHECK_YES, "for tracker idle-page");
	assert_null(strstr(find(alone, "idle-page")->found, "is on"));
}

/* Who uses DAMON: another user is reported, and so is a monitor of the kernel itself. */
static void test_damon(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) free_damon = NULL, stat = NULL, other = NULL;

	put("sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "0\n");
	free_damon = kx_doctor_run(&facts);
	expect(free_damon, "damon", KX_CHECK_YES, "baseline");
	put("sys/module/damon_stat/parameters/enabled", "Y\n");
	stat = kx_doctor_run(&facts);
	expect(stat, "damon", KX_CHECK_NO, "damon_stat");
	put("sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "1\n");
	put("sys/kernel/mm/damon/admin/kdamonds/0/state", "on\n");
	put("sys/kernel/mm/damon/admin/kdamonds/0/pid", "99\n");
	other = kx_doctor_run(&facts);
	expect(other, "damon", KX_CHECK_NO, "its pid is 99");
	assert_true(kx_doctor_ok(other));
}

static void test_nothing(void **state)
{
	KxDoctorFacts facts = { .root = root,
				.caps_error = ENOENT,
				.kvm_error = ENOENT,
				.pidfd_error = ENOSYS,
				.group = -1,
				.libvirt = -1,
				.daemon_error = "no socket" };
	g_autoptr(GPtrArray) checks = kx_doctor_run(&facts);

	assert_false(kx_doctor_ok(checks));
	for (guint i = 0; i < checks->len; i++) {
		const KxCheck *c = checks->pdata[i];

		if (c->status == KX_CHECK_YES)
			fail_msg("%s is yes where there is nothing: %s", c->name, c->found);
		assert_true(c->found && *c->found);
	}
	expect(checks, "pidfd-getfd", KX_CHECK_NO, "");
	expect(checks, "group", KX_CHECK_NO, "does not exist");
	expect(checks, "daemon", KX_CHECK_NO, "no socket");
	expect(checks, "libvirt", KX_CHECK_NO, "no socket");
	expect(checks, "api", KX_CHECK_UNKNOWN, "cannot be queried");
}

/* To start a daemon that refuses this user does not help. */
static void test_daemon_refuses(void **state)
{
	static const struct {
		int group;
		const char *remedy;
	} cases[] = {
		{ 0, "adduser USER kvm-ext, then log in again" },
		{ 1, "systemctl restart kvm-extd" },
		{ -1, "groupadd --system kvm-ext" },
	};

	put_intel();
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		KxDoctorFacts facts = good_facts();
		g_autoptr(GPtrArray) checks = NULL;

		facts.daemon_version = NULL;
		facts.daemon_error = "refuses this user";
		facts.daemon_denied = TRUE;
		facts.group = cases[i].group;
		checks = kx_doctor_run(&facts);
		expect(checks, "daemon", KX_CHECK_NO, "refuses this user");
		assert_true(g_str_has_prefix(find(checks, "daemon")->remedy, cases[i].remedy));
		facts.daemon_denied = FALSE;
		g_ptr_array_unref(checks);
		checks = kx_doctor_run(&facts);
		assert_true(g_str_has_prefix(find(checks, "daemon")->remedy, "systemctl start"));
	}
}

static void test_no_virtualization(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	put_cpu("AuthenticAMD", "sse");
	facts.kvm_error = EACCES;
	checks = kx_doctor_run(&facts);
	assert_false(kx_doctor_ok(checks));
	expect(checks, "virtualization", KX_CHECK_NO, "svm");
	expect(checks, "kvm-module", KX_CHECK_NO, "kvm_amd");
	expect(checks, "kvm-device", KX_CHECK_UNKNOWN, "may not");
}

static void test_selftest_line(void **state)
{
	static const struct {
		KxSelftest t;
		KxCheckStatus status;
	} cases[] = {
		{ { KX_SELFTEST_OK, (char *)"ok: 5 pages" }, KX_CHECK_YES },
		{ { KX_SELFTEST_WRONG, (char *)"loses dirty pages: 3 of 5" }, KX_CHECK_NO },
		{ { KX_SELFTEST_NOT_RUN, (char *)"not run: KVM_CREATE_VM" }, KX_CHECK_UNKNOWN },
	};
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) none = NULL, denied = NULL;

	put_intel();
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		KxSelftest t = cases[i].t;
		g_autoptr(GPtrArray) checks = NULL;

		facts.selftest = &t;
		checks = kx_doctor_run(&facts);
		expect(checks, "log-selftest", cases[i].status, t.text);
		assert_true(kx_doctor_ok(checks));
	}
	facts.selftest = NULL;
	none = kx_doctor_run(&facts);
	expect(none, "log-selftest", KX_CHECK_UNKNOWN, "not run");
	facts.kvm_error = EACCES;
	denied = kx_doctor_run(&facts);
	expect(denied, "log-selftest", KX_CHECK_UNKNOWN, "/dev/kvm: Permission denied");
}

#define RELEASE "6.1.0-40-amd64"
#define BUILT	"version=" KVM_EXT_VERSION ";vermagic=" RELEASE " SMP preempt mod_unload modversions "
#define DKMS_KO "lib/modules/" RELEASE "/updates/dkms/kvm_ext.ko"

static void expect_module(const char *found, const char *remedy)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;
	const KxCheck *c;

	facts.caps_error = ENOENT;
	checks = kx_doctor_run(&facts);
	expect(checks, "module", KX_CHECK_NO, found);
	c = find(checks, "module");
	if (!strstr(c->remedy, remedy))
		fail_msg("%s: the remedy is %s, expected %s", c->found, c->remedy, remedy);
}

static void expect_module_without(const char *step)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) checks = NULL;

	facts.caps_error = ENOENT;
	checks = kx_doctor_run(&facts);
	assert_null(strstr(find(checks, "module")->remedy, step));
}

static void test_module_not_built(void **state)
{
	put_cpu("GenuineIntel", "vmx");
	expect_module("not built for " RELEASE "; the kernel's headers are missing",
		      "apt install linux-headers-" RELEASE ", then make modules install, then");
	put("lib/modules/" RELEASE "/build/Makefile", "");
	expect_module("not loaded, and not built for " RELEASE, "make modules install, then");
	put("lib/modules/6.1.0-39-amd64/updates/dkms/kvm_ext.ko.xz", "");
	put("lib/modules/6.12.1/extra/kvm_ext.ko", "");
	expect_module("not built for " RELEASE ", but for 6.1.0-39-amd64, 6.12.1",
		      "make modules install");
	put("usr/src/kvm-ext-" KVM_EXT_VERSION "/dkms.conf", "");
	expect_module("not built for " RELEASE, "dkms install --force kvm-ext/" KVM_EXT_VERSION
						" -k " RELEASE ", then modprobe");
}

static void test_module_installed(void **state)
{
	put_cpu("GenuineIntel", "vmx");
	put("lib/modules/" RELEASE "/build/Makefile", "");
	fake_module_file(root, "lib/modules/" RELEASE "/updates/kvm_ext.ko", BUILT, NULL);
	expect_module("/updates/kvm_ext.ko is not in the list of modules", "depmod -a, then");
	put("lib/modules/" RELEASE "/modules.dep",
	    "kernel/fs/fuse.ko:\nupdates/kvm_ext.ko: kernel/arch/x86/kvm/kvm.ko\n");
	expect_module("not loaded, but installed: /lib/modules/" RELEASE "/updates/kvm_ext.ko",
		      "modprobe kvm_ext");
	fake_module_file(root, "lib/modules/" RELEASE "/updates/kvm_ext.ko",
			 "version=" KVM_EXT_VERSION ";vermagic=6.1.0-39-amd64 SMP", NULL);
	expect_module("is built for the kernel 6.1.0-39-amd64, and this is " RELEASE,
		      "make modules install");
	fake_module_file(root, "lib/modules/" RELEASE "/updates/kvm_ext.ko",
			 "version=0.0.7;vermagic=" RELEASE " SMP", NULL);
	expect_module("has version 0.0.7, these programs have " KVM_EXT_VERSION,
		      "make modules install");
	put("lib/modules/" RELEASE "/updates/kvm_ext.ko", "torn");
	expect_module("/updates/kvm_ext.ko cannot be read: ", "make modules install");
}

/* As Fedora, Ubuntu, and DKMS on a kernel with CONFIG_MODULE_COMPRESS, install it. */
static void test_module_compressed(void **state)
{
	g_autofree char *full = g_build_filename(root, DKMS_KO, NULL);
	const char *const argv[] = { "xz", "--check=crc32", full, NULL };
	int status = -1;

	put_cpu("GenuineIntel", "vmx");
	fake_module_file(root, DKMS_KO, BUILT, NULL);
	assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
				 NULL, &status, NULL));
	assert_int_equal(status, 0);
	put("lib/modules/" RELEASE "/modules.dep", "updates/dkms/kvm_ext.ko.xz:\n");
	expect_module("not loaded, but installed: /lib/modules/" RELEASE
		      "/updates/dkms/kvm_ext.ko.xz",
		      "modprobe kvm_ext");
}

static void test_module_refused(void **state)
{
	put_cpu("GenuineIntel", "vmx");
	put("lib/modules/" RELEASE "/build/Makefile", "");
	put("lib/modules/" RELEASE "/modules.dep", "updates/dkms/kvm_ext.ko:\n");
	put("usr/src/kvm-ext-" KVM_EXT_VERSION "/dkms.conf", "");
	fake_module_file(root, DKMS_KO, BUILT, NULL);
	put("sys/module/module/parameters/sig_enforce", "N\n");
	put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	expect_module("not loaded, but installed", "modprobe kvm_ext");
	expect_here("lockdown", KX_CHECK_INFO, "none");
	put("sys/module/module/parameters/sig_enforce", "Y\n");
	expect_module("has no signature, and this kernel refuses such modules: module.sig_enforce",
		      "apt install openssl, then dkms build --force kvm-ext/" KVM_EXT_VERSION
		      " -k " RELEASE ", then dkms install --force kvm-ext/" KVM_EXT_VERSION
		      " -k " RELEASE ", then mokutil --import /var/lib/dkms/mok.pub");
	put("usr/bin/openssl", "");
	put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect_module("has no signature, and this kernel refuses such modules: lockdown is "
		      "\"integrity\"",
		      "mokutil --import /var/lib/dkms/mok.pub");
	expect_module_without("apt install openssl");
	expect_here("lockdown", KX_CHECK_INFO, "integrity: modules need a signature, and debugfs");
	fake_module_file(root, DKMS_KO, BUILT, "DKMS module signing key\n\033[1m");
	expect_module("signed by DKMS module signing key", "Key was rejected by service");
	put("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	expect_here("lockdown", KX_CHECK_INFO, "so are perf's");
}

static void test_module_of_another_build(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) wrong = NULL;

	put_intel();
	facts.caps.api_version = KVM_EXT_API_VERSION + 1;
	facts.caps.caps = KVM_EXT_CAP_TEST_BUILD;
	wrong = kx_doctor_run(&facts);
	expect(wrong, "api", KX_CHECK_NO, "version 2");
	expect(wrong, "build", KX_CHECK_NO, "test switch");
	expect(wrong, "migration", KX_CHECK_NO, "may lose memory");
}

/* Parts with another version than this program are named; parts that do not run are not. */
static void test_versions(void **state)
{
	KxDoctorFacts facts = good_facts();
	g_autoptr(GPtrArray) same = NULL, other = NULL, daemon = NULL, without = NULL,
			     absent = NULL;

	put_intel();
	same = kx_doctor_run(&facts);
	expect(same, "versions", KX_CHECK_YES, KVM_EXT_VERSION);
	expect(same, "module", KX_CHECK_YES, "kvm_ext " KVM_EXT_VERSION " is loaded");
	put("sys/module/kvm_ext/version", "0.0.9\n");
	other = kx_doctor_run(&facts);
	expect(other, "versions", KX_CHECK_NO,
	       "module kvm_ext has version 0.0.9, this program has");
	assert_null(strstr(find(other, "versions")->found, "daemon has version"));
	facts.daemon_version = "0.0.8";
	daemon = kx_doctor_run(&facts);
	expect(daemon, "versions", KX_CHECK_NO,
	       "running daemon has version 0.0.8, this program has");
	expect(daemon, "versions", KX_CHECK_NO,
	       "module kvm_ext has version 0.0.9, this program has");
	teardown(NULL);
	setup(NULL);
	facts.root = root;
	facts.daemon_version = NULL;
	put("sys/module/kvm_ext/refcnt", "0\n");
	without = kx_doctor_run(&facts);
	expect(without, "versions", KX_CHECK_NO, "module kvm_ext has no version, this program has");
	teardown(NULL);
	setup(NULL);
	facts.root = root;
	absent = kx_doctor_run(&facts);
	expect(absent, "versions", KX_CHECK_UNKNOWN, "neither");
}

/* --- the dirty log's mechanism --------------------------------------------- */

static void expect_mechanism(enum kvm_ext_log_mechanism told, enum kvm_ext_log_mechanism found,
			     const char *host)
{
	g_auto(KxLogMechanism) m = { 0 };

	kx_log_mechanism(told, root, &m);
	if (m.mechanism != found || !strstr(m.host, host))
		fail_msg("%s (%s), expected %s (%s)", kx_log_mechanism_name(m.mechanism), m.host,
			 kx_log_mechanism_name(found), host);
	assert_int_equal(m.told, told != KVM_EXT_LOG_UNKNOWN);
}

static void test_log_mechanism(void **state)
{
	expect_mechanism(KVM_EXT_LOG_UNKNOWN, KVM_EXT_LOG_UNKNOWN, "not named");
	put_cpu("GenuineIntel", "vmx");
	expect_mechanism(KVM_EXT_LOG_UNKNOWN, KVM_EXT_LOG_UNKNOWN, "pml=?");
	put_intel();
	expect_mechanism(KVM_EXT_LOG_UNKNOWN, KVM_EXT_LOG_PML, "kvm_intel ept=Y eptad=Y pml=Y");
	put("sys/module/kvm_intel/parameters/eptad", "N\n");
	expect_mechanism(KVM_EXT_LOG_UNKNOWN, KVM_EXT_LOG_WRITE_PROTECT, "eptad=N");
	/* the module knows better */
	expect_mechanism(KVM_EXT_LOG_PML, KVM_EXT_LOG_PML, "eptad=N");
	put_cpu("AuthenticAMD", "svm");
	expect_mechanism(KVM_EXT_LOG_UNKNOWN, KVM_EXT_LOG_WRITE_PROTECT, "AMD without PML");
	put("sys/module/kvm_amd/parameters/npt", "Y\n");
	put("sys/module/kvm_amd/parameters/pml", "Y\n");
	expect_mechanism(KVM_EXT_LOG_UNKNOWN, KVM_EXT_LOG_PML, "kvm_amd npt=Y pml=Y");
}

static void test_pml_is_refused(void **state)
{
	KxLogMechanism pml = { .mechanism = KVM_EXT_LOG_PML, .host = (char *)"x" };
	KxLogMechanism wp = { .mechanism = KVM_EXT_LOG_WRITE_PROTECT, .host = (char *)"pml=N" };
	KxLogMechanism unknown = { .host = (char *)"the CPU's vendor is X" };
	g_autoptr(GError) error = NULL, not_known = NULL;

	assert_true(kx_log_mechanism_check(&pml, KVM_EXT_LOG_PML, NULL));
	assert_true(kx_log_mechanism_check(&wp, KVM_EXT_LOG_UNKNOWN, NULL));
	assert_false(kx_log_mechanism_check(&wp, KVM_EXT_LOG_PML, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
	assert_non_null(strstr(error->message, "pml=N"));
	assert_non_null(strstr(error->message, "--tracker dirty-log"));
	assert_false(kx_log_mechanism_check(&unknown, KVM_EXT_LOG_PML, &not_known));
	assert_non_null(strstr(not_known->message, "not known"));
}

/* --- host facts ------------------------------------------------------------ */

static void expect_host(const char *signature, KxHardware kind, const char *under)
{
	g_autoptr(KxHostInfo) h = kx_hostinfo_read(root, signature);

	if (h->hardware != kind || g_strcmp0(h->under, under) != 0)
		fail_msg("%s, %s; expected %s, %s", kx_hardware_name(h->hardware),
			 h->under ? h->under : "nothing", kx_hardware_name(kind),
			 under ? under : "nothing");
}

static void test_host_real(void **state)
{
	g_autoptr(KxHostInfo) h = NULL;

	put_cpu("AuthenticAMD", "svm");
	put("sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
	h = kx_hostinfo_read(root, "");
	assert_int_equal(h->hardware, KX_HARDWARE_BARE);
	assert_null(h->under);
	assert_string_equal(h->kernel, "6.1.0-40-amd64");
	assert_string_equal(h->cpu_vendor, "AuthenticAMD");
	assert_string_equal(h->cpu_model, "Model of AuthenticAMD");
	assert_int_equal(h->cpus, 2);
}

/* Times of a VM with nested virtualization are times of hardware; such a VM is never called emulated. */
static void test_host_virtual(void **state)
{
	static const struct {
		const char *signature, *under;
	} cases[] = {
		{ "KVMKVMKVM", "KVM" },	   { "VMwareVMware", "VMware" },
		{ "XenVMMXenVMM", "Xen" }, { "VBoxVBoxVBox", "VirtualBox" },
		{ "Linux KVM Hv", "KVM" }, { "Microsoft Hv", "Hyper-V" },
	};

	put_cpu("GenuineIntel", "vmx hypervisor");
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
		expect_host(cases[i].signature, KX_HARDWARE_VIRTUAL, cases[i].under);
	/* such a VM has QEMU's names as well: the CPU's signature takes precedence */
	put("sys/class/dmi/id/sys_vendor", "QEMU\n");
	put("sys/class/dmi/id/bios_vendor", "Bochs\n");
	expect_host("KVMKVMKVM", KX_HARDWARE_VIRTUAL, "KVM");
}

static void test_host_virtual_by_name(void **state)
{
	put_cpu("GenuineIntel", "vmx hypervisor");
	put("sys/class/dmi/id/product_name", "Google Compute Engine\n");
	expect_host("", KX_HARDWARE_VIRTUAL, "KVM");
	put("sys/class/dmi/id/product_name", "Virtual Machine\n");
	expect_host("", KX_HARDWARE_VIRTUAL, "Hyper-V");
	put("sys/class/dmi/id/product_name", "VMware Virtual Platform\n");
	expect_host("", KX_HARDWARE_VIRTUAL, "VMware");
	put_cpu("GenuineIntel", "vmx"); /* a hypervisor that hides itself */
	expect_host("", KX_HARDWARE_VIRTUAL, "VMware");
	put("sys/class/dmi/id/product_name",
	    "Google Compute Engine\n"); /* a whole machine, without a hypervisor */
	expect_host("", KX_HARDWARE_BARE, NULL);
}

static void test_host_emulated(void **state)
{
	put_cpu("AuthenticAMD", "svm hypervisor");
	expect_host("TCGTCGTCGTCG", KX_HARDWARE_EMULATED, "QEMU TCG");
	put("proc/cpuinfo",
	    "processor\t: 0\nmodel name\t: QEMU TCG CPU version 2.5+\nflags\t: fpu\n");
	expect_host("", KX_HARDWARE_EMULATED, "QEMU TCG");
	/* an emulator of a whole CPU does not set the bit */
	put_cpu("GenuineIntel", "vmx");
	put("sys/class/dmi/id/bios_vendor", "Bochs\n");
	expect_host("", KX_HARDWARE_EMULATED, "Bochs");
}

/* A host that may be virtual or emulated is called neither. */
static void test_host_untold(void **state)
{
	put_cpu("AuthenticAMD", "svm hypervisor");
	expect_host("", KX_HARDWARE_UNKNOWN, "a hypervisor or emulator without a name");
	expect_host("SomethingNew", KX_HARDWARE_UNKNOWN,
		    "a hypervisor or emulator that calls itself 'SomethingNew'");
	put("sys/class/dmi/id/bios_vendor", "Bochs\n");
	expect_host("", KX_HARDWARE_UNKNOWN, "a hypervisor or emulator without a name");
	put("sys/class/dmi/id/sys_vendor", "QEMU\n");
	expect_host("", KX_HARDWARE_UNKNOWN, "QEMU, which does not say whether it emulates");
}

/* A machine of QEMU whose CPU hides that there is a hypervisor; ACPI's tables hold zeros. */
static void test_host_hides(void **state)
{
	g_autofree char *full = g_build_filename(root, "sys/firmware/acpi/tables/FACP", NULL);

	put_cpu("GenuineIntel", "vmx");
	put("sys/firmware/acpi/tables/FACP", "");
	assert_true(g_file_set_contents(full, "FACP\0\0\0\1BOCHS BXPCFACP", 22, NULL));
	expect_host("", KX_HARDWARE_UNKNOWN,
		    "QEMU or Bochs, which does not say whether it emulates");
	expect_host("KVMKVMKVM", KX_HARDWARE_VIRTUAL, "KVM");
	put("sys/class/dmi/id/bios_vendor", "The Bochs Project\n");
	expect_host("", KX_HARDWARE_EMULATED, "Bochs");
}

static void test_host_said(void **state)
{
	put_cpu("AuthenticAMD", "svm hypervisor");
	g_setenv("KVM_EXT_EMULATED", "Bochs 3.0", TRUE);
	expect_host("TCGTCGTCGTCG", KX_HARDWARE_EMULATED, "Bochs 3.0");
	g_setenv("KVM_EXT_EMULATED", "no", TRUE);
	expect_host("TCGTCGTCGTCG", KX_HARDWARE_BARE, NULL);
	g_setenv("KVM_EXT_EMULATED", "", TRUE);
	expect_host("TCGTCGTCGTCG", KX_HARDWARE_EMULATED, "QEMU TCG");
}

static void test_hardware_line(void **state)
{
	static const struct {
		const char *flags, *found;
		KxCheckStatus status;
	} cases[] = {
		{ "vmx", "bare metal, as far as can be seen", KX_CHECK_INFO },
		{ "vmx hypervisor", "UNKNOWN: a hypervisor or emulator without a name. Whether",
		  KX_CHECK_UNKNOWN },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		put_cpu("GenuineIntel", cases[i].flags);
		expect_here("hardware", cases[i].status, cases[i].found);
	}
}

static void test_hardware_names(void **state)
{
	g_autofree char *virtual = kx_hardware_heading(KX_HARDWARE_VIRTUAL, "KVM %s");

	for (guint i = KX_HARDWARE_UNKNOWN; i <= KX_HARDWARE_EMULATED; i++)
		assert_int_equal(kx_hardware_by_name(kx_hardware_name(i)), i);
	assert_int_equal(kx_hardware_by_name(NULL), KX_HARDWARE_UNKNOWN);
	assert_int_equal(kx_hardware_by_name("of a new kind"), KX_HARDWARE_UNKNOWN);
	assert_string_equal(virtual, "VIRTUAL: nested under KVM %s");
	assert_non_null(strstr(kx_hardware_times(KX_HARDWARE_VIRTUAL), "outer hypervisor"));
	assert_null(kx_hardware_times(KX_HARDWARE_BARE));
}

static void test_host_unknown(void **state)
{
	g_autoptr(KxHostInfo) h = kx_hostinfo_read(root, "");
	g_autoptr(KxReport) r = kx_report_new();

	assert_null(h->kernel);
	assert_null(h->cpu_vendor);
	assert_int_equal(h->cpus, 0);
	assert_int_equal(h->hardware, KX_HARDWARE_UNKNOWN);
	kx_hostinfo_to_report(h, r);
	assert_null(r->kernel);
	assert_string_equal(r->hardware, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_tap),
		CASE(test_tap_is_asked),
		CASE(test_channel_to_guests),
		CASE(test_kernel_series),
		CASE(test_pebs),
		CASE(test_channel_with_apparmor),
		CASE(test_intel_with_pml),
		CASE(test_no_libvirt),
		CASE(test_intel_without_ept),
		CASE(test_amd),
		CASE(test_idle_flags),
		CASE(test_damon),
		CASE(test_nothing),
		CASE(test_daemon_refuses),
		CASE(test_no_virtualization),
		CASE(test_empty_uri),
		CASE(test_running_kernel),
		CASE(test_kvm_without_flag),
		CASE(test_module_not_built),
		CASE(test_module_installed),
		CASE(test_module_compressed),
		CASE(test_module_refused),
		CASE(test_module_of_another_build),
		CASE(test_versions),
		CASE(test_host_real),
		CASE(test_host_emulated),
		CASE(test_host_said),
		CASE(test_host_virtual),
		CASE(test_host_virtual_by_name),
		CASE(test_host_hides),
		CASE(test_host_untold),
		CASE(test_hardware_line),
		CASE(test_hardware_names),
		CASE(test_host_unknown),
		CASE(test_log_mechanism),
		CASE(test_pml_is_refused),
		CASE(test_selftest_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
