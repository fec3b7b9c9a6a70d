/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_SLOTS_H
#define KVM_EXT_LOG_SLOTS_H

#include <linux/types.h>

struct kx_log;

/**
 * kx_log_sync_slots() - update the list of memslots, and switch on their logs
 * @log: the log; afterwards @slots are the VM's memslots, and each wanted memslot that the VMM does
 *	not log is ours, unless @incomplete is set
 * @watch: also allocate candidates
 *
 * Context: the pass thread, not in its turn; may sleep.
 * Return: see log.h.
 */
int kx_log_sync_slots(struct kx_log *log, bool watch);

/**
 * kx_log_forget_slots() - empty the list of memslots
 * @log: the log; none of its memslots is ours
 *
 * Context: the pass thread in its turn; may sleep.
 */
void kx_log_forget_slots(struct kx_log *log);

#endif /* KVM_EXT_LOG_SLOTS_H */
