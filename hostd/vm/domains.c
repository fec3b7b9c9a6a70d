// SPDX-License-Identifier: GPL-2.0-or-later
#include "domains.h"

#include <gio/gio.h>
#include <libvirt-glib/libvirt-glib.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/log.h"

#define RETRY_MIN_S 1u
#define RETRY_MAX_S 30u
/* A libvirtd that answers nothing for this long is taken for dead. */
#define KEEPALIVE_S	5
#define KEEPALIVE_COUNT 3u

struct _KxLibvirt {
	virConnectPtr conn;
};

typedef struct {
	virConnectPtr conn;
	int lifecycle, monitor; /* callback ids; -1: none */
} Connection;

struct _KxDomains {
	gatomicrefcount refs; /* the owner, and each attempt to connect that is under way */
	char *uri;
	KxDomainsCallback callback; /* NULL once freed */
	gpointer data;
	Connection *c; /* NULL: not connected */
	guint retry;   /* source id; 0 */
	guint retry_s;
	gboolean told; /* that libvirt cannot be reached */
	GHashTable
		*stops; /* UUID → Stop: what QEMU said last, until libvirt's own event takes it */
};

/* QEMU's own STOP or RESUME, which has the time of the moment itself. */
typedef struct {
	gboolean resumed;
	gint64 realtime_ns;
} Stop;

KxDomain *kx_domain_copy(const KxDomain *d)
{
	KxDomain *c = g_new0(KxDomain, 1);

	*c = *d;
	c->name = g_strdup(d->name);
	c->uuid = g_strdup(d->uuid);
	return c;
}

void kx_domain_free(KxDomain *d)
{
	if (!d)
		return;
	g_free(d->name);
	g_free(d->uuid);
	g_free(d);
}

static const char *last_message(void)
{
	const char *m = virGetLastErrorMessage();

	return m ? m : "no reason given";
}

/* --- what libvirt calls things ------------------------------------------------------------------------------------ */

static const char *const states[] = {
	[VIR_DOMAIN_NOSTATE] = "unknown",      [VIR_DOMAIN_RUNNING] = "running",
	[VIR_DOMAIN_BLOCKED] = "blocked",      [VIR_DOMAIN_PAUSED] = "paused",
	[VIR_DOMAIN_SHUTDOWN] = "in shutdown", [VIR_DOMAIN_SHUTOFF] = "shut off",
	[VIR_DOMAIN_CRASHED] = "crashed",      [VIR_DOMAIN_PMSUSPENDED] = "suspended",
};

static const char *const stop_reasons[] = {
	[VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN] = "shut down",
	[VIR_DOMAIN_EVENT_STOPPED_DESTROYED] = "destroyed",
	[VIR_DOMAIN_EVENT_STOPPED_CRASHED] = "crashed",
	[VIR_DOMAIN_EVENT_STOPPED_MIGRATED] = "migrated away",
	[VIR_DOMAIN_EVENT_STOPPED_SAVED] = "saved to a file",
	[VIR_DOMAIN_EVENT_STOPPED_FAILED] = "failed",
	[VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT] = "reverted to a snapshot",
};

