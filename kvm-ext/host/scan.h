/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SCAN_H
#define KVM_EXT_SCAN_H

struct kx_pass;

/**
 * kx_scan() - a whole pass by address, with the tracker's scan
 * @p: the running pass
 *
 * Goes over the extents in the tracker's range, a block at a time, and settles what was found.
 *
 * Context: the pass thread, no lock held; may sleep.
 */
void kx_scan(struct kx_pass *p);

#endif /* KVM_EXT_SCAN_H */
