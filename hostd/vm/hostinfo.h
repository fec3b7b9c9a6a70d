/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What host a report was made on, and whether its times are those of hardware. */
#ifndef KX_HOSTINFO_H
#define KX_HOSTINFO_H

#include "model/hardware.h"
#include "model/report.h"

/*
 * @kernel, @cpu_vendor, @cpu_model: NULL where unknown. @under: what virtualizes or emulates the host; where that is
 * unknown, what speaks for it; NULL: nothing.
 */
typedef struct {
	char *kernel, *cpu_vendor, *cpu_model, *under;
	KxHardware hardware;
	guint32 cpus;
} KxHostInfo;

/*
 * @root: where /proc and /sys are found, NULL for /. @hypervisor: the signature
 * of CPUID leaf 0x40000000, "" for none; NULL asks the CPU.
 *
 * The environment variable KVM_EXT_EMULATED wins over what is detected: the
 * name of the emulator, or "no": bare metal.
 */
KxHostInfo *kx_hostinfo_read(const char *root, const char *hypervisor);
void kx_hostinfo_free(KxHostInfo *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHostInfo, kx_hostinfo_free)

/* Copies into the report's header. */
void kx_hostinfo_to_report(const KxHostInfo *h, KxReport *r);

/* The value of @key in the first CPU's part of @root/proc/cpuinfo; NULL if it is not there. */
char *kx_cpuinfo_value(const char *root, const char *key);
/* @root/@path without white space at its end; NULL if it cannot be read. */
char *kx_read_line(const char *root, const char *path);

#endif /* KX_HOSTINFO_H */
