// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of a nested page table for its accessed bits.
 */
#include "walk.h"

/* Pages that one entry of a table of this level maps. */
static u64 walk_pages_of(int level)
{
	return 1ull << (9 * (level - 1));
}

/* The end of the pages below the entry for @gfn, but at most @end. */
static u64 walk_end_of(u64 gfn, int level, u64 end)
{
	return min_t(u64, end, (gfn | (walk_pages_of(level) - 1)) + 1);
}

static bool walk_is_table(u64 entry, int level)
{
	return level > KX_LEVEL_1G || (level > KX_LEVEL_4K && !(entry & KX_ENTRY_LARGE));
}

static void walk_set_bit64(u64 *words, unsigned int bit)
{
	words[bit / 64] |= BIT_ULL(bit % 64);
}

static bool walk_test_bit64(const u64 *words, unsigned int bit)
{
	return words[bit / 64] & BIT_ULL(bit % 64);
}

/* --- entries ----------------------------------------------------------------- */

static bool walk_maps(const struct kx_walk *w, u64 entry)
{
	return entry & w->maps;
}

static bool walk_is_young(const struct kx_walk *w, u64 entry)
{
	u64 young = w->maps | w->accessed;

	return (entry & young) == young;
}

/*
 * The bits of a settled entry, in which a CPU has no bit left to set: accessed, writable and
 * dirty. An entry that is not writable is not settled: KVM's fast page fault makes it
 * writable without a lock, and then a CPU may set D. KVM writes settled entries without a
 * locked instruction for the same reason.
 */
static u64 walk_settled_bits(const struct kx_walk *w)
{
	return w->maps | KX_ENTRY_WRITE | w->accessed | w->dirty;
}

/* Clears A if the entry maps memory; other entries must not be changed. */
static bool walk_take(const struct kx_walk *w, u64 *entry)
{
	u64 old = READ_ONCE(*entry);

	do {
		if (!walk_is_young(w, old))
			return false;
		if ((old & walk_settled_bits(w)) == walk_settled_bits(w)) {
			WRITE_ONCE(*entry, old & ~w->accessed);
			return true;
		}
	} while (!try_cmpxchg64(entry, &old, old & ~w->accessed));
	return true;
}

/* --- a table of the last level -------------------------------------------------- */

/* Entries @i to @end, all in the same word of the result. */
static u64 walk_take_some(struct kx_walk *w, u64 *table, unsigned int i, unsigned int end)
{
	u64 bits = 0;

	for (; i < end; i++) {
		w->sums.leaves += walk_maps(w, READ_ONCE(table[i]));
		if (walk_take(w, &table[i]))
			bits |= BIT_ULL(i % 64);
	}
	return bits;
}

/*
 * Loops over a group are unrolled, which the compiler does not do by itself at -O2: the
 * entries of the group then stay in registers.
 */
#define GROUP	8u

/* Reads a group of entries into @e, and clears their A bits if all of them are settled. */
static __always_inline bool walk_take_group(u64 *group, u64 *e, u64 settled, u64 accessed)
{
	u64 all = ~0ull;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < GROUP; i++) {
		e[i] = READ_ONCE(group[i]);
		all &= e[i];
	}
	if ((all & settled) != settled)
		return false;
#pragma GCC unroll 8
	for (i = 0; i < GROUP; i++)
		WRITE_ONCE(group[i], e[i] & ~accessed);
	return true;
}

/* The A bits of a group, whether or not the entries map memory. */
static __always_inline u64 walk_accessed_bits(const u64 *e, u64 accessed)
{
	u64 bits = 0;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < GROUP; i++)
		bits = 2 * bits + (e[GROUP - 1 - i] & accessed);
	return bits >> __builtin_ctzll(accessed);
}

static __always_inline unsigned int walk_leaves_in(const struct kx_walk *w, const u64 *e)
{
	unsigned int i, n = 0;
	u64 all = ~0ull;

#pragma GCC unroll 8
	for (i = 0; i < GROUP; i++)
		all &= e[i];
	if (likely(walk_maps(w, all)))
		return GROUP;
#pragma GCC unroll 8
	for (i = 0; i < GROUP; i++)
		n += walk_maps(w, e[i]);
	return n;
}

