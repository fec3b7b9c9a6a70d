/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kind of host. The times of an emulated host depend on the emulator; the times of a virtual machine are hardware times,
 * including the work of the hypervisor below. So this file distinguishes the two, and says so if it cannot. Detection has a
 * limit that no program can overcome: an emulator that shows neither CPUID's hypervisor bit nor a known name looks like
 * hardware. A user who starts such an emulator sets KVM_EXT_EMULATED.
 */
#define _GNU_SOURCE /* memmem */
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

#define HYPERVISOR_LEAF	    0x40000000u
#define HYPERVISOR_LEAF_2   0x40000100u
#define HYPERVISOR_LEAF_END 0x40010000u

#ifdef __x86_64__
static void leaf_signature(unsigned int leaf, char text[13])
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(leaf, eax, ebx, ecx, edx);
	memcpy(text, &ebx, 4);
	memcpy(text + 4, &ecx, 4);
	memcpy(text + 8, &edx, 4);
	text[12] = '\0';
}

/*
 * Hypervisors that offer Hyper-V's interface to Windows guests have Hyper-V's signature in the first leaf and their own
 * signature in a later leaf.
 */
static void own_signature(char text[13])
{
	char own[13];

	for (unsigned int leaf = HYPERVISOR_LEAF_2; leaf < HYPERVISOR_LEAF_END; leaf += 0x100) {
		leaf_signature(leaf, own);
		if (g_str_equal(own, "KVMKVMKVM") || g_str_equal(own, "XenVMMXenVMM")) {
			memcpy(text, own, sizeof(own));
			return;
		}
	}
}
#endif

static char *cpuid_signature(void)
{
	char text[13] = "";

#ifdef __x86_64__
	unsigned int eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & (1u << 31))) {
		leaf_signature(HYPERVISOR_LEAF, text);
		if (g_str_equal(text, "Microsoft Hv"))
			own_signature(text);
	}
#endif
	return g_strdup(text);
}

/* The signature in the CPU's own CPUID. */
static const struct {
	const char *signature;
	KxHardware kind;
	const char *what;
} hypervisors[] = {
	{ "TCGTCGTCGTCG", KX_HARDWARE_EMULATED, "QEMU TCG" },
	{ "KVMKVMKVM", KX_HARDWARE_VIRTUAL, "KVM" },
	{ "Linux KVM Hv", KX_HARDWARE_VIRTUAL, "KVM" },
	{ "VMwareVMware", KX_HARDWARE_VIRTUAL, "VMware" },
	{ "Microsoft Hv", KX_HARDWARE_VIRTUAL, "Hyper-V" },
	{ "XenVMMXenVMM", KX_HARDWARE_VIRTUAL, "Xen" },
	{ "VBoxVBoxVBox", KX_HARDWARE_VIRTUAL, "VirtualBox" },
	{ "bhyve bhyve ", KX_HARDWARE_VIRTUAL, "bhyve" },
	{ "ACRNACRNACRN", KX_HARDWARE_VIRTUAL, "ACRN" },
};

/* Whether a name is evidence only if CPUID's hypervisor bit is set, or only if it is clear. */
typedef enum {
	ANY,
	WITH_BIT,
	WITHOUT_BIT
} Bit;

/*
 * Names that only virtual and emulated machines have. QEMU uses the same name whether it emulates or virtualizes, and its
 * ACPI tables have the signature of Bochs; Bochs, which emulates the whole CPU, does not set the hypervisor bit.
 */
static const struct {
	const char *path, *word;
	Bit bit;
	KxHardware kind;
	const char *what;
} names[] = {
	{ "proc/cpuinfo", "QEMU TCG CPU", ANY, KX_HARDWARE_EMULATED, "QEMU TCG" },
	{ "sys/hypervisor/type", "xen", ANY, KX_HARDWARE_VIRTUAL, "Xen" },
	{ "sys/class/dmi/id/product_name", "VirtualBox", ANY, KX_HARDWARE_VIRTUAL, "VirtualBox" },
	{ "sys/class/dmi/id/product_name", "VMware", ANY, KX_HARDWARE_VIRTUAL, "VMware" },
	{ "sys/class/dmi/id/product_name", "KVM", ANY, KX_HARDWARE_VIRTUAL, "KVM" },
	{ "sys/class/dmi/id/product_name", "Google Compute Engine", WITH_BIT, KX_HARDWARE_VIRTUAL,
	  "KVM" },
	{ "sys/class/dmi/id/product_name", "Virtual Machine", WITH_BIT, KX_HARDWARE_VIRTUAL,
	  "Hyper-V" },
	{ "sys/class/dmi/id/bios_vendor", "Bochs", WITHOUT_BIT, KX_HARDWARE_EMULATED, "Bochs" },
	{ "sys/class/dmi/id/sys_vendor", "Bochs", WITHOUT_BIT, KX_HARDWARE_EMULATED, "Bochs" },
	{ "sys/class/dmi/id/sys_vendor", "QEMU", ANY, KX_HARDWARE_UNKNOWN,
	  "QEMU, which does not say whether it emulates" },
	{ "sys/class/dmi/id/product_name", "Standard PC", ANY, KX_HARDWARE_UNKNOWN,
	  "QEMU, which does not say whether it emulates" },
	{ "sys/firmware/acpi/tables/FACP", "BOCHS", ANY, KX_HARDWARE_UNKNOWN,
	  "QEMU or Bochs, which does not say whether it emulates" },
};

