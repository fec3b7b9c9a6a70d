/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VMs are held: a client that switches a VM's tracker again and again, and restores the VM's own tracker at the end, holds the VM,
 * so that no second such client takes a momentary tracker for the VM's own. A hold bars nobody but the second client that asks for one.
 * Belongs to the main loop.
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
 * @client: distinguishes clients; a client that holds the VM already changes @who
 * @who: the client as text for users; what is against terminals is replaced, and a long text is cut
 * @gone: cancelled when the client disconnects, which ends the hold
 *
 * Return: FALSE with KX_ERROR_BUSY, which names the other client: that one holds the VM.
 */
gboolean kx_holds_take(KxHolds *h, pid_t pid, const char *client, const char *who,
		       GCancellable *gone, GError **error);
/* Ends the hold if @client has it. */
void kx_holds_release(KxHolds *h, pid_t pid, const char *client);

#endif /* KX_HOLDS_H */
