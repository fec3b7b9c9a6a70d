// SPDX-License-Identifier: GPL-2.0-or-later
#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <unistd.h>

#include "base/error.h"
#include "vm/procstat.h"

typedef struct {
	KxLayoutPart at;
	guint64 place;
	gboolean known; /* this part is known not to be hugetlb memory */
} Part;

struct _KxPageMap {
	const KxPageMapWords *words;
	char *proc_root;
	pid_t pid;
	guint64 started;	  /* the process, as kx_procstat_started(); 0: not told */
	int entries_fd, flags_fd; /* /proc/PID/pagemap, /proc/kpageflags */
	GArray *parts;		  /* Part */
	guint64 pages;		  /* in all parts */
	guint64 entries[KX_PAGEMAP_CHUNK];
};

/* --- files -------------------------------------------------------------------------------------------------------------- */

int kx_pagemap_open_file(const char *tracker, const char *path, int flags, GError **error)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		g_set_error(error, KX_ERROR,
			    errno == EACCES || errno == EPERM	? KX_ERROR_ACCESS_DENIED
			    : errno == ENOENT || errno == ESRCH ? KX_ERROR_NOT_SUPPORTED
								: KX_ERROR_FAILED,
			    "tracker %s: %s: %s", tracker, path, g_strerror(errno));
	return fd;
}

int kx_pagemap_open_of(const KxPageMap *m, const char *name, int flags, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%d/%s", m->proc_root, m->pid, name);

	return kx_pagemap_open_file(m->words->tracker, path, flags, error);
}

gssize kx_words_read(int fd, guint64 first, guint64 *words, gsize n)
{
	gsize have = 0, want = n * sizeof(*words);

	while (have < want) {
		gssize got = pread(fd, (char *)words + have, want - have,
				   (off_t)(first * sizeof(*words) + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		have += (gsize)got;
	}
	return (gssize)(have / sizeof(*words));
}

gboolean kx_pagemap_flags(const KxPageMap *m, guint64 frame, guint64 *flags, guint n)
{
	gssize got = kx_words_read(m->flags_fd, frame, flags, n);

	if (got < 0)
		return FALSE;
	for (guint i = (guint)got; i < n; i++)
		flags[i] = 1ull << KPF_NOPAGE;
	return TRUE;
}

static gboolean is_other_process(const KxPageMap *m)
{
	guint64 ticks;

	return m->started && kx_procstat_started(m->proc_root, m->pid, &ticks, NULL) &&
	       ticks != m->started;
}

/*
 * The descriptor belongs to the memory map that the process had when the page map was opened. After an exec the process has
 * another one: of the old one there is nothing to read, whereas the new one has an entry for each address.
 */
static gboolean has_other_memory(const KxPageMap *m)
{
	guint64 at = g_array_index(m->parts, Part, 0).at.hva >> KX_PAGE_SHIFT, entry;
	int fd = kx_pagemap_open_of(m, "pagemap", O_RDONLY, NULL);
	gboolean other;

	if (fd < 0)
		return FALSE;
	other = !kx_words_read(m->entries_fd, at, &entry, 1) &&
		kx_words_read(fd, at, &entry, 1) == 1;
	close(fd);
	return other;
}

/* What became of the process so that it has not the VM's memory any more; NULL: nothing. */
static const char *end_of(const KxPageMap *m)
{
	if (kx_procstat_is_over(m->proc_root, m->pid))
		return "it has ended";
	if (is_other_process(m))
		return "it has ended, and another process has its number";
	return has_other_memory(m) ? "it has executed another program" : NULL;
}

gboolean kx_pagemap_lost(const KxPageMap *m, const char *what, int err, GError **error)
{
	const char *end = end_of(m);

	g_set_error(error, KX_ERROR, end ? KX_ERROR_VM_GONE : KX_ERROR_FAILED,
		    "tracker %s: %s of process %d: %s", m->words->tracker, what, m->pid,
		    end	  ? end
		    : err ? g_strerror(err)
			  : "it ends before the VM's memory does");
	return FALSE;
}

static gboolean read_entries(KxPageMap *m, guint64 hva, guint n, GError **error)
{
	gssize got = kx_words_read(m->entries_fd, hva >> KX_PAGE_SHIFT, m->entries, n);

	return got == (gssize)n || kx_pagemap_lost(m, "the page map", got < 0 ? errno : 0, error);
}

/* --- hugetlb memory ----------------------------------------------------------------------------------------------------- */

static gboolean check_frame(const KxPageMap *m, guint64 entry, GError **error)
{
	guint64 frame = entry & KX_PAGE_FRAME, flags;

	if (!frame) {
		g_set_error(error, KX_ERROR, KX_ERROR_ACCESS_DENIED,
			    "tracker %s: the kernel hides the numbers of page frames from kvm-extd "
			    "(CAP_SYS_ADMIN), %s",
			    m->words->tracker, m->words->hidden);
		return FALSE;
	}
	if (kx_words_read(m->flags_fd, frame, &flags, 1) != 1) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "tracker %s: /proc/kpageflags does not describe the VM's memory",
			    m->words->tracker);
		return FALSE;
	}
	if (!(flags & 1ull << KPF_HUGE))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "tracker %s: the VM's memory is hugetlb memory (libvirt: <hugepages>), %s",
		    m->words->tracker, m->words->hugetlb);
	return FALSE;
}

