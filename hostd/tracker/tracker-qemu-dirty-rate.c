// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rate at which a VM writes memory, as QEMU measures it (vm/dirtyrate.h): a baseline that every management tool can have,
 * without the module.
 *
 * A pass is one measurement; the next one begins when it has ended. Consequences:
 *
 *  - QEMU gives whole MiB/s and no pages. A rate below 1 MiB/s is 0, and page-sampling can give 0 for a VM that writes a lot,
 *    because it looks at few pages, and twice only.
 *  - QEMU makes one measurement at a time. If somebody else has requested one, this tracker waits for its end. If somebody else
 *    requests one while this tracker's measurement runs, QEMU refuses that request.
 *  - QEMU does not say whether the VM was paused during a measurement. So the tracker asks for the VM's state several times during
 *    a measurement. If the VM was paused, or if its state is not known, the measurement is dropped.
 *  - QEMU cannot end a measurement early: after the tracker was stopped, the last measurement continues for at most its calc-time.
 *
 * The thread has its own connection to libvirt, and makes a new one if libvirtd was restarted; QEMU continues to measure meanwhile.
 */
#include "firststep.h"
#include "passthread.h"

#include "base/error.h"
#include "vm/dirtyrate.h"
#include "vm/procstat.h"

#define NS_PER_MS G_GUINT64_CONSTANT(1000000)
#define LOOK_NS	  (200 * NS_PER_MS) /* between two queries of the VM's state, while QEMU measures */
#define RESULT_NS (20 * NS_PER_MS)  /* between two queries of the result, once it is due */
#define RETRY_NS  (500 * NS_PER_MS) /* after a step that failed */

/* What fill_window() writes into windows; DirtyRate.lock protects it. */
typedef struct {
	guint64 measured, sum, squares, most, zeros; /* of results in MiB/s */
	guint64 dropped, other;
	const char *dropped_for; /* why the last measurement that was dropped was dropped */
	char *why;		 /* why the last step failed; NULL: it did not fail */
} Account;

typedef struct {
	/* never changed */
	char *proc_root, *uuid, *libvirt_uri;
	pid_t pid;
	KxDirtyRateMode mode;
	guint seconds;

	/* used by the thread of the passes; before that thread starts, by the thread of the first measurement */
	KxLibvirt *libvirt; /* NULL: no connection */
	gboolean measuring; /* this tracker has begun a measurement; */
	gint64 due_us;	    /* g_get_monotonic_time() at which the measurement can have ended; */
	gint64 start_s; /* start-time of the measurement as QEMU reports it; -1: not reported yet; */
	gint64 before_s;    /* the start-time that QEMU reported before the measurement; */
	const char *spoilt; /* why the result of the measurement does not count; NULL: it counts */
	gint64 other_s;	    /* start-time of somebody else's last measurement; -1: there was none */

	GMutex lock;
	Account account;
} DirtyRate;

/* --- what windows are told ------------------------------------------------------------------------------------------------ */

static void note_why(DirtyRate *d, const char *why)
{
	g_mutex_lock(&d->lock);
	if (g_strcmp0(d->account.why, why) != 0) {
		g_free(d->account.why);
		d->account.why = g_strdup(why);
	}
	g_mutex_unlock(&d->lock);
}

static void note_dropped(DirtyRate *d, const char *why)
{
	g_mutex_lock(&d->lock);
	d->account.dropped++;
	d->account.dropped_for = why;
	g_mutex_unlock(&d->lock);
}

static void note_other(DirtyRate *d, gint64 start_s)
{
	note_why(d, "QEMU is busy with another measurement, which it has to end first");
	if (d->other_s == start_s)
		return;
	d->other_s = start_s;
	g_mutex_lock(&d->lock);
	d->account.other++;
	g_mutex_unlock(&d->lock);
}

static void note_result(DirtyRate *d, guint64 rate)
{
	note_why(d, NULL);
	g_mutex_lock(&d->lock);
	d->account.measured++;
	d->account.sum += rate;
	d->account.squares += rate * rate;
	d->account.most = MAX(d->account.most, rate);
	d->account.zeros += !rate;
	g_mutex_unlock(&d->lock);
}

static void fill_window(gconstpointer t, KxWindow *w)
{
	DirtyRate *d = kx_passes_work(t);
	const Account *told = &d->account;

	g_mutex_lock(&d->lock);
#define PART(id, name, has, none, heading, manual) w->has = TRUE;
#define TOLD(type, member, source)		   KX_PUT_##type(w->member, source);
#include "model/part-rate.def"
#include "model/part-end.def"
	g_mutex_unlock(&d->lock);
}

/* --- one measurement ------------------------------------------------------------------------------------------------------- */

