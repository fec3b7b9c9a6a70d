/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report model. The daemon builds it from its accounts and sends it as JSON; the CLI reads the JSON, joins a workload log if
 * one is given, and writes text or JSON. Only report/ computes figures from the model: no other code computes a figure that a
 * user sees.
 */
#ifndef KX_REPORT_H
#define KX_REPORT_H

#include <glib.h>

#include "vm.h"

#define KX_REPORT_SCHEMA "kvm-ext-report/1"

typedef struct {
	char *kernel, *cpu_vendor, *cpu_model, *version;
	/* name of a KxHardware, NULL: not known; what virtualizes or emulates the host, or may do so, NULL: nothing known */
	char *hardware, *hardware_under;
	char *log_selftest; /* of the dirty log on this kernel: "ok", "wrong", "not-run"; NULL: not asked */
	char *log_selftest_text; /* "loses dirty pages: …" */
	char *reference;	 /* the row with which costs are compared; NULL: none was named */
	guint32 cpus;
	gint64 generated_realtime_ns;
	GPtrArray *vms; /* KxVmReport */
} KxReport;

KxReport *kx_report_new(void);
void kx_report_free(KxReport *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxReport, kx_report_free)

/* What kx_hardware_times() of the host does not say: a VM's vCPUs are emulated. One sentence; NULL: it holds for all VMs. */
const char *kx_report_times_of_vms(const KxReport *r);

/*
 * What a file with this schema is, and which command reads it: "a report, which kvm-ext report --input reads"; NULL: the schema is not
 * one of kvm-ext.
 */
const char *kx_schema_meaning(const char *schema);
/* Reads JSON that kx_report_to_json() (report/json.h), of this or an earlier version, has written. */
KxReport *kx_report_from_json(const char *json, GError **error);

#endif /* KX_REPORT_H */
