/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection has a limit that no program can pass: an emulator that shows neither
 * CPUID's hypervisor bit nor a telling name looks like hardware. Whoever starts
 * one sets KVM_EXT_EMULATED.
 */
#include "hostinfo.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

char *kx_read_line(const char *root, const char *path)
{
	g_autofree char *full = g_build_filename(root ? root : "/", path, NULL);
	char *text = NULL;

	if (!g_file_get_contents(full, &text, NULL, NULL))
		return NULL;
	return g_strchomp(text);
}

char *kx_cpuinfo_value(const char *root, const char *key)
{
	g_autofree char *text = kx_read_line(root, "proc/cpuinfo");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", 200);

	for (char **line = lines; *line; line++) {
		char *colon = strchr(*line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		if (g_str_equal(g_strstrip(*line), key))
			return g_strdup(g_strstrip(colon + 1));
	}
	return NULL;
}

static guint32 count_cpus(const char *root)
{
	g_autofree char *text = kx_read_line(root, "proc/cpuinfo");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	guint32 n = 0;

	for (char **line = lines; *line; line++)
		n += g_str_has_prefix(*line, "processor\t") ||
		     g_str_has_prefix(*line, "processor ");
	return n;
}

static gboolean has_flag(const char *flags, const char *flag)
{
	g_auto(GStrv) words = g_strsplit(flags ? flags : "", " ", -1);

	return g_strv_contains((const char *const *)words, flag);
}

static char *cpuid_signature(void)
{
	char text[13] = "";

#ifdef __x86_64__
	unsigned int eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & (1u << 31))) {
		__cpuid(0x40000000, eax, ebx, ecx, edx);
		memcpy(text, &ebx, 4);
		memcpy(text + 4, &ecx, 4);
		memcpy(text + 8, &edx, 4);
	}
#endif
	return g_strdup(text);
}

static const struct {
	const char *signature, *what;
} hypervisors[] = {
	{ "TCGTCGTCGTCG", "QEMU TCG" },
	{ "KVMKVMKVM", "virtual machine under KVM" },
	{ "Linux KVM Hv", "virtual machine under KVM" },
	{ "VMwareVMware", "virtual machine under VMware" },
	{ "Microsoft Hv", "virtual machine under Hyper-V" },
	{ "XenVMMXenVMM", "virtual machine under Xen" },
	{ "VBoxVBoxVBox", "virtual machine under VirtualBox" },
	{ "bhyve bhyve ", "virtual machine under bhyve" },
};

/* Names that only machines of software carry. */
static const struct {
	const char *path, *word, *what;
} names[] = {
	{ "proc/cpuinfo", "QEMU TCG CPU", "QEMU TCG" },
	{ "sys/class/dmi/id/bios_vendor", "Bochs", "Bochs" },
	{ "sys/class/dmi/id/sys_vendor", "Bochs", "Bochs" },
	{ "sys/class/dmi/id/sys_vendor", "QEMU", "virtual machine under QEMU" },
	{ "sys/class/dmi/id/product_name", "Standard PC", "virtual machine under QEMU" },
	{ "sys/class/dmi/id/product_name", "KVM", "virtual machine under KVM" },
	{ "sys/class/dmi/id/product_name", "VirtualBox", "virtual machine under VirtualBox" },
	{ "sys/class/dmi/id/product_name", "VMware", "virtual machine under VMware" },
	{ "sys/hypervisor/type", "xen", "virtual machine under Xen" },
};

static char *detect(const char *root, const char *signature)
{
	g_autofree char *flags = kx_cpuinfo_value(root, "flags");

	for (guint i = 0; i < G_N_ELEMENTS(hypervisors); i++) {
		if (g_str_equal(hypervisors[i].signature, signature))
			return g_strdup(hypervisors[i].what);
	}
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *text = kx_read_line(root, names[i].path);

		if (text && strstr(text, names[i].word))
			return g_strdup(names[i].what);
	}
	if (*signature || has_flag(flags, "hypervisor"))
		return g_strdup("virtual machine");
	return NULL;
}

static char *find_emulated(const char *root, const char *signature)
{
	const char *said = g_getenv("KVM_EXT_EMULATED");

	if (said && *said)
		return g_str_equal(said, "no") ? NULL : g_strdup(said);
	return detect(root, signature);
}

KxHostInfo *kx_hostinfo_read(const char *root, const char *hypervisor)
{
	g_autofree char *signature = hypervisor ? g_strdup(hypervisor) : cpuid_signature();
	KxHostInfo *h = g_new0(KxHostInfo, 1);

	h->kernel = kx_read_line(root, "proc/sys/kernel/osrelease");
	h->cpu_vendor = kx_cpuinfo_value(root, "vendor_id");
	h->cpu_model = kx_cpuinfo_value(root, "model name");
	h->cpus = count_cpus(root);
	h->emulated = find_emulated(root, signature);
	return h;
}

void kx_hostinfo_free(KxHostInfo *h)
{
	if (!h)
		return;
	g_free(h->kernel);
	g_free(h->cpu_vendor);
	g_free(h->cpu_model);
	g_free(h->emulated);
	g_free(h);
}

static void replace(char **to, const char *from)
{
	g_free(*to);
	*to = g_strdup(from);
}

void kx_hostinfo_to_report(const KxHostInfo *h, KxReport *r)
{
	replace(&r->kernel, h->kernel);
	replace(&r->cpu_vendor, h->cpu_vendor);
	replace(&r->cpu_model, h->cpu_model);
	replace(&r->emulated, h->emulated);
	r->cpus = h->cpus;
}
