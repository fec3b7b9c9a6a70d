/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_IOCTL_H
#define KVM_EXT_LOG_IOCTL_H

#include "log.h"

/* How the log is used through KVM: log.c and log-*.c include this, nobody else. */

/* A test build keeps what it should give back, so that the tests of that can be seen to fail. */
#ifdef KVM_EXT_TEST_NOYIELD
#define KX_LOG_YIELDS	false
#else
#define KX_LOG_YIELDS	true
#endif

/* The buffer: a page for arguments, then a bitmap. */
#define KX_LOG_BITMAP_OFFSET	PAGE_SIZE

static inline u32 kx_log_slot_number(const struct kx_log_slot *s)
{
	return s->as_id << 16 | s->id;
}

/*
 * The caller of all these is in (log-turn.h), and in the pass thread or a task of the VMM, and
 * may sleep.
 */

/**
 * kx_log_ioctl() - an ioctl of ours
 * @log: the log
 * @cmd: the ioctl's number
 * @arg: its argument; a bitmap in it is the buffer's
 * @size: bytes of the argument
 * @ns: a time of the account, which grows by what the ioctl takes
 *
 * Return: 0; -ESRCH: the VMM's memory is gone; or KVM's error. An error is counted.
 */
long kx_log_ioctl(struct kx_log *log, unsigned int cmd, const void *arg, size_t size, u64 *ns);

/**
 * kx_log_enable() - switch the log of a memslot on, and count that
 * @log: the log
 * @s: the memslot, which is ours then
 *
 * Return: as kx_log_ioctl().
 */
long kx_log_enable(struct kx_log *log, struct kx_log_slot *s);

/**
 * kx_log_disable() - switch the log of a memslot off, and count that
 * @log: the log
 * @s: the memslot, which is not ours any more, whatever comes of it
 *
 * Return: 0; -ESRCH: the VMM's memory is gone; or KVM's error: then the log is on, and every bit
 * in it set.
 */
long kx_log_disable(struct kx_log *log, struct kx_log_slot *s);

/**
 * kx_log_memslot_flags() - the flags that KVM's memslot has now
 * @log: the log
 * @s: the memslot as it was
 * @flags: where to
 *
 * Return: false: it is not there any more.
 */
bool kx_log_memslot_flags(struct kx_log *log, const struct kx_log_slot *s, u32 *flags);

/**
 * kx_log_make_buffer() - a buffer for bitmaps, in the VMM's memory
 * @log: the log
 * @npages: pages of 4 KiB of the largest memslot
 *
 * Context: the pass thread.
 * Return: 0 or -ENOMEM; the old buffer is still there then.
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
