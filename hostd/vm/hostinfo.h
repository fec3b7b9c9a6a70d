/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host on which a report is made, and whether its times are hardware times. */
#ifndef KX_HOSTINFO_H
#define KX_HOSTINFO_H

#include "model/hardware.h"
#include "model/report.h"

/*
 * @kernel, @cpu_vendor, @cpu_model: NULL if unknown. @under: the hypervisor or emulator under the host; if it is unknown, the
 * evidence that there is one; NULL: there is no evidence.
 */
typedef struct {
	char *kernel, *cpu_vendor, *cpu_model, *under;
	KxHardware hardware;
	guint32 cpus;
} KxHostInfo;

/*
 * @root: the directory with proc and sys, NULL for /. @hypervisor: the signature
 * of CPUID leaf 0x40000000, "" for none; NULL asks the CPU.
 *
 * The environment variable KVM_EXT_EMULATED takes precedence over detection: the
 * name of the emulator, or "no": bare metal.
 */
KxHostInfo *kx_hostinfo_read(const char *root, const char *hypervisor);
void kx_hostinfo_free(KxHostInfo *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHostInfo, kx_hostinfo_free)

/* Copies @h into the report's header. */
void kx_hostinfo_to_report(const KxHostInfo *h, KxReport *r);

/* The value of @key in the first CPU's part of @root/proc/cpuinfo; NULL if @key is missing. */
char *kx_cpuinfo_value(const char *root, const char *key);
/* The content of @root/@path without white space at its end; NULL if the file cannot be read. */
char *kx_read_line(const char *root, const char *path);

#endif /* KX_HOSTINFO_H */
