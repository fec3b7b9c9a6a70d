// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many pages of a VM were used, by ageing its memory cgroup (lrugen.h), as the kernel's own selftest
 * access_tracking_perf_test does: a baseline without the module, and the signal by which the kernel itself reclaims memory.
 *
 * A pass requests a new generation of the cgroup's pages. For this the kernel scans the page tables of the cgroup's processes,
 * and asks KVM about each page. Then the pass reads how many pages are in which generation. Consequences:
 *
 *  - A pass gives numbers of pages, and no addresses. Pages were used since the previous pass if they are in the generation that
 *    was the newest after that pass, or in a later one. The kernel's reclaim makes generations, too, and these count the same.
 *  - The pages are those of the cgroup: the guest's memory, QEMU's own memory, page cache that is charged to the cgroup, and memory
 *    of other processes in the cgroup.
 *  - Kernels before Linux 6.14 scan without asking KVM, and would count only what QEMU uses: they are refused.
 *  - Accessed bits are cleared without a flush, so an access through a cached translation sets none, as with abit.
 *  - Pages outside the generations are not seen. Such memory (hugetlb memory, locked memory) is refused.
 *  - The generations belong to the kernel, and stay as the passes left them: ageing changes which pages are reclaimed first.
 */
#include "passthread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "lrugen.h"
#include "vm/procstat.h"

/* What fill_window() writes into windows; Mglru.lock protects it. */
typedef struct {
	guint64 passes, young, total, oldest, oldest_ms, others;
	double squares;
	char *group;
} Account;

typedef struct {
	char *root, *proc_root;
	pid_t pid;
	guint64 id; /* the cgroup's */

	/* used by the thread of the passes alone */
	KxLruGroup *before; /* the group after the previous pass; NULL: there was none */

	GMutex lock;
	Account account;
} Mglru;

/* --- a pass ------------------------------------------------------------------------------------------------------------------ */

static gboolean lost(const Mglru *m, GError *why, GError **error)
{
	gboolean over = kx_procstat_is_over(m->proc_root, m->pid);

	g_set_error(error, KX_ERROR, over ? KX_ERROR_VM_GONE : KX_ERROR_FAILED, "tracker mglru: %s",
		    over ? "the process has ended" : why->message);
	g_error_free(why);
	return FALSE;
}

static gboolean go_on(gpointer p)
{
	return !kx_pass_is_cut(p);
}

/* The pages in generations that are new since @before, or were the newest in @before. */
static guint64 used_since(const KxLruGroup *before, const KxLruGroup *now)
{
	guint64 sum = 0;

	for (guint i = 0; i < now->gens->len; i++) {
		const KxLruGen *g = &g_array_index(now->gens, KxLruGen, i);

		if (g->number >= kx_lru_group_newest(before, g->node))
			sum += g->pages;
	}
	return sum;
}

/* The pages in the oldest generation of each node, which is the node's first entry; and the longest age of these generations. */
static void find_oldest(const KxLruGroup *now, guint64 *pages, guint64 *age_ms)
{
	*pages = *age_ms = 0;
	for (guint i = 0; i < now->gens->len; i++) {
		const KxLruGen *g = &g_array_index(now->gens, KxLruGen, i);

		if (i && g_array_index(now->gens, KxLruGen, i - 1).node == g->node)
			continue;
		*pages += g->pages;
		*age_ms = MAX(*age_ms, g->age_ms);
	}
}

static void count(Mglru *m, KxPass *p, const KxLruGroup *now)
{
	guint64 young = used_since(m->before, now), total = kx_lru_group_pages(now);
	guint64 oldest, oldest_ms;

	find_oldest(now, &oldest, &oldest_ms);
	kx_pass_looked(p, total, total);
	kx_pass_counted(p, young);
	g_mutex_lock(&m->lock);
	m->account.passes++;
	m->account.young += young;
	m->account.squares += (double)young * (double)young;
	m->account.total = total;
	m->account.oldest = oldest;
	m->account.oldest_ms = oldest_ms;
	g_mutex_unlock(&m->lock);
}

