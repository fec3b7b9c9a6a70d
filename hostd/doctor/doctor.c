/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A check is a row of the table and a function that looks at one thing. A
 * check whose question cannot be answered is UNKNOWN with the reason, never YES.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <grp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kvm-ext/channel.h>

#include "base/names.h"
#include "doctor-pebs.h"
#include "model/hardware.h"
#include "tracker/logmech.h"
#include "vm/apparmor.h"
#include "vm/hostinfo.h"

/* --- facts ----------------------------------------------------------------- */

static int ask_module(struct kvm_ext_caps *caps)
{
	int fd = open(KVM_EXT_DEVICE_PATH, O_RDWR | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	*caps = (struct kvm_ext_caps){ .size = sizeof(*caps) };
	if (ioctl(fd, KVM_EXT_GET_CAPS, caps) < 0)
		error = errno;
	close(fd);
	return error;
}

static int ask_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int ask_pidfd_getfd(void)
{
#ifdef SYS_pidfd_getfd
	return syscall(SYS_pidfd_getfd, -1, -1, 0) < 0 ? errno : 0;
#else
	return ENOSYS;
#endif
}

static int ask_group(void)
{
	const struct group *g = getgrnam(KX_GROUP);
	gid_t groups[1024];
	int n = getgroups(G_N_ELEMENTS(groups), groups);

	if (geteuid() == 0)
		return 1;
	if (!g)
		return -1;
	for (int i = 0; i < n; i++) {
		if (groups[i] == g->gr_gid)
			return 1;
	}
	return getegid() == g->gr_gid;
}

static char *find_qemu(void)
{
	static const char *const names[] = { "qemu-system-x86_64", "/usr/libexec/qemu-kvm", "kvm" };
	char *path = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(names) && !path; i++)
		path = g_find_program_in_path(names[i]);
	return path;
}

static int ask_ivshmem(const char *qemu)
{
	const char *argv[] = { qemu, "-device", "help", NULL };
	g_autofree char *out = NULL;
	int status;

	if (!qemu ||
	    !g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out,
			  NULL, &status, NULL) ||
	    !g_spawn_check_wait_status(status, NULL))
		return -1;
	return strstr(out, "\"ivshmem-plain\"") != NULL;
}

static gint64 ask_shm(void)
{
	struct statvfs fs;

	return statvfs("/dev/shm", &fs) ? -1 : (gint64)(fs.f_bavail * fs.f_frsize);
}

void kx_doctor_probe(KxDoctorFacts *facts)
{
	facts->caps_error = ask_module(&facts->caps);
	facts->kvm_error = ask_kvm();
	facts->pidfd_error = ask_pidfd_getfd();
	facts->group = ask_group();
	facts->selftest = facts->kvm_error ? NULL : kx_selftest_run(facts->root);
	kx_pebs_probe(&facts->pebs);
	facts->qemu = find_qemu();
	facts->ivshmem = ask_ivshmem(facts->qemu);
	facts->shm_free_bytes = ask_shm();
}

void kx_doctor_facts_clear(KxDoctorFacts *facts)
{
	g_clear_pointer(&facts->selftest, kx_selftest_free);
	g_clear_pointer(&facts->qemu, g_free);
}

/* --- looking at the tree --------------------------------------------------- */

typedef struct {
	const KxDoctorFacts *facts;
	KxCheck *check;
	const char *vendor_module; /* "kvm_intel", "kvm_amd"; NULL: unknown vendor */
	char *vendor, *flags, *release;
} Doctor;

