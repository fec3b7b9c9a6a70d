// SPDX-License-Identifier: GPL-2.0-or-later
#include "lrugen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

#define LIST	"sys/kernel/debug/lru_gen"
#define FULL	"sys/kernel/debug/lru_gen_full"
#define ENABLED "sys/kernel/mm/lru_gen/enabled"

/* Bits of "enabled". */
#define CORE	0x1u
#define MM_WALK 0x2u

static char *path_of(const char *root, const char *file)
{
	return g_build_filename(root ? root : "/", file, NULL);
}

void kx_lru_group_free(KxLruGroup *g)
{
	if (!g)
		return;
	g_free(g->path);
	g_array_unref(g->gens);
	g_free(g);
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

static FILE *open_list(const char *root, const char *file, GError **error)
{
	g_autofree char *path = path_of(root, file);
	FILE *list = fopen(path, "re");

	if (!list)
		g_set_error(error, KX_ERROR,
			    errno == EACCES || errno == EPERM ? KX_ERROR_ACCESS_DENIED
							      : KX_ERROR_NOT_SUPPORTED,
			    "%s: %s; debugfs has to be mounted there, and the kernel may be locked "
			    "down",
			    path, g_strerror(errno));
	return list;
}

/* "memcg ID PATH"; the path of the root is "/" or nothing. */
static KxLruGroup *group_of(const char *line)
{
	KxLruGroup *g;
	guint64 id;
	int end = 0;

	if (sscanf(line, " memcg %" G_GINT64_MODIFIER "u %n", &id, &end) != 1 || !end)
		return NULL;
	g = g_new0(KxLruGroup, 1);
	g->id = id;
	g->path = g_strchomp(g_strdup(line[end] ? line + end : "/"));
	if (!*g->path) {
		g_free(g->path);
		g->path = g_strdup("/");
	}
	g->gens = g_array_new(FALSE, FALSE, sizeof(KxLruGen));
	return g;
}

static void add_line(KxLruGroup *g, const char *line, guint *node)
{
	guint64 number, age_ms, anon, file;

	if (sscanf(line, " node %u", node) == 1)
		return;
	if (sscanf(line,
		   " %" G_GINT64_MODIFIER "u %" G_GINT64_MODIFIER "u %" G_GINT64_MODIFIER
		   "u %" G_GINT64_MODIFIER "u",
		   &number, &age_ms, &anon, &file) == 4) {
		const KxLruGen gen = { *node, number, age_ms, anon + file };

		g_array_append_val(g->gens, gen);
	}
}

/* The part of @path that a group's own path covers; G_MAXSIZE: it does not lie there. */
static gsize covers(const char *group, const char *path)
{
	gsize len = g_str_equal(group, "/") ? 0 : strlen(group);

	return strncmp(group, path, len) == 0 && (!path[len] || path[len] == '/') ? len : G_MAXSIZE;
}

typedef gboolean (*Better)(const KxLruGroup *g, const KxLruGroup *best, gconstpointer wanted);

static gboolean is_nearer(const KxLruGroup *g, const KxLruGroup *best, gconstpointer path)
{
	gsize len = covers(g->path, path);

	return len != G_MAXSIZE && (!best || len > covers(best->path, path));
}

static gboolean has_id(const KxLruGroup *g, const KxLruGroup *best, gconstpointer id)
{
	return g->id == *(const guint64 *)id;
}

/* The best of all groups; @first: the first group that fits at all, and the rest of the list is not read. */
static KxLruGroup *find_group(FILE *list, Better better, gconstpointer wanted, gboolean first)
{
	g_autoptr(KxLruGroup) best = NULL, now = NULL;
	char *line = NULL;
	size_t room = 0;
	guint node = 0;

	while (getline(&line, &room, list) > 0) {
		KxLruGroup *next = group_of(line);

		if (!next) {
			if (now)
				add_line(now, line, &node);
			continue;
		}
		if (now && better(now, best, wanted)) {
			kx_lru_group_free(best);
			best = g_steal_pointer(&now);
		}
		kx_lru_group_free(now);
		now = next;
		if (best && first)
			break;
	}
	if (now && !(best && first) && better(now, best, wanted)) {
		kx_lru_group_free(best);
		best = g_steal_pointer(&now);
	}
	free(line);
	return g_steal_pointer(&best);
}

KxLruGroup *kx_lru_group_at(const char *root, const char *path, GError **error)
{
	FILE *list = open_list(root, LIST, error);
	KxLruGroup *g;

	if (!list)
		return NULL;
	g = find_group(list, is_nearer, path, FALSE);
	fclose(list);
	if (!g)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "the kernel lists no memory cgroup at or above %s in lru_gen", path);
	return g;
}

