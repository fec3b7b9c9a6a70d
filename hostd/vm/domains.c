// SPDX-License-Identifier: GPL-2.0-or-later
#include "domains.h"

#include <gio/gio.h>
#include <libvirt-glib/libvirt-glib.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/log.h"
#include "domain-words.h"

#define RETRY_MIN_S 1u
#define RETRY_MAX_S 30u

typedef struct {
	virConnectPtr conn;
	int lifecycle, monitor; /* callback ids; -1: none */
} Connection;

struct _KxDomains {
	gatomicrefcount refs; /* the owner, and each attempt to connect that is in progress */
	char *uri;
	KxDomainsCallback callback; /* NULL once freed */
	gpointer data;
	Connection *c; /* NULL: not connected */
	guint retry;   /* source id; 0 */
	guint retry_s;
	gboolean told;	   /* it was logged that libvirt cannot be reached */
	GHashTable *stops; /* UUID → Stop: QEMU's last event, until libvirt's own uses it */
};

/* QEMU's own STOP or RESUME event, which has the exact time. */
typedef struct {
	gboolean resumed;
	gint64 realtime_ns;
} Stop;

KxLibvirt *kx_domains_hold(KxDomains *d, GError **error)
{
	if (!d->c) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    *d->uri ? "libvirt (%s) cannot be reached; is libvirtd running? A VM "
				      "can also be named by --pid"
				    : "libvirt is switched off by an empty libvirt-uri%s; name the "
				      "VM by --pid",
			    d->uri);
		return NULL;
	}
	return kx_libvirt_new(d->c->conn);
}

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

/* Called inside libvirt with libvirt's locks held, so this function only schedules work. */
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

/* If QEMU's event is older than this, libvirt has made no event of it. */
#define STOP_MAX_NS (10 * G_GINT64_CONSTANT(1000000000))

/* When the domain was stopped or resumed: libvirt makes its event from QEMU's event, which comes first. */
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
		tell(d, KX_DOMAINS_STOPPED, domain, kx_domain_word_stopped(detail), now_ns());
		break;
	case VIR_DOMAIN_EVENT_SUSPENDED:
	case VIR_DOMAIN_EVENT_PMSUSPENDED:
	case VIR_DOMAIN_EVENT_SHUTDOWN:
	case VIR_DOMAIN_EVENT_CRASHED:
		tell(d, KX_DOMAINS_PAUSED, domain, kx_domain_word_suspended(event, detail),
		     moment_of(d, domain->uuid, FALSE));
		break;
	case VIR_DOMAIN_EVENT_RESUMED:
		tell(d, KX_DOMAINS_RESUMED, domain, "resumed", moment_of(d, domain->uuid, TRUE));
		break;
	}
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *data)
{
	KxDomain domain = { 0 };

	if (kx_libvirt_identify(dom, &domain))
		tell_lifecycle(data, &domain, event, detail);
	g_free(domain.name);
	g_free(domain.uuid);
	return 0;
}

static void quiet(void *data, virErrorPtr err)
{
	/* libvirt prints to stderr by default; every error here goes into a GError. */
}

/* All questions to libvirtd are asked here, off the main loop; events then arrive on the main loop. */
static void connect_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	KxDomains *d = data;
	GError *error = NULL;
	g_autoptr(KxLibvirt) l = kx_libvirt_open(d->uri, &error);
	virConnectPtr conn;
	Connection *c;

	if (!l) {
		g_task_return_error(task, error);
		return;
	}
	conn = kx_libvirt_connection(l);
	virConnectRef(conn);
	virConnectRegisterCloseCallback(conn, on_closed, d, NULL);
	c = g_new0(Connection, 1);
	c->conn = conn;
	c->lifecycle =
		virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						 VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), d, NULL);
	/* Not every driver has QEMU's events: without them a pause begins and ends when libvirt's event comes. */
	c->monitor = virConnectDomainQemuMonitorEventRegister(
		conn, NULL, "^(STOP|RESUME)$", on_monitor, d, NULL,
		VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX);
	if (c->lifecycle < 0)
		kx_log(G_LOG_LEVEL_WARNING, "libvirt-events", NULL, NULL,
		       "libvirt (%s) gives no events (%s): domains are not attached by themselves",
		       d->uri, kx_libvirt_last_message());
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
