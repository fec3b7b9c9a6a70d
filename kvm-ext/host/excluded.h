/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_EXCLUDED_H
#define KVM_EXT_EXCLUDED_H

#include <linux/types.h>
#include <kvm-ext/uapi.h>

struct kx_vm;
struct page;

/* Some of the VMM's memory. */
struct kx_hva_span {
	unsigned long start, end;
};

/*
 * Pages that no tracker touches (KVM_EXT_SET_EXCLUDED), pinned, and with them all that
 * a mapping may cover together with one of them. By the VMM's addresses: so it holds for
 * every gfn that the memory has or will have.
 *
 * All zero: none. That of a VM changes under the session's lock while the pass thread
 * is parked.
 */
struct kx_excluded {
	struct kx_hva_span *spans;	/* sorted, apart */
	u32 nr;
	struct page **pages;
	u64 npages;
};

/* Pins what of @ranges is RAM now. */
int kx_excluded_make(struct kx_excluded *x, struct kx_vm *vm, const struct kvm_ext_range *ranges,
		     u32 nr);
void kx_excluded_drop(struct kx_excluded *x, struct kx_vm *vm);

/* The first span that overlaps [@start, @end); NULL: none. */
const struct kx_hva_span *kx_excluded_from(const struct kx_excluded *x, unsigned long start,
					   unsigned long end);

/* Is all that @other has in @x as well? */
bool kx_excluded_covers(const struct kx_excluded *x, const struct kx_excluded *other);

#endif /* KVM_EXT_EXCLUDED_H */
