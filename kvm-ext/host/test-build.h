/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_TEST_BUILD_H
#define KVM_EXT_TEST_BUILD_H

#include <linux/types.h>

/*
 * A test build (KVM_EXT_TEST=1) has module parameters. Some of them switch off a part of the
 * module, so that a test of this part can be seen to fail; others imitate conditions that no test
 * machine has. A test build reports KVM_EXT_CAP_TEST_BUILD. In any other build kx_test() is the
 * constant 0.
 */
#ifdef KVM_EXT_TEST
extern bool kx_test_noflush, kx_test_noyield, kx_test_encrypted, kx_test_stucklog;
extern uint kx_test_burn;

/**
 * kx_test_burn_cpu() - use CPU time, as a slow tracker would
 * @interval_ns: the time from pass to pass; kx_test_burn per cent of this time are used
 *
 * Context: the pass thread at the end of a pass, whose account contains the time; may sleep.
 */
void kx_test_burn_cpu(u64 interval_ns);

#define kx_test(what)	(kx_test_##what)
#define KX_TEST_BUILD	1
#else
#define kx_test(what)	0
#define KX_TEST_BUILD	0

static inline void kx_test_burn_cpu(u64 interval_ns)
{
}
#endif

#endif /* KVM_EXT_TEST_BUILD_H */
