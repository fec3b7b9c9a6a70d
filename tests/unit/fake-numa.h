/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fake host with NUMA nodes in place of libnuma's. CPU n belongs to node cpu_node[n]; where() says on which node a page lies. */
#ifndef FAKE_NUMA_H
#define FAKE_NUMA_H

#include <errno.h>
#include <numa.h>

#include "vm/nodes.h"

#define FAKE_CPUS 8

static struct {
	int nodes;	    /* 0: the kernel has none */
	long long bytes[4]; /* 0: no memory */
	int cpu_node[FAKE_CPUS];
	int far;	 /* distance of two nodes; 0: not known */
	guint64 allowed; /* CPUs of each thread; 0: it has ended */
	int (*where)(guint64 address);
	int fail_errno; /* of the query; 0: it succeeds */
	guint calls;
	gulong most;   /* pages in one call */
	GArray *asked; /* guint64 addresses */
} fake_numa;

static int fake_available(void)
{
	return fake_numa.nodes ? 0 : -1;
}

static int fake_max_node(void)
{
	return fake_numa.nodes - 1;
}

static long long fake_node_size(int node, long long *free_bytes)
{
	return fake_numa.bytes[node] ? fake_numa.bytes[node] : -1;
}

static int fake_node_cpus(int node, struct bitmask *cpus)
{
	numa_bitmask_clearall(cpus);
	for (guint i = 0; i < FAKE_CPUS; i++) {
		if (fake_numa.cpu_node[i] == node)
			numa_bitmask_setbit(cpus, i);
	}
	return 0;
}

static int fake_affinity(pid_t tid, struct bitmask *cpus)
{
	numa_bitmask_clearall(cpus);
	for (guint i = 0; i < FAKE_CPUS; i++) {
		if (fake_numa.allowed >> i & 1)
			numa_bitmask_setbit(cpus, i);
	}
	return fake_numa.allowed ? 0 : -1;
}

static int fake_distance(int from, int to)
{
	return !fake_numa.far ? 0 : from == to ? 10 : fake_numa.far;
}

static int fake_move_pages(int pid, unsigned long count, void **pages, const int *nodes,
			   int *status, int flags)
{
	g_assert_null(nodes); /* this would move them */
	fake_numa.calls++;
	fake_numa.most = MAX(fake_numa.most, count);
	if (fake_numa.fail_errno) {
		errno = fake_numa.fail_errno;
		return -1;
	}
	for (unsigned long i = 0; i < count; i++) {
		guint64 address = GPOINTER_TO_SIZE(pages[i]);
		int at = fake_numa.where(address);

		if (fake_numa.asked)
			g_array_append_val(fake_numa.asked, address);
		if (at != G_MININT) /* otherwise the kernel does not write the entry */
			status[i] = at;
	}
	return 0;
}

static const KxNumaSys fake_numa_sys = {
	fake_available, fake_max_node, fake_node_size,	fake_node_cpus,
	fake_affinity,	fake_distance, fake_move_pages,
};

static int fake_on_node_0(guint64 address)
{
	return 0;
}

/* Two nodes with memory, node 1 without CPUs. */
static void fake_numa_reset(void)
{
	if (fake_numa.asked)
		g_array_unref(fake_numa.asked);
	memset(&fake_numa, 0, sizeof(fake_numa));
	fake_numa.nodes = 2;
	fake_numa.bytes[0] = fake_numa.bytes[1] = 1 << 30;
	fake_numa.far = 20;
	fake_numa.allowed = 1;
	fake_numa.where = fake_on_node_0;
}

#endif /* FAKE_NUMA_H */
