/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pass and its thread. Only passthread.c and passfound.c include this header. */
#ifndef KX_PASSTHREAD_INTERNAL_H
#define KX_PASSTHREAD_INTERNAL_H

#include <time.h>

#include "passthread.h"
#include "ring.h"

typedef struct {
	gatomicrefcount refs; /* one each: the tracker, the thread, each waiting caller */
	const KxPassOps *ops;
	gpointer work;
	KxRing *ring; /* written by the thread, read by the thread that has entered the session */
	int event;    /* readable: there is something to drain */
	int cpu;      /* -1: any */
	guint64 interval_ns;
	gint stop; /* atomic; @lock protects the members below */

	GMutex lock;
	GCond wake; /* wakes the thread */
	GCond told; /* wakes the callers that wait for the thread */
	gboolean ended;
	guint64 begun, finished, asked; /* numbers of passes */
	GError *error;			/* the reason why the thread ended */
	struct kvm_ext_stats st;
} PassThread;

struct _KxPass {
	PassThread *thread;
	gboolean primes, cut;
	guint64 nr, start_ns;
	guint64 cpu_mark; /* the thread's CPU time at the end of the previous pass */
	struct kvm_ext_rec_pass_end sum;
};

/* Tells the reader of the ring to drain it. */
void kx_pass_thread_tell_reader(const PassThread *t);
/* Writes a record of @samples samples, which found @pages pages. If the ring is full, the record is lost, and counted as lost. */
void kx_pass_put(KxPass *p, const struct kvm_ext_record *record, guint64 samples, guint64 pages);

static inline guint64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (guint64)ts.tv_sec * G_GUINT64_CONSTANT(1000000000) + (guint64)ts.tv_nsec;
}

#endif /* KX_PASSTHREAD_INTERNAL_H */
