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

#include "libvirt.h"

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
KxLibvirt *kx_domains_hold(KxDomains *d, GError **error);

#endif /* KX_DOMAINS_H */
