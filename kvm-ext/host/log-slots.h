/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_SLOTS_H
#define KVM_EXT_LOG_SLOTS_H

#include <linux/types.h>

struct kx_log;

/**
 * kx_log_sync_slots() - bring the list of memslots up to date, and their logs under us
 * @log: the log; @slots are the VM's memslots then, and each log that can be had is ours
 * @watch: with room for candidates
 *
 * Context: the pass thread, not in its turn; may sleep.
 * Return: as said in log.h.
 */
int kx_log_sync_slots(struct kx_log *log, bool watch);

/**
 * kx_log_forget_slots() - empty the list of memslots
 * @log: the log, of which none is ours
 *
 * Context: the pass thread in its turn; may sleep.
 */
void kx_log_forget_slots(struct kx_log *log);

#endif /* KVM_EXT_LOG_SLOTS_H */
