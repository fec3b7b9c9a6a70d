/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heat over time, from the daemon. */
#ifndef KX_CLI_OVERTIME_H
#define KX_CLI_OVERTIME_H

#include "cli.h"
#include "model/report.h"

/* Asks the daemon about each VM of the report. A failure does not fail the report, which then contains the reason. */
void cli_add_over_time(Cli *cli, const KxReport *r);

#endif /* KX_CLI_OVERTIME_H */
