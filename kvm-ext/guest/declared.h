/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_DECLARED_H
#define KVM_EXT_DECLARED_H

struct kx_link;

/**
 * kx_declare() - tell the host which memory it must keep mapped now
 * @link: the link to the host
 *
 * Context: the agent's thread; may sleep.
 * Return: 0; -ENOMEM: nothing was told; -ENOSPC: the list has no room for all of this memory.
 */
int kx_declare(struct kx_link *link);

/**
 * kx_declare_init() - allocate the pages that a test has requested with the parameter test_declare
 *
 * Return: 0 or -ENOMEM.
 */
int kx_declare_init(void);

/**
 * kx_declare_exit() - free these pages
 */
void kx_declare_exit(void);

#endif /* KVM_EXT_DECLARED_H */
