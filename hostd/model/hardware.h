/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of hosts, and what each kind means for times that are measured on it. */
#ifndef KX_HARDWARE_H
#define KX_HARDWARE_H

#include <glib.h>

typedef enum {
	KX_HARDWARE_UNKNOWN,
	KX_HARDWARE_BARE,
	KX_HARDWARE_VIRTUAL,
	KX_HARDWARE_EMULATED,
} KxHardware;

/* The name in JSON: "unknown", "bare metal", "virtual", "emulated". */
const char *kx_hardware_name(KxHardware kind);
/* The kind with this name; unknown for any other text, and for NULL. */
KxHardware kx_hardware_by_name(const char *name);

/* "VIRTUAL: nested under KVM". @under: what virtualizes or emulates the host, or may do so; NULL: not known. */
char *kx_hardware_heading(KxHardware kind, const char *under);
/* What the kind means for measured times, one sentence; NULL: they are times of hardware. */
const char *kx_hardware_times(KxHardware kind);

#endif /* KX_HARDWARE_H */
