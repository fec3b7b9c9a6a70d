// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves pages of another process to a NUMA node of the host. With BASE (a hexadecimal address),
 * moves the pages whose numbers, counted from BASE, are on standard input, one per line, and prints
 * how many of them are on the node afterwards, by the kernel's result of the move. Without BASE,
 * moves all pages of the process.
 *
 * usage: place-pages PID NODE [BASE]
 */
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 1024

static unsigned long move(int pid, int node, unsigned long n, void **pages)
{
	static int nodes[BATCH], status[BATCH];
	unsigned long there = 0;

	for (unsigned long i = 0; i < n; i++)
		nodes[i] = node;
	if (n && numa_move_pages(pid, n, pages, nodes, status, MPOL_MF_MOVE_ALL) < 0) {
		perror("place-pages: move_pages");
		exit(1);
	}
	for (unsigned long i = 0; i < n; i++)
		there += status[i] == node;
	return there;
}

static int move_all(int pid, int node)
{
	struct bitmask *from = numa_allocate_nodemask(), *to = numa_allocate_nodemask();
	int left;

	for (int i = 0; i <= numa_max_node(); i++) {
		if (i != node)
			numa_bitmask_setbit(from, i);
	}
	numa_bitmask_setbit(to, node);
	left = numa_migrate_pages(pid, from, to);
	if (left < 0)
		perror("place-pages: migrate_pages");
	return left < 0;
}

int main(int argc, char **argv)
{
	static void *pages[BATCH];
	unsigned long n = 0, there = 0;
	unsigned long long base, page;
	int pid, node;

	if (argc < 3 || numa_available() < 0)
		return 2;
	pid = atoi(argv[1]);
	node = atoi(argv[2]);
	if (argc == 3)
		return move_all(pid, node);
	base = strtoull(argv[3], NULL, 16);
	while (scanf("%llu", &page) == 1) {
		pages[n++] = (void *)(base + page * 4096);
		if (n == BATCH) {
			there += move(pid, node, n, pages);
			n = 0;
		}
	}
	there += move(pid, node, n, pages);
	printf("%lu\n", there);
	return 0;
}
