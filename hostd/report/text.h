/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report for people. @width: columns, 0 = no limit. */
#ifndef KX_TEXT_H
#define KX_TEXT_H

#include "model/report.h"

/* A header; for each VM its tables and notes. */
char *kx_report_to_text(const KxReport *r, unsigned int width);
/* One map of heat: the @top hottest ranges of @m, a map of the VM @v. */
char *kx_heat_to_text(const KxVmReport *v, const KxHeatMap *m, guint top, unsigned int width);

#endif /* KX_TEXT_H */
