/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sampling period that keeps the cost of sampling at a budget.
 *
 * The cost of one epoch is not reliable: an interrupt or a host that takes the CPU away makes
 * some epochs many times as expensive, and none correspondingly cheap. A period that follows
 * each epoch alone is then right for most epochs, while the average stays above the budget. So
 * what was spent above or below the budget is carried into the following epochs.
 */
#ifndef KVM_EXT_THRIFT_H
#define KVM_EXT_THRIFT_H

#include "port.h"

/*
 * What is carried over, in budgets of one epoch. Savings are small, so that no burst follows an
 * idle time.
 */
#define KX_THRIFT_DEBT		16
#define KX_THRIFT_SAVINGS	2
/* The number of epochs over which it is evened out. */
#define KX_THRIFT_EPOCHS	4

#define KX_THRIFT_MAX_PERIOD	(1ull << 40)

struct kx_thrift {
	s64 balance_ns;		/* budget less cost; below zero: debt */
};

/* What the next epoch may cost: half to one and a half budgets. */
static inline u64 kx_thrift_allowed(struct kx_thrift *t, u64 spent_ns, u64 budget_ns)
{
	s64 budget = (s64)budget_ns, allowed;

	/* Also keeps the sum within 64 bits. */
	if (spent_ns > (KX_THRIFT_DEBT + KX_THRIFT_SAVINGS + 1) * budget_ns)
		spent_ns = (KX_THRIFT_DEBT + KX_THRIFT_SAVINGS + 1) * budget_ns;
	t->balance_ns += budget - (s64)spent_ns;
	if (t->balance_ns < -KX_THRIFT_DEBT * budget)
		t->balance_ns = -KX_THRIFT_DEBT * budget;
	if (t->balance_ns > KX_THRIFT_SAVINGS * budget)
		t->balance_ns = KX_THRIFT_SAVINGS * budget;
	allowed = budget + t->balance_ns / KX_THRIFT_EPOCHS;
	if (allowed < budget / 2)
		return budget_ns / 2;
	return allowed > budget + budget / 2 ? budget_ns + budget_ns / 2 : (u64)allowed;
}

/*
 * The period of the next epoch, after an epoch with @period that cost @spent_ns of @budget_ns
 * (below 2^56). If the cost is within a sixth of what is allowed, the period stays.
 * Otherwise it changes in proportion, in one epoch at most to half or double.
 */
static inline u64 kx_thrift_period(struct kx_thrift *t, u64 period, u64 spent_ns, u64 budget_ns)
{
	u64 allowed = kx_thrift_allowed(t, spent_ns, budget_ns), next;

	/* Keeps products and the quotient within 64 bits, too; a larger quotient would trap. */
	if (spent_ns > 2 * allowed)
		spent_ns = 2 * allowed;
	if (spent_ns < allowed / 2)
		spent_ns = allowed / 2;
	if (!allowed || (spent_ns * 6 >= allowed * 5 && spent_ns * 6 <= allowed * 7))
		return period;
	next = mul_u64_u64_div_u64(period, spent_ns, allowed);
	if (spent_ns > allowed && next <= period)
		next = period + 1;
	return next < KX_THRIFT_MAX_PERIOD ? next : KX_THRIFT_MAX_PERIOD;
}

#endif /* KVM_EXT_THRIFT_H */
