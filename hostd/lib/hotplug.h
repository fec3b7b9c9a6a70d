/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest channel's device: an ivshmem-plain whose memory is a file in /dev/shm, plugged into a running domain by
 * libvirt. The file belongs to QEMU's user and nobody else may open it. It is named after the domain, so that one which
 * is plugged already (the daemon was restarted) is found again. All functions marked so block: run them on a worker
 * thread.
 */
#ifndef KX_HOTPLUG_H
#define KX_HOTPLUG_H

#include <glib.h>
#include <sys/types.h>

#include "channel.h"
#include "domains.h"
#include "patience.h"

/* How long a guest has to let go of the device. */
#define KX_PLUG_PATIENCE_MS 15000u
/* The same when the daemon stops. */
#define KX_PLUG_SHUTDOWN_MS 5000u

/* What of libvirt is needed, for one domain; unit tests bring their own. Errors are libvirt's own words. */
typedef struct {
	char *(*xml)(gpointer domain, GError **error);
	const char *(*state)(
		gpointer domain); /* "running", …; "shut off" also if it is not there */
	gboolean (*attach)(gpointer domain, const char *xml, GError **error);
	gboolean (*detach)(gpointer domain, const char *xml,
			   GError **error); /* asks; the guest does */
} KxPlugSys;

typedef struct {
	const KxPlugSys *sys; /* NULL: libvirt's */
	KxLibvirt *libvirt;   /* for these; NULL: none can be reached */
	gpointer domain;      /* NULL with libvirt's: looked up by @uuid */
	const char *name;     /* for messages */
	const char *uuid;
	pid_t pid;
	gboolean gone;		     /* the VM has ended, whatever libvirt still says */
	const char *dir, *proc_root; /* NULL: /dev/shm, /proc */
} KxPlugVm;

typedef struct _KxPlug KxPlug;

/* What a domain's XML says that matters here. */
typedef struct {
	gboolean plugged; /* ours is in it */
	gboolean pci;	  /* it has PCI at all */
	gboolean pcie;	  /* its root is PCI Express: hot-plugging needs a free port */
	guint free_ports; /* that take a device while the VM runs */
} KxPlugXml;
gboolean kx_plug_read_xml(const char *xml, const char *uuid, KxPlugXml *out, GError **error);

/* Whether an earlier daemon has left a channel behind for the domain, plugged or not. */
gboolean kx_plug_left_behind(const char *dir, const char *uuid);

/*
 * Blocks. Plugs a channel in, or takes over the one that is. KX_ERROR_NO_LIBVIRT, KX_ERROR_NOT_SUPPORTED (no place for
 * a device, domain paused, …), KX_ERROR_ACCESS_DENIED: the VM is then as it was.
 */
KxPlug *kx_plug_in(const KxPlugVm *vm, GError **error);
/* Blocks. Takes over the channel that is plugged; NULL: none is, or it cannot be. A file that no device uses is removed. */
KxPlug *kx_plug_find(const KxPlugVm *vm);
KxPlug *kx_plug_ref(KxPlug *p);
KxChannel *kx_plug_channel(KxPlug *p);
/* Whether it was found rather than made. */
gboolean kx_plug_was_there(const KxPlug *p);
/* Blocks, until a module in the guest has taken the device or @patience is at its end, whose errors these are. */
gboolean kx_plug_wait_claimed(KxPlug *p, KxPatience *patience, GError **error);

/*
 * Blocks. Unplugs and removes the file. Where the VM is gone only the latter. If the guest does not let go (KX_ERROR_BUSY)
 * device and file stay. Drops no reference.
 */
gboolean kx_plug_out(KxPlug *p, const KxPlugVm *vm, guint timeout_ms, GError **error);
/* Leaves device and file where they are. On any thread. */
void kx_plug_unref(KxPlug *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPlug, kx_plug_unref)

extern const KxPlugSys kx_plug_libvirt;

#endif /* KX_HOTPLUG_H */
