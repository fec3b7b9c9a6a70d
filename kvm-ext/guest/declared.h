/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_DECLARED_H
#define KVM_EXT_DECLARED_H

struct kx_link;

/*
 * Tells the host which memory it is to leave alone now. May sleep. Negative errno: not all
 * of it could be told.
 */
int kx_declare(struct kx_link *link);

/* What a test asked for by a parameter: see declared.c. */
int kx_declare_init(void);
void kx_declare_exit(void);

#endif /* KVM_EXT_DECLARED_H */
