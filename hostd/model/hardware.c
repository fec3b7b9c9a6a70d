// SPDX-License-Identifier: GPL-2.0-or-later
#include "hardware.h"

static const struct {
	const char *name;
	const char *heading, *nameless; /* if it is known what the host runs under, and if not */
	const char *times;
} kinds[] = {
	[KX_HARDWARE_UNKNOWN] = {
		.name = "unknown",
		.heading = "UNKNOWN: %s",
		.nameless = "UNKNOWN",
		.times = "Whether times are those of hardware is not known: take them as ratios "
			 "within this run.",
	},
	[KX_HARDWARE_BARE] = {
		.name = "bare metal",
		.heading = "bare metal",
		.nameless = "bare metal",
	},
	[KX_HARDWARE_VIRTUAL] = {
		.name = "virtual",
		.heading = "VIRTUAL: nested under %s",
		.nameless = "VIRTUAL: nested under another hypervisor",
		.times = "Times are hardware's and include the outer hypervisor: exits, flushes and "
			 "faults cost more than on bare metal.",
	},
	[KX_HARDWARE_EMULATED] = {
		.name = "emulated",
		.heading = "*** EMULATED: %s ***",
		.nameless = "*** EMULATED ***",
		.times = "Times are the emulation's, not hardware's: only ratios within this run "
			 "hold.",
	},
};

const char *kx_hardware_name(KxHardware kind)
{
	return kinds[kind].name;
}

KxHardware kx_hardware_by_name(const char *name)
{
	for (guint i = 0; name && i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_equal(kinds[i].name, name))
			return (KxHardware)i;
	}
	return KX_HARDWARE_UNKNOWN;
}

char *kx_hardware_heading(KxHardware kind, const char *under)
{
	g_auto(GStrv) parts =
		g_strsplit(under ? kinds[kind].heading : kinds[kind].nameless, "%s", 2);

	return g_strjoinv(under ? under : "", parts);
}

const char *kx_hardware_times(KxHardware kind)
{
	return kinds[kind].times;
}
