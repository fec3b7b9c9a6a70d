/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest channel's device: an ivshmem-plain whose memory is a file in /dev/shm (plug-file.h), plugged into a running
 * domain by libvirt at a place that plug-xml.h finds. One that is plugged already (the daemon was restarted, the domain
 * restored or migrated in) is taken over, or if it cannot be, unplugged. All functions marked so block: run them on a
 * worker thread.
 */
#ifndef KX_HOTPLUG_H
#define KX_HOTPLUG_H

#include <glib.h>
#include <sys/types.h>

#include "channel.h"
#include "plug-file.h"
#include "plug-xml.h"
#include "vm/domains.h"
#include "vm/patience.h"

/* How long a guest has to let go of the device when the daemon stops. */
#define KX_PLUG_SHUTDOWN_NS G_GINT64_CONSTANT(5000000000)

/* What of libvirt is needed, for one domain; unit tests bring their own. Errors are libvirt's own words. */
typedef struct {
	char *(*xml)(gpointer domain, GError **error);
	const char *(*state)(
		gpointer domain); /* "running", …; "shut off" also if it is not there */
	gboolean (*attach)(gpointer domain, const char *xml, GError **error);
	gboolean (*detach)(gpointer domain, const char *xml,
			   GError **error); /* asks; the guest does */
	/* AppArmor's, see apparmor.h; nullable */
	gboolean (*allow)(const char *profile, const char *path, GError **error);
	void (*restore)(const char *profile);
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

/*
 * Blocks. Plugs a channel in, or takes over the one that is. KX_ERROR_NO_LIBVIRT, KX_ERROR_NOT_SUPPORTED (no place for
 * a device, domain paused, …), KX_ERROR_ACCESS_DENIED: the VM is then as it was.
 */
KxPlug *kx_plug_in(const KxPlugVm *vm, GError **error);
/*
 * Blocks. Takes over the channel that is plugged; NULL: none is, or it could not be taken, and was unplugged if the guest
 * let go. A file that no device uses is removed.
 */
KxPlug *kx_plug_find(const KxPlugVm *vm);
KxPlug *kx_plug_ref(KxPlug *p);
KxChannel *kx_plug_channel(KxPlug *p);
/* Whether it was found rather than made. */
gboolean kx_plug_was_there(const KxPlug *p);
/* Blocks, until a module in the guest has taken the device or @patience is at its end, whose errors these are. */
gboolean kx_plug_wait_claimed(KxPlug *p, KxPatience *patience, GError **error);

/*
 * Blocks. Unplugs and removes the file; the guest is waited for as patience.h has it with @wait_ns. Where the VM is gone only the latter. If the guest does not let go (KX_ERROR_BUSY)
 * device and file stay. Drops no reference.
 */
gboolean kx_plug_out(KxPlug *p, const KxPlugVm *vm, gint64 wait_ns, GError **error);
/* Leaves device and file where they are. On any thread. */
void kx_plug_unref(KxPlug *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPlug, kx_plug_unref)

extern const KxPlugSys kx_plug_libvirt;

#endif /* KX_HOTPLUG_H */
