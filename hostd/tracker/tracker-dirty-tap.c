// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dirty-log by a tap: a QEMU with our patches (qemu-patches) copies each reading of KVM's dirty log to shared memory. QEMU stays the
 * only user of the log, so that pages are also found while QEMU migrates the VM. (During a migration, the module leaves the log to
 * QEMU and finds nothing.)
 *
 * A pass is one reading by QEMU, which begins readings by its own timer. Consequences:
 *
 *  - Pages are found that vCPUs, QEMU's device models and vhost wrote since the previous reading; the module's log has only the
 *    pages that vCPUs and KVM wrote.
 *  - The cost of a pass is the CPU time of QEMU's main thread for the reading, and the CPU time of this thread. QEMU's main thread
 *    holds its lock of monitor and devices meanwhile; QEMU reads at most half of the time.
 *  - If this thread is late, QEMU skips readings. No page is lost: the next reading has what was written meanwhile.
 *  - Memory that is plugged in makes readings larger. If they no longer fit into the shared memory, QEMU ends the tap, and this
 *    thread starts a larger one; what was written between the two is not found, which counts as an interval without a pass. QEMU
 *    also ends the tap for a device that logs by itself (vhost), and refuses another tap if this device cannot log.
 *  - A start that QEMU carries out just when nobody waits for it any more replaces the tap that runs; its tracker then starts another,
 *    in the same way.
 *
 * QEMU's readings also show when there is new memory; this thread then asks QEMU where it is, for a session without the module.
 *
 * The tap ends when its socket is closed: by this tracker, or by the kernel, however the daemon ends.
 */
#include "firststep.h"
#include "passthread.h"
#include "tapring.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "vm/dirtytap.h"
#include "vm/dommonitor.h"
#include "vm/procstat.h"

#define NS_PER_MS G_GUINT64_CONSTANT(1000000)
#define LOOK_MS	  20 /* the time between two tests whether the tracker was stopped */
#define RETRY_US  G_USEC_PER_SEC
#define GONE_US	  (10 * G_USEC_PER_SEC)
#define END_US	  (400 * G_TIME_SPAN_MILLISECOND) /* less than KX_PASS_STOP_MS */

/* For the statistics; under the lock. */
typedef struct {
	guint64 sync_ns, clear_ns; /* sums */
	guint64 looked, dirty;	   /* pages, sums */
	guint64 readings, pages;   /* pages: logged at the last reading */
} Account;

typedef struct {
	/* constant after the start */
	char *proc_root, *uuid, *libvirt_uri;
	pid_t pid;
	guint interval_ms;
	gboolean replace; /* a tap of this tracker runs already */
	guint64 first_gfn, end_gfn;
	enum kvm_ext_log_mode mode;

	/* of the thread that starts the tap, then of the thread of the passes */
	KxTapRing *ring;
	guint64 record_bytes;	    /* for which the ring is made */
	guint64 skipped;	    /* of the ring's tap */
	gint64 since_us;	    /* when this tracker's first tap was asked for */
	guint64 cpu_ns, elapsed_ns; /* sums of what QEMU says it needed */
	guint64 readings;	    /* of all taps */
	guint64 pages;		    /* logged, when the layout was asked for; 0: no reading yet */
	guint64 restarts;	    /* not yet counted as lost passes */
	gint64 restart_us;	    /* the last one; 0: none */

	GMutex lock;
	int socket;	    /* our end; -1: closed; under the lock while the tap is started */
	gboolean withdrawn; /* nobody waits for the start any more */
	Account account;
	KxLayout *layout; /* new, and not yet taken; NULL: none */
} Tap;

/* --- starting the tap ------------------------------------------------------------------------------------------------------ */

/* Takes @fd; closes the end before it. FALSE: the start was withdrawn. */
static gboolean replace_end(Tap *t, int fd)
{
	gboolean ok;

	g_mutex_lock(&t->lock);
	if (t->socket >= 0)
		close(t->socket);
	t->socket = fd;
	ok = !t->withdrawn;
	g_mutex_unlock(&t->lock);
	return ok;
}

static void drop(Tap *t)
{
	replace_end(t, -1);
	g_clear_pointer(&t->ring, kx_tap_ring_free);
}

/* QEMU refuses a start whose other end is shut down, so it will not replace another tap when libvirt passes the command on. */
static void withdraw(gpointer work)
{
	Tap *t = work;

	g_mutex_lock(&t->lock);
	t->withdrawn = TRUE;
	if (t->socket >= 0)
		shutdown(t->socket, SHUT_RDWR);
	g_mutex_unlock(&t->lock);
}

