// SPDX-License-Identifier: GPL-2.0-or-later
#include "nodes.h"

#include <limits.h>
#include <numa.h>

#include "base/error.h"

/* libnuma keeps what it has read of a node, without a lock, and reports are made on several threads. */
static GMutex reading;

/*
 * Memory can be added as a new node after this program has started; numa_max_node() does not show such a node. To look for one costs an
 * attempt to read a file for each number.
 */
#define LATER_NODES 128

static int real_max_node(void)
{
	return MAX(numa_max_node(), MIN(numa_max_possible_node(), LATER_NODES - 1));
}

static int real_node_cpus(int node, struct bitmask *cpus)
{
	int answer;

	if (node > numa_max_node())
		return -1; /* libnuma would print an error */

	g_mutex_lock(&reading);
	answer = numa_node_to_cpus(node, cpus);
	g_mutex_unlock(&reading);
	return answer;
}

static int real_distance(int from, int to)
{
	int answer;

	g_mutex_lock(&reading);
	answer = numa_distance(from, to);
	g_mutex_unlock(&reading);
	return answer;
}

const KxNumaSys kx_numa_real = {
	.available = numa_available,
	.max_node = real_max_node,
	.node_size = numa_node_size64,
	.node_cpus = real_node_cpus,
	.affinity = numa_sched_getaffinity,
	.distance = real_distance,
	.move_pages = numa_move_pages,
};

static void mask_free(struct bitmask *m)
{
	if (m)
		numa_bitmask_free(m);
}
typedef struct bitmask Mask;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mask, mask_free)

/* --- slow nodes by name ---------------------------------------------------------------------------------------------- */

static Mask *parse(const char *text, GError **error)
{
	/* For libnuma an empty text means no node, and words other than numbers mean nodes of files and devices. */
	gboolean numbers = *text && text[strspn(text, "0123456789,-")] == '\0';
	Mask *named = numbers ? numa_parse_nodestring_all(text) : NULL;

	if (!named)
		g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			    "\"%s\" is neither \"" KX_SLOW_NODES_AUTO
			    "\" nor a list of nodes of this host, for example 1 or 1,3-4",
			    text);
	return named;
}

gboolean kx_nodes_check(const char *text, GError **error)
{
	g_autoptr(Mask) named = NULL;

	if (g_str_equal(text, KX_SLOW_NODES_AUTO))
		return TRUE;
	named = parse(text, error);
	return named != NULL;
}

static gboolean slow_by_name(KxNodes *n, const char *text, GError **error)
{
	g_autoptr(Mask) named = parse(text, error);

	for (guint i = 0; named && i < n->nodes->len; i++) {
		KxNode *node = &g_array_index(n->nodes, KxNode, i);

		node->slow = numa_bitmask_isbitset(named, node->id);
	}
	n->rule = g_strdup_printf("slow-nodes=%s in the configuration of kvm-extd", text);
	return named != NULL;
}

/* --- slow nodes by themselves ---------------------------------------------------------------------------------------- */

static gboolean slow_without_cpus(KxNodes *n)
{
	gboolean any = FALSE;

	for (guint i = 0; i < n->nodes->len; i++) {
		KxNode *node = &g_array_index(n->nodes, KxNode, i);

		node->slow = !node->cpus;
		any |= node->slow;
	}
	if (any)
		n->rule = g_strdup("a node without CPUs is slow");
	return any;
}

static gboolean overlap(const Mask *a, const Mask *b)
{
	for (guint i = 0; i < MIN(a->size, b->size); i++) {
		if (numa_bitmask_isbitset(a, i) && numa_bitmask_isbitset(b, i))
			return TRUE;
	}
	return FALSE;
}

