// SPDX-License-Identifier: GPL-2.0-or-later
/* Which work of libvirt on a VM needs QEMU's dirty log. */
#include "libvirt.h"

#include <libvirt/libvirt.h>

#include "dirtyrate.h"

/* Jobs for which QEMU logs the guest's writes. */
static const char *const log_jobs[] = {
	[VIR_DOMAIN_JOB_OPERATION_SAVE] = "saving the VM to a file",
	[VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT] = "migration",
	[VIR_DOMAIN_JOB_OPERATION_SNAPSHOT] = "snapshot",
	[VIR_DOMAIN_JOB_OPERATION_DUMP] = "dump of the VM's memory",
};

static const char *job_of(virDomainPtr dom)
{
	virTypedParameterPtr params = NULL;
	const char *name = NULL;
	int type, n = 0, operation;

	if (virDomainGetJobStats(dom, &type, &params, &n, 0) < 0)
		return NULL;
	if (type != VIR_DOMAIN_JOB_NONE &&
	    virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation) == 1 &&
	    operation >= 0 && (guint)operation < G_N_ELEMENTS(log_jobs))
		name = log_jobs[operation];
	virTypedParamsFree(params, n);
	return name;
}

static gboolean measures_dirty_rate(KxLibvirt *l, const char *uuid)
{
	KxDirtyRate rate;

	return kx_dirty_rate_read(l, uuid, &rate, NULL) && rate.measuring;
}

const char *kx_libvirt_uses_log(KxLibvirt *l, const char *uuid)
{
	virDomainPtr dom = virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid);
	const char *what;

	if (!dom)
		return NULL;
	what = job_of(dom);
	virDomainFree(dom);
	return what || !measures_dirty_rate(l, uuid) ? what : "dirty-rate calculation";
}