static void say(Doctor *d, KxCheckStatus status, const char *remedy, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

static void say(Doctor *d, KxCheckStatus status, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	d->check->status = status;
	d->check->found = g_strdup_vprintf(format, args);
	d->check->remedy = g_strdup(remedy);
	va_end(args);
}

static gboolean exists(const Doctor *d, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean exists(const Doctor *d, const char *format, ...)
{
	g_autofree char *path = NULL, *full = NULL;
	va_list args;

	va_start(args, format);
	path = g_strdup_vprintf(format, args);
	va_end(args);
	full = g_build_filename(d->facts->root ? d->facts->root : "/", path, NULL);
	return g_file_test(full, G_FILE_TEST_EXISTS);
}

static char *parameter(const Doctor *d, const char *module, const char *name)
{
	g_autofree char *path = g_strdup_printf("sys/module/%s/parameters/%s", module, name);

	return kx_read_line(d->facts->root, path);
}

static gboolean is_on(const char *value)
{
	return value && (*value == 'Y' || *value == 'y' || *value == '1');
}

static gboolean has_flag(const Doctor *d, const char *flag)
{
	g_auto(GStrv) words = g_strsplit(d->flags ? d->flags : "", " ", -1);

	return g_strv_contains((const char *const *)words, flag);
}

static gboolean is_intel(const Doctor *d)
{
	return g_strcmp0(d->vendor_module, "kvm_intel") == 0;
}

/* A line of the kernel's configuration; NULL if there is no such file. */
static char *kernel_config(const Doctor *d)
{
	g_autofree char *in_boot = g_strdup_printf("boot/config-%s", d->release);
	g_autofree char *in_modules = g_strdup_printf("lib/modules/%s/config", d->release);
	char *text = kx_read_line(d->facts->root, in_boot);

	return text ? text : kx_read_line(d->facts->root, in_modules);
}

static gboolean config_has(const char *config, const char *option)
{
	g_autofree char *wanted = g_strdup_printf("\n%s=y", option);

	return config && strstr(config, wanted);
}

/* --- checks: the CPU and KVM ----------------------------------------------- */

static void check_cpu(Doctor *d)
{
	g_autofree char *model = kx_cpuinfo_value(d->facts->root, "model name");

	if (!d->vendor)
		say(d, KX_CHECK_UNKNOWN, NULL, "/proc/cpuinfo names no vendor");
	else if (!d->vendor_module)
		say(d, KX_CHECK_NO, "use a host with an Intel or AMD CPU", "the vendor is %s",
		    d->vendor);
	else
		say(d, KX_CHECK_YES, NULL, "%s, %s", d->vendor, model ? model : "model unknown");
}

static void check_virtualization(Doctor *d)
{
	const char *flag = is_intel(d) ? "vmx" : "svm";

	if (!d->vendor_module || !d->flags)
		say(d, KX_CHECK_UNKNOWN, NULL, "the CPU's flags are not known");
	else if (has_flag(d, flag))
		say(d, KX_CHECK_YES, NULL, "the CPU has %s", flag);
	else
		say(d, KX_CHECK_NO,
		    "switch virtualization on in the firmware; in a VM, give it nested "
		    "virtualization",
		    "the CPU's flags hold no %s", flag);
}

static void check_kvm_module(Doctor *d)
{
	g_autofree char *remedy = NULL;

	if (!d->vendor_module) {
		say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
		return;
	}
	remedy = g_strdup_printf("modprobe %s", d->vendor_module);
	if (exists(d, "sys/module/%s", d->vendor_module))
		say(d, KX_CHECK_YES, NULL, "%s is loaded", d->vendor_module);
	else
		say(d, KX_CHECK_NO, remedy, "%s is not loaded", d->vendor_module);
}

/* A boolean parameter of kvm, kvm_intel or kvm_amd. */
static void check_parameter(Doctor *d, const char *module, const char *name, const char *remedy)
{
	g_autofree char *value = parameter(d, module, name);

	if (!value && !exists(d, "sys/module/%s", module))
		say(d, KX_CHECK_UNKNOWN, NULL, "%s is not loaded", module);
	else if (!value)
		say(d, KX_CHECK_UNKNOWN, NULL, "this kernel's %s shows no parameter %s", module,
		    name);
	else
		say(d, is_on(value) ? KX_CHECK_YES : KX_CHECK_NO, is_on(value) ? NULL : remedy,
		    "%s %s=%s", module, name, value);
}

static void check_nested_paging(Doctor *d)
{
	if (!d->vendor_module)
		say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
	else if (is_intel(d))
		check_parameter(d, "kvm_intel", "ept",
				"reload kvm_intel with ept=1; a CPU without EPT cannot be used");
	else
		check_parameter(d, "kvm_amd", "npt",
				"reload kvm_amd with npt=1; a CPU without NPT cannot be used");
}

static void check_ad_bits(Doctor *d)
{
	g_autofree char *npt = NULL;

	if (!d->vendor_module) {
		say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
		return;
	}
	if (is_intel(d)) {
		check_parameter(
			d, "kvm_intel", "eptad",
			"reload kvm_intel with eptad=1 (Haswell or newer); without, every found "
			"access costs a fault");
		return;
	}
	npt = parameter(d, "kvm_amd", "npt");
	if (!npt)
		say(d, KX_CHECK_UNKNOWN, NULL, "kvm_amd is not loaded");
	else if (is_on(npt))
		say(d, KX_CHECK_YES, NULL, "nested page tables always have them on AMD");
	else
		say(d, KX_CHECK_NO, "reload kvm_amd with npt=1", "kvm_amd npt=%s", npt);
}

static void check_tdp_mmu(Doctor *d)
{
	check_parameter(d, "kvm", "tdp_mmu",
			"reload kvm with tdp_mmu=1; needed to walk the tables");
}

static void check_pml(Doctor *d)
{
	g_auto(KxLogMechanism) m = { 0 };

	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, d->facts->root, &m);
	if (m.mechanism == KVM_EXT_LOG_PML)
		say(d, KX_CHECK_YES, NULL, "the CPU logs written pages: %s", m.host);
	else if (m.mechanism == KVM_EXT_LOG_UNKNOWN)
		say(d, KX_CHECK_UNKNOWN, NULL, "%s", m.host);
	else
		say(d, KX_CHECK_NO,
		    is_intel(d) ? "reload kvm_intel with ept=1 eptad=1 pml=1, if the CPU has it"
				: NULL,
		    "written pages are found by write protection: %s", m.host);
}

static void check_pebs(Doctor *d)
{
	g_autofree char *pmu = parameter(d, "kvm", "enable_pmu"), *found = NULL;
	const char *remedy = NULL;
	KxCheckStatus status;

	if (!d->vendor_module) {
		say(d, KX_CHECK_UNKNOWN, NULL, "the CPU vendor is not known");
		return;
	}
	status = kx_pebs_judge(&d->facts->pebs, is_intel(d), d->flags, pmu, &found, &remedy);
	say(d, status, remedy, "%s", found);
}

static void check_kvm_device(Doctor *d)
{
	if (!d->facts->kvm_error)
		say(d, KX_CHECK_YES, NULL, "/dev/kvm opens");
	else if (d->facts->kvm_error == EACCES)
		say(d, KX_CHECK_UNKNOWN, "run as root, or join the group kvm",
		    "/dev/kvm may not be opened by this user");
	else
		say(d, KX_CHECK_NO, "load the KVM module of this CPU", "/dev/kvm: %s",
		    g_strerror(d->facts->kvm_error));
}

/* DAMON_STAT, on by default in some kernels since 6.17, clears accessed bits of all memory, guests' included. */
static void check_rivals(Doctor *d)
{
	g_autofree char *stat = parameter(d, "damon_stat", "enabled");

	if (!stat)
		say(d, KX_CHECK_INFO, NULL, "no DAMON_STAT to clear them first");
	else if (*stat == 'Y')
		say(d, KX_CHECK_NO,
		    "echo N >/sys/module/damon_stat/parameters/enabled, while you measure",
		    "DAMON_STAT runs: accessed bits that it clears first are missing from samples");
	else
		say(d, KX_CHECK_YES, NULL, "DAMON_STAT is off");
}

static void check_huge_pages(Doctor *d)
{
	g_autofree char *thp =
		kx_read_line(d->facts->root, "sys/kernel/mm/transparent_hugepage/enabled");
	g_autofree char *nx = parameter(d, "kvm", "nx_huge_pages");
	g_autofree char *ksm = kx_read_line(d->facts->root, "sys/kernel/mm/ksm/run");

	say(d, KX_CHECK_INFO, NULL, "THP %s; KSM run=%s; kvm nx_huge_pages=%s",
	    thp ? thp : "unknown", ksm ? ksm : "unknown", nx ? nx : "unknown");
}

/* --- checks: the kernel ---------------------------------------------------- */

/* Series that the module's tests run on. */
static const char *const tested_series[] = { "6.1", "6.12", "7.2", "7.3" };

static gboolean is_of_series(const char *release, const char *series)
{
	gsize len = strlen(series);

	return !strncmp(release, series, len) && !g_ascii_isdigit(release[len]);
}

static void check_kernel(Doctor *d)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(tested_series); i++) {
		gboolean last = i + 1 == G_N_ELEMENTS(tested_series);

		if (is_of_series(d->release, tested_series[i])) {
			say(d, KX_CHECK_YES, NULL, "%s; the module is tested on series %s",
			    d->release, tested_series[i]);
			return;
		}
		g_string_append_printf(names, "%s%s", i ? last ? " and " : ", " : "",
				       tested_series[i]);
	}
	say(d, KX_CHECK_UNKNOWN, NULL, "%s; the module is tested on %s, others may build and work",
	    d->release, names->str);
}

