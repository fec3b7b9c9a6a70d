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
 * A tracker: a file with these operations, and a row in tracker.c. The engine (engine.c) owns the
 * thread, the schedule, memslots, range, ring and account. A tracker finds out which pages were
 * accessed.
 */
struct kx_tracker {
	u32 id;				/* enum kvm_ext_tracker_id */
	u32 flush_scope;		/* meaning of KVM_EXT_FLUSH_DEFAULT; 0: never flushes */
	u32 flush_scopes;		/* bit n: enum kvm_ext_flush_scope n is allowed */
	u32 flags;			/* allowed KVM_EXT_SET_* */
	bool pages_only;		/* KVM_EXT_GRANULARITY_2M is refused */
	bool traps;			/* the setting's fields for traps apply */

	/* Can this tracker track the VM? 0 or -EOPNOTSUPP. Optional. */
	int (*check)(struct kvm *kvm);

	/*
	 * Tests pages of @x from @gfn on, up to @end; a leaf that reaches further is tested whole.
	 * One call tests no more than one block or leaf, but may skip any amount of memory that is
	 * not mapped. Reports with kx_pass_scanned() and kx_pass_found_*(), calls kx_pass_rest()
	 * every few calls into KVM, and returns when kx_pass_rest() returns true. Returns the gfn
	 * at which to continue. Runs in the pass thread, holds no lock.
	 */
	gfn_t (*scan)(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, gfn_t end);

	/*
	 * Instead of @scan: a whole pass of a tracker with an order of its own. Reports with
	 * kx_pass_scanned() and the functions of found.h that report at once. Runs in the pass
	 * thread. A tracker with neither @scan nor @pass has no passes.
	 */
	void (*pass)(struct kx_pass *p);

	/* Undoes what passes have changed in the VM. Runs in the pass thread. Optional. */
	void (*leave)(struct kx_pass *p);

	/*
	 * With regions: tests, and with @clear also clears, the accessed bits of the entries that
	 * map single pages. Reports cleared bits with kx_pass_scanned(). Runs in the pass thread.
	 * Optional: a tracker without @probe has no regions.
	 */
	void (*probe)(struct kx_pass *p, struct kx_probe *probes, u32 nr, bool clear);

	/*
	 * Allocates the tracker's state for the VM with this setting, later in @own of struct
	 * kx_pass. Returns the state or ERR_PTR; after an error the running tracker continues.
	 * @setup and @cleanup are optional, both or none.
	 */
	void *(*setup)(struct kx_vm *vm, const struct kx_setting *setting);
	/* Frees the state. The thread does not use the state any more. */
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
 * kx_tracker_by_id() - the tracker with an id
 * @id: enum kvm_ext_tracker_id
 *
 * Return: the tracker; NULL: not built in.
 */
const struct kx_tracker *kx_tracker_by_id(u32 id);

/**
 * kx_tracker_mask() - all trackers that are built in
 *
 * Return: bit n: the tracker with id n.
 */
u64 kx_tracker_mask(void);

#endif /* KVM_EXT_TRACKER_H */
