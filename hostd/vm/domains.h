/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt: which domains there are, when they come and go. The connection is made in the background, again and again
 * with growing pauses, and made anew when libvirtd restarts. Calls that wait for libvirt are marked "blocks": run them
 * on a worker thread. All else, and the callback, belong to the main loop.
 */
#ifndef KX_DOMAINS_H
#define KX_DOMAINS_H

#include <glib.h>
#include <sys/types.h>

#include "kvmstat.h"

typedef struct {
	char *name, *uuid;
	const char *state; /* "running", "paused", "shut off", … */
	gboolean active;
} KxDomain;

KxDomain *kx_domain_copy(const KxDomain *d);
void kx_domain_free(KxDomain *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDomain, kx_domain_free)

typedef enum {
	KX_DOMAINS_CONNECTED, /* @domain NULL */
	KX_DOMAINS_LOST,      /* likewise */
	KX_DOMAINS_STARTED,
	KX_DOMAINS_STOPPED, /* @detail: "destroyed", "crashed", "migrated away", … */
	KX_DOMAINS_PAUSED, /* its vCPUs do not run. @detail: why: "suspended", "the guest panicked", … */
	KX_DOMAINS_RESUMED,
} KxDomainsEvent;

/*
 * On the main loop. Of @domain only name and uuid are set. @realtime_ns: when it happened, by QEMU's clock where QEMU has
 * told, else when libvirt's event came.
 */
typedef void (*KxDomainsCallback)(KxDomainsEvent event, const KxDomain *domain, const char *detail,
				  gint64 realtime_ns, gpointer data);

typedef struct _KxDomains KxDomains;

/* Starts connecting at once. @uri "": never. */
KxDomains *kx_domains_new(const char *uri, KxDomainsCallback callback, gpointer data);
void kx_domains_free(KxDomains *d);
gboolean kx_domains_connected(KxDomains *d);
const char *kx_domains_uri(const KxDomains *d);

/*
 * A connection that calls may use on any thread, also while @d loses it or is freed. KX_ERROR_NO_LIBVIRT if there is
 * none now.
 */
typedef struct _KxLibvirt KxLibvirt;
KxLibvirt *kx_domains_hold(KxDomains *d, GError **error);
void kx_libvirt_release(KxLibvirt *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLibvirt, kx_libvirt_release)

/* libvirt's own; a held connection's. */
struct _virConnect *kx_libvirt_connection(KxLibvirt *l);
/* Blocks. By UUID if it is one and there is such a domain, else by name. KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT. */
KxDomain *kx_libvirt_lookup(KxLibvirt *l, const char *name_or_uuid, GError **error);
/*
 * Blocks. Whether the vCPUs of an active domain run; if not, @why says what libvirt knows of the reason.
 * KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT.
 */
gboolean kx_libvirt_runs(KxLibvirt *l, const char *uuid, gboolean *runs, const char **why,
			 GError **error);
/* Blocks. The active domains: KxDomain. */
GPtrArray *kx_libvirt_list(KxLibvirt *l, GError **error);
/* Blocks. KVM's counters as QEMU gives them. */
gboolean kx_libvirt_kvmstat(KxLibvirt *l, const char *uuid, KxKvmStat *st, GError **error);
/* Blocks. What libvirt does with the domain now that needs QEMU's dirty log: "migration", …; NULL: nothing it knows of. */
const char *kx_libvirt_uses_log(KxLibvirt *l, const char *uuid);

#endif /* KX_DOMAINS_H */
