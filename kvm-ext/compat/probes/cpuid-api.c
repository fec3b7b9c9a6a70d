// SPDX-License-Identifier: GPL-2.0-only
/* 6.16 moved the accessors of CPUID to a header of their own. */
#include <asm/cpuid/api.h>

unsigned int probe(void)
{
	return cpuid_eax(0);
}