/* The bits that any entry of a group has and, in @all, the bits that all entries have. */
static __always_inline u64 walk_any_of_group(const u64 *group, u64 *all)
{
	u64 entry, any = 0;
	unsigned int i;

	*all = ~0ull;
#pragma GCC unroll 8
	for (i = 0; i < GROUP; i++) {
		entry = READ_ONCE(group[i]);
		any |= entry;
		*all &= entry;
	}
	return any;
}

static unsigned int walk_count_leaves(const struct kx_walk *w, const u64 *group)
{
	unsigned int i, n = 0;

	for (i = 0; i < GROUP; i++)
		n += !!walk_maps(w, READ_ONCE(group[i]));
	return n;
}

/*
 * 64 entries. In busy memory all of them are settled, elsewhere most have no A bit, and there
 * is a loop for each case. The third loop has no branch for each entry, because nothing is as
 * slow as a branch that is taken at random; before this loop there are at most two branches.
 */
static u64 walk_take_word(struct kx_walk *w, u64 *word)
{
	const u64 settled = walk_settled_bits(w), accessed = w->accessed;
	u64 e[GROUP], young = 0, bits, all;
	unsigned int i, leaves;

	for (i = 0; i < 64; i += GROUP) {
		if (!walk_take_group(word + i, e, settled, accessed))
			break;
	}
	bits = i < 64 ? BIT_ULL(i) - 1 : ~0ull;
	leaves = i;
	for (; i < 64 && !(walk_any_of_group(word + i, &all) & accessed); i += GROUP)
		leaves += likely(walk_maps(w, all)) ? GROUP : walk_count_leaves(w, word + i);
	for (; i < 64; i += GROUP) {
		if (walk_take_group(word + i, e, settled, accessed)) {
			bits |= 0xffull << i;
			leaves += GROUP;
		} else {
			young |= walk_accessed_bits(e, accessed) << i;
			leaves += walk_leaves_in(w, e);
		}
	}
	w->sums.leaves += leaves;
	for (; young; young &= young - 1) {
		i = __builtin_ctzll(young);
		if (walk_take(w, &word[i]))
			bits |= BIT_ULL(i);
	}
	return bits;
}

static void walk_note_pages(struct kx_walk *w, unsigned int block, unsigned int word, u64 bits)
{
	struct kx_window *window = w->window;

	if (!bits)
		return;
	if (!walk_test_bit64(window->blocks, block)) {
		walk_set_bit64(window->blocks, block);
		memset(window->pages[block], 0, sizeof(window->pages[block]));
	}
	window->pages[block][word] |= bits;
	w->sums.found += hweight64(bits);
}

/* Pages @gfn to @end of the block that @table maps. True: none was accessed. */
static bool walk_take_table(struct kx_walk *w, u64 *table, u64 gfn, u64 end)
{
	unsigned int block = kx_index_of(gfn, KX_LEVEL_2M), i = kx_index_of(gfn, KX_LEVEL_4K);
	unsigned int last = i + (end - gfn), stop;
	bool quiet = true;
	u64 bits;

	w->sums.tables++;
	for (; i < last; i = stop) {
		stop = min_t(unsigned int, last, (i | 63) + 1);
		if (stop - i == 64)
			bits = walk_take_word(w, &table[i]);
		else
			bits = walk_take_some(w, table, i, stop);
		walk_note_pages(w, block, i / 64, bits);
		quiet &= !bits;
	}
	return quiet;
}

/* --- the levels above -------------------------------------------------------------- */

/* A leaf that is larger than a page. True: the leaf was not accessed. */
static bool walk_take_large(struct kx_walk *w, u64 *entry, int level, u64 gfn)
{
	w->sums.leaves++;
	if (!walk_take(w, entry))
		return true;
	w->sums.found++;
	if (level == KX_LEVEL_1G)
		w->window->whole = true;
	else
		walk_set_bit64(w->window->leaves, kx_index_of(gfn, KX_LEVEL_2M));
	return false;
}

static bool walk_must_stop(struct kx_walk *w)
{
	return w->nr_idle == KX_IDLE_MAX || w->stop(w);
}

/* Nothing was accessed below: from now on the entry's own bit shows whether something is. */
static void walk_retire(struct kx_walk *w, u64 *entry, int level, u64 gfn)
{
	if (w->nr_idle == KX_IDLE_MAX || !walk_take(w, entry))
		return;
	w->idle[w->nr_idle++] = (struct kx_idle){ .gfn = gfn, .level = level - 1 };
	w->sums.cleared++;
}