static const char *const pause_reasons[] = {
	[VIR_DOMAIN_PAUSED_USER] = "suspended",
	[VIR_DOMAIN_PAUSED_MIGRATION] = "the end of a migration",
	[VIR_DOMAIN_PAUSED_SAVE] = "saved to a file",
	[VIR_DOMAIN_PAUSED_DUMP] = "dump of the VM's memory",
	[VIR_DOMAIN_PAUSED_IOERROR] = "an I/O error",
	[VIR_DOMAIN_PAUSED_WATCHDOG] = "the watchdog",
	[VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "restored from a snapshot",
	[VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting down",
	[VIR_DOMAIN_PAUSED_SNAPSHOT] = "snapshot",
	[VIR_DOMAIN_PAUSED_CRASHED] = "the guest panicked",
	[VIR_DOMAIN_PAUSED_STARTING_UP] = "starting up",
	[VIR_DOMAIN_PAUSED_POSTCOPY] = "post-copy migration",
	[VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = "post-copy migration failed",
};

static const char *const suspend_reasons[] = {
	[VIR_DOMAIN_EVENT_SUSPENDED_PAUSED] = "suspended",
	[VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED] = "the end of a migration",
	[VIR_DOMAIN_EVENT_SUSPENDED_IOERROR] = "an I/O error",
	[VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG] = "the watchdog",
	[VIR_DOMAIN_EVENT_SUSPENDED_RESTORED] = "restored from a file",
	[VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT] = "restored from a snapshot",
	[VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR] = "libvirt failed to go on",
	[VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY] = "post-copy migration",
	[VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED] = "post-copy migration failed",
};

static const char paused[] = "paused";
static const char powered_off[] = "the guest has shut down";
static const char asleep[] = "the guest sleeps (S3)";
static const char panicked[] = "the guest panicked";

static const char *word_of(const char *const *words, guint n, int i, const char *other)
{
	return i >= 0 && (guint)i < n && words[i] ? words[i] : other;
}
#define WORD_OF(words, i, other) word_of(words, G_N_ELEMENTS(words), i, other)

static gboolean identify(virDomainPtr dom, KxDomain *d)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	const char *name = virDomainGetName(dom);

	if (!name || virDomainGetUUIDString(dom, uuid) < 0)
		return FALSE;
	d->name = g_strdup(name);
	d->uuid = g_strdup(uuid);
	return TRUE;
}

/* NULL if it went meanwhile. */
static KxDomain *describe(virDomainPtr dom)
{
	g_autoptr(KxDomain) d = g_new0(KxDomain, 1);
	int state, active;

	if (!identify(dom, d) || virDomainGetState(dom, &state, NULL, 0) < 0)
		return NULL;
	active = virDomainIsActive(dom);
	if (active < 0)
		return NULL;
	d->active = active;
	d->state = WORD_OF(states, state, "unknown");
	return g_steal_pointer(&d);
}

/* --- calls that block --------------------------------------------------------------------------------------------- */

KxLibvirt *kx_domains_hold(KxDomains *d, GError **error)
{
	KxLibvirt *l;

	if (!d->c) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    *d->uri ? "libvirt (%s) cannot be reached; is libvirtd running? A VM "
				      "can also be named by --pid"
				    : "libvirt is switched off by an empty libvirt-uri%s; name the "
				      "VM by --pid",
			    d->uri);
		return NULL;
	}
	l = g_new0(KxLibvirt, 1);
	l->conn = d->c->conn;
	virConnectRef(l->conn);
	return l;
}

void kx_libvirt_release(KxLibvirt *l)
{
	if (!l)
		return;
	virConnectClose(l->conn);
	g_free(l);
}

struct _virConnect *kx_libvirt_connection(KxLibvirt *l)
{
	return l->conn;
}

static void lookup_failed(const KxLibvirt *l, const char *what, GError **error)
{
	gboolean unknown = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
	g_autofree char *why = g_strdup(last_message());
	char *uri = virConnectGetURI(l->conn);

	if (unknown)
		g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM,
			    "libvirt (%s) has no domain \"%s\" (kvm-ext list shows what there is)",
			    uri ? uri : "gone", what);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "libvirt, asked for domain \"%s\": %s", what, why);
	free(uri);
}

KxDomain *kx_libvirt_lookup(KxLibvirt *l, const char *name_or_uuid, GError **error)
{
	virDomainPtr dom = NULL;
	KxDomain *d;

	if (g_uuid_string_is_valid(name_or_uuid))
		dom = virDomainLookupByUUIDString(l->conn, name_or_uuid);
	if (!dom)
		dom = virDomainLookupByName(l->conn, name_or_uuid);
	if (!dom) {
		lookup_failed(l, name_or_uuid, error);
		return NULL;
	}
	d = describe(dom);
	if (!d)
		lookup_failed(l, name_or_uuid, error);
	virDomainFree(dom);
	return d;
}

/* NULL: its vCPUs run. */
static const char *why_stopped(int state, int reason)
{
	switch (state) {
	case VIR_DOMAIN_PAUSED:
		return WORD_OF(pause_reasons, reason, paused);
	case VIR_DOMAIN_SHUTDOWN:
		return powered_off;
	case VIR_DOMAIN_CRASHED:
		return panicked;
	case VIR_DOMAIN_PMSUSPENDED:
		return asleep;
	default:
		return NULL;
	}
}

