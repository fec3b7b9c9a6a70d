/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_DECLARED_H
#define KVM_EXT_DECLARED_H

struct kx_link;

/**
 * kx_declare() - tell the host which memory it is to leave alone now
 * @link: where it is told
 *
 * Context: the agent's thread; may sleep.
 * Return: 0, or a negative errno: not all of it could be told.
 */
int kx_declare(struct kx_link *link);

/**
 * kx_declare_init() - make the memory that a test asked for by a parameter: see declared.c
 *
 * Return: 0 or -ENOMEM.
 */
int kx_declare_init(void);

/**
 * kx_declare_exit() - free it
 */
void kx_declare_exit(void);

#endif /* KVM_EXT_DECLARED_H */
