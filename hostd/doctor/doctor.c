/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A check is a row of the table and a function that examines one thing. If the question of a check cannot be answered, its
 * status is UNKNOWN with the reason, never YES.
 */
#include "doctor-internal.h"

#include "tracker/logmech.h"
#include "tracker/rows.h"
#include "vm/hostinfo.h"

static const struct {
	const char *name, *title;
	enum {
		ASIDE,
		NEEDED,
		BY_MODULE, /* needed by the trackers of the host's module */
	} need;
	void (*run)(KxDoctor *d);
} table[] = {
	{ "cpu", "CPU vendor", NEEDED, kx_doctor_check_cpu },
	{ "virtualization", "virtualization", NEEDED, kx_doctor_check_virtualization },
	{ "kvm-module", "KVM module", NEEDED, kx_doctor_check_kvm_module },
	{ "nested-paging", "nested paging", BY_MODULE, kx_doctor_check_nested_paging },
	{ "ad-bits", "A/D bits", BY_MODULE, kx_doctor_check_ad_bits },
	{ "kvm-device", "/dev/kvm", NEEDED, kx_doctor_check_kvm_device },
	{ "pidfd-getfd", "pidfd_getfd", NEEDED, kx_doctor_check_pidfd_getfd },
	{ "kernel", "kernel", ASIDE, kx_doctor_check_kernel },
	{ "module", "kvm-ext module", BY_MODULE, kx_doctor_check_module },
	{ "lockdown", "lockdown", ASIDE, kx_doctor_check_lockdown },
	{ "device", "module's device", BY_MODULE, kx_doctor_check_device },
	{ "api", "module's API", BY_MODULE, kx_doctor_check_api },
	{ "build", "module's build", BY_MODULE, kx_doctor_check_build },
	{ "young-flush", "clear_flush_young", ASIDE, kx_doctor_check_elided },
	{ "daemon", "daemon", NEEDED, kx_doctor_check_daemon },
	{ "versions", "versions", ASIDE, kx_doctor_check_versions },
	{ "group", "permission", NEEDED, kx_doctor_check_group },
	{ "libvirt", "libvirt", ASIDE, kx_doctor_check_libvirt },
	{ "guest-channel", "channel to guests", ASIDE, kx_doctor_check_guest_channel },
	{ "tdp-mmu", "TDP MMU", ASIDE, kx_doctor_check_tdp_mmu },
	{ "pml", "PML", ASIDE, kx_doctor_check_pml },
	{ "pebs", "PEBS for guests", ASIDE, kx_doctor_check_pebs },
	{ "dirty-log", "dirty log", ASIDE, kx_doctor_check_dirty_log },
	{ "log-selftest", "dirty log's self-test", ASIDE, kx_doctor_check_log_selftest },
	{ "migration", "migration safety", ASIDE, kx_doctor_check_migration },
	{ "mglru", "ageing by MGLRU", ASIDE, kx_doctor_check_mglru },
	{ "dirty-rate", "QEMU's dirty rate", ASIDE, kx_doctor_check_dirty_rate },
	{ "qemu-tap", "QEMU's tap", ASIDE, kx_doctor_check_tap },
	{ "debugfs", "debugfs", ASIDE, kx_doctor_check_debugfs },
	{ "idle-page", "idle page tracking", ASIDE, kx_doctor_check_idle_page },
	{ "damon", "DAMON", ASIDE, kx_doctor_check_damon },
	{ "a-bit-rivals", "undisturbed A bits", ASIDE, kx_doctor_check_rivals },
	{ "huge-pages", "huge pages", ASIDE, kx_doctor_check_huge_pages },
	{ "cpus", "CPUs", ASIDE, kx_doctor_check_cpus },
	{ "hardware", "hardware", ASIDE, kx_doctor_check_hardware },
};

/* Whether any tracker can find pages without the host's module. */
static gboolean finds_alone(void)
{
	g_autofree char *names = kx_trackers_that(KX_CAN_FIND | KX_CAN_ALONE);

	return *names;
}

static void check_free(KxCheck *c)
{
	g_free(c->found);
	g_free(c->remedy);
	g_free(c);
}

GPtrArray *kx_doctor_run(const KxDoctorFacts *facts)
{
	GPtrArray *checks = g_ptr_array_new_with_free_func((GDestroyNotify)check_free);
	gboolean alone = finds_alone();
	KxDoctor d = {
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
		d.check->needed = table[i].need == NEEDED || (table[i].need == BY_MODULE && !alone);
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
