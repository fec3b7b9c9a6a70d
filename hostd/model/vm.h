/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM of the report: what it is, its windows, its heat. */
#ifndef KX_VM_H
#define KX_VM_H

#include <glib.h>

#include "heatmap.h"
#include "window.h"

typedef struct {
	char *name, *uuid;
	guint32 pid;
	gboolean attached;
	char *ended; /* why the session ended: "detached", "VM gone", …; NULL while attached */
	guint32 vcpus, memslots, root_level, address_spaces;
	char *paging;  /* "EPT", "NPT", "shadow", "unknown" */
	char *ad_bits; /* "hardware", "emulated by faults", "unknown" */
	guint64 ram_pages, mapped_4k, mapped_2m, mapped_1g;
	guint64 ring_bytes; /* of the ring that samples go through; 0: not told */
	/* "pml", …; "module", or what of the host it was concluded from; "plain", …; NULL: not asked */
	char *log_mechanism, *log_mechanism_source, *log_mode;
	guint64 declared_pages; /* of memory that the guest wants left alone, and that is pinned */
	char *yielded; /* to what the dirty log is left now: "migration", …; NULL: it is tracked */
	char *progress; /* of a pass that takes long: "priming, 23 % of memory, …"; NULL: none does */
	char *paused; /* why the VM does not run now: "suspended", …; NULL: it runs, or nobody knows */
	GPtrArray *windows; /* KxWindow, in order of id */
	KxHeatReport *heat; /* NULL: not asked */
} KxVmReport;

KxVmReport *kx_vm_report_new(void);
KxVmReport *kx_vm_report_copy(const KxVmReport *v);
void kx_vm_report_free(KxVmReport *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxVmReport, kx_vm_report_free)

/* A VM and its last window as a{sv}: what JSON has of them, without regions. */
GVariant *kx_vm_to_variant(const KxVmReport *v);
KxVmReport *kx_vm_from_variant(GVariant *dict);

#endif /* KX_VM_H */
