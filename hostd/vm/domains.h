/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt: which domains exist, and when they start and stop. The connection is made in the background, with repeated attempts
 * after growing pauses, and is made again when libvirtd restarts. Calls that wait for libvirt are marked "blocks": run them
 * on a worker thread. All other functions, and the callback, run on the main loop.
 */
#ifndef KX_DOMAINS_H
#define KX_DOMAINS_H

#include <glib.h>
#include <sys/types.h>

#include "libvirt.h"

typedef enum {
	KX_DOMAINS_CONNECTED, /* @domain NULL */
	KX_DOMAINS_LOST,      /* likewise */
	KX_DOMAINS_STARTED,
	KX_DOMAINS_STOPPED, /* @detail: "destroyed", "crashed", "migrated away", … */
	KX_DOMAINS_PAUSED, /* the domain's vCPUs do not run. @detail: why: "suspended", "the guest panicked", … */
	KX_DOMAINS_RESUMED,
} KxDomainsEvent;

/*
 * Called on the main loop. Only name and uuid of @domain are set. @realtime_ns: the time of the event by QEMU's own event if
 * there was one, else the time when libvirt's event arrived.
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
 * A connection that may be used on any thread, also while @d loses the connection or is freed. KX_ERROR_NO_LIBVIRT if there
 * is no connection now.
 */
KxLibvirt *kx_domains_hold(KxDomains *d, GError **error);

#endif /* KX_DOMAINS_H */
