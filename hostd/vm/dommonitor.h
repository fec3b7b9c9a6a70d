/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's human monitor of a domain, through libvirt. */
#ifndef KX_DOMMONITOR_H
#define KX_DOMMONITOR_H

#include "layout.h"
#include "libvirt.h"

typedef struct {
	KxLibvirt *libvirt;
	const char *uuid;
	KxMonitor monitor;
} KxDomainMonitor;

/* Fills @m in, and returns its monitor, which is valid as long as @m, @l and @uuid are. */
const KxMonitor *kx_domain_monitor(KxDomainMonitor *m, KxLibvirt *l, const char *uuid);

#endif /* KX_DOMMONITOR_H */