gboolean kx_libvirt_runs(KxLibvirt *l, const char *uuid, gboolean *runs, const char **why,
			 GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(l->conn, uuid);
	int state, reason;
	gboolean ok = dom && virDomainGetState(dom, &state, &reason, 0) == 0;

	if (!ok)
		lookup_failed(l, uuid, error);
	if (dom)
		virDomainFree(dom);
	if (!ok)
		return FALSE;
	*why = why_stopped(state, reason);
	*runs = !*why;
	return TRUE;
}

GPtrArray *kx_libvirt_list(KxLibvirt *l, GError **error)
{
	virDomainPtr *doms = NULL;
	GPtrArray *list;
	int i, n;

	n = virConnectListAllDomains(l->conn, &doms, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "libvirt does not list its domains: %s", last_message());
		return NULL;
	}
	list = g_ptr_array_new_with_free_func((GDestroyNotify)kx_domain_free);
	for (i = 0; i < n; i++) {
		KxDomain *d = describe(doms[i]);

		if (d)
			g_ptr_array_add(list, d);
		virDomainFree(doms[i]);
	}
	free(doms);
	return list;
}

static char *qmp(virDomainPtr dom, const char *command, GError **error)
{
	g_autofree char *reply = NULL;
	char *raw = NULL;

	if (virDomainQemuMonitorCommand(dom, command, &raw, 0) < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT, "QEMU's monitor: %s",
			    last_message());
		return NULL;
	}
	reply = g_strdup(raw);
	free(raw);
	return g_steal_pointer(&reply);
}

gboolean kx_libvirt_kvmstat(KxLibvirt *l, const char *uuid, KxKvmStat *st, GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(l->conn, uuid);
	g_autofree char *vm = NULL, *vcpu = NULL;

	if (!dom) {
		lookup_failed(l, uuid, error);
		return FALSE;
	}
	vm = qmp(dom, KX_KVMSTAT_QMP_VM, error);
	if (vm)
		vcpu = qmp(dom, KX_KVMSTAT_QMP_VCPU, error);
	virDomainFree(dom);
	return vcpu && kx_kvmstat_qmp(vm, vcpu, st, error);
}

/* Jobs that make QEMU log what the guest writes. */
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

static gboolean measures_dirty_rate(virDomainPtr dom)
{
	virDomainPtr doms[] = { dom, NULL };
	virDomainStatsRecordPtr *records = NULL;
	int status = -1;

	if (virDomainListGetStats(doms, VIR_DOMAIN_STATS_DIRTYRATE, &records, 0) < 0)
		return FALSE;
	if (records && records[0] &&
	    virTypedParamsGetInt(records[0]->params, records[0]->nparams, "dirtyrate.calc_status",
				 &status) < 0)
		status = -1;
	virDomainStatsRecordListFree(records);
	return status == VIR_DOMAIN_DIRTYRATE_MEASURING;
}