/* Takes @error as the reason, and returns FALSE: the caller tries the step again later. */
static gboolean failed(DirtyRate *d, GError *error)
{
	note_why(d, error->message);
	if (!d->libvirt || !kx_libvirt_is_connected(d->libvirt))
		g_clear_pointer(&d->libvirt, kx_libvirt_release);
	g_error_free(error);
	return FALSE;
}

static gboolean connected(DirtyRate *d, GError **error)
{
	if (!d->libvirt)
		d->libvirt = kx_libvirt_open(d->libvirt_uri, error);
	return d->libvirt != NULL;
}

static gboolean begin(DirtyRate *d, gint64 before_s, GError **error)
{
	if (!kx_dirty_rate_start(d->libvirt, d->uuid, d->mode, d->seconds, error))
		return FALSE;
	d->measuring = TRUE;
	d->due_us = g_get_monotonic_time() + (gint64)d->seconds * G_USEC_PER_SEC;
	d->start_s = -1;
	d->before_s = before_s;
	d->spoilt = NULL;
	return TRUE;
}

/* FALSE: a measurement cannot begin now. */
static gboolean try_to_begin(DirtyRate *d)
{
	GError *error = NULL;
	const char *why;
	KxDirtyRate r;
	gboolean runs;

	if (!connected(d, &error) || !kx_libvirt_runs(d->libvirt, d->uuid, &runs, &why, &error) ||
	    !kx_dirty_rate_read(d->libvirt, d->uuid, &r, &error))
		return failed(d, error);
	if (!runs) {
		note_why(d, "the VM is paused");
		return FALSE;
	}
	if (r.measuring) {
		note_other(d, r.start_s);
		return FALSE;
	}
	return begin(d, r.start_s, &error) || failed(d, error);
}

/* The VM writes nothing during a pause, so a rate that was measured over a pause is not the VM's rate. */
static void look_for_pause(DirtyRate *d)
{
	GError *error = NULL;
	const char *why;
	gboolean runs;

	if (connected(d, &error) && kx_libvirt_runs(d->libvirt, d->uuid, &runs, &why, &error)) {
		if (!runs)
			d->spoilt = "the VM was paused meanwhile";
		return;
	}
	d->spoilt = "libvirt did not tell whether the VM was paused meanwhile";
	failed(d, error);
}

/* Whether @r is the result of this tracker's measurement, not of another one that replaced it. */
static gboolean is_ours(const DirtyRate *d, const KxDirtyRate *r)
{
	return r->start_s == d->start_s && r->seconds == (gint64)d->seconds &&
	       r->mode == (int)d->mode;
}

/* TRUE: there is a result. FALSE: there is none yet (d->measuring), or the measurement was dropped. */
static gboolean look_for_result(DirtyRate *d)
{
	GError *error = NULL;
	KxDirtyRate r;

	if (!connected(d, &error) || !kx_dirty_rate_read(d->libvirt, d->uuid, &r, &error))
		return failed(d, error);
	/* Until QEMU has begun the measurement, it reports the measurement before. */
	if (d->start_s < 0 && (r.measuring || r.measured) && r.start_s != d->before_s)
		d->start_s = r.start_s;
	if (g_get_monotonic_time() < d->due_us || !r.measured || d->start_s < 0)
		return FALSE;
	d->measuring = FALSE;
	if (!is_ours(d, &r))
		d->spoilt = "somebody else's measurement took the place of its result";
	else if (r.mib_per_s < 0 && !d->spoilt)
		d->spoilt = "QEMU ended it without a result";
	if (d->spoilt)
		note_dropped(d, d->spoilt);
	else
		note_result(d, (guint64)r.mib_per_s);
	return !d->spoilt;
}

/* How long to wait until the next look. */
static guint64 next_look_ns(const DirtyRate *d)
{
	gint64 left_us = d->due_us - g_get_monotonic_time();

	if (!d->libvirt)
		return RETRY_NS;
	return left_us > 0 ? CLAMP((guint64)left_us * 1000, RESULT_NS, LOOK_NS) : RESULT_NS;
}

/* --- a pass ----------------------------------------------------------------------------------------------------------------- */

static gboolean check_process(const DirtyRate *d, GError **error)
{
	if (!kx_procstat_is_over(d->proc_root, d->pid))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE,
		    "tracker qemu-dirty-rate: process %d has ended", d->pid);
	return FALSE;
}

/* A pass begins as soon as the one before has ended. */
static gboolean qemu_sets_the_pace(gpointer work, KxPass *p, GError **error)
{
	return TRUE;
}

static gboolean dirty_rate_pass(gpointer work, KxPass *p, GError **error)
{
	DirtyRate *d = work;

	/* A measurement does not depend on an earlier one, so the priming pass measures nothing. */
	while (!kx_pass_primes(p) && !kx_pass_is_cut(p)) {
		if (!check_process(d, error))
			return FALSE;
		if (!d->measuring && !try_to_begin(d)) {
			kx_pass_wait(p, RETRY_NS);
			continue;
		}
		if (!d->spoilt)
			look_for_pause(d);
		if (look_for_result(d))
			return TRUE;
		kx_pass_wait(p, next_look_ns(d));
	}
	return TRUE;
}