/* The nodes with a CPU on which one of the vCPUs may run; NULL: this is not known. */
static GArray *homes(const KxNumaSys *sys, const GArray *vcpus)
{
	g_autoptr(Mask) may = numa_allocate_cpumask(), one = numa_allocate_cpumask();
	GArray *list = g_array_new(FALSE, FALSE, sizeof(int));

	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		if (sys->affinity(g_array_index(vcpus, pid_t, i), one) < 0)
			continue; /* the thread has ended */
		for (guint bit = 0; bit < one->size; bit++) {
			if (numa_bitmask_isbitset(one, bit))
				numa_bitmask_setbit(may, bit);
		}
	}
	for (int node = 0; node <= sys->max_node(); node++) {
		if (sys->node_cpus(node, one) >= 0 && overlap(may, one))
			g_array_append_val(list, node);
	}
	if (!list->len)
		g_clear_pointer(&list, g_array_unref);
	return list;
}

/* The distance of the node to the nearest node in @home; 0: not known. */
static int distance_of(const KxNumaSys *sys, const GArray *home, guint32 node)
{
	int nearest = 0;

	for (guint i = 0; i < home->len; i++) {
		int d = sys->distance(g_array_index(home, int, i), (int)node);

		if (d > 0 && (!nearest || d < nearest))
			nearest = d;
	}
	return nearest;
}

static void slow_by_distance(KxNodes *n, const KxNumaSys *sys, const GArray *vcpus)
{
	g_autoptr(GArray) home = homes(sys, vcpus);
	int least = INT_MAX, most = 0;

	if (!home) {
		n->none =
			g_strdup("every node has CPUs, and it is not known on which of them the "
				 "vCPUs may run; slow-nodes in kvm-extd.conf can name slow nodes");
		return;
	}
	for (guint i = 0; i < n->nodes->len; i++) {
		int d = distance_of(sys, home, g_array_index(n->nodes, KxNode, i).id);

		least = MIN(least, d);
		most = MAX(most, d);
	}
	if (!least || least == most) {
		n->none = g_strdup(
			least ? "every node has CPUs, and no node is farther than others "
				"from the CPUs on which the vCPUs may run; slow-nodes in "
				"kvm-extd.conf can name slow nodes"
			      : "every node has CPUs, and the kernel does not know how far "
				"the nodes are from each other; slow-nodes in kvm-extd.conf "
				"can name slow nodes");
		return;
	}
	for (guint i = 0; i < n->nodes->len; i++) {
		KxNode *node = &g_array_index(n->nodes, KxNode, i);

		node->slow = distance_of(sys, home, node->id) > least;
	}
	n->rule = g_strdup("a node is slow that is farther than others from the CPUs on which the "
			   "vCPUs may run");
}

/* --- all nodes ------------------------------------------------------------------------------------------------------- */

static gboolean find_nodes(KxNodes *n, const KxNumaSys *sys)
{
	g_autoptr(Mask) cpus = numa_allocate_cpumask();
	int max = MIN(sys->max_node(), (int)KX_NODES_MAX - 1);

	for (int i = 0; i <= max; i++) {
		long long bytes = sys->node_size(i, NULL);
		KxNode node = { .id = (guint32)i, .bytes = bytes > 0 ? (guint64)bytes : 0 };

		if (!node.bytes)
			continue;
		node.cpus = sys->node_cpus(i, cpus) >= 0 && numa_bitmask_weight(cpus) > 0;
		g_array_append_val(n->nodes, node);
	}
	return n->nodes->len > 0;
}

KxNodes *kx_nodes_read(const KxNumaSys *sys, const char *slow, const GArray *vcpus, GError **error)
{
	g_autoptr(KxNodes) n = g_new0(KxNodes, 1);

	n->nodes = g_array_new(FALSE, FALSE, sizeof(KxNode));
	if (sys->available() < 0 || !find_nodes(n, sys)) {
		g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
				    "the host's kernel reports no NUMA nodes");
		return NULL;
	}
	if (!g_str_equal(slow, KX_SLOW_NODES_AUTO)) {
		if (!slow_by_name(n, slow, error))
			return NULL;
	} else if (!slow_without_cpus(n)) {
		slow_by_distance(n, sys, vcpus);
	}
	return g_steal_pointer(&n);
}

void kx_nodes_free(KxNodes *n)
{
	if (!n)
		return;
	g_array_unref(n->nodes);
	g_free(n->rule);
	g_free(n->none);
	g_free(n);
}
