/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_TRACKER_H
#define KVM_EXT_TRACKER_H

#include <linux/kvm_host.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_pass;
struct kx_probe;
struct kx_setting;
struct kx_vm;

#define KX_FLUSH_SCOPES \
	(BIT(KVM_EXT_FLUSH_PAGE) | BIT(KVM_EXT_FLUSH_BATCH) | BIT(KVM_EXT_FLUSH_PASS))

/*
 * A tracker. Adding one is a file with its operations and a row in tracker.c.
 * The engine (engine.c) owns the thread, the schedule, memslots, range, ring and
 * account; a tracker says which pages of the block before it were accessed.
 */
struct kx_tracker {
	u32 id;				/* enum kvm_ext_tracker_id */
	u32 flush_scope;		/* what KVM_EXT_FLUSH_DEFAULT means; 0: it never flushes */
	u32 flush_scopes;		/* bit n: enum kvm_ext_flush_scope n may be asked for */
	u32 flags;			/* KVM_EXT_SET_* that may be asked for */
	bool pages_only;		/* its samples are pages, whatever maps them */
	bool traps;			/* the fields for traps mean something to it */

	/* Can this VM be tracked so? 0 or -EOPNOTSUPP. Optional. */
	int (*check)(struct kvm *kvm);

	/*
	 * Looks at @gfn and what follows in its 2M block, up to @end or the end
	 * of @x; a leaf that reaches further is looked at whole. Reports with
	 * kx_pass_scanned() and kx_pass_found_*(), asks kx_pass_rest() every few
	 * calls into KVM and leaves when that says so. Returns the gfn to go on
	 * from. Runs in the pass thread, holds no lock.
	 */
	gfn_t (*scan)(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, gfn_t end);

	/*
	 * Instead of @scan, a whole pass of a tracker that does not go by address:
	 * reports with kx_pass_scanned() and kx_pass_found_pages(). Neither: no passes.
	 */
	void (*pass)(struct kx_pass *p);

	/* Undoes what passes have left in the VM. In the pass thread. Optional. */
	void (*leave)(struct kx_pass *p);

	/*
	 * With regions: tests, and if told clears, the accessed bits of what maps single
	 * pages. What it cleared it says with kx_pass_scanned(). Optional: no regions.
	 */
	void (*probe)(struct kx_pass *p, struct kx_probe *probes, u32 nr, bool clear);

	/*
	 * Makes what the tracker keeps for the VM with this setting, @p->own from then
	 * on; an error leaves the running tracker as it is. Optional, both or none.
	 */
	void *(*setup)(struct kx_vm *vm, const struct kx_setting *setting);
	/* Frees it; the thread is parked, or gone. */
	void (*cleanup)(void *state);
};

extern const struct kx_tracker kx_tracker_off;
extern const struct kx_tracker kx_tracker_abit;
extern const struct kx_tracker kx_tracker_abit_flush;
extern const struct kx_tracker kx_tracker_dirty_log;
extern const struct kx_tracker kx_tracker_pml_abit;
extern const struct kx_tracker kx_tracker_ept_walk;
extern const struct kx_tracker kx_tracker_trap;

/**
 * kx_tracker_by_id() - the tracker of a number
 * @id: enum kvm_ext_tracker_id
 *
 * Return: the tracker; NULL: not built in.
 */
const struct kx_tracker *kx_tracker_by_id(u32 id);

/**
 * kx_tracker_mask() - all trackers that are built in
 *
 * Return: bit n: that of number n.
 */
u64 kx_tracker_mask(void);

#endif /* KVM_EXT_TRACKER_H */
