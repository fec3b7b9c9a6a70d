/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report model: what the daemon's account hands out, what the CLI prints. The daemon builds it and sends it as JSON; the
 * CLI reads the JSON back, joins the workload log where one is given, and renders text or JSON. What is computed of it is in
 * report/: nothing else computes a figure that a user sees.
 */
#ifndef KX_REPORT_H
#define KX_REPORT_H

#include <glib.h>

#include "vm.h"

#define KX_REPORT_SCHEMA "kvm-ext-report/1"

typedef struct {
	char *kernel, *cpu_vendor, *cpu_model, *version;
	/* a kind of hardware.h by name, NULL: not told; what virtualizes or emulates the host, or may; NULL: nothing */
	char *hardware, *hardware_under;
	char *log_selftest; /* of the dirty log on this kernel: "ok", "wrong", "not-run"; NULL: not asked */
	char *log_selftest_text; /* "loses dirty pages: …" */
	guint32 cpus;
	gint64 generated_realtime_ns;
	GPtrArray *vms; /* KxVmReport */
} KxReport;

KxReport *kx_report_new(void);
void kx_report_free(KxReport *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxReport, kx_report_free)

/* The JSON that kx_report_to_json (report/json.h) has written, or an earlier version of it. */
KxReport *kx_report_from_json(const char *json, GError **error);

#endif /* KX_REPORT_H */
