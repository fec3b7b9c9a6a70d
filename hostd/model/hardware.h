/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of hosts, and what each means for the times that were measured on it. */
#ifndef KX_HARDWARE_H
#define KX_HARDWARE_H

#include <glib.h>

typedef enum {
	KX_HARDWARE_UNKNOWN,
	KX_HARDWARE_BARE,
	KX_HARDWARE_VIRTUAL,
	KX_HARDWARE_EMULATED,
} KxHardware;

/* As the JSON has it: "unknown", "bare metal", "virtual", "emulated". */
const char *kx_hardware_name(KxHardware kind);
/* And back; unknown for any other text, and for NULL. */
KxHardware kx_hardware_by_name(const char *name);

/* "VIRTUAL: nested under KVM". @under: what virtualizes or emulates the host, or may; NULL: nothing is known of that. */
char *kx_hardware_heading(KxHardware kind, const char *under);
/* What that means for times, a sentence; NULL: they are the hardware's. */
const char *kx_hardware_times(KxHardware kind);

#endif /* KX_HARDWARE_H */
