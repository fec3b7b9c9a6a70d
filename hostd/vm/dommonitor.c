// SPDX-License-Identifier: GPL-2.0-or-later
#include "dommonitor.h"

static char *ask_monitor(gpointer data, const char *command, GError **error)
{
	const KxDomainMonitor *m = data;

	return kx_libvirt_hmp(m->libvirt, m->uuid, command, error);
}

static char *uri_of(gpointer data)
{
	return kx_libvirt_uri(((const KxDomainMonitor *)data)->libvirt);
}

const KxMonitor *kx_domain_monitor(KxDomainMonitor *m, KxLibvirt *l, const char *uuid)
{
	*m = (KxDomainMonitor){ l, uuid, { ask_monitor, m, uri_of } };
	return &m->monitor;
}