const char *kx_libvirt_uses_log(KxLibvirt *l, const char *uuid)
{
	virDomainPtr dom = virDomainLookupByUUIDString(l->conn, uuid);
	const char *what;

	if (!dom)
		return NULL;
	what = job_of(dom);
	if (!what && measures_dirty_rate(dom))
		what = "dirty-rate calculation";
	virDomainFree(dom);
	return what;
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

static void connect_async(KxDomains *d);
static void connection_close(gpointer data);

static void domains_unref(KxDomains *d)
{
	if (!g_atomic_ref_count_dec(&d->refs))
		return;
	g_hash_table_unref(d->stops);
	g_free(d->uri);
	g_free(d);
}

static gboolean on_retry(gpointer data)
{
	KxDomains *d = data;

	d->retry = 0;
	connect_async(d);
	return G_SOURCE_REMOVE;
}

static void retry_later(KxDomains *d)
{
	if (d->retry)
		return;
	d->retry = g_timeout_add_seconds(d->retry_s, on_retry, d);
	d->retry_s = MIN(d->retry_s * 2, RETRY_MAX_S);
}

static gint64 now_ns(void)
{
	return g_get_real_time() * 1000;
}

static void tell(KxDomains *d, KxDomainsEvent event, const KxDomain *domain, const char *detail,
		 gint64 realtime_ns)
{
	if (d->callback)
		d->callback(event, domain, detail, realtime_ns, d->data);
}

static gboolean lost_later(gpointer data)
{
	KxDomains *d = data;

	if (!d->callback || !d->c || virConnectIsAlive(d->c->conn) == 1)
		return G_SOURCE_REMOVE;
	g_clear_pointer(&d->c, connection_close);
	kx_log(G_LOG_LEVEL_WARNING, "libvirt-lost", NULL, NULL,
	       "libvirt (%s): connection lost; sessions go on, connecting anew", d->uri);
	g_hash_table_remove_all(d->stops);
	tell(d, KX_DOMAINS_LOST, NULL, NULL, now_ns());
	d->retry_s = RETRY_MIN_S;
	retry_later(d);
	return G_SOURCE_REMOVE;
}

static void unref_domains(gpointer data)
{
	domains_unref(data);
}

/* Called inside libvirt with its locks held: only leave a note. */
static void on_closed(virConnectPtr conn, int reason, void *data)
{
	KxDomains *d = data;

	g_atomic_ref_count_inc(&d->refs);
	g_idle_add_full(G_PRIORITY_DEFAULT, lost_later, d, unref_domains);
}

static void connection_close(gpointer data)
{
	Connection *c = data;

	/* The callbacks hold the connection open. */
	if (c->lifecycle >= 0)
		virConnectDomainEventDeregisterAny(c->conn, c->lifecycle);
	if (c->monitor >= 0)
		virConnectDomainQemuMonitorEventDeregister(c->conn, c->monitor);
	virConnectUnregisterCloseCallback(c->conn, on_closed);
	virConnectClose(c->conn);
	g_free(c);
}

/* An older word of QEMU's is one that libvirt has made no event of. */
#define STOP_MAX_NS (10 * G_GINT64_CONSTANT(1000000000))

/* When the domain was stopped, or went on: libvirt's event comes behind QEMU's, from which it is made. */
static gint64 moment_of(KxDomains *d, const char *uuid, gboolean resumed)
{
	const Stop *s = g_hash_table_lookup(d->stops, uuid);
	gint64 now = now_ns(), at = now;

	if (s && s->resumed == resumed && s->realtime_ns <= now &&
	    now - s->realtime_ns < STOP_MAX_NS)
		at = s->realtime_ns;
	g_hash_table_remove(d->stops, uuid);
	return at;
}

static void on_monitor(virConnectPtr conn, virDomainPtr dom, const char *event, long long seconds,
		       unsigned int micros, const char *details, void *data)
{
	KxDomains *d = data;
	char uuid[VIR_UUID_STRING_BUFLEN];
	Stop *s;

	if (virDomainGetUUIDString(dom, uuid) < 0)
		return;
	s = g_new(Stop, 1);
	*s = (Stop){ g_str_equal(event, "RESUME"),
		     (gint64)seconds * 1000000000 + (gint64)micros * 1000 };
	g_hash_table_replace(d->stops, g_strdup(uuid), s);
}

static void tell_lifecycle(KxDomains *d, const KxDomain *domain, int event, int detail)
{
	switch (event) {
	case VIR_DOMAIN_EVENT_STARTED:
		if (detail == VIR_DOMAIN_EVENT_STARTED_WAKEUP)
			tell(d, KX_DOMAINS_RESUMED, domain, "woken up",
			     moment_of(d, domain->uuid, TRUE));
		else
			tell(d, KX_DOMAINS_STARTED, domain, "started", now_ns());
		break;
	case VIR_DOMAIN_EVENT_STOPPED:
		g_hash_table_remove(d->stops, domain->uuid);
		tell(d, KX_DOMAINS_STOPPED, domain, WORD_OF(stop_reasons, detail, "stopped"),
		     now_ns());
		break;
	case VIR_DOMAIN_EVENT_SUSPENDED:
		tell(d, KX_DOMAINS_PAUSED, domain, WORD_OF(suspend_reasons, detail, paused),
		     moment_of(d, domain->uuid, FALSE));
		break;
	case VIR_DOMAIN_EVENT_PMSUSPENDED:
		tell(d, KX_DOMAINS_PAUSED, domain, asleep, moment_of(d, domain->uuid, FALSE));
		break;
	case VIR_DOMAIN_EVENT_SHUTDOWN:
		tell(d, KX_DOMAINS_PAUSED, domain, powered_off, moment_of(d, domain->uuid, FALSE));
		break;
	case VIR_DOMAIN_EVENT_CRASHED:
		tell(d, KX_DOMAINS_PAUSED, domain, panicked, moment_of(d, domain->uuid, FALSE));
		break;
	case VIR_DOMAIN_EVENT_RESUMED:
		tell(d, KX_DOMAINS_RESUMED, domain, "resumed", moment_of(d, domain->uuid, TRUE));
		break;
	}
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *data)
{
	KxDomain domain = { 0 };

	if (identify(dom, &domain))
		tell_lifecycle(data, &domain, event, detail);
	g_free(domain.name);
	g_free(domain.uuid);
	return 0;
}

static void quiet(void *data, virErrorPtr err)
{
	/* libvirt prints to stderr by default; every error here goes into a GError. */
}

/* Everything that asks libvirtd something is done here, off the main loop; events then arrive on the main loop. */
static void connect_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	KxDomains *d = data;
	virConnectPtr conn = virConnectOpen(d->uri);
	Connection *c;

	if (!conn) {
		g_task_return_new_error(task, KX_ERROR, KX_ERROR_NO_LIBVIRT, "%s", last_message());
		return;
	}
	/* Not every driver has these; without them a lost connection is noticed at the next call. */
	virConnectSetKeepAlive(conn, KEEPALIVE_S, KEEPALIVE_COUNT);
	virConnectRegisterCloseCallback(conn, on_closed, d, NULL);
	c = g_new0(Connection, 1);
	c->conn = conn;
	c->lifecycle =
		virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						 VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), d, NULL);
	/* Not every driver has these: without them a pause begins and ends when libvirt's event comes. */
	c->monitor = virConnectDomainQemuMonitorEventRegister(
		conn, NULL, "^(STOP|RESUME)$", on_monitor, d, NULL,
		VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX);
	if (c->lifecycle < 0)
		kx_log(G_LOG_LEVEL_WARNING, "libvirt-events", NULL, NULL,
		       "libvirt (%s) gives no events (%s): domains are not attached by themselves",
		       d->uri, last_message());
	g_task_return_pointer(task, c, connection_close);
}

