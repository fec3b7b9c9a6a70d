/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report as JSON: pretty-printed, in a stable order of keys. kx_report_from_json (model/report.h) reads it back. */
#ifndef KX_JSON_H
#define KX_JSON_H

#include <json-glib/json-glib.h>

#include "model/report.h"

char *kx_report_to_json(const KxReport *r);
/* For `kvm-ext heat --json`: the heat of one VM, as an object: the VM's identity, maps, agreement. */
void kx_heat_add_json(JsonBuilder *b, const KxVmReport *v);

#endif /* KX_JSON_H */
