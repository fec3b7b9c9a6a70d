/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_FOUND_H
#define KVM_EXT_FOUND_H

#include <linux/types.h>

struct kx_pass;

/*
 * Between the engine and what is found, in the pass thread. What trackers report with
 * is in pass.h.
 */

/*
 * Findings were made by hva, with a snapshot that says which gfn that is. If the
 * memslots are still those of the snapshot they hold; else those hold that the
 * new one confirms. True if the memslots have changed.
 */
bool kx_pass_settle(struct kx_pass *p);

/* Writes the run that may yet grow. */
void kx_pass_put_run(struct kx_pass *p);

#endif /* KVM_EXT_FOUND_H */