/* QEMU gets its own descriptors, so that the end of QEMU's socket is noticed here. */
static gboolean offer(Tap *t, KxLibvirt *l, gboolean replace, GError **error)
{
	int ends[2];
	gboolean ok;

	drop(t);
	t->ring = kx_tap_ring_new(t->record_bytes, error);
	if (!t->ring)
		return FALSE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "a pair of sockets: %s",
			    g_strerror(errno));
		return FALSE;
	}
	ok = replace_end(t, ends[0]);
	if (!ok)
		g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED, "the start was withdrawn");
	ok = ok && kx_dirty_tap_start(l, t->uuid, kx_tap_ring_fd(t->ring), ends[1], t->interval_ms,
				      replace, error);
	close(ends[1]);
	return ok && kx_tap_ring_check(t->ring, error);
}

/* The size of a reading is only estimated; if the ring is too small, QEMU has written to it what a reading needs. */
static gboolean start_tap(Tap *t, gboolean replace, GError **error)
{
	g_autoptr(KxLibvirt) l = kx_libvirt_open(t->libvirt_uri, error);
	g_autoptr(GError) why = NULL;
	guint64 needed;

	if (!l)
		return FALSE;
	if (offer(t, l, replace, &why))
		return TRUE;
	if (t->ring && kx_tap_ring_is_too_small(t->ring, &needed)) {
		t->record_bytes = needed;
		return offer(t, l, replace, error);
	}
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* QEMU has ended the tap, @because. If libvirt is being restarted, tries again. TRUE: the tap runs, or the pass is cut. */
static gboolean restart(Tap *t, KxPass *p, guint64 needed, const char *because, GError **error)
{
	GError *why = NULL;

	/* A QEMU that is not trusted could keep libvirt busy. */
	if (t->restart_us && g_get_monotonic_time() - t->restart_us < RETRY_US &&
	    !kx_pass_wait(p, RETRY_US * 1000))
		return TRUE;
	t->restart_us = g_get_monotonic_time();
	t->record_bytes = needed;
	while (!start_tap(t, FALSE, &why)) {
		if (!g_error_matches(why, KX_ERROR, KX_ERROR_NO_LIBVIRT)) {
			g_propagate_prefixed_error(error, why,
						   "tracker dirty-log: %s, and the tap cannot be "
						   "started anew: ",
						   because);
			return FALSE;
		}
		g_clear_error(&why);
		if (!kx_pass_wait(p, RETRY_US * 1000))
			return TRUE;
	}
	t->skipped = 0;
	t->restarts++;
	return TRUE;
}

/* --- a pass ---------------------------------------------------------------------------------------------------------------- */

/* When QEMU ends, its files are closed shortly before its process is over. */
static gboolean process_is_over(const Tap *t, KxPass *p)
{
	gint64 until = g_get_monotonic_time() + GONE_US;

	while (!kx_procstat_is_over(t->proc_root, t->pid)) {
		if (g_get_monotonic_time() >= until || !kx_pass_wait(p, LOOK_MS * NS_PER_MS))
			return FALSE;
	}
	return TRUE;
}

/*
 * It is replaced by the tap of this tracker's successor, which stops this thread; by somebody else's, which QEMU then does not give up; or
 * by one whose start QEMU carried out when nobody waited for it any more: that one ends by itself, because its socket is closed.
 */
static gboolean take_back(Tap *t, KxPass *p, const char *why, GError **error)
{
	t->restart_us = g_get_monotonic_time(); /* the others come first */
	return restart(t, p, t->record_bytes, why, error);
}

/* QEMU has closed its end of the socket, and all records were taken. TRUE: another tap runs, or the pass is cut. */
static gboolean tap_has_ended(Tap *t, KxPass *p, GError **error)
{
	const char *why = kx_tap_ring_ended(t->ring);
	guint64 needed;

	if (kx_tap_ring_may_restart(t->ring, &needed))
		return restart(t, p, needed, "the VM's memory or devices have changed", error);
	if (kx_tap_ring_is_replaced(t->ring))
		return take_back(t, p, why, error);
	if (!why && process_is_over(t, p)) {
		g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE,
			    "tracker dirty-log: process %d has ended", t->pid);
		return FALSE;
	}
	if (kx_pass_is_cut(p))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "tracker dirty-log: QEMU has ended the tap of its dirty log: %s",
		    why ? why : "the connection is closed");
	return FALSE;
}