/* --- start ------------------------------------------------------------------------------------------------------------------ */

static void dirty_rate_free(gpointer work)
{
	DirtyRate *d = work;

	kx_libvirt_release(d->libvirt);
	g_mutex_clear(&d->lock);
	g_free(d->account.why);
	g_free(d->proc_root);
	g_free(d->libvirt_uri);
	g_free(d->uuid);
	g_free(d);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DirtyRate, dirty_rate_free)

static gboolean refuse(const DirtyRate *d, GError *why, GError **error)
{
	static const char needs_ring[] =
		"; the VM has to run with KVM's dirty ring (libvirt: <features><kvm><dirty-ring "
		"state='on' size='4096'/></kvm></features>), or set mode page-sampling";

	g_set_error(error, KX_ERROR, why->code, "tracker qemu-dirty-rate, mode %s: %s%s",
		    kx_dirty_rate_modes[d->mode], why->message,
		    d->mode == KX_DIRTY_RATE_RING && why->code == KX_ERROR_NOT_SUPPORTED
			    ? needs_ring
			    : "");
	g_error_free(why);
	return FALSE;
}

/* Did QEMU refuse a measurement because another one had begun since the query that found @before_s? */
static gboolean was_forestalled(DirtyRate *d, gint64 before_s)
{
	KxDirtyRate r;

	return kx_libvirt_is_connected(d->libvirt) &&
	       kx_dirty_rate_read(d->libvirt, d->uuid, &r, NULL) &&
	       (r.measuring || r.start_s != before_s);
}

/*
 * Begins the first measurement, so that if libvirt or QEMU refuses it, the tracker is refused. If QEMU is busy (a measurement of
 * the previous setting may still run), or if the VM is paused, the thread of the passes begins the measurement later.
 */
static gboolean try_first(gpointer work, GError **error)
{
	DirtyRate *d = work;
	GError *why = NULL;
	const char *paused;
	KxDirtyRate r;
	gboolean runs;

	if (!connected(d, &why) || !kx_libvirt_runs(d->libvirt, d->uuid, &runs, &paused, &why) ||
	    !kx_dirty_rate_read(d->libvirt, d->uuid, &r, &why))
		return refuse(d, why, error);
	if (!runs || r.measuring || begin(d, r.start_s, &why))
		return TRUE;
	if (!was_forestalled(d, r.start_s))
		return refuse(d, why, error);
	g_error_free(why);
	return TRUE;
}

static DirtyRate *dirty_rate_new(const KxTrackerVm *vm, const KxOptions *o)
{
	DirtyRate *d = g_new0(DirtyRate, 1);

	d->proc_root = g_strdup(vm->proc_root);
	d->pid = vm->pid;
	d->uuid = g_strdup(vm->uuid);
	d->libvirt_uri = g_strdup(*vm->libvirt_uri);
	d->mode = (KxDirtyRateMode)o->dirty_rate.mode;
	d->seconds = o->dirty_rate.seconds;
	d->other_s = -1;
	g_mutex_init(&d->lock);
	return d;
}

/* --- ops ------------------------------------------------------------------------------------------------------------------- */

static gsize dirty_rate_bytes(gconstpointer work)
{
	return sizeof(DirtyRate);
}

static gboolean dirty_rate_start(KxTracker *t, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = {
		.thread = "kx-dirty-rate",
		.pass = dirty_rate_pass,
		.free = dirty_rate_free,
		.await = qemu_sets_the_pace,
		.bytes = dirty_rate_bytes,
	};
	const KxFirstStep first = { "kx-dirty-first", "qemu-dirty-rate", try_first, NULL,
				    dirty_rate_free };
	KxOptions own = *o;
	g_autoptr(DirtyRate) d = NULL;

	if (!t->vm.uuid || !*t->vm.libvirt_uri) {
		g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
				    "tracker qemu-dirty-rate asks QEMU through libvirt, which does "
				    "not run this VM or cannot be reached");
		return FALSE;
	}
	d = kx_first_step(&first, dirty_rate_new(&t->vm, o), error);
	if (!d)
		return FALSE;
	own.interval_ns = d->seconds * G_GUINT64_CONSTANT(1000000000);
	return kx_passes_start(t, &own, &ops, g_steal_pointer(&d), error);
}

static gboolean dirty_rate_serves(const KxTrackerRow *row, guint backends)
{
	return row->can & KX_CAN_RATE;
}

const KxTrackerOps kx_tracker_dirty_rate = {
	.name = "qemu-dirty-rate",
	.serves = dirty_rate_serves,
	.start = dirty_rate_start,
	.fill = fill_window,
	KX_PASSES_OPS,
};