static void check_pidfd_getfd(Doctor *d)
{
	if (d->facts->pidfd_error == EBADF)
		say(d, KX_CHECK_YES, NULL, "the kernel has it");
	else if (d->facts->pidfd_error == ENOSYS)
		say(d, KX_CHECK_NO, "use Linux 5.6 or newer", "the kernel does not have it");
	else
		say(d, KX_CHECK_UNKNOWN, "look for a seccomp filter around this process",
		    "the call ended with: %s", g_strerror(d->facts->pidfd_error));
}

static void check_config(Doctor *d, const char *option, const char *sign, const char *use)
{
	g_autofree char *config = kernel_config(d);

	if (config_has(config, option) || exists(d, "%s", sign))
		say(d, KX_CHECK_YES, NULL, "%s", use);
	else if (config)
		say(d, KX_CHECK_NO, "use a kernel built with it; only some trackers want it",
		    "%s is not set", option);
	else
		say(d, KX_CHECK_UNKNOWN, NULL, "no configuration of %s is installed",
		    d->release ? d->release : "the running kernel");
}

static void check_damon(Doctor *d)
{
	check_config(d, "CONFIG_DAMON_SYSFS", "sys/kernel/mm/damon/admin",
		     "the kernel's own monitor, as a baseline");
}

static void check_debugfs(Doctor *d)
{
	g_autofree char *mounts = kx_read_line(d->facts->root, "proc/mounts");

	if (mounts && strstr(mounts, " debugfs "))
		say(d, KX_CHECK_YES, NULL, "mounted");
	else
		say(d, KX_CHECK_NO, "mount -t debugfs none /sys/kernel/debug",
		    "not mounted; KVM's own counters cannot be read there");
}

