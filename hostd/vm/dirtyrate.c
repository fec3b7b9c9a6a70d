// SPDX-License-Identifier: GPL-2.0-or-later
#include "dirtyrate.h"

#include <libvirt/libvirt.h>

#include "base/error.h"

static const guint flags[] = {
	[KX_DIRTY_RATE_SAMPLING] = VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING,
	[KX_DIRTY_RATE_BITMAP] = VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP,
	[KX_DIRTY_RATE_RING] = VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING,
};

const char *const kx_dirty_rate_modes[] = {
	[KX_DIRTY_RATE_SAMPLING] = "page-sampling",
	[KX_DIRTY_RATE_BITMAP] = "dirty-bitmap",
	[KX_DIRTY_RATE_RING] = "dirty-ring",
	NULL,
};

static int mode_by_name(const char *name)
{
	for (int i = 0; name && kx_dirty_rate_modes[i]; i++) {
		if (g_str_equal(kx_dirty_rate_modes[i], name))
			return i;
	}
	return -1;
}

/* FALSE: the record does not have the state of a measurement. */
static gboolean take_record(const virDomainStatsRecord *record, KxDirtyRate *r)
{
	const char *name = NULL;
	int status, seconds = 0;
	long long start = -1, rate = -1;

	if (virTypedParamsGetInt(record->params, record->nparams, "dirtyrate.calc_status",
				 &status) != 1)
		return FALSE;
	virTypedParamsGetInt(record->params, record->nparams, "dirtyrate.calc_period", &seconds);
	virTypedParamsGetLLong(record->params, record->nparams, "dirtyrate.calc_start_time",
			       &start);
	virTypedParamsGetLLong(record->params, record->nparams, "dirtyrate.megabytes_per_second",
			       &rate);
	virTypedParamsGetString(record->params, record->nparams, "dirtyrate.calc_mode", &name);
	*r = (KxDirtyRate){
		.measuring = status == VIR_DOMAIN_DIRTYRATE_MEASURING,
		.measured = status == VIR_DOMAIN_DIRTYRATE_MEASURED,
		.start_s = start,
		.seconds = seconds,
		.mode = mode_by_name(name),
		.mib_per_s = rate,
	};
	return TRUE;
}

gboolean kx_dirty_rate_read(KxLibvirt *l, const char *uuid, KxDirtyRate *r, GError **error)
{
	virDomainPtr doms[] = { virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid), NULL };
	virDomainStatsRecordPtr *records = NULL;
	gboolean ok = FALSE;

	if (!*doms || virDomainListGetStats(doms, VIR_DOMAIN_STATS_DIRTYRATE, &records, 0) < 0) {
		kx_libvirt_fail(l, KX_ERROR_NOT_SUPPORTED, "libvirt, asked for the dirty rate",
				error);
	} else {
		ok = records && records[0] && take_record(records[0], r);
		if (!ok)
			g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
					    "libvirt reports no dirty rate of this VM: QEMU has no "
					    "such measurement, or the VM does not run");
	}
	if (records)
		virDomainStatsRecordListFree(records);
	if (*doms)
		virDomainFree(*doms);
	return ok;
}

gboolean kx_dirty_rate_start(KxLibvirt *l, const char *uuid, KxDirtyRateMode mode, guint seconds,
			     GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid);
	gboolean ok = dom && virDomainStartDirtyRateCalc(dom, (int)seconds, flags[mode]) == 0;

	if (!ok)
		kx_libvirt_fail(l, KX_ERROR_NOT_SUPPORTED,
				"libvirt, asked to measure the dirty rate", error);
	if (dom)
		virDomainFree(dom);
	return ok;
}
