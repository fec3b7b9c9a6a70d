/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM of the report: its identity, its windows, its heat. */
#ifndef KX_VM_H
#define KX_VM_H

#include <glib.h>

#include "accessmap.h"
#include "heatmap.h"
#include "placement.h"
#include "totals.h"
#include "window.h"

typedef struct {
	char *name, *uuid;
	guint32 pid;
	gboolean attached;
	char *ended; /* why the session ended: "detached", "VM gone", …; NULL while attached */
	guint32 vcpus, memslots, root_level, address_spaces;
	char *paging;  /* "EPT", "NPT", "shadow", "unknown" */
	char *ad_bits; /* "hardware", "emulated by faults", "unknown" */
	char *emulated_by; /* "QEMU TCG": who emulates the vCPUs; NULL: KVM runs them */
	guint64 ram_pages, mapped_4k, mapped_2m, mapped_1g;
	guint64 ring_bytes; /* size of the sample ring; 0: not known */
	/* "pml", …; "module", or the properties of the host from which it was derived; "plain", …; NULL: not read */
	char *log_mechanism, *log_mechanism_source, *log_mode;
	guint64 declared_pages; /* memory that the guest has declared, so that it is pinned and not tracked */
	char *yielded; /* for what purpose the tracker yields the dirty log now: "migration", …; NULL: it does not yield */
	char *progress; /* of a long pass: "priming, 23 % of memory, …"; NULL: there is none */
	char *paused; /* why the VM does not run now: "suspended", …; NULL: it runs, or this is not known */
	GPtrArray *windows;	/* KxWindow, in order of id */
	GPtrArray *totals;	/* KxTotals; NULL: not requested */
	KxHeatReport *heat;	/* NULL: not requested */
	KxPlacement *placement; /* NULL: not requested */
	KxOverTime *over_time;	/* heat over time; NULL: not requested */
} KxVmReport;

KxVmReport *kx_vm_report_new(void);
KxVmReport *kx_vm_report_copy(const KxVmReport *v);
void kx_vm_report_free(KxVmReport *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxVmReport, kx_vm_report_free)

/* A VM and its last window as a{sv}: their members in JSON, without regions. */
GVariant *kx_vm_to_variant(const KxVmReport *v);
KxVmReport *kx_vm_from_variant(GVariant *dict);

#endif /* KX_VM_H */
