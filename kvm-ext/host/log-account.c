// SPDX-License-Identifier: GPL-2.0-only
/* The statistics of the use of a dirty log. */
#include "log-account.h"

void kx_log_account_init(struct kx_log_account *a)
{
	mutex_init(&a->lock);
}

void kx_log_account_open(struct kx_log_account *a, u32 mechanism, u32 mode)
{
	mutex_lock(&a->lock);
	a->stats = (struct kvm_ext_log_stats){
		.mechanism = mechanism,
		.mode = mode,
		.disable_ns = a->disable_ns,
		.disable_pages = a->disable_pages,
	};
	a->more.aside_passes = 0;
	a->disable_ns = 0;
	a->disable_pages = 0;
	mutex_unlock(&a->lock);
}

void kx_log_account_error(struct kx_log_account *a, int err)
{
	mutex_lock(&a->lock);
	a->stats.errors++;
	a->stats.last_errno = -err;
	mutex_unlock(&a->lock);
}

void kx_log_account_add(struct kx_log_account *a, u64 *sum, u64 more)
{
	mutex_lock(&a->lock);
	*sum += more;
	mutex_unlock(&a->lock);
}
