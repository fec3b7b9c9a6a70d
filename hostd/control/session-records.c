// SPDX-License-Identifier: GPL-2.0-or-later
/* Passes the records and statistics of a tracker to the account and to the heat. */
#include "session-internal.h"

#include <time.h>

#include "base/log.h"
#include "base/progress.h"

static guint64 thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (guint64)ts.tv_sec * G_GUINT64_CONSTANT(1000000000) + (guint64)ts.tv_nsec;
}

/* These records are passed to both the account and the heat. */
#define TO_BOTH(kind, record)                                     \
	static void on_##kind(void *data, const struct record *r) \
	{                                                         \
		const KxSession *s = data;                        \
                                                                  \
		kx_account_sink.kind(s->account, r);              \
		kx_heat_sink.kind(s->heat, r);                    \
		kx_session_record_sample(s, &r->h);               \
	}

TO_BOTH(pass_begin, kvm_ext_rec_pass_begin)
TO_BOTH(run, kvm_ext_rec_run)

/* If the VM was paused during a pass, the pass gives no information on heat; so the heat takes it as a pass that was cut. */
static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	const KxSession *s = data;
	struct kvm_ext_rec_pass_end judged = *r;

	/* The record of a newer module may be longer than the part that was copied. */
	judged.h.size = sizeof(judged);
	kx_account_sink.pass_end(s->account, r);
	if (!(r->h.flags & KVM_EXT_PASS_PRIME) && kx_account_last_was_paused(s->account))
		judged.h.flags |= KVM_EXT_PASS_CUT;
	kx_heat_sink.pass_end(s->heat, &judged);
	kx_session_record_sample(s, &judged.h);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	const KxSession *s = data;

	kx_account_sink.bitmap(s->account, r, bits, nwords);
	kx_heat_sink.bitmap(s->heat, r, bits, nwords);
	kx_session_record_sample(s, &r->h);
}

static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	const KxSession *s = data;

	kx_account_sink.faults(s->account, r, faults);
	kx_heat_sink.faults(s->heat, r, faults);
	kx_session_record_sample(s, &r->h);
}

static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	const KxSession *s = data;

	kx_account_sink.regions(s->account, r, regions);
	kx_heat_sink.regions(s->heat, r, regions);
	kx_session_record_sample(s, &r->h);
}

static void on_ranked(void *data, guint64 gfn, guint64 npages, guint64 accesses)
{
	kx_heat_sink.ranked(((const KxSession *)data)->heat, gfn, npages, accesses);
	kx_session_record_ranked(data, gfn, npages, accesses);
}

static const KxStreamOps session_sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.faults = on_faults,
	.regions = on_regions,
	.ranked = on_ranked,
};

gboolean kx_session_drain_tracker(KxSession *s, KxTracker *t, GError **error)
{
	guint64 start = thread_cpu_ns(), stray;
	gboolean ok = t->ops->drain(t, &session_sink, s, error);

	kx_account_add_drain(s->account, thread_cpu_ns() - start);
	stray = kx_account_stray(s->account);
	if (stray > s->stray_logged && !s->stray_logged) {
		kx_log(G_LOG_LEVEL_WARNING, "stray-samples", s->ident.name,
		       s->options.tracker->name,
		       "samples arrived whose pass is unknown: the ring overflowed around a "
		       "switch; they are not counted");
		s->stray_logged = stray;
	}
	return ok;
}

gboolean kx_session_drain_now(KxSession *s, GError **error)
{
	return kx_session_drain_tracker(s, s->tracker, error);
}

/* --- statistics ---------------------------------------------------------------------------------------------------- */

KxInstant kx_session_instant(void)
{
	struct timespec mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (KxInstant){
		.realtime_ns = g_get_real_time() * 1000,
		.monotonic_ns = (guint64)mono.tv_sec * G_GUINT64_CONSTANT(1000000000) +
				(guint64)mono.tv_nsec,
	};
}

/* The account gets each reading as well. */
gboolean kx_session_statistics(KxSession *s, struct kvm_ext_stats *st)
{
	if (!s->tracker->ops->stats(s->tracker, st, NULL))
		return FALSE;
	if (st->log.mechanism == KVM_EXT_LOG_UNKNOWN)
		st->log.mechanism = s->log.mechanism;
	kx_account_saw(s->account, st);
	if (s->heat)
		kx_account_held(s->account, st->epoch, kx_heat_bytes(s->heat, st->epoch),
				s->options.range.npages ? s->options.range.npages
							: s->vm.ram_pages);
	g_free(s->progress);
	s->progress = kx_progress_text(st);
	s->primed = st->passes || !(s->options.tracker->can & KX_CAN_PASS);
	if (s->tracker->ops->fill)
		kx_account_tell(s->account, st->epoch, s->tracker->ops->fill, s->tracker);
	return TRUE;
}

/* What a tracker in the guest knows; NULL: no such tracker runs. */
const KxGuestView *kx_session_guest_view(const KxSession *s)
{
	return s->tracker && s->tracker->ops->guest ? s->tracker->ops->guest(s->tracker) : NULL;
}

const char *kx_session_mechanism_now(const KxSession *s)
{
	const KxGuestView *guest = kx_session_guest_view(s);

	if (s->tracker && s->tracker->ops->backend)
		return s->tracker->ops->backend;
	if (s->options.tracker->can & KX_CAN_LOG)
		return kx_log_mechanism_name(s->log.mechanism);
	return guest && *guest->event ? guest->event : NULL;
}

/* Call this before the tracker is stopped: afterwards it no longer has the list of processes. */
void kx_session_keep_processes(KxSession *s)
{
	const KxGuestView *view = kx_session_guest_view(s);

	if (view)
		kx_heat_take_processes(s->heat, s->epoch, view->processes);
}
