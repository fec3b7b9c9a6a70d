/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WL_CLOCK_H
#define WL_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define WL_NS_PER_S  1000000000ull
#define WL_NS_PER_MS 1000000ull

static inline uint64_t wl_now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * WL_NS_PER_S + ts.tv_nsec;
}

static inline uint64_t wl_now_monotonic(void)
{
	return wl_now(CLOCK_MONOTONIC);
}

/* The log's times: comparable with other logs of the same guest. */
static inline uint64_t wl_now_realtime(void)
{
	return wl_now(CLOCK_REALTIME);
}

static inline void wl_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* Returns ETIMEDOUT once CLOCK_MONOTONIC has reached @until_ns. */
static inline int wl_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns)
{
	struct timespec ts = { until_ns / WL_NS_PER_S, until_ns % WL_NS_PER_S };

	return pthread_cond_timedwait(cond, lock, &ts);
}

#endif
