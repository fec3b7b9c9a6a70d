/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_DECLARED_H
#define KVM_EXT_DECLARED_H

struct kx_link;

/**
 * kx_declare() - tell the host which memory it must keep mapped now
 * @link: the link to the host
 *
 * Context: the agent's thread; may sleep.
 * Return: 0, or a negative errno: the list is incomplete.
 */
int kx_declare(struct kx_link *link);

/**
 * kx_declare_init() - allocate the memory that a test has requested by a parameter; see declared.c
 *
 * Return: 0 or -ENOMEM.
 */
int kx_declare_init(void);

/**
 * kx_declare_exit() - free this memory
 */
void kx_declare_exit(void);

#endif /* KVM_EXT_DECLARED_H */