/* --- checks: the module ---------------------------------------------------- */

static char *installed_module(const Doctor *d)
{
	static const char *const folders[] = { "updates", "extra", "updates/dkms" };

	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		char *path =
			g_strdup_printf("/lib/modules/%s/%s/kvm_ext.ko", d->release, folders[i]);

		if (exists(d, "%s", path + 1))
			return path;
		g_free(path);
	}
	return NULL;
}

static void check_module(Doctor *d)
{
	g_autofree char *installed = installed_module(d);
	g_autofree char *headers = NULL;

	if (exists(d, "sys/module/kvm_ext")) {
		say(d, KX_CHECK_YES, NULL, "kvm_ext is loaded");
		return;
	}
	if (installed) {
		say(d, KX_CHECK_NO, "modprobe kvm_ext", "not loaded, but installed: %s", installed);
		return;
	}
	headers = g_strdup_printf("apt install linux-headers-%s, then make modules install",
				  d->release);
	if (exists(d, "lib/modules/%s/build", d->release))
		say(d, KX_CHECK_NO, "make modules install, then modprobe kvm_ext",
		    "not loaded, and not built for %s", d->release);
	else
		say(d, KX_CHECK_NO, headers,
		    "not loaded, not built for %s, and its headers are missing", d->release);
}

static void check_device(Doctor *d)
{
	int error = d->facts->caps_error;

	if (!error)
		say(d, KX_CHECK_YES, NULL, "%s answers; %u VMs attached", KVM_EXT_DEVICE_PATH,
		    d->facts->caps.sessions);
	else if (error == EACCES || error == EPERM)
		say(d, KX_CHECK_UNKNOWN,
		    "run doctor as root to see it; the daemon does not need you to", "%s is root's",
		    KVM_EXT_DEVICE_PATH);
	else
		say(d, KX_CHECK_NO, error == ENOENT ? "load the module" : "see the kernel's log",
		    "%s: %s", KVM_EXT_DEVICE_PATH, g_strerror(error));
}