/* Takes the bytes that QEMU sends with readings; they have no meaning. FALSE: QEMU has closed its end. */
static gboolean swallow(const Tap *t)
{
	char bytes[256];
	gssize n = recv(t->socket, bytes, sizeof(bytes), MSG_DONTWAIT);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static gboolean tap_await(gpointer work, KxPass *p, GError **error)
{
	Tap *t = work;

	/* The priming pass has nothing to wait for: what was written before the start is not in the first reading. */
	while (!kx_pass_primes(p) && !kx_pass_is_cut(p) && kx_tap_ring_is_empty(t->ring)) {
		struct pollfd wait = { .fd = t->socket, .events = POLLIN };

		if (poll(&wait, 1, LOOK_MS) > 0 && !swallow(t) && kx_tap_ring_is_empty(t->ring) &&
		    !tap_has_ended(t, p, error))
			return FALSE;
	}
	return TRUE;
}

typedef struct {
	const Tap *t;
	KxPass *p;
	guint64 dirty;
} Finder;

/* Clears the bits of pages before @first and from @end on. */
static void cut_range(guint64 *bits, guint nwords, guint64 gfn, guint64 first, guint64 end)
{
	for (guint i = 0; i < nwords; i++, gfn += 64) {
		for (guint bit = 0; bit < 64 && bits[i]; bit++) {
			if (gfn + bit < first || gfn + bit >= end)
				bits[i] &= ~(G_GUINT64_CONSTANT(1) << bit);
		}
	}
}

static void found(gpointer data, guint64 gfn, const guint64 *found_bits, guint nwords)
{
	Finder *f = data;
	guint64 bits[KX_TAP_WORDS];

	for (guint i = 0; i < nwords; i++) {
		bits[i] = found_bits[i];
		f->dirty += (guint)__builtin_popcountll(bits[i]);
	}
	if (gfn < f->t->first_gfn || gfn + nwords * 64 > f->t->end_gfn)
		cut_range(bits, nwords, gfn, f->t->first_gfn, f->t->end_gfn);
	kx_pass_found_bits(f->p, gfn, bits, nwords);
}

static void take_account(Tap *t, const KxTapRecord *r, guint64 dirty)
{
	g_mutex_lock(&t->lock);
	t->account.sync_ns += r->sync_ns;
	t->account.clear_ns += r->clear_ns;
	t->account.looked += r->pages;
	t->account.dirty += dirty;
	t->account.readings++;
	t->account.pages = r->pages;
	g_mutex_unlock(&t->lock);
}

/* A clock may be a little behind another one. */
#define SLACK_NS G_GUINT64_CONSTANT(1000000000)

/* QEMU's thread cannot have needed more time than has passed. @limit is at least *@sum. */
static gboolean add_within(guint64 *sum, guint64 more, guint64 limit)
{
	if (more > limit - MIN(*sum, limit))
		return FALSE;
	*sum += more;
	return TRUE;
}

/* NULL: QEMU can have made @r in the time since the start. Else what is wrong with it. */
static const char *against(Tap *t, const KxTapRecord *r)
{
	guint64 passed = (guint64)(g_get_monotonic_time() - t->since_us) * 1000 + SLACK_NS;
	guint64 intervals = passed / (t->interval_ms * NS_PER_MS);

	if (r->skipped < t->skipped || r->skipped > intervals ||
	    !add_within(&t->cpu_ns, r->cpu_ns, passed) ||
	    !add_within(&t->elapsed_ns, r->sync_ns, passed) ||
	    !add_within(&t->elapsed_ns, r->clear_ns, passed))
		return "its costs are more than the time that has passed";
	/* Readings without a pause would keep this thread busy, and fill the samples' ring. */
	if (++t->readings > intervals - r->skipped)
		return "it has more readings than intervals have passed";
	return NULL;
}

/* If libvirt or QEMU does not answer, the next reading asks again. */
static void follow_memory(Tap *t, guint64 pages)
{
	g_autoptr(KxLibvirt) l = NULL;
	KxLayout *layout = NULL;
	KxDomainMonitor m;

	if (!t->pages)
		t->pages = pages;
	if (pages == t->pages)
		return;
	l = kx_libvirt_open(t->libvirt_uri, NULL);
	if (l)
		layout = kx_layout_read(kx_domain_monitor(&m, l, t->uuid), NULL);
	if (!layout)
		return;
	t->pages = pages;
	g_mutex_lock(&t->lock);
	kx_layout_free(t->layout);
	t->layout = layout;
	g_mutex_unlock(&t->lock);
}

static gboolean tap_pass(gpointer work, KxPass *p, GError **error)
{
	Tap *t = work;
	Finder f = { t, p, 0 };
	const char *wrong;
	KxTapRecord r;

	if (kx_pass_primes(p))
		return TRUE;
	if (!kx_tap_ring_take(t->ring, &r, found, &f, error)) {
		g_prefix_error(error, "tracker dirty-log: ");
		return FALSE;
	}
	wrong = against(t, &r);
	if (wrong) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "tracker dirty-log: QEMU's copy of the dirty log is not valid: %s",
			    wrong);
		return FALSE;
	}
	kx_pass_looked(p, r.pages, r.pages);
	kx_pass_add_cpu(p, r.cpu_ns);
	if (r.skipped != t->skipped || t->restarts)
		kx_pass_lost(p, r.skipped - t->skipped + t->restarts, 0);
	t->skipped = r.skipped;
	t->restarts = 0;
	take_account(t, &r, f.dirty);
	follow_memory(t, r.pages);
	return TRUE;
}

