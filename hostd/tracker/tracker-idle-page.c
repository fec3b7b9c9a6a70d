// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages accessed, by the kernel's idle page tracking (Documentation/admin-guide/mm/idle_page_tracking.rst), from which tools
 * compute working sets: a baseline without the module, on kernels that are built with CONFIG_IDLE_PAGE_TRACKING.
 *
 * The kernel has a flag for each page frame that is in its lists for reclaim. A pass marks pages as idle, and an access takes the
 * mark away. For each 16 MiB of the VM's memory a pass reads which frames are behind it (/proc/PID/pagemap), has the kernel look
 * at them (a read of the bitmap), reads what frames they are (/proc/kpageflags), and marks those again that were accessed (a write
 * of the bitmap). What that means for a VM:
 *
 *  - When the kernel looks at a marked frame, it tests and clears the accessed bits of all mappings of the frame: the VMM's own,
 *    those of other processes, and through the MMU notifier KVM's. Nothing is flushed, so an access through a cached translation
 *    leaves no trace, as with abit.
 *  - Only the first frame of a large page has a flag, and an access to any part of it takes the mark away: it is one sample.
 *  - One frame can be behind several pages of the VM (KSM, a large page that a hole in the guest's memory divides). What its mark
 *    said when the pass looked first holds for all of them: the pass marks the frame at once, and the frame map remembers the
 *    verdict. An access that comes between two looks of one pass is left to the next. Another session (another VM) that has the
 *    same frame has a frame map of its own: whichever looks first takes the access from the other, which cannot be mended.
 *  - A frame outside the lists (the page of zeros, a page that is being moved, a new one in a CPU's batch) cannot be marked. Its bit
 *    reads as if the page had been accessed, so /proc/kpageflags decides: such a page counts as without a flag, and not as found.
 *  - A frame that has no mark, and that the pass before did not mark either, tells nothing. If the page was not mapped before, its
 *    mapping is the access, which is found by the first pass that can mark the frame. If the page was mapped, the kernel has put it
 *    into another frame (khugepaged, KSM, a copy on write): it is marked, counts as without a flag, and not as found. If no page of
 *    a large page was mapped before, the large page is a new mapping.
 *  - A page is marked again only after its access was counted. An access between looking and marking is lost only if none follows
 *    it before the next pass.
 *  - A mark that is left behind makes whoever reads its word of the bitmap clear the accessed bits of its frame.
 */
#include "idle-page.h"
#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "framemap.h"

/* Frames that one read or write of the bitmap covers: the kernel takes a page of bits, and visits all mappings of each frame. */
#define RUN_WORDS  64u
#define RUN_FRAMES (RUN_WORDS * 64u)
/* Largest order of a large page: 1 GiB. */
#define ORDERS 18u

#define FLAG(name) (1ull << KPF_##name)

typedef struct {
	guint64 frame;
	guint page; /* in the chunk */
} Seen;

/* What a pass saw of a frame (KxFrameMap). A frame that has one of these was marked when the pass ended, or before it. */
enum {
	FRAME_UNSEEN,
	FRAME_IDLE,
	FRAME_USED,
	FRAME_AWAY
};

/* What the mark of a page says. */
typedef enum {
	MARK_UNREAD,
	MARK_KEPT,   /* nobody accessed the page */
	MARK_GONE,   /* an access took it away */
	MARK_NONE,   /* there was none: now there is */
	MARK_CANNOT, /* the frame is in no list */
	MARK_ZEROS,  /* nor is the page of zeros, which stands for memory that nobody wrote */
} Mark;

/* The large page, or the page of its own, that was looked at last. */
typedef struct {
	guint64 head; /* its first frame; 0: none was */
	Mark mark;
} Last;

/* What windows are told, under the lock. */
typedef struct {
	guint64 untracked, merged;
} Account;

typedef struct {
	KxPageMap *map;
	int bitmap;
	/* A bit for each page: it was mapped in the pass before, and its mapping was found if that counts. */
	guint64 *mapped;
	KxFrameMap *before, *now; /* frames, by what the pass before and the current pass saw */
	Account pass;		  /* of the current pass */
	Last last;

	/* the current chunk, by page */
	guint64 head
		[KX_PAGEMAP_CHUNK]; /* first frame of its large page, or its own; 0: it is not mapped */
	Mark marks[KX_PAGEMAP_CHUNK];
	Seen seen[KX_PAGEMAP_CHUNK]; /* mapped pages, ascending by frame */
	guint nseen;

	/* the current run of frames */
	guint64 first; /* a multiple of 64 */
	guint nwords;
	guint64 idle[RUN_WORDS], mark[RUN_WORDS], flags[RUN_FRAMES];

	GMutex lock;
	Account account;
} IdlePage;

static gboolean bit(const guint64 *words, guint64 i)
{
	return words[i / 64] >> i % 64 & 1;
}

static void put_bit(guint64 *words, guint64 i, gboolean value)
{
	words[i / 64] = (words[i / 64] & ~(1ull << i % 64)) | (guint64) !!value << i % 64;
}

/* --- the kernel's bitmap -------------------------------------------------------------------------------------------------- */

/* The kernel looks at @n * 64 frames. Beyond the last frame of the host there are no bits. */
static gboolean look(const IdlePage *s, guint64 word, guint64 *idle, guint n, GError **error)
{
	memset(idle, 0, n * sizeof(*idle));
	return kx_words_read(s->bitmap, word, idle, n) >= 0 ||
	       kx_pagemap_lost(s->map, "reading " KX_IDLE_BITMAP " for the memory", errno, error);
}

static gboolean mark(const IdlePage *s, guint64 word, const guint64 *bits, guint n, GError **error)
{
	gsize done = 0, want = n * sizeof(*bits);

	while (done < want) {
		gssize put = pwrite(s->bitmap, (const char *)bits + done, want - done,
				    (off_t)(word * sizeof(*bits) + done));

		if (put < 0 && errno == EINTR)
			continue;
		/* Of the word in which the host's frames end, the kernel takes the bits, and counts no byte. */
		if (!put && want - done == sizeof(*bits))
			return TRUE;
		if (put <= 0)
			return kx_pagemap_lost(s->map, "writing " KX_IDLE_BITMAP " for the memory",
					       put < 0 ? errno : 0, error);
		done += (gsize)put;
	}
	return TRUE;
}

static gboolean read_flags(const IdlePage *s, guint64 frame, guint64 *flags, guint n,
			   GError **error)
{
	return kx_pagemap_flags(s->map, frame, flags, n) ||
	       kx_pagemap_lost(s->map, "reading /proc/kpageflags for the memory", errno, error);
}

/* --- a run of frames ------------------------------------------------------------------------------------------------------ */

/* The frames of a run are read at once: of seen[@from] and those after it that are near. Returns the end of the run. */
static guint run_of(const IdlePage *s, guint from)
{
	guint64 first = s->seen[from].frame / 64 * 64;
	guint to = from + 1;

	while (to < s->nseen && s->seen[to].frame - s->seen[to - 1].frame < 64 &&
	       s->seen[to].frame - first < RUN_FRAMES)
		to++;
	return to;
}

static gboolean in_run(const IdlePage *s, guint64 frame)
{
	return frame >= s->first && frame - s->first < s->nwords * 64ull;
}

/*
 * The first frame of the large page that has @frame: large pages are aligned, and of the frames at which one that has @frame can
 * begin, all nearer ones are parts of it. 0: it is none any more.
 */
static gboolean find_head(const IdlePage *s, guint64 frame, guint64 *head, GError **error)
{
	for (guint order = 1; order <= ORDERS; order++) {
		guint64 at = frame >> order << order, flags;

		if (in_run(s, at))
			flags = s->flags[at - s->first];
		else if (!read_flags(s, at, &flags, 1, error))
			return FALSE;
		if (!(flags & FLAG(COMPOUND_HEAD)))
			continue;
		*head = at;
		return TRUE;
	}
	*head = 0;
	return TRUE;
}

static gboolean head_of(const IdlePage *s, guint i, guint64 *head, GError **error)
{
	guint64 frame = s->seen[i].frame;

	*head = frame;
	if (!(s->flags[frame - s->first] & FLAG(COMPOUND_TAIL)))
		return TRUE;
	if (i && s->seen[i - 1].frame + 1 == frame) {
		*head = s->head[s->seen[i - 1].page];
		return TRUE;
	}
	return find_head(s, frame, head, error);
}

static gboolean mark_one(IdlePage *s, guint64 frame, GError **error)
{
	guint64 word = 0;

	if (in_run(s, frame)) {
		put_bit(s->mark, frame - s->first, TRUE);
		return TRUE;
	}
	put_bit(&word, frame % 64, TRUE);
	return mark(s, frame / 64, &word, 1, error);
}

/* Of the current run the kernel was made to look at all frames, before their flags were read; of others it is now. */
static gboolean look_at_frame(const IdlePage *s, guint64 head, gboolean *idle, gboolean *listed,
			      GError **error)
{
	guint64 word = 0, flags;

	if (in_run(s, head)) {
		flags = s->flags[head - s->first];
		*idle = bit(s->idle, head - s->first);
	} else {
		if (!look(s, head / 64, &word, 1, error) || !read_flags(s, head, &flags, 1, error))
			return FALSE;
		*idle = bit(&word, head % 64);
	}
	*idle |= (flags & FLAG(IDLE)) != 0;
	*listed = (flags & FLAG(LRU)) != 0;
	return TRUE;
}

static Mark mark_of(guint state, gboolean known)
{
	if (state == FRAME_IDLE)
		return MARK_KEPT;
	if (state == FRAME_USED)
		return known ? MARK_GONE : MARK_NONE;
	return MARK_CANNOT;
}

/* What the pass saw of the frame first holds; later accesses are the next pass's, so the frame is not marked twice. */
static gboolean read_mark(IdlePage *s, guint64 head, Mark *m, GError **error)
{
	gboolean known = kx_frame_map_get(s->before, head) != FRAME_UNSEEN, idle, listed;
	guint state = kx_frame_map_get(s->now, head);

	if (state == FRAME_UNSEEN) {
		if (!look_at_frame(s, head, &idle, &listed, error))
			return FALSE;
		if (idle)
			state = FRAME_IDLE;
		else if (listed)
			state = FRAME_USED;
		else if (known) /* it lost its mark, and is found when it is back in a list */
			state = FRAME_AWAY;
		if (state != FRAME_UNSEEN)
			kx_frame_map_put(s->now, head, state);
		if (state == FRAME_USED && !mark_one(s, head, error))
			return FALSE;
	}
	*m = mark_of(state, known);
	return TRUE;
}

/* All pages that are parts of one large page follow each other. */
static gboolean judge(IdlePage *s, guint i, GError **error)
{
	const Seen *seen = &s->seen[i];
	guint64 flags = s->flags[seen->frame - s->first], head;
	Mark mark;

	if (!head_of(s, i, &head, error))
		return FALSE;
	/* It was divided meanwhile: the next pass sees what it is. */
	if (!head)
		return TRUE;
	if (head != s->last.head) {
		if (!read_mark(s, head, &mark, error))
			return FALSE;
		s->last = (Last){ head, mark };
	}
	s->head[seen->page] = head;
	s->marks[seen->page] = flags & FLAG(ZERO_PAGE) ? MARK_ZEROS : s->last.mark;
	s->pass.merged += (flags & FLAG(KSM)) != 0;
	return TRUE;
}

/* Words without a mark are not written: the kernel would go over their bits, and find nothing to do. */
static gboolean mark_run(const IdlePage *s, GError **error)
{
	for (guint from = 0, to; from < s->nwords; from = to) {
		for (to = from; to < s->nwords && s->mark[to]; to++)
			;
		if (to > from && !mark(s, s->first / 64 + from, s->mark + from, to - from, error))
			return FALSE;
		to += to == from;
	}
	return TRUE;
}

static gboolean look_at_run(IdlePage *s, guint from, guint to, GError **error)
{
	s->first = s->seen[from].frame / 64 * 64;
	s->nwords = (guint)((s->seen[to - 1].frame - s->first) / 64 + 1);
	memset(s->mark, 0, sizeof(s->mark));
	/* In this order: looking takes marks away, and a page that left the lists before that still has its own. */
	if (!look(s, s->first / 64, s->idle, s->nwords, error) ||
	    !read_flags(s, s->first, s->flags, s->nwords * 64, error))
		return FALSE;
	for (guint i = from; i < to; i++) {
		if (!judge(s, i, error))
			return FALSE;
	}
	return mark_run(s, error);
}

/* --- a chunk of memory ---------------------------------------------------------------------------------------------------- */

static int by_frame(const void *a, const void *b)
{
	const Seen *x = a, *y = b;

	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static gboolean take_frames(IdlePage *s, const KxPageMapChunk *c)
{
	gboolean sorted = TRUE;

	s->nseen = 0;
	memset(s->marks, 0, sizeof(s->marks));
	memset(s->head, 0, sizeof(s->head));
	for (guint i = 0; i < c->npages; i++) {
		guint64 frame = c->entries[i] & KX_PAGE_FRAME;

		if (!(c->entries[i] & KX_PAGE_PRESENT) || !frame) {
			put_bit(s->mapped, c->place + i, FALSE);
			continue;
		}
		sorted &= !s->nseen || s->seen[s->nseen - 1].frame <= frame;
		s->seen[s->nseen++] = (Seen){ frame, i };
	}
	return sorted;
}

/* The number of pages from @i on that are parts of one large page, and follow each other there as in the guest. */
static guint parts_of(const IdlePage *s, const KxPageMapChunk *c, guint i)
{
	guint64 first = c->entries[i] & KX_PAGE_FRAME;
	guint n = 1;

	while (i + n < c->npages && s->head[i + n] == s->head[i] &&
	       (c->entries[i + n] & KX_PAGE_FRAME) == first + n)
		n++;
	return n;
}

/* Records know leaves of 2 MiB, and ranges that one sample stands for: smaller large pages, and parts of one. */
static void tell_large(KxPass *p, guint64 gfn, guint n)
{
	if (n == KX_HUGE_PAGES)
		kx_pass_found_run(p, gfn, n, KX_HUGE_ORDER);
	else
		kx_pass_found_range(p, gfn, n, 1);
}

static gboolean any_mapped_before(const IdlePage *s, guint64 place, guint n)
{
	for (guint i = 0; i < n; i++) {
		if (bit(s->mapped, place + i))
			return TRUE;
	}
	return FALSE;
}

/* A new page that cannot be marked stays new; what was mapped before tracking began is not new. */
static void remember(IdlePage *s, const KxPass *p, Mark mark, guint64 place, guint n)
{
	if (mark == MARK_UNREAD || (mark == MARK_CANNOT && !kx_pass_primes(p)))
		return;
	for (guint i = 0; i < n; i++)
		put_bit(s->mapped, place + i, mark != MARK_ZEROS);
}

/* Whether @n pages that are one large page, or the page at @place, were accessed; if that is not known, they are counted. */
static gboolean settle(IdlePage *s, const KxPass *p, Mark mark, guint64 place, guint n)
{
	gboolean before = mark == MARK_NONE && any_mapped_before(s, place, n);

	if (before || mark == MARK_CANNOT || mark == MARK_ZEROS)
		s->pass.untracked += n;
	remember(s, p, mark, place, n);
	return mark == MARK_GONE || (mark == MARK_NONE && !before);
}

static void tell(IdlePage *s, KxPass *p, const KxPageMapChunk *c)
{
	guint64 bits[KX_PASS_BITMAP_WORDS] = { 0 }, tested = 0;
	guint n;

	for (guint i = 0; i < c->npages; i += n) {
		n = s->head[i] ? parts_of(s, c, i) : 1;
		tested += s->head[i] != 0;
		if (!settle(s, p, s->marks[i], c->place + i, n))
			continue;
		if (n > 1)
			tell_large(p, c->gfn + i, n);
		else
			put_bit(bits, i, TRUE);
	}
	kx_pass_found_bits(p, c->gfn, bits, (c->npages + 63) / 64);
	kx_pass_looked(p, c->npages, tested);
}

static gboolean look_at_chunk(gpointer work, KxPass *p, const KxPageMapChunk *c, GError **error)
{
	IdlePage *s = work;
	guint to;

	if (!take_frames(s, c))
		qsort(s->seen, s->nseen, sizeof(*s->seen), by_frame);
	for (guint from = 0; from < s->nseen; from = to) {
		if (kx_pass_is_cut(p))
			return TRUE;
		to = run_of(s, from);
		if (!look_at_run(s, from, to, error))
			return FALSE;
	}
	tell(s, p, c);
	return TRUE;
}

static gboolean idle_page_pass(gpointer work, KxPass *p, GError **error)
{
	IdlePage *s = work;
	KxFrameMap *older = s->before;

	kx_frame_map_clear(older);
	s->before = s->now;
	s->now = older;
	s->pass = (Account){ 0 };
	s->last = (Last){ 0 };
	kx_pass_expect(p, kx_pagemap_pages(s->map));
	if (!kx_pagemap_walk(s->map, p, look_at_chunk, s, error))
		return FALSE;
	if (kx_pass_is_cut(p))
		return TRUE;
	g_mutex_lock(&s->lock);
	s->account = s->pass;
	g_mutex_unlock(&s->lock);
	return TRUE;
}

/* --- what windows are told ------------------------------------------------------------------------------------------------ */

static void fill_window(gconstpointer t, KxWindow *w)
{
	IdlePage *s = kx_passes_work(t);
	const Account *told = &s->account;

	g_mutex_lock(&s->lock);
#define PART(id, name, has, none, heading, manual) w->has = TRUE;
#define TOLD(type, member, source)		   KX_PUT_##type(w->member, source);
#include "model/part-idle.def"
#include "model/part-end.def"
	g_mutex_unlock(&s->lock);
}

/* --- start ---------------------------------------------------------------------------------------------------------------- */

static void idle_page_free(gpointer work)
{
	IdlePage *s = work;

	if (s->bitmap >= 0)
		close(s->bitmap);
	kx_pagemap_free(s->map);
	g_mutex_clear(&s->lock);
	kx_frame_map_free(s->before);
	kx_frame_map_free(s->now);
	g_free(s->mapped);
	g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdlePage, idle_page_free)

static gsize mapped_bytes(const IdlePage *s)
{
	return (kx_pagemap_pages(s->map) + 63) / 64 * sizeof(*s->mapped);
}

static gsize idle_page_bytes(gconstpointer work)
{
	const IdlePage *s = work;

	return sizeof(*s) + kx_pagemap_bytes(s->map) + mapped_bytes(s) +
	       kx_frame_map_bytes(s->before) + kx_frame_map_bytes(s->now);
}

gboolean kx_idle_page_check(const char *root, GError **error)
{
	g_autofree char *path = g_build_filename(root ? root : "/", KX_IDLE_BITMAP, NULL);

	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return TRUE;
	g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "tracker idle-page: the host's kernel has no idle page tracking "
			    "(/" KX_IDLE_BITMAP "): it is built without CONFIG_IDLE_PAGE_TRACKING");
	return FALSE;
}

static gboolean open_bitmap(IdlePage *s, const char *root, GError **error)
{
	g_autofree char *path = g_build_filename(root ? root : "/", KX_IDLE_BITMAP, NULL);

	if (!kx_idle_page_check(root, error))
		return FALSE;
	s->bitmap = kx_pagemap_open_file("idle-page", path, O_RDWR, error);
	return s->bitmap >= 0;
}

static gboolean idle_page_start(KxTracker *t, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = { .thread = "kx-idle-page",
				       .pass = idle_page_pass,
				       .free = idle_page_free,
				       .bytes = idle_page_bytes };
	static const KxPageMapWords words = {
		.tracker = "idle-page",
		.hugetlb = "which is not in the lists of pages for reclaim, and has no idle flag",
		.hidden = "by which pages are marked as idle",
	};
	g_autoptr(IdlePage) s = g_new0(IdlePage, 1);

	g_mutex_init(&s->lock);
	s->bitmap = -1;
	s->before = kx_frame_map_new();
	s->now = kx_frame_map_new();
	if (!open_bitmap(s, t->vm.root, error))
		return FALSE;
	s->map = kx_pagemap_open(&words, &t->vm, o, error);
	if (!s->map)
		return FALSE;
	s->mapped = g_malloc0(mapped_bytes(s));
	return kx_passes_start(t, o, &ops, g_steal_pointer(&s), error);
}

const KxTrackerOps kx_tracker_idle_page = {
	.name = "idle-page",
	.start = idle_page_start,
	.fill = fill_window,
	KX_PASSES_OPS,
};
