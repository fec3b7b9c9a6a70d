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
 * An ioctl of ours; its bitmap, if it has one, is the buffer's. The caller is in, and in the
 * pass thread or a task of the VMM.
 * *@ns, a time of the account, grows by what it takes; an error is counted. -ESRCH: the VMM's
 * memory is gone.
 */
long kx_log_ioctl(struct kx_log *log, unsigned int cmd, const void *arg, size_t size, u64 *ns);

/* Switches the log of @s on or off, and counts that. 0 or an error. */
long kx_log_enable(struct kx_log *log, struct kx_log_slot *s);
/* After an error the log is on, and every bit set. */
long kx_log_disable(struct kx_log *log, struct kx_log_slot *s);

/* The flags of the memslot that @s was made from; false: it is not there any more. */
bool kx_log_memslot_flags(struct kx_log *log, const struct kx_log_slot *s, u32 *flags);

/* A buffer for bitmaps of @npages pages, in the VMM's memory. In the pass thread. */
int kx_log_make_buffer(struct kx_log *log, u64 npages);
void kx_log_drop_buffer(struct kx_log *log);

/* log-vmm.c: to see the VMM's ioctls, the interposer has these. */
bool kx_log_concerns(unsigned int cmd);
int kx_log_before_vmm(struct kx_interposer *self, const struct kx_vm_call *call);
void kx_log_after_vmm(struct kx_interposer *self, const struct kx_vm_call *call);

/* log-slots.c: @slots as the VM has its memslots now, the log of each that can be had ours. */
int kx_log_sync_slots(struct kx_log *log, bool watch);
void kx_log_forget_slots(struct kx_log *log);

#endif /* KVM_EXT_LOG_IOCTL_H */