/* --- start ----------------------------------------------------------------------------------------------------------------- */

/* QEMU closes its end when it has switched the log off, so that the next tracker can use the log. */
static void tap_leave(gpointer work)
{
	Tap *t = work;
	struct pollfd wait = { .fd = t->socket, .events = POLLIN };
	gint64 until = g_get_monotonic_time() + END_US;

	shutdown(t->socket, SHUT_WR);
	while (swallow(t) && g_get_monotonic_time() < until)
		poll(&wait, 1, LOOK_MS);
	replace_end(t, -1);
}

static void tap_free(gpointer work)
{
	Tap *t = work;

	drop(t);
	kx_layout_free(t->layout);
	g_mutex_clear(&t->lock);
	g_free(t->proc_root);
	g_free(t->libvirt_uri);
	g_free(t->uuid);
	g_free(t);
}

static Tap *tap_new(const KxTracker *tracker, const KxOptions *o)
{
	const KxTrackerVm *vm = &tracker->vm;
	Tap *t = g_new0(Tap, 1);

	g_mutex_init(&t->lock);
	t->socket = -1;
	t->proc_root = g_strdup(vm->proc_root);
	t->pid = vm->pid;
	t->uuid = g_strdup(vm->uuid);
	t->libvirt_uri = g_strdup(*vm->libvirt_uri);
	t->interval_ms = (guint)(o->interval_ns / NS_PER_MS);
	t->replace = kx_passes_work(tracker) != NULL;
	t->first_gfn = o->range.first_gfn;
	t->end_gfn = o->range.npages ? t->first_gfn + o->range.npages : G_MAXUINT64;
	t->mode = vm->vm->log_mode;
	t->since_us = g_get_monotonic_time();
	t->record_bytes = kx_tap_record_bytes(vm->vm->ram_pages);
	return t;
}

static gboolean begin(gpointer work, GError **error)
{
	Tap *t = work;

	if (start_tap(t, t->replace, error))
		return TRUE;
	g_prefix_error(error, "tracker dirty-log: ");
	return FALSE;
}

static gsize tap_bytes(gconstpointer work)
{
	const Tap *t = work;

	return sizeof(*t) + (t->ring ? kx_tap_ring_bytes(t->ring) : 0);
}

static gboolean tap_start(KxTracker *tracker, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = {
		.thread = "kx-dirty-tap",
		.pass = tap_pass,
		.free = tap_free,
		.await = tap_await,
		.leave = tap_leave,
		.bytes = tap_bytes,
	};
	const KxFirstStep first = { "kx-tap-first", "dirty-log", begin, withdraw, tap_free };
	Tap *t = kx_first_step(&first, tap_new(tracker, o), error);

	return t && kx_passes_start(tracker, o, &ops, t, error);
}

/* The costs of KVM's ioctls, which QEMU has measured; the same members as for the module's. */
static gboolean tap_stats(KxTracker *tracker, struct kvm_ext_stats *st, GError **error)
{
	Tap *t = kx_passes_work(tracker);

	if (!kx_passes_stats(tracker, st, error))
		return FALSE;
	g_mutex_lock(&t->lock);
	st->log.mode = t->mode;
	st->log.pages = t->account.pages;
	st->log.harvest_ns = t->account.sync_ns;
	st->log.harvest_pages = t->account.looked;
	st->log.clear_ns = t->account.clear_ns;
	st->log.clear_pages = t->account.dirty;
	st->log.clears = t->account.readings;
	g_mutex_unlock(&t->lock);
	return TRUE;
}

static KxLayout *tap_layout(KxTracker *tracker)
{
	Tap *t = kx_passes_work(tracker);
	KxLayout *layout;

	if (!t)
		return NULL;
	g_mutex_lock(&t->lock);
	layout = g_steal_pointer(&t->layout);
	g_mutex_unlock(&t->lock);
	return layout;
}

static gboolean tap_serves(const KxTrackerRow *row, guint backends)
{
	return row->can & KX_CAN_TAP && backends & KX_BACKEND_TAP;
}

const KxTrackerOps kx_tracker_dirty_tap = {
	.name = "dirty-tap",
	.backend = "qemu-tap",
	.holds_log = TRUE,
	.serves = tap_serves,
	.start = tap_start,
	.open = kx_passes_open,
	.close = kx_passes_close,
	.stop = kx_passes_stop,
	.stats = tap_stats,
	.layout = tap_layout,
	.pass_handle = kx_passes_handle,
	.run_pass = kx_passes_run,
	.pass_handle_free = kx_passes_handle_free,
	.poll_fd = kx_passes_poll_fd,
	.drain = kx_passes_drain,
};
