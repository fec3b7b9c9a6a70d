/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's multi-generational LRU (Documentation/admin-guide/mm/multigen_lru.rst): the pages of a memory cgroup by
 * generation, as /sys/kernel/debug/lru_gen lists them, and the command that makes a new generation.
 */
#ifndef KX_LRUGEN_H
#define KX_LRUGEN_H

#include <glib.h>

/* One generation on one node. The newest has the highest number; age: since it was made. */
typedef struct {
	guint node;
	guint64 number, age_ms;
	guint64 pages; /* anonymous memory and page cache */
} KxLruGen;

/* A memory cgroup as lru_gen lists it. */
typedef struct {
	guint64 id;
	char *path;   /* below the root of the hierarchy; "/": the root's own */
	GArray *gens; /* KxLruGen: by node, then by number */
} KxLruGroup;

void kx_lru_group_free(KxLruGroup *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLruGroup, kx_lru_group_free)

/*
 * The group at @path, or the nearest one above it. NULL: KX_ERROR_NOT_SUPPORTED if there is no such file, or it lists none;
 * KX_ERROR_ACCESS_DENIED.
 */
KxLruGroup *kx_lru_group_at(const char *root, const char *path, GError **error);
/* The group with this number; the list is read only up to it. NULL: there is no such group (any more). */
KxLruGroup *kx_lru_group_by_id(const char *root, guint64 id, GError **error);

guint64 kx_lru_group_pages(const KxLruGroup *g);
/* The number of the newest generation on @node; 0: the node has none. */
guint64 kx_lru_group_newest(const KxLruGroup *g, guint node);

/*
 * Makes a new generation on each node, after a scan of all page tables of the group's processes: pages that were accessed since
 * the last scan go to the generation that was the newest. @go_on is asked between nodes; FALSE stops. Returns FALSE with errno.
 */
gboolean kx_lru_group_age(const char *root, const KxLruGroup *g, gboolean (*go_on)(gpointer data),
			  gpointer data);

/*
 * Why ageing would not find what a VM accesses: the kernel has no such LRU, it is switched off, or it does not ask KVM. TRUE:
 * it would.
 */
gboolean kx_lru_check(const char *root, GError **error);

#endif /* KX_LRUGEN_H */
