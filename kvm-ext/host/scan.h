/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SCAN_H
#define KVM_EXT_SCAN_H

struct kx_pass;

/**
 * kx_scan() - run a whole pass by address, with the tracker's scan
 * @p: the running pass
 *
 * Goes over the extents in the tracker's range, block by block, and settles the findings.
 *
 * Context: the pass thread, no lock held; may sleep.
 */
void kx_scan(struct kx_pass *p);

#endif /* KVM_EXT_SCAN_H */
