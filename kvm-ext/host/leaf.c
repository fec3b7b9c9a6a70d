// SPDX-License-Identifier: GPL-2.0-only
/*
 * What size of leaf maps a guest page, from the nested page tables themselves.
 *
 * Formats: Intel SDM volume 3, "EPT paging-structure entries"; AMD APM volume 2,
 * "Nested paging" (the format of ordinary long-mode tables). In both, bit 7 of
 * an entry above the last level makes it a leaf, and the same bits hold the address.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>

#include "leaf.h"

#define ENTRIES		512
#define LEVEL_4K	1
#define LEVEL_2M	2
#define LEVEL_1G	3
#define ENTRY_LARGE	BIT_ULL(7)

/* Roots that a VM's vCPUs use: one, plus one of another depth or for a guest in guest mode. */
#define MAX_ROOTS	4

struct root {
	hpa_t hpa;
	int level;
};

struct roots {
	struct root root[MAX_ROOTS];
	int nr;
	bool more;		/* there are others that we do not see */
};

/*
 * NPT has a present bit. EPT has none: an entry is used if it allows anything,
 * except that writable but not readable is the misconfiguration by which KVM
 * marks MMIO.
 */
static bool entry_present(u64 entry)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		return entry & 1;
	return (entry & 7) && (entry & 3) != 2;
}

/* Memory encryption takes its bits from above x86_phys_bits. NULL: not memory. */
static const u64 *table_at(u64 entry)
{
	u64 pa = entry & GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1, PAGE_SHIFT);

	return pfn_valid(pa >> PAGE_SHIFT) ? phys_to_virt(pa) : NULL;
}

static unsigned int index_of(gfn_t gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & (ENTRIES - 1);
}

/*
 * A vCPU in a nested guest may run on a root of its own that it leaves behind
 * where we do not see it; so does every vCPU whose guest is a hypervisor.
 */
static bool hosts_guests(struct kvm_vcpu *vcpu)
{
	return (READ_ONCE(vcpu->arch.efer) & EFER_SVME) ||
	       (READ_ONCE(vcpu->arch.cr4) & X86_CR4_VMXE);
}

static void add_root(struct roots *roots, hpa_t hpa, int level)
{
	int i;

	for (i = 0; i < roots->nr; i++) {
		if (roots->root[i].hpa == hpa)
			return;
	}
	if (roots->nr == MAX_ROOTS) {
		roots->more = true;
		return;
	}
	roots->root[roots->nr++] = (struct root){ .hpa = hpa, .level = level };
}

static void find_roots(struct roots *roots, struct kvm *kvm, u16 as_id)
{
	union kvm_mmu_page_role role;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	hpa_t hpa;

	roots->nr = 0;
	roots->more = kx_has_shadow_pages(kvm);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		hpa = READ_ONCE(vcpu->arch.root_mmu.root.hpa);
		role.word = READ_ONCE(vcpu->arch.root_mmu.root_role.word);
		if (hosts_guests(vcpu))
			roots->more = true;
		if (!VALID_PAGE(hpa) || role.smm != as_id)
			continue;
		if (!role.direct || role.level < 4)
			roots->more = true;
		else
			add_root(roots, hpa, role.level);
	}
}

/* The table of level @level for @gfn; NULL with *@leaf set if the walk ends above it. */
static const u64 *walk_to(const struct root *root, gfn_t gfn, int level, enum kx_leaf *leaf)
{
	const u64 *table = table_at(root->hpa);
	int l;
	u64 entry;

	for (l = root->level; table && l > level; l--) {
		entry = READ_ONCE(table[index_of(gfn, l)]);
		if (!entry_present(entry)) {
			*leaf = KX_LEAF_NONE;
			return NULL;
		}
		if (l <= LEVEL_1G && (entry & ENTRY_LARGE)) {
			*leaf = KX_LEAF_1G;
			return NULL;
		}
		table = table_at(entry);
	}
	*leaf = KX_LEAF_UNKNOWN;
	return table;
}

static enum kx_leaf block_leaf(u64 entry)
{
	if (!entry_present(entry))
		return KX_LEAF_NONE;
	return entry & ENTRY_LARGE ? KX_LEAF_2M : KX_LEAF_4K;
}

static void merge_root(struct kx_leaf_map *map, const struct root *root)
{
	enum kx_leaf all;
	const u64 *table = walk_to(root, map->first, LEVEL_2M, &all);
	gfn_t gfn;

	for (gfn = map->first; gfn < map->end; gfn += KX_BLOCK_PAGES) {
		unsigned int i = index_of(gfn, LEVEL_2M);
		enum kx_leaf leaf = table ? block_leaf(READ_ONCE(table[i])) : all;

		map->leaf[i] = max_t(u8, map->leaf[i], leaf);
	}
}

/* A block that no root maps is certain to be unmapped only if we saw every root. */
static void doubt(struct kx_leaf_map *map)
{
	gfn_t gfn;

	for (gfn = map->first; gfn < map->end; gfn += KX_BLOCK_PAGES) {
		unsigned int i = index_of(gfn, LEVEL_2M);

		if (map->leaf[i] == KX_LEAF_NONE)
			map->leaf[i] = KX_LEAF_UNKNOWN;
	}
}

/*
 * mmu_lock is taken for writing, for the microsecond that 512 entries need: a
 * vCPU that gives up its root does so under the lock, for reading, and forgets
 * the root's address only after it has handed the page to RCU. Readers would
 * not keep it out, and the page could be freed under our hands.
 */
static void read_map(struct kx_leaf_map *map, struct kvm *kvm)
{
	struct roots roots;
	int i;

	memset(map->leaf, KX_LEAF_NONE, sizeof(map->leaf));
	map->read_ns = ktime_get_ns();
	write_lock(&kvm->mmu_lock);
	rcu_read_lock();
	find_roots(&roots, kvm, map->as_id);
	for (i = 0; i < roots.nr; i++)
		merge_root(map, &roots.root[i]);
	rcu_read_unlock();
	write_unlock(&kvm->mmu_lock);
	if (roots.more || !roots.nr)
		doubt(map);
}

enum kx_leaf kx_leaf_at(struct kx_leaf_map *map, struct kvm *kvm, u16 as_id, gfn_t gfn,
			gfn_t end)
{
	if (map->as_id != as_id || gfn < map->first || gfn >= map->end) {
		map->as_id = as_id;
		map->first = gfn & ~(KX_BLOCK_PAGES - 1);
		map->end = min(end, (gfn | (KX_GIB_PAGES - 1)) + 1);
		read_map(map, kvm);
	}
	return map->leaf[index_of(gfn, LEVEL_2M)];
}
