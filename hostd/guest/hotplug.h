/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest channel's device: an ivshmem-plain whose memory is a file in /dev/shm (plug-file.h). libvirt plugs the device
 * into a running domain at an address that plug-xml.h finds. If a device is plugged in already (the daemon was restarted,
 * the domain restored or migrated in), it is taken over, or unplugged if it cannot be taken over. Functions that are marked
 * "blocks" run on a worker thread.
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

/* The time that a guest has to release the device when the daemon stops. */
#define KX_PLUG_SHUTDOWN_NS G_GINT64_CONSTANT(5000000000)

/* The functions of libvirt that are needed for one domain; unit tests use their own. Errors have libvirt's own texts. */
typedef struct {
	char *(*xml)(gpointer domain, GError **error);
	const char *(*state)(
		gpointer domain); /* "running", …; "shut off" also if there is no domain */
	gboolean (*attach)(gpointer domain, const char *xml, GError **error);
	gboolean (*detach)(gpointer domain, const char *xml,
			   GError **error); /* only a request; the guest releases the device */
	/* AppArmor's, see apparmor.h; nullable */
	gboolean (*allow)(const char *profile, const char *path, GError **error);
	void (*restore)(const char *profile);
} KxPlugSys;

typedef struct {
	const KxPlugSys *sys; /* NULL: libvirt's */
	KxLibvirt *libvirt;   /* for @sys; NULL: libvirt cannot be reached */
	gpointer domain;      /* NULL with libvirt's: looked up by @uuid */
	const char *name;     /* for messages */
	const char *uuid;
	pid_t pid;
	gboolean gone;		     /* the VM has ended, even if libvirt reports otherwise */
	const char *dir, *proc_root; /* NULL: /dev/shm, /proc */
} KxPlugVm;

typedef struct _KxPlug KxPlug;

/*
 * Blocks. Plugs a channel in, or takes over the channel that is plugged in. KX_ERROR_NO_LIBVIRT, KX_ERROR_NOT_SUPPORTED (no
 * domain of libvirt, no free address, domain paused, …), KX_ERROR_ACCESS_DENIED, KX_ERROR_BUSY (another daemon uses the channel, or
 * the guest does not release a device that cannot be used): the VM is then as it was before.
 */
KxPlug *kx_plug_in(const KxPlugVm *vm, GError **error);
/*
 * Blocks. Takes over the channel that is plugged in. NULL: no channel is plugged in, or it could not be taken over; then it
 * was unplugged if the guest released it. A file that no device uses is removed.
 */
KxPlug *kx_plug_find(const KxPlugVm *vm);
KxPlug *kx_plug_ref(KxPlug *p);
KxChannel *kx_plug_channel(KxPlug *p);
/* Whether the channel was taken over rather than made. */
gboolean kx_plug_was_there(const KxPlug *p);
/* Blocks until a module in the guest has claimed the device, or @patience ends; the errors are those of patience.h. */
gboolean kx_plug_wait_claimed(KxPlug *p, KxPatience *patience, GError **error);

/*
 * Blocks. Unplugs the device and removes the file; the wait for the guest follows patience.h with @wait_ns. If the VM is gone,
 * only removes the file. If the guest does not release the device (KX_ERROR_BUSY), device and file stay. Drops no reference.
 */
gboolean kx_plug_out(KxPlug *p, const KxPlugVm *vm, gint64 wait_ns, GError **error);
/* Leaves device and file where they are. On any thread. */
void kx_plug_unref(KxPlug *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPlug, kx_plug_unref)

extern const KxPlugSys kx_plug_libvirt;

#endif /* KX_HOTPLUG_H */
