/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heat over time, from the daemon. */
#ifndef KX_CLI_OVERTIME_H
#define KX_CLI_OVERTIME_H

#include "cli.h"
#include "model/report.h"

/* Asks the daemon for each VM of the report. A failure is not one of the report: the reason stands in it. */
void cli_add_over_time(Cli *cli, const KxReport *r);

#endif /* KX_CLI_OVERTIME_H */