/* The VM's cgroup; NULL with @why. The path is compared, because the kernel reuses the number of a removed cgroup. */
static KxLruGroup *find_again(const Mglru *m, GError **why)
{
	g_autoptr(KxLruGroup) found = kx_lru_group_by_id(m->root, m->id, why);

	if (!found || g_str_equal(found->path, m->account.group))
		return g_steal_pointer(&found);
	g_set_error(why, KX_ERROR, KX_ERROR_FAILED, "the VM's memory cgroup %s is gone",
		    m->account.group);
	return NULL;
}

static gboolean mglru_pass(gpointer work, KxPass *p, GError **error)
{
	Mglru *m = work;
	GError *why = NULL;
	g_autoptr(KxLruGroup) found = find_again(m, &why);
	KxLruGroup *now;

	if (!found)
		return lost(m, why, error);
	kx_pass_expect(p, kx_lru_group_pages(found));
	if (!kx_lru_group_age(m->root, found, go_on, p)) {
		why = g_error_new(KX_ERROR, KX_ERROR_FAILED,
				  "the kernel does not age the cgroup: %s", g_strerror(errno));
		return lost(m, why, error);
	}
	if (kx_pass_is_cut(p))
		return TRUE;
	now = find_again(m, &why);
	if (!now)
		return lost(m, why, error);
	if (!kx_pass_primes(p))
		count(m, p, now);
	kx_lru_group_free(m->before);
	m->before = now;
	return TRUE;
}

/* --- what windows are told ---------------------------------------------------------------------------------------------------- */

static void fill_window(gconstpointer t, KxWindow *w)
{
	Mglru *m = kx_passes_work(t);
	const Account *told = &m->account;

	g_mutex_lock(&m->lock);
#define PART(id, name, has, none, heading, manual) w->has = TRUE;
#define TOLD(type, member, source)		   KX_PUT_##type(w->member, source);
#include "model/part-ages.def"
#include "model/part-end.def"
	g_mutex_unlock(&m->lock);
}

/* --- start -------------------------------------------------------------------------------------------------------------------- */

static void mglru_free(gpointer work)
{
	Mglru *m = work;

	kx_lru_group_free(m->before);
	g_mutex_clear(&m->lock);
	g_free(m->account.group);
	g_free(m->root);
	g_free(m->proc_root);
	g_free(m);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mglru, mglru_free)

static gboolean refuse(GError **error, KxError code, const char *why)
{
	g_set_error(error, KX_ERROR, (int)code, "tracker mglru: %s", why);
	return FALSE;
}

static char *read_proc(const Mglru *m, const char *name, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%d/%s", m->proc_root, m->pid, name);
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, error);
	return text;
}

/*
 * The path in the hierarchy with the memory controller: "N:memory:/path" (version 1), else "0::/path"; @mount: where the files of
 * the hierarchy are. libvirt puts QEMU's threads into cgroups below the one that has the VM's memory.
 */
static char *cgroup_of(const char *text, const char **mount)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	char *unified = NULL;

	for (guint i = 0; lines[i]; i++) {
		g_auto(GStrv) f = g_strsplit(lines[i], ":", 3);
		g_auto(GStrv) controllers = g_strsplit(f[0] && f[1] ? f[1] : "", ",", -1);

		if (g_strv_length(f) != 3)
			continue;
		if (g_strv_contains((const char *const *)controllers, "memory")) {
			g_free(unified);
			*mount = "sys/fs/cgroup/memory";
			return g_strdup(f[2]);
		}
		if (!*f[1] && !unified) {
			*mount = "sys/fs/cgroup";
			unified = g_strdup(f[2]);
		}
	}
	return unified;
}

