/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries to libvirt over a held connection (kx_domains_hold). Calls that wait for libvirt are marked "blocks": run
 * them on a worker thread.
 */
#ifndef KX_LIBVIRT_H
#define KX_LIBVIRT_H

#include <glib.h>

#include "base/error.h"
#include "kvmstat.h"

typedef struct {
	char *name, *uuid;
	const char *state; /* "running", "paused", "shut off", … */
	gboolean active;
	int id; /* libvirt's number of an active domain; -1: none */
} KxDomain;

KxDomain *kx_domain_copy(const KxDomain *d);
void kx_domain_free(KxDomain *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDomain, kx_domain_free)

typedef struct _KxLibvirt KxLibvirt;
void kx_libvirt_release(KxLibvirt *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLibvirt, kx_libvirt_release)

struct _virConnect;
struct _virDomain;

/* Blocks. A connection of the caller's own, for a thread that lives longer than a call. KX_ERROR_NO_LIBVIRT. */
KxLibvirt *kx_libvirt_open(const char *uri, GError **error);
/* The same, but only for queries, which libvirt may allow to more users. */
KxLibvirt *kx_libvirt_open_readonly(const char *uri, GError **error);
/* FALSE: libvirtd has ended, or no longer answers. */
gboolean kx_libvirt_is_connected(KxLibvirt *l);
/* The URI by which the same libvirt can be reached again; NULL: not known. The caller frees it. */
char *kx_libvirt_uri(const KxLibvirt *l);
/* Takes a reference to @conn, libvirt's own connection. */
KxLibvirt *kx_libvirt_new(struct _virConnect *conn);
/* libvirt's own connection; valid while @l is held. */
struct _virConnect *kx_libvirt_connection(KxLibvirt *l);
/* Blocks. Finds a domain by UUID, if the text is the UUID of a domain, else by name. KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT. */
KxDomain *kx_libvirt_lookup(KxLibvirt *l, const char *name_or_uuid, GError **error);
/* Blocks. The same; @text may also be the ID of an active domain, unless a domain has this name. */
KxDomain *kx_libvirt_lookup_any(KxLibvirt *l, const char *text, GError **error);
/* Whether @text is a number that an ID can have. */
gboolean kx_libvirt_is_id(const char *text, int *id);
/*
 * Blocks. @runs: whether the vCPUs of an active domain run; if not, @why is the reason that libvirt knows.
 * KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT.
 */
gboolean kx_libvirt_runs(KxLibvirt *l, const char *uuid, gboolean *runs, const char **why,
			 GError **error);
/* Blocks. The active domains, an array of KxDomain. */
GPtrArray *kx_libvirt_list(KxLibvirt *l, GError **error);
/* Blocks. KVM's counters, from QEMU. */
gboolean kx_libvirt_kvmstat(KxLibvirt *l, const char *uuid, KxKvmStat *st, GError **error);
/* Blocks. The answer of QEMU's human monitor to @command; the caller frees it. */
char *kx_libvirt_hmp(KxLibvirt *l, const char *uuid, const char *command, GError **error);
/* Blocks. The running job of libvirt that needs QEMU's dirty log: "migration", …; NULL: libvirt knows of none. */
const char *kx_libvirt_uses_log(KxLibvirt *l, const char *uuid);

/* Blocks. libvirt's own version, and that of the QEMU with which libvirt starts VMs: "9.0.0"; NULL: libvirt does not tell. */
char *kx_libvirt_version(KxLibvirt *l);
char *kx_libvirt_qemu_version(KxLibvirt *l);

/* The last error of this thread in libvirt's words; never NULL, valid until the next call. */
const char *kx_libvirt_last_message(void);
/*
 * Sets @error from this thread's last call of libvirt, which was @what, and returns FALSE: KX_ERROR_NO_SUCH_VM, KX_ERROR_NO_LIBVIRT, or
 * @refused if libvirt is there and knows the VM.
 */
gboolean kx_libvirt_fail(KxLibvirt *l, KxError refused, const char *what, GError **error);
/* Fills in name and UUID. */
gboolean kx_libvirt_identify(struct _virDomain *dom, KxDomain *d);

#endif /* KX_LIBVIRT_H */
