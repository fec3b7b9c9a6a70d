// SPDX-License-Identifier: GPL-2.0-or-later
#include "libvirt.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "domain-words.h"

struct _KxLibvirt {
	virConnectPtr conn;
};

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

const char *kx_libvirt_last_message(void)
{
	const char *m = virGetLastErrorMessage();

	return m ? m : "no reason given";
}

gboolean kx_libvirt_identify(struct _virDomain *dom, KxDomain *d)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	const char *name = virDomainGetName(dom);

	if (!name || virDomainGetUUIDString(dom, uuid) < 0)
		return FALSE;
	d->name = g_strdup(name);
	d->uuid = g_strdup(uuid);
	return TRUE;
}

/* NULL if the domain has gone meanwhile. */
static KxDomain *describe(virDomainPtr dom)
{
	g_autoptr(KxDomain) d = g_new0(KxDomain, 1);
	int state, active;

	if (!kx_libvirt_identify(dom, d) || virDomainGetState(dom, &state, NULL, 0) < 0)
		return NULL;
	active = virDomainIsActive(dom);
	if (active < 0)
		return NULL;
	d->active = active;
	d->id = active ? (int)virDomainGetID(dom) : -1;
	d->state = kx_domain_word_state(state);
	return g_steal_pointer(&d);
}

/* A libvirtd that does not answer for this time is considered dead. */
#define KEEPALIVE_S	5
#define KEEPALIVE_COUNT 3u

static KxLibvirt *take_connection(virConnectPtr conn, GError **error)
{
	KxLibvirt *l;

	if (!conn) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT, "%s", kx_libvirt_last_message());
		return NULL;
	}
	/* Not every driver supports keepalive; without it a lost connection is noticed at the next call. */
	virConnectSetKeepAlive(conn, KEEPALIVE_S, KEEPALIVE_COUNT);
	l = g_new0(KxLibvirt, 1);
	l->conn = conn;
	return l;
}

KxLibvirt *kx_libvirt_open(const char *uri, GError **error)
{
	return take_connection(virConnectOpen(uri), error);
}

KxLibvirt *kx_libvirt_open_readonly(const char *uri, GError **error)
{
	return take_connection(virConnectOpenReadOnly(uri), error);
}

gboolean kx_libvirt_is_connected(KxLibvirt *l)
{
	return virConnectIsAlive(l->conn) == 1;
}

char *kx_libvirt_uri(const KxLibvirt *l)
{
	char *raw = virConnectGetURI(l->conn);
	char *uri = g_strdup(raw);

	free(raw);
	return uri;
}

KxLibvirt *kx_libvirt_new(struct _virConnect *conn)
{
	KxLibvirt *l = g_new0(KxLibvirt, 1);

	l->conn = conn;
	virConnectRef(conn);
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

gboolean kx_libvirt_fail(KxLibvirt *l, KxError refused, const char *what, GError **error)
{
	gboolean unknown = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
	g_autofree char *why = g_strdup(kx_libvirt_last_message());
	KxError kind = unknown			    ? KX_ERROR_NO_SUCH_VM
		       : kx_libvirt_is_connected(l) ? refused
						    : KX_ERROR_NO_LIBVIRT;

	g_set_error(error, KX_ERROR, (int)kind, "%s: %s", what, why);
	return FALSE;
}

static void lookup_failed(const KxLibvirt *l, const char *what, GError **error)
{
	gboolean unknown = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
	g_autofree char *why = g_strdup(kx_libvirt_last_message());
	g_autofree char *uri = kx_libvirt_uri(l);

	if (unknown)
		g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM,
			    "libvirt (%s) has no domain \"%s\" (kvm-ext list shows what there is)",
			    uri ? uri : "gone", what);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "libvirt, asked for domain \"%s\": %s", what, why);
}

gboolean kx_libvirt_is_id(const char *text, int *id)
{
	guint64 n;

	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &n, NULL))
		return FALSE;
	*id = (int)n;
	return TRUE;
}

static KxDomain *lookup(KxLibvirt *l, const char *name_or_uuid, gboolean by_id, GError **error)
{
	virDomainPtr dom = NULL;
	KxDomain *d;
	int id;

	if (g_uuid_string_is_valid(name_or_uuid))
		dom = virDomainLookupByUUIDString(l->conn, name_or_uuid);
	if (!dom)
		dom = virDomainLookupByName(l->conn, name_or_uuid);
	if (!dom && by_id && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN &&
	    kx_libvirt_is_id(name_or_uuid, &id))
		dom = virDomainLookupByID(l->conn, id);
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

KxDomain *kx_libvirt_lookup(KxLibvirt *l, const char *name_or_uuid, GError **error)
{
	return lookup(l, name_or_uuid, FALSE, error);
}

KxDomain *kx_libvirt_lookup_any(KxLibvirt *l, const char *text, GError **error)
{
	return lookup(l, text, TRUE, error);
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
	*why = kx_domain_word_paused(state, reason);
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
			    "libvirt does not list its domains: %s", kx_libvirt_last_message());
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

static char *ask_monitor(virDomainPtr dom, const char *command, guint flags, GError **error)
{
	g_autofree char *reply = NULL;
	char *raw = NULL;

	if (virDomainQemuMonitorCommand(dom, command, &raw, flags) < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT, "QEMU's monitor: %s",
			    kx_libvirt_last_message());
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
	vm = ask_monitor(dom, KX_KVMSTAT_QMP_VM, 0, error);
	if (vm)
		vcpu = ask_monitor(dom, KX_KVMSTAT_QMP_VCPU, 0, error);
	virDomainFree(dom);
	return vcpu && kx_kvmstat_qmp(vm, vcpu, st, error);
}

char *kx_libvirt_hmp(KxLibvirt *l, const char *uuid, const char *command, GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(l->conn, uuid);
	char *reply;

	if (!dom) {
		lookup_failed(l, uuid, error);
		return NULL;
	}
	reply = ask_monitor(dom, command, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP, error);
	virDomainFree(dom);
	return reply;
}

/* libvirt's numbers: 1000000 * major + 1000 * minor + release. */
static char *version_text(gulong version)
{
	return g_strdup_printf("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
			       version % 1000);
}

char *kx_libvirt_version(KxLibvirt *l)
{
	gulong version;

	return virConnectGetLibVersion(l->conn, &version) < 0 ? NULL : version_text(version);
}

char *kx_libvirt_qemu_version(KxLibvirt *l)
{
	gulong version;

	return virConnectGetVersion(l->conn, &version) < 0 ? NULL : version_text(version);
}
