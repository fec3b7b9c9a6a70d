// SPDX-License-Identifier: GPL-2.0-only
/*
 * The size of the leaf that maps a guest page, read from the nested page tables. common/walk.h
 * describes the format of entries.
 */
#include <linux/bitmap.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>

#include "leaf.h"
#include "roots.h"

/* The entry in which a walk has ended above the wanted table; it covers the gfns up to @end. */
struct walk_end {
	enum kx_leaf leaf;
	gfn_t end;
};

/* The table of level @level that covers @gfn. NULL: the walk has ended above it; *@at is set. */
static const u64 *leaf_walk_to(const struct kx_root *root, gfn_t gfn, int level,
			       struct walk_end *at)
{
	const u64 *table = root->table;
	int l;
	u64 entry;

	for (l = root->level; table && l > level; l--) {
		entry = READ_ONCE(table[kx_index_of(gfn, l)]);
		at->end = (gfn | ((1ull << 9 * (l - 1)) - 1)) + 1;
		if (!(entry & KX_ENTRY_MAPS)) {
			at->leaf = KX_LEAF_NONE;
			return NULL;
		}
		if (l <= KX_LEVEL_1G && (entry & KX_ENTRY_LARGE)) {
			at->leaf = l == KX_LEVEL_1G ? KX_LEAF_1G : KX_LEAF_2M;
			return NULL;
		}
		table = kx_table_at(entry);
	}
	at->leaf = KX_LEAF_UNKNOWN;
	return table;
}

static enum kx_leaf leaf_block_leaf(u64 entry)
{
	if (!(entry & KX_ENTRY_MAPS))
		return KX_LEAF_NONE;
	return entry & KX_ENTRY_LARGE ? KX_LEAF_2M : KX_LEAF_4K;
}

static void leaf_merge_root(struct kx_leaf_map *map, const struct kx_root *root)
{
	struct walk_end at;
	const u64 *table = leaf_walk_to(root, map->first, KX_LEVEL_2M, &at);
	gfn_t gfn;

	if (!table && at.leaf == KX_LEAF_NONE) {
		map->none_end = min(map->none_end, at.end);
		return;
	}
	map->none_end = 0;
	for (gfn = map->first; gfn < map->end; gfn += KX_BLOCK_PAGES) {
		unsigned int i = kx_index_of(gfn, KX_LEVEL_2M);
		enum kx_leaf leaf = table ? leaf_block_leaf(READ_ONCE(table[i])) : at.leaf;

		map->leaf[i] = max_t(u8, map->leaf[i], leaf);
	}
}

/* There may be a root that was not seen: a block that no seen root maps may be mapped by it. */
static void leaf_doubt(struct kx_leaf_map *map)
{
	gfn_t gfn;

	map->none_end = 0;
	for (gfn = map->first; gfn < map->end; gfn += KX_BLOCK_PAGES) {
		unsigned int i = kx_index_of(gfn, KX_LEVEL_2M);

		if (map->leaf[i] == KX_LEAF_NONE)
			map->leaf[i] = KX_LEAF_UNKNOWN;
	}
}

static void leaf_read_map(struct kx_leaf_map *map, struct kvm *kvm)
{
	struct kx_roots roots;
	int i;

	memset(map->leaf, KX_LEAF_NONE, sizeof(map->leaf));
	map->read_ns = ktime_get_ns();
	map->none_end = ~0ull;
	write_lock(&kvm->mmu_lock);
	kx_roots_find(&roots, kvm, BIT(map->as_id));
	for (i = 0; i < roots.nr; i++)
		leaf_merge_root(map, &roots.root[i]);
	write_unlock(&kvm->mmu_lock);
	if (roots.more || !roots.nr)
		leaf_doubt(map);
}

enum kx_leaf kx_leaf_at(struct kx_leaf_map *map, struct kvm *kvm, u16 as_id, gfn_t gfn,
			gfn_t end)
{
	if (map->as_id != as_id || gfn < map->first || gfn >= map->end) {
		map->as_id = as_id;
		map->first = gfn & ~(KX_BLOCK_PAGES - 1);
		map->end = min(end, (gfn | (KX_GIB_PAGES - 1)) + 1);
		leaf_read_map(map, kvm);
	}
	return map->leaf[kx_index_of(gfn, KX_LEVEL_2M)];
}

gfn_t kx_leaf_none_until(const struct kx_leaf_map *map, gfn_t gfn, gfn_t end)
{
	gfn &= ~(KX_BLOCK_PAGES - 1);
	while (gfn < map->end && map->leaf[kx_index_of(gfn, KX_LEVEL_2M)] == KX_LEAF_NONE)
		gfn += KX_BLOCK_PAGES;
	if (gfn >= map->end)
		gfn = max(map->end, map->none_end);
	return min(gfn, end);
}

static enum kx_leaf leaf_merge_pages(const struct kx_root *root, gfn_t gfn, unsigned int npages,
				     unsigned long *bits)
{
	struct walk_end at;
	const u64 *table = leaf_walk_to(root, gfn, KX_LEVEL_4K, &at);
	unsigned int i;

	if (!table)
		return at.leaf;
	table += kx_index_of(gfn, KX_LEVEL_4K);
	for (i = 0; i < npages; i++) {
		if (READ_ONCE(table[i]) & KX_ENTRY_MAPS)
			__set_bit(i, bits);
	}
	return KX_LEAF_4K;
}

enum kx_leaf kx_leaf_pages(struct kvm *kvm, u16 as_id, gfn_t gfn, unsigned int npages,
			   unsigned long *bits)
{
	enum kx_leaf leaf = KX_LEAF_NONE;
	struct kx_roots roots;
	int i;

	bitmap_zero(bits, npages);
	write_lock(&kvm->mmu_lock);
	kx_roots_find(&roots, kvm, BIT(as_id));
	for (i = 0; i < roots.nr; i++)
		leaf = max(leaf, leaf_merge_pages(&roots.root[i], gfn, npages, bits));
	write_unlock(&kvm->mmu_lock);
	if (roots.more || !roots.nr)
		leaf = KX_LEAF_UNKNOWN;
	if (leaf > KX_LEAF_4K)
		bitmap_fill(bits, npages);
	return leaf;
}
