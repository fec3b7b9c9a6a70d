/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SESSION_H
#define KVM_EXT_SESSION_H

#include <linux/fs.h>

extern const struct file_operations kx_session_fops;

int kx_session_init(void);
/* Sessions that were closed have ended when it returns. */
void kx_session_exit(void);

#endif /* KVM_EXT_SESSION_H */
