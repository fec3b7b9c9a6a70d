/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_IOCTL_H
#define KVM_EXT_LOG_IOCTL_H

#include "log.h"

/* How the log is used through KVM. Only log.c and log-*.c include this header. */

/* The buffer: a page for arguments, then a bitmap. */
#define KX_LOG_BITMAP_OFFSET	PAGE_SIZE

static inline u32 kx_log_slot_number(const struct kx_log_slot *s)
{
	return s->as_id << 16 | s->id;
}

/*
 * The caller of these functions has the turn (log-turn.h): it is the pass thread or a task of the
 * VMM. The functions may sleep.
 */

/**
 * kx_log_ioctl() - issue an ioctl on the VM's file
 * @log: the log
 * @cmd: the ioctl's number
 * @arg: the argument; its member for a bitmap's address, if any, gets the address of the buffer
 * @size: bytes of the argument
 * @ns: a time of the account, to which the ioctl's duration is added
 *
 * Return: 0; -ESRCH: the VMM's memory is gone; or KVM's error. Errors are counted.
 */
long kx_log_ioctl(struct kx_log *log, unsigned int cmd, const void *arg, size_t size, u64 *ns);

/**
 * kx_log_enable() - switch the log of a memslot on, and account for this
 * @log: the log
 * @s: the memslot; after success it is ours
 *
 * Return: as kx_log_ioctl().
 */
long kx_log_enable(struct kx_log *log, struct kx_log_slot *s);

/**
 * kx_log_disable() - switch the log of a memslot off, and account for this
 * @log: the log
 * @s: the memslot; afterwards it is not ours, also after an error
 *
 * Return: 0; -ESRCH: the VMM's memory is gone; or KVM's error: the log stays on, with all of its
 * bits set.
 */
long kx_log_disable(struct kx_log *log, struct kx_log_slot *s);

/**
 * kx_log_memslot_flags() - the flags that KVM's memslot has now
 * @log: the log
 * @s: the memslot as it was when the list was made
 * @flags: result
 *
 * Return: false: this memslot does not exist any more.
 */
bool kx_log_memslot_flags(struct kx_log *log, const struct kx_log_slot *s, u32 *flags);

/**
 * kx_log_make_buffer() - make sure that the buffer is large enough for a memslot
 * @log: the log
 * @npages: pages of 4 KiB of the largest memslot
 *
 * Context: the pass thread.
 * Return: 0 or -ENOMEM: the old buffer stays.
 */
int kx_log_make_buffer(struct kx_log *log, u64 npages);

/**
 * kx_log_drop_buffer() - free the buffer, if there is one
 * @log: the log
 *
 * Context: the pass thread.
 */
void kx_log_drop_buffer(struct kx_log *log);

#endif /* KVM_EXT_LOG_IOCTL_H */
