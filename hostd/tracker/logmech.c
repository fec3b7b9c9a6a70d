// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Intel SDM, "Page-Modification Logging": the CPU writes the addresses of pages whose dirty bit it sets into a buffer, so PML
 * requires EPT with accessed and dirty bits. KVM uses PML if all three parameters of kvm_intel are on, and write protection
 * otherwise. CPUs by AMD count as CPUs without PML, unless the loaded kvm_amd has a parameter pml.
 */
#include "logmech.h"

#include "base/error.h"
#include "vm/hostinfo.h"

static const char *const mechanism_names[] = {
	[KVM_EXT_LOG_UNKNOWN] = "unknown",
	[KVM_EXT_LOG_WRITE_PROTECT] = "write-protect",
	[KVM_EXT_LOG_PML] = "pml",
};

static const char *const mode_names[] = {
	[KVM_EXT_LOG_MODE_PLAIN] = "plain",
	[KVM_EXT_LOG_MODE_MANUAL] = "manual-protect",
	[KVM_EXT_LOG_MODE_ALL_SET] = "initially-all-set",
	[KVM_EXT_LOG_MODE_RING] = "dirty-ring",
};

const char *kx_log_mechanism_name(enum kvm_ext_log_mechanism mechanism)
{
	return (guint)mechanism < G_N_ELEMENTS(mechanism_names) ? mechanism_names[mechanism]
								: "unknown";
}

const char *kx_log_mode_name(enum kvm_ext_log_mode mode)
{
	return (guint)mode < G_N_ELEMENTS(mode_names) ? mode_names[mode] : "unknown";
}

const char *kx_vendor_module(const char *vendor)
{
	if (g_strcmp0(vendor, "GenuineIntel") == 0)
		return "kvm_intel";
	if (g_strcmp0(vendor, "AuthenticAMD") == 0 || g_strcmp0(vendor, "HygonGenuine") == 0)
		return "kvm_amd";
	return NULL;
}

void kx_log_mechanism_clear(KxLogMechanism *m)
{
	g_clear_pointer(&m->host, g_free);
}

static gboolean is_on(const char *value)
{
	return value && (*value == 'Y' || *value == 'y' || *value == '1');
}

/* PML requires all of @names: if one is off, KVM does not use PML; if one cannot be read, the mechanism stays unknown. */
static void from_parameters(const char *root, const char *module, const char *const *names,
			    KxLogMechanism *m)
{
	g_autoptr(GString) text = g_string_new(module);
	gboolean off = FALSE, unread = FALSE;

	for (; *names; names++) {
		g_autofree char *path =
			g_strdup_printf("sys/module/%s/parameters/%s", module, *names);
		g_autofree char *value = kx_read_line(root, path);

		g_string_append_printf(text, " %s=%s", *names, value ? value : "?");
		off |= value && !is_on(value);
		unread |= !value;
	}
	if (off)
		m->mechanism = KVM_EXT_LOG_WRITE_PROTECT;
	else if (!unread)
		m->mechanism = KVM_EXT_LOG_PML;
	m->host = g_string_free(g_steal_pointer(&text), FALSE);
}

static void from_host(const char *root, KxLogMechanism *m)
{
	static const char *const intel[] = { "ept", "eptad", "pml", NULL };
	static const char *const amd[] = { "npt", "pml", NULL };
	g_autofree char *vendor = kx_cpuinfo_value(root, "vendor_id");
	g_autofree char *amd_pml = kx_read_line(root, "sys/module/kvm_amd/parameters/pml");
	const char *module = kx_vendor_module(vendor);

	if (!module) {
		m->host = g_strdup_printf("the CPU's vendor is %s", vendor ? vendor : "not named");
	} else if (g_str_equal(module, "kvm_intel")) {
		from_parameters(root, module, intel, m);
	} else if (amd_pml) {
		from_parameters(root, module, amd, m);
	} else {
		m->mechanism = KVM_EXT_LOG_WRITE_PROTECT;
		m->host = g_strdup("AMD without PML");
	}
}

void kx_log_mechanism(enum kvm_ext_log_mechanism told, const char *root, KxLogMechanism *m)
{
	*m = (KxLogMechanism){ .mechanism = KVM_EXT_LOG_UNKNOWN };
	from_host(root, m);
	m->told = told == KVM_EXT_LOG_PML || told == KVM_EXT_LOG_WRITE_PROTECT;
	if (m->told)
		m->mechanism = told;
}

gboolean kx_log_mechanism_check(const KxLogMechanism *m, enum kvm_ext_log_mechanism wanted,
				GError **error)
{
	if (wanted == KVM_EXT_LOG_UNKNOWN || m->mechanism == wanted)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    m->mechanism == KVM_EXT_LOG_WRITE_PROTECT
			    ? "this host logs writes by write protection, not by PML (%s); use "
			      "--tracker dirty-log, which takes what there is"
			    : "whether this host logs writes by PML is not known (%s); use "
			      "--tracker dirty-log, which takes what there is",
		    m->host);
	return FALSE;
}