/* FALSE: the check is said to be unknown. */
static gboolean have_caps(Doctor *d)
{
	if (!d->facts->caps_error)
		return TRUE;
	say(d, KX_CHECK_UNKNOWN, NULL, "%s cannot be asked", KVM_EXT_DEVICE_PATH);
	return FALSE;
}

static void check_api(Doctor *d)
{
	guint32 version = d->facts->caps.api_version;

	if (!have_caps(d))
		return;
	if (version == KVM_EXT_API_VERSION)
		say(d, KX_CHECK_YES, NULL, "version %u", version);
	else
		say(d, KX_CHECK_NO, "install module and programs from one build",
		    "the module speaks version %u, these programs %u", version,
		    KVM_EXT_API_VERSION);
}

static void check_build(Doctor *d)
{
	if (!have_caps(d))
		return;
	if (d->facts->caps.caps & KVM_EXT_CAP_TEST_BUILD)
		say(d, KX_CHECK_NO, "make modules install, then reload kvm_ext",
		    "the module was built with a test switch; its results are wrong on purpose");
	else
		say(d, KX_CHECK_YES, NULL, "built for use");
}

static void check_elided(Doctor *d)
{
	if (!have_caps(d))
		return;
	if (d->facts->caps.caps & KVM_EXT_CAP_ELIDES_YOUNG_FLUSH)
		say(d, KX_CHECK_INFO, NULL,
		    "this kernel leaves the flush out; abit-flush orders its own");
	else
		say(d, KX_CHECK_INFO, NULL,
		    "this kernel flushes; abit-flush orders its own all the same");
}

static gboolean has_tracker(const Doctor *d, enum kvm_ext_tracker_id id)
{
	return d->facts->caps.trackers & (1ull << id);
}

static void check_dirty_log(Doctor *d)
{
	g_auto(KxLogMechanism) m = { 0 };

	if (!have_caps(d))
		return;
	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, d->facts->root, &m);
	if (has_tracker(d, KVM_EXT_TRACKER_DIRTY_LOG))
		say(d, KX_CHECK_YES, NULL, "trackers dirty-log and pml-abit, mechanism %s",
		    kx_log_mechanism_name(m.mechanism));
	else
		say(d, KX_CHECK_NO, "make modules install, then reload kvm_ext",
		    "the loaded module has no tracker dirty-log");
}

static void check_log_selftest(Doctor *d)
{
	const KxSelftest *t = d->facts->selftest;

	if (!t && d->facts->kvm_error)
		say(d, KX_CHECK_UNKNOWN, "run doctor as a user who may open /dev/kvm",
		    "not run: /dev/kvm: %s", g_strerror(d->facts->kvm_error));
	else if (!t || t->outcome == KX_SELFTEST_NOT_RUN)
		say(d, KX_CHECK_UNKNOWN, NULL, "%s", t ? t->text : "not run");
	else if (t->outcome == KX_SELFTEST_OK)
		say(d, KX_CHECK_YES, NULL, "%s", t->text);
	else
		say(d, KX_CHECK_NO,
		    "use a kernel with the fix, or reload kvm_intel with pml=0; reports name it",
		    "%s", t->text);
}

/* The module stands between the VMM and KVM while it tracks, so it needs nothing of the kernel for this. */
static void check_migration(Doctor *d)
{
	if (!have_caps(d))
		return;
	if (!has_tracker(d, KVM_EXT_TRACKER_DIRTY_LOG))
		say(d, KX_CHECK_INFO, NULL, "no tracker of this module touches the dirty log");
	else if (d->facts->caps.caps & KVM_EXT_CAP_TEST_BUILD)
		say(d, KX_CHECK_NO, "make modules install, then reload kvm_ext",
		    "the module was built with a test switch: a migration may lose memory");
	else
		say(d, KX_CHECK_YES, NULL,
		    "dirty-log gives way before the VMM's own use of the log takes effect");
}

/* --- checks: around -------------------------------------------------------- */

static void check_daemon(Doctor *d)
{
	if (d->facts->daemon_version)
		say(d, KX_CHECK_YES, NULL, "kvm-extd %s answers", d->facts->daemon_version);
	else
		say(d, KX_CHECK_NO, "systemctl start kvm-extd (or run kvm-extd as root)", "%s",
		    d->facts->daemon_error ? d->facts->daemon_error : "kvm-extd is not reachable");
}

