/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A libvirt with one domain whose QEMU measures dirty rates, in place of the library: the functions that hostd/vm calls for it
 * are defined here, and a program that includes this header is linked with these. Everything is under the lock.
 */
#ifndef FAKE_DIRTY_RATE_H
#define FAKE_DIRTY_RATE_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#define FAKE_UUID "4a64cc71-19c4-2fd0-2323-3050941ea3c3"
#define FAKE_URI  "fake:///system"

static struct {
	GMutex lock;
	gboolean up;	  /* libvirtd can be reached */
	guint generation; /* of libvirtd: connections to an earlier one are dead */
	gboolean hangs;	  /* libvirtd takes connections, and does not answer */
	guint opened, closed;
	gboolean paused;
	const char *refusal; /* of a measurement; NULL: none */
	/* QEMU */
	guint starts, collisions;
	gboolean measuring, measured;
	gboolean late; /* a requested measurement is visible only at the next query */
	gboolean pending;
	gint64 until_us, start_s, seconds, clock_s;
	guint mode;
	gint64 results[8]; /* of the first measurement, of the second, …; [0]: before any */
	guint ended;	   /* measurements */
	int error;
	const char *message;
} fake;

typedef struct {
	guint generation;
} FakeConn;

static gint64 fake_conn_of(virConnectPtr conn)
{
	return fake.up && ((FakeConn *)conn)->generation == fake.generation;
}

static int fake_fails(int code, const char *message)
{
	fake.error = code;
	fake.message = message;
	return -1;
}

static void fake_turn(void)
{
	if (fake.pending) {
		fake.pending = FALSE;
		fake.measuring = TRUE;
		fake.measured = FALSE;
		fake.start_s = ++fake.clock_s;
	} else if (fake.measuring && g_get_monotonic_time() >= fake.until_us) {
		fake.measuring = FALSE;
		fake.measured = TRUE;
		fake.ended++;
	}
}

/* A measurement that somebody else requests; it takes @ms. */
static void fake_other(guint ms)
{
	g_mutex_lock(&fake.lock);
	fake.measuring = TRUE;
	fake.measured = FALSE;
	fake.start_s = ++fake.clock_s;
	fake.seconds = 1;
	fake.mode = VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING;
	fake.until_us = g_get_monotonic_time() + ms * 1000;
	g_mutex_unlock(&fake.lock);
}

virConnectPtr virConnectOpen(const char *uri)
{
	FakeConn *conn = NULL;

	g_mutex_lock(&fake.lock);
	while (fake.hangs) {
		g_mutex_unlock(&fake.lock);
		g_usleep(1000);
		g_mutex_lock(&fake.lock);
	}
	g_assert_cmpstr(uri, ==, FAKE_URI);
	if (fake.up) {
		conn = g_new0(FakeConn, 1);
		conn->generation = fake.generation;
		fake.opened++;
	} else {
		fake_fails(VIR_ERR_SYSTEM_ERROR, "no libvirtd there");
	}
	g_mutex_unlock(&fake.lock);
	return (virConnectPtr)conn;
}

int virConnectClose(virConnectPtr conn)
{
	g_mutex_lock(&fake.lock);
	fake.closed++;
	g_mutex_unlock(&fake.lock);
	g_free(conn);
	return 0;
}

int virConnectIsAlive(virConnectPtr conn)
{
	int alive;

	g_mutex_lock(&fake.lock);
	alive = (int)fake_conn_of(conn);
	g_mutex_unlock(&fake.lock);
	return alive;
}

int virConnectSetKeepAlive(virConnectPtr conn, int interval, unsigned int count)
{
	return 0;
}

virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuid)
{
	g_mutex_lock(&fake.lock);
	g_assert_cmpstr(uuid, ==, FAKE_UUID);
	if (!fake_conn_of(conn)) {
		fake_fails(VIR_ERR_SYSTEM_ERROR, "the connection is lost");
		conn = NULL;
	}
	g_mutex_unlock(&fake.lock);
	return (virDomainPtr)conn;
}

int virDomainFree(virDomainPtr dom)
{
	return 0;
}

char *virConnectGetURI(virConnectPtr conn)
{
	return strdup(FAKE_URI);
}

int virDomainGetState(virDomainPtr dom, int *state, int *reason, unsigned int flags)
{
	g_mutex_lock(&fake.lock);
	*state = fake.paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
	*reason = fake.paused ? VIR_DOMAIN_PAUSED_USER : 0;
	g_mutex_unlock(&fake.lock);
	return 0;
}

int virDomainStartDirtyRateCalc(virDomainPtr dom, int seconds, unsigned int flags)
{
	int rc = 0;

	g_mutex_lock(&fake.lock);
	fake_turn();
	if (fake.refusal) {
		rc = fake_fails(VIR_ERR_OPERATION_UNSUPPORTED, fake.refusal);
	} else if (fake.measuring || fake.pending) {
		fake.collisions++;
		rc = fake_fails(VIR_ERR_INTERNAL_ERROR, "still measuring");
	} else {
		fake.starts++;
		fake.pending = TRUE;
		fake.seconds = seconds;
		fake.mode = flags;
		fake.until_us = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
		if (!fake.late)
			fake_turn();
	}
	g_mutex_unlock(&fake.lock);
	return rc;
}

static const char *fake_mode_name(void)
{
	return fake.mode == VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING     ? "dirty-ring"
	       : fake.mode == VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP ? "dirty-bitmap"
								     : "page-sampling";
}

int virDomainListGetStats(virDomainPtr *doms, unsigned int stats, virDomainStatsRecordPtr **records,
			  unsigned int flags)
{
	virDomainStatsRecordPtr r = g_new0(virDomainStatsRecord, 1);
	int room = 0;

	g_mutex_lock(&fake.lock);
	g_assert_cmpuint(stats, ==, VIR_DOMAIN_STATS_DIRTYRATE);
	virTypedParamsAddInt(&r->params, &r->nparams, &room, "dirtyrate.calc_status",
			     fake.measuring  ? VIR_DOMAIN_DIRTYRATE_MEASURING
			     : fake.measured ? VIR_DOMAIN_DIRTYRATE_MEASURED
					     : VIR_DOMAIN_DIRTYRATE_UNSTARTED);
	virTypedParamsAddLLong(&r->params, &r->nparams, &room, "dirtyrate.calc_start_time",
			       fake.start_s);
	virTypedParamsAddInt(&r->params, &r->nparams, &room, "dirtyrate.calc_period",
			     (int)fake.seconds);
	virTypedParamsAddString(&r->params, &r->nparams, &room, "dirtyrate.calc_mode",
				fake_mode_name());
	if (fake.measured)
		virTypedParamsAddLLong(
			&r->params, &r->nparams, &room, "dirtyrate.megabytes_per_second",
			fake.results[MIN(fake.ended, G_N_ELEMENTS(fake.results) - 1)]);
	fake_turn();
	g_mutex_unlock(&fake.lock);
	*records = g_new0(virDomainStatsRecordPtr, 2);
	(*records)[0] = r;
	return 1;
}

void virDomainStatsRecordListFree(virDomainStatsRecordPtr *records)
{
	virTypedParamsFree(records[0]->params, records[0]->nparams);
	g_free(records[0]);
	g_free(records);
}

int virGetLastErrorCode(void)
{
	return fake.error;
}

const char *virGetLastErrorMessage(void)
{
	return fake.message;
}

#endif /* FAKE_DIRTY_RATE_H */
