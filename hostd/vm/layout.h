/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest's memory is in the VMM's address space: from guest page frame numbers to the VMM's addresses, for trackers
 * that work on the VMM as a process (soft-dirty bits, DAMON). The source is QEMU's own monitor, so that neither the module
 * nor a kernel's interface is needed: "info mtree" names what can be RAM of the address space "memory", "gpa2hva" says what
 * the guest sees there, and at which address. Memory that only devices see, ROM, and SMM's own view are not part of the
 * layout. The two commands change nothing in QEMU, unlike other commands for this.
 *
 * A layout is valid for the time when it was read: read it again to see memory that was plugged in or out later.
 */
#ifndef KX_LAYOUT_H
#define KX_LAYOUT_H

#include <glib.h>

/* RAM that is contiguous in the guest and in the VMM. */
typedef struct {
	guint64 gfn, npages;
	guint64 hva; /* of the first page, in the VMM */
} KxLayoutPart;

typedef struct {
	GArray *parts; /* KxLayoutPart, ascending by gfn, disjoint; never empty */
} KxLayout;

/* More than any machine type of QEMU has; an answer with more parts is refused. */
#define KX_LAYOUT_PARTS_MAX 1024u

/* QEMU's human monitor. @ask may block. It returns the answer to @command, which the caller frees; NULL with an error. */
typedef struct {
	char *(*ask)(gpointer data, const char *command, GError **error);
	gpointer data;
	/* The URI of the libvirt that is asked, for a thread that connects by itself; the caller frees it. NULL: not known. */
	char *(*libvirt_uri)(gpointer data);
} KxMonitor;

/* Blocks if the monitor blocks. The number of the VM's vCPUs; 0: not known. */
guint kx_monitor_vcpus(const KxMonitor *monitor);

/*
 * Blocks if the monitor blocks; sends some commands for each part. KX_ERROR_NOT_SUPPORTED: the answer is not
 * understood, or names no RAM.
 */
KxLayout *kx_layout_read(const KxMonitor *monitor, GError **error);
KxLayout *kx_layout_copy(const KxLayout *l);
void kx_layout_free(KxLayout *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLayout, kx_layout_free)

/* FALSE: @gfn is no RAM. @hva: address of the page; @npages: contiguous pages from there on, including this page. */
gboolean kx_layout_find(const KxLayout *l, guint64 gfn, guint64 *hva, guint64 *npages);
guint64 kx_layout_pages(const KxLayout *l);
guint64 kx_layout_last_gfn(const KxLayout *l);

#endif /* KX_LAYOUT_H */
