/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_GUEST_FLUSH_H
#define KVM_EXT_GUEST_FLUSH_H

#include <linux/types.h>

/* False: not with what this CPU has. */
bool kx_flush_possible(void);
/* No CPU has a translation of any process' memory from before. May sleep. */
void kx_flush_user(void);

#endif /* KVM_EXT_GUEST_FLUSH_H */
