/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report as JSON: stable in key order and pretty-printed. kx_report_from_json (model/report.h) reads it back. */
#ifndef KX_JSON_H
#define KX_JSON_H

#include <json-glib/json-glib.h>

#include "model/report.h"

char *kx_report_to_json(const KxReport *r);
/* For `kvm-ext heat --json`: one VM's, as an object: who it is, maps, agreement. */
void kx_heat_add_json(JsonBuilder *b, const KxVmReport *v);

#endif /* KX_JSON_H */
