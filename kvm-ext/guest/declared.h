/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_DECLARED_H
#define KVM_EXT_DECLARED_H

struct kx_link;

/* Tells the host which memory it is to leave alone now. May sleep. */
void kx_declare(struct kx_link *link);

#endif /* KVM_EXT_DECLARED_H */
