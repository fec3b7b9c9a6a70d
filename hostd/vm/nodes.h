/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's NUMA nodes by libnuma: which have memory, and which of them are slow for a VM. */
#ifndef KX_NODES_H
#define KX_NODES_H

#include <glib.h>
#include <sys/types.h>

struct bitmask;

/* The functions of libnuma that are used, as numa(3) has them; unit tests use their own. */
typedef struct {
	int (*available)(void);
	int (*max_node)(void);
	long long (*node_size)(int node, long long *free_bytes);
	int (*node_cpus)(int node, struct bitmask *cpus);
	int (*affinity)(pid_t tid, struct bitmask *cpus);
	int (*distance)(int from, int to);
	int (*move_pages)(int pid, unsigned long count, void **pages, const int *nodes, int *status,
			  int flags);
} KxNumaSys;

extern const KxNumaSys kx_numa_real;

/* More nodes than any kernel has (MAX_NUMNODES). */
#define KX_NODES_MAX 1024u

typedef struct {
	guint32 id;
	gboolean cpus, slow;
	guint64 bytes; /* memory of the node */
} KxNode;

/* One of @rule and @none is NULL. */
typedef struct {
	GArray *nodes; /* KxNode, ascending: nodes with memory */
	char *rule;    /* why nodes are slow, one clause */
	char *none;    /* why no node can be called slow */
} KxNodes;

/* The value of slow-nodes by which the daemon decides by itself. */
#define KX_SLOW_NODES_AUTO "auto"

/* FALSE: @text is neither "auto" nor a list of nodes of this host ("1", "1,3-4"). */
gboolean kx_nodes_check(const char *text, GError **error);

/*
 * @slow: which nodes are slow, as kx_nodes_check() accepts it. With "auto" these are the nodes without CPUs; if there are none,
 * the nodes that are farther than others from the CPUs on which the threads @vcpus (pid_t) may run. KX_ERROR_NOT_SUPPORTED: the
 * kernel reports no nodes.
 */
KxNodes *kx_nodes_read(const KxNumaSys *sys, const char *slow, const GArray *vcpus, GError **error);
void kx_nodes_free(KxNodes *n);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxNodes, kx_nodes_free)

#endif /* KX_NODES_H */