KxLruGroup *kx_lru_group_by_id(const char *root, guint64 id, GError **error)
{
	FILE *list = open_list(root, LIST, error);
	KxLruGroup *g;

	if (!list)
		return NULL;
	g = find_group(list, has_id, &id, TRUE);
	fclose(list);
	if (!g)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "the memory cgroup %" G_GUINT64_FORMAT " is no longer in lru_gen", id);
	return g;
}

guint64 kx_lru_group_pages(const KxLruGroup *g)
{
	guint64 sum = 0;

	for (guint i = 0; i < g->gens->len; i++)
		sum += g_array_index(g->gens, KxLruGen, i).pages;
	return sum;
}

guint64 kx_lru_group_newest(const KxLruGroup *g, guint node)
{
	guint64 newest = 0;

	for (guint i = 0; i < g->gens->len; i++) {
		const KxLruGen *gen = &g_array_index(g->gens, KxLruGen, i);

		if (gen->node == node)
			newest = MAX(newest, gen->number);
	}
	return newest;
}

/* --- ageing ------------------------------------------------------------------------------------------------------------------ */

/* "+ memcg_id node_id max_gen_nr can_swap force_scan": anonymous memory as well, and all page tables. */
static gboolean age_node(int fd, guint64 id, guint node, guint64 newest)
{
	g_autofree char *command = g_strdup_printf(
		"+ %" G_GUINT64_FORMAT " %u %" G_GUINT64_FORMAT " 1 1\n", id, node, newest);
	gssize done;

	do
		done = write(fd, command, strlen(command));
	while (done < 0 && errno == EINTR);
	/* EEXIST: somebody else has made a generation meanwhile. */
	return done > 0 || errno == EEXIST;
}

gboolean kx_lru_group_age(const char *root, const KxLruGroup *g, gboolean (*go_on)(gpointer data),
			  gpointer data)
{
	g_autofree char *path = path_of(root, LIST);
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = errno;
	gboolean ok = fd >= 0;

	for (guint i = 0; i < g->gens->len && ok; i++) {
		guint node = g_array_index(g->gens, KxLruGen, i).node;

		/* Once for each node: the list has an entry for each generation of a node. */
		if (i && g_array_index(g->gens, KxLruGen, i - 1).node == node)
			continue;
		if (!go_on(data))
			break;
		ok = age_node(fd, g->id, node, kx_lru_group_newest(g, node));
		err = errno;
	}
	if (fd >= 0)
		close(fd);
	errno = err;
	return ok;
}

/* --- what the kernel can ------------------------------------------------------------------------------------------------------ */

static gboolean refuse(GError **error, const char *why)
{
	g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, why);
	return FALSE;
}

static gboolean check_enabled(const char *root, GError **error)
{
	g_autofree char *path = path_of(root, ENABLED), *text = NULL;
	guint64 bits;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return refuse(error, "the kernel has no multi-generational LRU (CONFIG_LRU_GEN)");
	bits = g_ascii_strtoull(text, NULL, 16);
	if (bits & CORE && bits & MM_WALK)
		return TRUE;
	return refuse(
		error,
		bits & CORE
			? "the multi-generational LRU does not scan page tables: echo 7 > "
			  "/sys/kernel/mm/lru_gen/enabled switches that on, for all of the host"
			: "the multi-generational LRU is switched off: echo y > "
			  "/sys/kernel/mm/lru_gen/enabled switches it on, which changes how all "
			  "of the host's memory is reclaimed");
}

/*
 * Statistics of page-table scans, "12T 3Y …". A kernel that also counts old leaves ("O") scans without asking KVM: one series of
 * patches ("use {ptep,pmdp}_clear_young_notify()", Linux 6.14) removed this count and made the scan ask KVM, which cannot be
 * probed directly.
 */
static gboolean asks_kvm(const char *line, gboolean *old)
{
	gboolean young = FALSE;

	*old = FALSE;
	for (const char *at = line; *at; at++) {
		if (at == line || !g_ascii_isdigit(at[-1]))
			continue;
		young |= *at == 'Y' || *at == 'y';
		*old |= *at == 'O' || *at == 'o';
	}
	return young && !*old;
}

static gboolean check_scans(const char *root, GError **error)
{
	FILE *list = open_list(root, FULL, error);
	gboolean asks = FALSE, old = FALSE;
	char *line = NULL;
	size_t room = 0;

	if (!list)
		return FALSE;
	while (!asks && !old && getline(&line, &room, list) > 0)
		asks = asks_kvm(line, &old);
	free(line);
	fclose(list);
	if (asks)
		return TRUE;
	return refuse(error,
		      old ? "this kernel's multi-generational LRU does not ask KVM (Linux before "
			    "6.14): it would find what QEMU accesses, and not what the guest does"
			  : "the kernel does not report how its multi-generational LRU scans page "
			    "tables, so that it is not known whether it asks KVM");
}

gboolean kx_lru_check(const char *root, GError **error)
{
	return check_enabled(root, error) && check_scans(root, error);
}
