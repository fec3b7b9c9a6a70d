/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VMs are held. A client that switches a VM's tracker repeatedly, and restores the VM's own tracker at the end, holds the VM,
 * so that no second such client takes one of these trackers for the VM's own. A hold refuses nothing but a second client's hold.
 * All functions are the main loop's.
 */
#ifndef KX_HOLDS_H
#define KX_HOLDS_H

#include <gio/gio.h>
#include <sys/types.h>

typedef struct _KxHolds KxHolds;

/* @proc_root: as of KxHost. */
KxHolds *kx_holds_new(const char *proc_root);
void kx_holds_free(KxHolds *h);

/**
 * kx_holds_take() - holds the VM of a process
 * @client: distinguishes clients; if the client holds the VM already, only @who changes
 * @who: the client as text for users; characters that a terminal would interpret are replaced, and a long text is cut
 * @gone: cancelled when the client disconnects, which ends the hold
 *
 * Return: FALSE with KX_ERROR_BUSY if another client, which the error names, holds the VM, or if too many VMs are held.
 */
gboolean kx_holds_take(KxHolds *h, pid_t pid, const char *client, const char *who,
		       GCancellable *gone, GError **error);
/* Ends the hold if @client has it. */
void kx_holds_release(KxHolds *h, pid_t pid, const char *client);

#endif /* KX_HOLDS_H */
