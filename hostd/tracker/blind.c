// SPDX-License-Identifier: GPL-2.0-or-later
#include "blind.h"

#include "options.h"

const KxBlindSpot kx_blind_spots[] = {
	{ KX_BLIND_DMA, "DMA of devices that are passed through (VFIO)",
	  "it uses the IOMMU's own tables and sets no bit in the VM's tables, and no log of KVM "
	  "names the page" },
	{ KX_BLIND_VMM,
	  "what the VMM, vhost and vhost-user backends read and write for virtio and emulated "
	  "devices",
	  "they use the host's page tables, and keep a log of their own where a migration needs "
	  "one" },
	{ KX_BLIND_KVM,
	  "what KVM itself reads and writes for the guest (emulated instructions, paravirtual "
	  "clocks)",
	  "KVM uses the host's page tables for it; the dirty log has the writes" },
	{ KX_BLIND_READS, "pages that are only read",
	  "only writes are recorded in the bits and logs that these trackers read" },
	{ KX_BLIND_NESTED, "what nested guests (L2) access",
	  "nested guests have page tables of their own" },
	{ KX_BLIND_CACHED, "accesses through a translation that a CPU has cached",
	  "the CPU sets no accessed bit for them, and its TLB is not flushed (guest-abit: unless "
	  "told to)" },
	{ KX_BLIND_UNARMED,
	  "accesses to pages that are not armed, and all accesses to an armed "
	  "page but the first",
	  "a trap catches one access" },
	{ KX_BLIND_KERNEL,
	  "memory that no watched process maps (the guest's kernel and its page cache, other "
	  "processes)",
	  "the guest's module looks at the addresses of the watched processes" },
	{ KX_BLIND_UNSAMPLED, "all but one access in each period of the event",
	  "events are sampled; PEBS' load latency has no writes at all" },
	{ KX_BLIND_BETWEEN,
	  "writes between the moment at which a page's bit is read and the end of the pass",
	  "the kernel clears the bits of all pages in a step of its own, after they were read" },
	{ KX_BLIND_SHARED,
	  "accesses of other processes to memory that they share with the VMM (vhost-user "
	  "backends)",
	  "these processes have page tables of their own" },
	{ KX_BLIND_UNCHECKED, "accesses to all pages of a region but the one that is checked",
	  "a check looks at one page of a region, which stands for all of its pages" },
	{ KX_BLIND_UNCOMPARED,
	  "by page-sampling all pages but 512 of each GiB, by the other modes what QEMU itself "
	  "writes for emulated devices",
	  "QEMU compares only these 512 pages, or counts only the pages that KVM logs" },
	{ KX_BLIND_UNLISTED,
	  "pages that are in none of the kernel's lists for reclaim (the page of zeros behind "
	  "memory that was only read, memory of devices)",
	  "the kernel ages none of them" },
	{ KX_BLIND_DIRECT, "what the VMM's direct I/O moves (cache=none, cache=directsync)",
	  "the kernel pins the pages, and sets no accessed bit" },
	{ KX_BLIND_UNMAPPED,
	  "accesses to a page that KVM's table loses before the next pass (NUMA balancing, "
	  "compaction)",
	  "the accessed bit goes with the entry: Linux 6.13 and later do not pass it on, earlier "
	  "ones not while MGLRU is on" },
	{ 0, NULL, NULL },
};

/* Whether the tracker finds pages, or at least how many pages were used or written. */
static gboolean finds(const KxTrackerRow *t)
{
	return t->can & (KX_CAN_FIND | KX_CAN_PASS);
}

char *kx_blind_trackers(guint bit)
{
	g_autoptr(GString) names = g_string_new(NULL);
	gboolean all = TRUE;

	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if (!finds(t))
			continue;
		if (t->blind & bit)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "", t->name);
		else
			all = FALSE;
	}
	return all ? NULL : g_strdup(names->str);
}

char *kx_blind_of(const GPtrArray *trackers, guint bit, gboolean *all)
{
	GString *names = g_string_new(NULL);
	guint finders = 0, blind = 0;

	for (guint i = 0; i < trackers->len; i++) {
		const KxTrackerRow *t = kx_tracker_by_name(trackers->pdata[i]);

		if (!t || !finds(t))
			continue;
		finders++;
		if (!(t->blind & bit))
			continue;
		g_string_append_printf(names, "%s%s", blind++ ? ", " : "", t->name);
	}
	if (all)
		*all = blind > 1 && blind == finders;
	return g_string_free(names, FALSE);
}

GPtrArray *kx_blind_notes(const GPtrArray *trackers)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);

	for (const KxBlindSpot *s = kx_blind_spots; s->what; s++) {
		gboolean all;
		g_autofree char *names = kx_blind_of(trackers, s->bit, &all);

		if (!*names)
			continue;
		g_ptr_array_add(notes,
				g_strdup_printf("Not seen by %s: %s, because %s.",
						all ? "any tracker here" : names, s->what, s->why));
	}
	return notes;
}
