/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On which NUMA nodes of the host a VM's memory lies: the kernel's answers, in pages of 4 KiB. report/placed.h computes the figures
 * that users see from them.
 */
#ifndef KX_PLACEMENT_H
#define KX_PLACEMENT_H

#include <glib.h>

typedef struct {
	guint32 node;
	gboolean cpus;	   /* the node has CPUs */
	gboolean slow;	   /* FALSE for all nodes if slow_na is set */
	guint64 bytes;	   /* memory of the node */
	guint64 hot, rest; /* of the pages asked about, those on this node */
} KxPlacedNode;

/*
 * Memory is either hot, or belongs to the rest, which is cold. If @hot_na is set, it is not known which memory is hot: all memory
 * belongs to the rest, which is then neither hot nor cold. asked < pages: the kernel was asked about a random sample of the pages.
 */
typedef struct {
	char *na;	    /* why nothing is known; NULL: the members below are valid */
	guint32 host_nodes; /* with memory; 0: not known */
	char *tracker, *mechanism, *options; /* of the heat map that shows which memory is hot */
	gboolean running;		     /* this tracker runs now */
	char *hot_na;
	char *hot_note;	 /* what a reader must know of this map, one clause; NULL: nothing */
	double hot_heat; /* accesses per page: memory with at least so many is hot */
	char *slow_rule; /* why nodes are slow, one clause */
	char *slow_na;	 /* why no node can be called slow */
	guint64 hot_pages, hot_asked, hot_absent; /* absent: not mapped in the VMM's page table */
	guint64 rest_pages, rest_asked, rest_absent;
	guint64 batches; /* calls of the kernel, and what they cost on the host: */
	guint64 cpu_ns;
	GArray *nodes; /* KxPlacedNode, ascending: those with memory, or with pages of the VM */
} KxPlacement;

KxPlacement *kx_placement_new(void);
/* A placement of which nothing is known, because of @reason. Takes @reason. */
KxPlacement *kx_placement_unknown(char *reason);
KxPlacement *kx_placement_copy(const KxPlacement *p); /* NULL: NULL */
void kx_placement_free(KxPlacement *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPlacement, kx_placement_free)

#endif /* KX_PLACEMENT_H */