/* Checks the memory of @part by its first present page among the @n entries just read. */
static gboolean check_part(const KxPageMap *m, Part *part, guint n, GError **error)
{
	for (guint i = 0; i < n && !part->known; i++) {
		if (!(m->entries[i] & KX_PAGE_PRESENT))
			continue;
		if (!check_frame(m, m->entries[i], error))
			return FALSE;
		part->known = TRUE;
	}
	return TRUE;
}

/* --- walks -------------------------------------------------------------------------------------------------------------- */

/* The number of pages up to the next boundary of a chunk of addresses, so that no huge page is divided. */
static guint chunk_of(guint64 hva, guint64 npages)
{
	return (guint)MIN(npages, KX_PAGEMAP_CHUNK - (hva >> KX_PAGE_SHIFT) % KX_PAGEMAP_CHUNK);
}

static gboolean walk_part(KxPageMap *m, Part *part, KxPass *p, KxPageMapLook look, gpointer data,
			  GError **error)
{
	guint n;

	for (guint64 i = 0; i < part->at.npages; i += n) {
		KxPageMapChunk c = { .gfn = part->at.gfn + i,
				     .hva = part->at.hva + (i << KX_PAGE_SHIFT),
				     .place = part->place + i,
				     .entries = m->entries };

		if (kx_pass_is_cut(p))
			return TRUE;
		c.npages = n = chunk_of(c.hva, part->at.npages - i);
		if (!read_entries(m, c.hva, n, error) || !check_part(m, part, n, error) ||
		    !look(data, p, &c, error))
			return FALSE;
	}
	return TRUE;
}

gboolean kx_pagemap_walk(KxPageMap *m, KxPass *p, KxPageMapLook look, gpointer data, GError **error)
{
	for (guint i = 0; i < m->parts->len; i++) {
		if (!walk_part(m, &g_array_index(m->parts, Part, i), p, look, data, error))
			return FALSE;
	}
	return TRUE;
}

/* --- opening ------------------------------------------------------------------------------------------------------------ */

void kx_pagemap_free(KxPageMap *m)
{
	if (!m)
		return;
	if (m->entries_fd >= 0)
		close(m->entries_fd);
	if (m->flags_fd >= 0)
		close(m->flags_fd);
	g_array_unref(m->parts);
	g_free(m->proc_root);
	g_free(m);
}

guint64 kx_pagemap_pages(const KxPageMap *m)
{
	return m->pages;
}

gsize kx_pagemap_bytes(const KxPageMap *m)
{
	return sizeof(*m) + m->parts->len * sizeof(Part);
}

static void take_parts(KxPageMap *m, const KxLayout *layout, const KxOptions *o)
{
	guint64 first = o->range.first_gfn;
	guint64 end = o->range.npages ? first + o->range.npages : G_MAXUINT64;

	for (guint i = 0; i < layout->parts->len; i++) {
		Part part = { .at = g_array_index(layout->parts, KxLayoutPart, i) };
		guint64 from = MAX(part.at.gfn, first), to = MIN(part.at.gfn + part.at.npages, end);

		if (from >= to)
			continue;
		part.at.hva += (from - part.at.gfn) << KX_PAGE_SHIFT;
		part.at.gfn = from;
		part.at.npages = to - from;
		part.place = m->pages;
		m->pages += part.at.npages;
		g_array_append_val(m->parts, part);
	}
}

/* Checks the first chunk of each part. If no page of that chunk is present, a later walk checks the part. */
static gboolean check_memory(KxPageMap *m, GError **error)
{
	for (guint i = 0; i < m->parts->len; i++) {
		Part *part = &g_array_index(m->parts, Part, i);
		guint n = chunk_of(part->at.hva, part->at.npages);

		if (!read_entries(m, part->at.hva, n, error) || !check_part(m, part, n, error))
			return FALSE;
	}
	if (m->parts->len)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
		    "tracker %s: the range holds none of the VM's RAM", m->words->tracker);
	return FALSE;
}

KxPageMap *kx_pagemap_open(const KxPageMapWords *words, const KxTrackerVm *vm, const KxOptions *o,
			   GError **error)
{
	g_autoptr(KxPageMap) m = g_new0(KxPageMap, 1);
	g_autofree char *flags = g_build_filename(vm->proc_root, "kpageflags", NULL);

	m->words = words;
	m->proc_root = g_strdup(vm->proc_root);
	m->pid = vm->pid;
	m->entries_fd = m->flags_fd = -1;
	/* Before anything of the process is opened: a number that is given away meanwhile is noticed. */
	if (!kx_procstat_started(m->proc_root, m->pid, &m->started, NULL))
		m->started = 0;
	m->parts = g_array_new(FALSE, FALSE, sizeof(Part));
	take_parts(m, *vm->layout, o);
	m->entries_fd = kx_pagemap_open_of(m, "pagemap", O_RDONLY, error);
	if (m->entries_fd < 0)
		return NULL;
	m->flags_fd = kx_pagemap_open_file(words->tracker, flags, O_RDONLY, error);
	if (m->flags_fd < 0 || !check_memory(m, error))
		return NULL;
	return g_steal_pointer(&m);
}