/* Processes of the cgroup and of the cgroups below it. A threaded cgroup lists no processes: theirs are counted further up. */
static guint64 count_processes(const char *dir)
{
	g_autofree char *procs = g_build_filename(dir, "cgroup.procs", NULL), *text = NULL;
	g_autoptr(GDir) below = g_dir_open(dir, 0, NULL);
	guint64 n = 0;
	const char *name;

	if (g_file_get_contents(procs, &text, NULL, NULL)) {
		for (const char *at = text; *at; at++)
			n += *at == '\n';
	}
	while (below && (name = g_dir_read_name(below))) {
		g_autofree char *child = g_build_filename(dir, name, NULL);

		if (!g_file_test(child, G_FILE_TEST_IS_SYMLINK) &&
		    g_file_test(child, G_FILE_TEST_IS_DIR))
			n += count_processes(child);
	}
	return n;
}

static gboolean find_group(Mglru *m, GError **error)
{
	g_autofree char *text = read_proc(m, "cgroup", error), *path = NULL, *dir = NULL;
	g_autoptr(KxLruGroup) group = NULL;
	const char *mount = NULL;
	guint64 n;

	if (!text)
		return FALSE;
	path = cgroup_of(text, &mount);
	if (!path)
		return refuse(error, KX_ERROR_NOT_SUPPORTED, "the host has no memory cgroups");
	group = kx_lru_group_at(m->root, path, error);
	if (!group) {
		g_prefix_error(error, "tracker mglru: ");
		return FALSE;
	}
	if (g_str_equal(group->path, "/"))
		return refuse(
			error, KX_ERROR_NOT_SUPPORTED,
			"the VM has no memory cgroup of its own: its memory is in the root's, "
			"which is aged with all of the host (libvirt gives each VM one if the "
			"memory controller is there)");
	dir = g_build_filename(m->root ? m->root : "/", mount, group->path, NULL);
	n = count_processes(dir);
	m->id = group->id;
	m->account.group = g_strdup(group->path);
	m->account.others = n - MIN(n, 1);
	return TRUE;
}

/* The value of "Name:   123 kB" in /proc/PID/status; 0: there is no such line. */
static guint64 status_kib(const char *const *lines, const char *name)
{
	for (guint i = 0; lines[i]; i++) {
		if (g_str_has_prefix(lines[i], name))
			return g_ascii_strtoull(lines[i] + strlen(name), NULL, 10);
	}
	return 0;
}

static gboolean check_memory(const Mglru *m, GError **error)
{
	g_autofree char *text = read_proc(m, "status", error);
	g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

	if (!lines)
		return FALSE;
	if (status_kib((const char *const *)lines, "HugetlbPages:"))
		return refuse(error, KX_ERROR_NOT_SUPPORTED,
			      "QEMU has hugetlb memory (libvirt: <hugepages>), which has no "
			      "generations");
	if (status_kib((const char *const *)lines, "VmLck:"))
		return refuse(error, KX_ERROR_NOT_SUPPORTED,
			      "QEMU has locked memory (libvirt: <locked>), which has no "
			      "generations");
	return TRUE;
}

static gboolean check_kernel(const Mglru *m, GError **error)
{
	if (kx_lru_check(m->root, error))
		return TRUE;
	g_prefix_error(error, "tracker mglru: ");
	return FALSE;
}

static gsize mglru_bytes(gconstpointer work)
{
	return sizeof(Mglru);
}

static gboolean mglru_start(KxTracker *t, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = {
		.thread = "kx-mglru",
		.pass = mglru_pass,
		.free = mglru_free,
		.bytes = mglru_bytes,
	};
	g_autoptr(Mglru) m = g_new0(Mglru, 1);

	g_mutex_init(&m->lock);
	m->root = g_strdup(t->vm.root);
	m->proc_root = g_strdup(t->vm.proc_root);
	m->pid = t->vm.pid;
	if (!check_kernel(m, error) || !check_memory(m, error) || !find_group(m, error))
		return FALSE;
	return kx_passes_start(t, o, &ops, g_steal_pointer(&m), error);
}

const KxTrackerOps kx_tracker_mglru = {
	.name = "mglru",
	.start = mglru_start,
	.fill = fill_window,
	KX_PASSES_OPS,
};
