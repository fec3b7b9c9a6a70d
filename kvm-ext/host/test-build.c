// SPDX-License-Identifier: GPL-2.0-only
/* The module parameters of a test build. Only a test build contains this file. */
#include <linux/delay.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>

#include "hold.h"
#include "test-build.h"

bool kx_test_noflush;
module_param_named(noflush, kx_test_noflush, bool, 0444);
MODULE_PARM_DESC(noflush, "no tracker flushes the TLB");

bool kx_test_noyield;
module_param_named(noyield, kx_test_noyield, bool, 0444);
MODULE_PARM_DESC(noyield, "the dirty log is not given back to the VMM");

bool kx_test_encrypted;
module_param_named(encrypted, kx_test_encrypted, bool, 0444);
MODULE_PARM_DESC(encrypted, "on AMD hosts, each VM counts as a VM with encrypted memory");

bool kx_test_stucklog;
module_param_named(stucklog, kx_test_stucklog, bool, 0444);
MODULE_PARM_DESC(stucklog, "behave as if KVM refused to switch a dirty log off");

uint kx_test_burn;
module_param_named(burn, kx_test_burn, uint, 0444);
MODULE_PARM_DESC(burn, "CPU time that each pass wastes, in per cent of the interval; at most 90");

void kx_test_burn_cpu(u64 interval_ns)
{
	u64 end = kx_hold_cpu_ns() + div_u64(interval_ns * min(kx_test_burn, 90U), 100);

	while (kx_test_burn && kx_hold_cpu_ns() < end)
		udelay(20);
}