static void check_libvirt(Doctor *d)
{
	static const char *const sockets[] = { "run/libvirt/libvirt-sock",
					       "run/libvirt/virtqemud-sock" };
	const char *uri = d->facts->libvirt_uri ? d->facts->libvirt_uri : "libvirt";

	if (d->facts->libvirt == 1) {
		say(d, KX_CHECK_YES, NULL, "the daemon is connected to %s", uri);
		return;
	}
	if (d->facts->libvirt == 0) {
		say(d, KX_CHECK_NO, "systemctl start libvirtd; without it name VMs with --pid",
		    "the daemon is not connected to %s", uri);
		return;
	}
	for (guint i = 0; i < G_N_ELEMENTS(sockets); i++) {
		if (exists(d, "%s", sockets[i])) {
			say(d, KX_CHECK_YES, NULL, "/%s is there", sockets[i]);
			return;
		}
	}
	say(d, KX_CHECK_NO, "install and start libvirtd; without it name VMs with --pid",
	    "there is no socket of libvirtd or virtqemud in /run/libvirt");
}

/* What of the way into a guest the host can see; whether the module is loaded there shows when a tracker is set. */
static void check_guest_channel(Doctor *d)
{
	const KxDoctorFacts *f = d->facts;
	g_autofree char *parser = kx_apparmor_parser(f->root ? f->root : "");
	g_autofree char *enabled = parameter(d, "apparmor", "enabled");
	gboolean apparmor = is_on(enabled);

	if (f->libvirt == 0)
		say(d, KX_CHECK_NO, "systemctl start libvirtd",
		    "trackers in the guest need libvirt, which plugs their channel in");
	else if (!f->qemu)
		say(d, KX_CHECK_UNKNOWN, NULL, "no QEMU was found that could be asked");
	else if (f->ivshmem < 0)
		say(d, KX_CHECK_UNKNOWN, NULL, "%s does not say which devices it has", f->qemu);
	else if (!f->ivshmem)
		say(d, KX_CHECK_NO, "use a QEMU that is built with it (CONFIG_IVSHMEM_DEVICE)",
		    "%s has no device ivshmem-plain", f->qemu);
	else if (f->shm_free_bytes < (gint64)KVM_EXT_CHANNEL_SIZE)
		say(d, KX_CHECK_NO, "mount a tmpfs at /dev/shm, or make room there",
		    f->shm_free_bytes < 0 ? "there is no /dev/shm"
					  : "/dev/shm has not the %u MiB that a VM's channel takes",
		    KVM_EXT_CHANNEL_SIZE >> 20);
	else if (apparmor && !parser)
		say(d, KX_CHECK_NO, "install apparmor_parser (package apparmor)",
		    "AppArmor confines QEMU, and without apparmor_parser no running domain can be "
		    "allowed to open its channel's memory");
	else
		say(d, KX_CHECK_YES, NULL,
		    "%s has ivshmem-plain, /dev/shm has room%s; the guest needs kvm_ext_guest.ko",
		    f->qemu,
		    apparmor ? ", AppArmor's profile of a domain is given the rule it lacks" : "");
}

static void check_group(Doctor *d)
{
	if (d->facts->group == 1)
		say(d, KX_CHECK_YES, NULL, "this user may talk to the daemon");
	else
		say(d, KX_CHECK_NO,
		    d->facts->group < 0
			    ? "make install creates the group; then adduser USER kvm-ext"
			    : "adduser USER kvm-ext, then log in again",
		    "this user is neither root nor in the group kvm-ext%s",
		    d->facts->group < 0 ? ", which does not exist" : "");
}

static void check_cpus(Doctor *d)
{
	g_autoptr(KxHostInfo) h = kx_hostinfo_read(d->facts->root, d->facts->root ? "" : NULL);

	if (!h->cpus)
		say(d, KX_CHECK_UNKNOWN, NULL, "/proc/cpuinfo lists none");
	else
		say(d, KX_CHECK_INFO, NULL, "%u%s", h->cpus,
		    h->cpus == 1 ? "; passes take their time from the vCPUs" : "");
}

