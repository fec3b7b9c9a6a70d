/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SESSION_H
#define KVM_EXT_SESSION_H

#include <linux/fs.h>

extern const struct file_operations kx_session_fops;

/**
 * kx_session_init() - call before the device is registered
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_session_init(void);

/**
 * kx_session_exit() - at module exit: wait until all closed sessions have ended
 *
 * Context: may sleep, for as long as a VMM stays in an ioctl on the dirty log.
 */
void kx_session_exit(void);

#endif /* KVM_EXT_SESSION_H */