static void on_connected(GObject *source, GAsyncResult *result, gpointer data)
{
	KxDomains *d = data;
	g_autoptr(GError) err = NULL;
	Connection *c = g_task_propagate_pointer(G_TASK(result), &err);

	if (c && d->callback && virConnectIsAlive(c->conn) == 1) {
		d->c = c;
		d->retry_s = RETRY_MIN_S;
		d->told = FALSE;
		kx_log(G_LOG_LEVEL_MESSAGE, "libvirt-connected", NULL, NULL,
		       "libvirt (%s): connected", d->uri);
		tell(d, KX_DOMAINS_CONNECTED, NULL, NULL, now_ns());
	} else {
		g_clear_pointer(&c, connection_close);
		if (d->callback && !d->told)
			kx_log(G_LOG_LEVEL_WARNING, "libvirt-unreachable", NULL, NULL,
			       "libvirt (%s) cannot be reached: %s; trying on, VMs can be named by "
			       "--pid",
			       d->uri, err ? err->message : "the connection broke at once");
		d->told = TRUE;
		if (d->callback)
			retry_later(d);
	}
	domains_unref(d);
}

static void connect_async(KxDomains *d)
{
	g_autoptr(GTask) task = g_task_new(NULL, NULL, on_connected, d);

	g_atomic_ref_count_inc(&d->refs); /* on_connected drops it */
	g_task_set_task_data(task, d, NULL);
	g_task_run_in_thread(task, connect_thread);
}

KxDomains *kx_domains_new(const char *uri, KxDomainsCallback callback, gpointer data)
{
	static gsize once;
	KxDomains *d = g_new0(KxDomains, 1);

	if (g_once_init_enter(&once)) {
		gvir_event_register();
		virSetErrorFunc(NULL, quiet);
		g_once_init_leave(&once, 1);
	}
	g_atomic_ref_count_init(&d->refs);
	d->uri = g_strdup(uri);
	d->callback = callback;
	d->data = data;
	d->retry_s = RETRY_MIN_S;
	d->stops = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (*uri)
		connect_async(d);
	return d;
}

void kx_domains_free(KxDomains *d)
{
	if (!d)
		return;
	d->callback = NULL;
	if (d->retry)
		g_source_remove(d->retry);
	d->retry = 0;
	g_clear_pointer(&d->c, connection_close);
	domains_unref(d);
}

gboolean kx_domains_connected(KxDomains *d)
{
	return d->c != NULL;
}

const char *kx_domains_uri(const KxDomains *d)
{
	return d->uri;
}