static void check_hardware(Doctor *d)
{
	g_autoptr(KxHostInfo) h = kx_hostinfo_read(d->facts->root, d->facts->root ? "" : NULL);
	g_autofree char *heading = kx_hardware_heading(h->hardware, h->under);
	const char *times = kx_hardware_times(h->hardware);

	say(d, h->hardware == KX_HARDWARE_UNKNOWN ? KX_CHECK_UNKNOWN : KX_CHECK_INFO, NULL,
	    "%s%s%s", heading, times ? ". " : ", as far as can be seen", times ? times : "");
}

static const struct {
	const char *name, *title;
	gboolean needed;
	void (*run)(Doctor *d);
} table[] = {
	{ "cpu", "CPU vendor", TRUE, check_cpu },
	{ "virtualization", "virtualization", TRUE, check_virtualization },
	{ "kvm-module", "KVM module", TRUE, check_kvm_module },
	{ "nested-paging", "nested paging", TRUE, check_nested_paging },
	{ "ad-bits", "A/D bits", TRUE, check_ad_bits },
	{ "kvm-device", "/dev/kvm", TRUE, check_kvm_device },
	{ "pidfd-getfd", "pidfd_getfd", TRUE, check_pidfd_getfd },
	{ "kernel", "kernel", FALSE, check_kernel },
	{ "module", "kvm-ext module", TRUE, check_module },
	{ "device", "module's device", TRUE, check_device },
	{ "api", "module's API", TRUE, check_api },
	{ "build", "module's build", TRUE, check_build },
	{ "young-flush", "clear_flush_young", FALSE, check_elided },
	{ "daemon", "daemon", TRUE, check_daemon },
	{ "group", "permission", TRUE, check_group },
	{ "libvirt", "libvirt", FALSE, check_libvirt },
	{ "guest-channel", "channel to guests", FALSE, check_guest_channel },
	{ "tdp-mmu", "TDP MMU", FALSE, check_tdp_mmu },
	{ "pml", "PML", FALSE, check_pml },
	{ "pebs", "PEBS for guests", FALSE, check_pebs },
	{ "dirty-log", "dirty log", FALSE, check_dirty_log },
	{ "log-selftest", "dirty log's self-test", FALSE, check_log_selftest },
	{ "migration", "migration safety", FALSE, check_migration },
	{ "debugfs", "debugfs", FALSE, check_debugfs },
	{ "damon", "DAMON", FALSE, check_damon },
	{ "a-bit-rivals", "undisturbed A bits", FALSE, check_rivals },
	{ "huge-pages", "huge pages", FALSE, check_huge_pages },
	{ "cpus", "CPUs", FALSE, check_cpus },
	{ "hardware", "hardware", FALSE, check_hardware },
};

static void check_free(KxCheck *c)
{
	g_free(c->found);
	g_free(c->remedy);
	g_free(c);
}

GPtrArray *kx_doctor_run(const KxDoctorFacts *facts)
{
	GPtrArray *checks = g_ptr_array_new_with_free_func((GDestroyNotify)check_free);
	Doctor d = {
		.facts = facts,
		.vendor = kx_cpuinfo_value(facts->root, "vendor_id"),
		.flags = kx_cpuinfo_value(facts->root, "flags"),
		.release = kx_read_line(facts->root, "proc/sys/kernel/osrelease"),
	};

	if (!d.release)
		d.release = g_strdup("unknown");
	d.vendor_module = kx_vendor_module(d.vendor);
	for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
		d.check = g_new0(KxCheck, 1);
		d.check->name = table[i].name;
		d.check->title = table[i].title;
		d.check->needed = table[i].needed;
		table[i].run(&d);
		g_ptr_array_add(checks, d.check);
	}
	g_free(d.vendor);
	g_free(d.flags);
	g_free(d.release);
	return checks;
}

gboolean kx_doctor_ok(const GPtrArray *checks)
{
	for (guint i = 0; i < checks->len; i++) {
		const KxCheck *c = checks->pdata[i];

		if (c->needed && c->status == KX_CHECK_NO)
			return FALSE;
	}
	return TRUE;
}

const char *kx_check_status_name(KxCheckStatus status)
{
	static const char *const status_names[] = {
		[KX_CHECK_YES] = "yes",
		[KX_CHECK_NO] = "no",
		[KX_CHECK_UNKNOWN] = "unknown",
		[KX_CHECK_INFO] = "info",
	};

	return status_names[status];
}