static void found(KxHostInfo *h, KxHardware kind, const char *under)
{
	h->hardware = kind;
	h->under = g_strdup(under);
}

static gboolean by_signature(KxHostInfo *h, const char *signature)
{
	for (guint i = 0; i < G_N_ELEMENTS(hypervisors); i++) {
		if (g_str_equal(hypervisors[i].signature, signature)) {
			found(h, hypervisors[i].kind, hypervisors[i].what);
			return TRUE;
		}
	}
	return FALSE;
}

/* ACPI tables contain zero bytes. */
static gboolean holds(const char *root, const char *path, const char *word)
{
	g_autofree char *full = g_build_filename(root ? root : "/", path, NULL);
	g_autofree char *bytes = NULL;
	gsize len;

	return g_file_get_contents(full, &bytes, &len, NULL) &&
	       memmem(bytes, len, word, strlen(word));
}

static gboolean by_name(KxHostInfo *h, const char *root, gboolean bit)
{
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		if ((names[i].bit == WITH_BIT && !bit) || (names[i].bit == WITHOUT_BIT && bit))
			continue;
		if (holds(root, names[i].path, names[i].word)) {
			found(h, names[i].kind, names[i].what);
			return TRUE;
		}
	}
	return FALSE;
}

/* No hypervisor or emulator was recognised by name. */
static void by_bit(KxHostInfo *h, const char *flags, gboolean bit, const char *signature)
{
	g_autofree char *stranger = NULL;

	if (bit && *signature)
		stranger = g_strdup_printf("a hypervisor or emulator that calls itself '%s'",
					   signature);
	else if (bit)
		stranger = g_strdup("a hypervisor or emulator without a name");
	found(h,
	      bit     ? KX_HARDWARE_UNKNOWN
	      : flags ? KX_HARDWARE_BARE
		      : KX_HARDWARE_UNKNOWN,
	      stranger);
}

static void detect(KxHostInfo *h, const char *root, const char *signature)
{
	g_autofree char *flags = kx_cpuinfo_value(root, "flags");
	gboolean bit = *signature || has_flag(flags, "hypervisor");

	if (!by_signature(h, signature) && !by_name(h, root, bit))
		by_bit(h, flags, bit, signature);
}

static void find_hardware(KxHostInfo *h, const char *root, const char *signature)
{
	const char *said = g_getenv("KVM_EXT_EMULATED");

	if (!said || !*said)
		detect(h, root, signature);
	else if (g_str_equal(said, "no"))
		found(h, KX_HARDWARE_BARE, NULL);
	else
		found(h, KX_HARDWARE_EMULATED, said);
}

KxHostInfo *kx_hostinfo_read(const char *root, const char *hypervisor)
{
	g_autofree char *signature = hypervisor ? g_strdup(hypervisor) : cpuid_signature();
	KxHostInfo *h = g_new0(KxHostInfo, 1);

	h->kernel = kx_read_line(root, "proc/sys/kernel/osrelease");
	h->cpu_vendor = kx_cpuinfo_value(root, "vendor_id");
	h->cpu_model = kx_cpuinfo_value(root, "model name");
	h->cpus = count_cpus(root);
	find_hardware(h, root, signature);
	return h;
}

void kx_hostinfo_free(KxHostInfo *h)
{
	if (!h)
		return;
	g_free(h->kernel);
	g_free(h->cpu_vendor);
	g_free(h->cpu_model);
	g_free(h->under);
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
	replace(&r->hardware, kx_hardware_name(h->hardware));
	replace(&r->hardware_under, h->under);
	r->cpus = h->cpus;
}
