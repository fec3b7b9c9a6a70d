/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to libvirt over a connection that is held (kx_domains_hold). Calls that wait for libvirt are marked "blocks": run
 * them on a worker thread.
 */
#ifndef KX_LIBVIRT_H
#define KX_LIBVIRT_H

#include <glib.h>

#include "kvmstat.h"

typedef struct {
	char *name, *uuid;
	const char *state; /* "running", "paused", "shut off", … */
	gboolean active;
} KxDomain;

KxDomain *kx_domain_copy(const KxDomain *d);
void kx_domain_free(KxDomain *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDomain, kx_domain_free)

typedef struct _KxLibvirt KxLibvirt;
void kx_libvirt_release(KxLibvirt *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLibvirt, kx_libvirt_release)

struct _virConnect;
struct _virDomain;

/* Takes a reference of @conn, libvirt's own. */
KxLibvirt *kx_libvirt_new(struct _virConnect *conn);
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
/* Blocks. What QEMU's monitor for people prints on @command; the caller's. */
char *kx_libvirt_hmp(KxLibvirt *l, const char *uuid, const char *command, GError **error);
/* Blocks. What libvirt does with the domain now that needs QEMU's dirty log: "migration", …; NULL: nothing it knows of. */
const char *kx_libvirt_uses_log(KxLibvirt *l, const char *uuid);

/* The last error of this thread in libvirt's words; never NULL, valid until the next call. */
const char *kx_libvirt_last_message(void);
/* Fills in name and UUID. */
gboolean kx_libvirt_identify(struct _virDomain *dom, KxDomain *d);

#endif /* KX_LIBVIRT_H */