static bool walk_upper(struct kx_walk *w, u64 *table, int level, u64 *at, u64 end);

/*
 * Walks pages *@at to @end below one entry above the last level; the range does not reach
 * beyond the entry. Advances *@at over the pages that were examined. True: nothing was
 * found accessed, and no A bit below is set or was set just now.
 */
static bool walk_entry(struct kx_walk *w, u64 *entry, int level, u64 *at, u64 end)
{
	bool all = end - *at == walk_pages_of(level), quiet;
	u64 old = READ_ONCE(*entry), first = *at, *child;

	*at = end;
	if (!walk_maps(w, old))
		return true;
	if (!walk_is_table(old, level))
		return walk_take_large(w, entry, level, first);
	if (w->skip && !(old & w->accessed)) {
		w->sums.skipped++;
		w->sums.skipped_pages += end - first;
		return true;
	}
	child = w->table(w, old & w->address);
	if (!child)
		return false;
	*at = first;
	if (level > KX_LEVEL_2M) {
		quiet = walk_upper(w, child, level - 1, at, end);
	} else {
		quiet = walk_take_table(w, child, first, end);
		*at = end;
	}
	if (w->retire && quiet && all)
		walk_retire(w, entry, level, first);
	return false;
}

static bool walk_upper(struct kx_walk *w, u64 *table, int level, u64 *at, u64 end)
{
	u64 tables = ++w->sums.tables, next;
	bool quiet = true;

	while (*at < end) {
		next = walk_end_of(*at, level, end);
		quiet &= walk_entry(w, &table[kx_index_of(*at, level)], level, at, next);
		if (*at < next)
			return false;
		if (w->sums.tables == tables)
			continue;
		tables = w->sums.tables;
		if (*at < end && walk_must_stop(w))
			return false;
	}
	return quiet;
}

u64 kx_walk(struct kx_walk *w, u64 *root, int level, u64 gfn, u64 end)
{
	u64 at = gfn;

	walk_upper(w, root, level, &at, end);
	return at;
}

void kx_window_clear(struct kx_window *window, u64 gfn)
{
	window->gfn = gfn;
	window->whole = false;
	memset(window->leaves, 0, sizeof(window->leaves));
	memset(window->blocks, 0, sizeof(window->blocks));
}

/* --- single entries -------------------------------------------------------------------- */

/* The entry for @gfn in a table of level @target, or the entry above at which the walk ends. */
static u64 *walk_entry_at(struct kx_walk *w, u64 *table, int level, u64 gfn, int target, int *at)
{
	u64 *entry, value;

	for (;; level--) {
		entry = &table[kx_index_of(gfn, level)];
		value = READ_ONCE(*entry);
		*at = level;
		if (level == target || !walk_maps(w, value) || !walk_is_table(value, level))
			return entry;
		table = w->table(w, value & w->address);
		if (!table)
			return NULL;
	}
}

static bool walk_any_young(const struct kx_walk *w, const u64 *table)
{
	unsigned int i;
	u64 all;

	for (i = 0; i < KX_ENTRIES; i++) {
		if (i % GROUP == 0 && !(walk_any_of_group(table + i, &all) & w->accessed))
			i += GROUP - 1;
		else if (walk_is_young(w, READ_ONCE(table[i])))
			return true;
	}
	return false;
}

void kx_walk_recheck(struct kx_walk *w, u64 *root, int level, const struct kx_idle *idle)
{
	u64 *entry, *table, old;
	int at;

	entry = walk_entry_at(w, root, level, idle->gfn, idle->level + 1, &at);
	if (!entry || at != idle->level + 1)
		return;
	old = READ_ONCE(*entry);
	if (!walk_maps(w, old) || !walk_is_table(old, at) || (old & w->accessed))
		return;
	table = w->table(w, old & w->address);
	if (!table || !walk_any_young(w, table))
		return;
	while (!try_cmpxchg64(entry, &old, old | w->accessed)) {
		if (!walk_maps(w, old) || !walk_is_table(old, at))
			return;
	}
	w->sums.restored++;
}

bool kx_walk_page(struct kx_walk *w, u64 *root, int level, u64 gfn, bool clear)
{
	int at;
	u64 *entry = walk_entry_at(w, root, level, gfn, KX_LEVEL_4K, &at);

	return entry && (clear ? walk_take(w, entry) : walk_is_young(w, READ_ONCE(*entry)));
}
