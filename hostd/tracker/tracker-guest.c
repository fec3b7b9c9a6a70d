// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trackers that run in the guest. The guest's module samples and classifies. A timer makes the daemon look at the channel once
 * per epoch of the guest, and the result is expressed in the terms of the host's module: what was counted since the last look is a
 * pass, and the pages found are those of the hottest ranges. CPU times in the account are those that the guest reports.
 */
#include "tracker-guest.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

#define PROCESSES_MAX 64u
#define STALE_LOOKS   8u
/*
 * Bounds on the pages that one look accepts from the guest, whatever the ring contains. Processes share pages, so a guest may
 * name all of its memory more than once; but a guest that names all of its memory many times does not send a list of hot pages.
 */
#define LOOK_TIMES_RAM 4u
#define LOOK_PAGES     ((guint64)1 << 28) /* if the VM has less memory than this */
#define LOOK_SPANS     65536u
#define RECORD_SPANS   8u /* finding the range of a record takes as long as this number of spans */
/* More than any guest counts between two looks: a larger number is cut to this, so that sums stay far from overflow. */
#define DELTA_MAX (1ull << 44)

typedef struct {
	int timer;
	guint64 epoch_ns;
	gboolean stopped;
	struct kvm_ext_stats st; /* as of the last pass */
	guint64 counted_ns;	 /* when the last pass was counted */
	guint64 instance;	 /* the instance of the guest's module that has reported @seen */
	struct kvm_ext_channel_account seen;
	KxGuestView view;
	guint64 looks, bad_before;
	/* the current pass */
	gboolean in_pass;
	const KxStreamOps *sink;
	gpointer sink_data;
	guint64 now_ns;
	guint64 pages_left, spans_left; /* how many this look may still accept */
	guint64 crowded;		/* records beyond these bounds, in this setting */
} Guest;

static guint64 monotonic_ns(void)
{
	return (guint64)g_get_monotonic_time() * 1000;
}

/* --- opening, starting, stopping ---------------------------------------------------------------------------------- */

static gboolean guest_serves(const KxTrackerRow *row, guint backends)
{
	return row->can & KX_CAN_GUEST;
}

static void process_free(gpointer data)
{
	KxGuestProcess *p = data;

	g_array_unref(p->ranges);
	g_free(p);
}

static gboolean guest_open(KxTracker *t, GError **error)
{
	Guest *g;

	if (!t->vm.channel) {
		g_set_error(
			error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			"trackers in the guest need a channel, and none is plugged into this VM");
		return FALSE;
	}
	g = g_new0(Guest, 1);
	g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->timer < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "a timer for the guest's epochs: %s",
			    g_strerror(errno));
		g_free(g);
		return FALSE;
	}
	g->view.processes = g_ptr_array_new_with_free_func(process_free);
	t->priv = g;
	return TRUE;
}

static void guest_close(KxTracker *t)
{
	Guest *g = t->priv;

	close(g->timer);
	g_ptr_array_unref(g->view.processes);
	g_free(g);
}

static void set_timer(const Guest *g, guint64 ns)
{
	const struct timespec each = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	const struct itimerspec its = { each, each };

	timerfd_settime(g->timer, 0, &its, NULL);
}

static void name_event(const KxTracker *t, const KxChannelStatus *st, const KxOptions *o)
{
	gboolean surrogate = st->surrogate || o->guest.event.kind == KVM_EXT_EVENT_PAGE_FAULTS;
	const char *kind = surrogate	    ? ", surrogate"
			   : t->vm.emulated ? ", PEBS emulated by QEMU TCG"
					    : "";
	Guest *g = t->priv;

	if (!(o->tracker->can & KX_CAN_EVENTS))
		return;
	g_snprintf(g->view.event, sizeof(g->view.event), "%s%s",
		   *st->event ? st->event : "event not told", kind);
}

static gboolean guest_start(KxTracker *t, const KxOptions *o, GError **error)
{
	struct kvm_ext_channel_command now, want;
	KxChannelStatus st = { 0 };
	KxChannelCounts counts;
	Guest *g = t->priv;

	kx_channel_commanded(t->vm.channel, &now);
	kx_guest_command(o, &want);
	if (now.epoch == g->st.epoch || !kx_guest_command_is_same(&now, &want)) {
		want.epoch = kx_tracker_new_epoch();
		kx_channel_command(t->vm.channel, &want);
	} else {
		/* kx_tracker_guest_propose() has sent this command, and the guest runs it. */
		want.epoch = now.epoch;
	}
	/* If the guest writes its status just now, kx_tracker_guest_propose() has read the answer. */
	if (!kx_channel_status(t->vm.channel, &st))
		kx_channel_told(t->vm.channel, &st);
	/* The event of an earlier command must not give its name to this one. */
	if (st.epoch != want.epoch)
		memset(&st, 0, sizeof(st));
	kx_channel_counts(t->vm.channel, &counts);
	memset(&g->view, 0, G_STRUCT_OFFSET(KxGuestView, processes));
	g_ptr_array_set_size(g->view.processes, 0);
	g->crowded = 0;
	g->bad_before = counts.bad + counts.resyncs;
	name_event(t, &st, o);
	g->epoch_ns = kx_guest_epoch_ns(o->epoch_ns);
	g->stopped = FALSE;
	g->instance = 0;
	memset(&g->seen, 0, sizeof(g->seen));
	g->st = (struct kvm_ext_stats){ .size = sizeof(g->st),
					.tracker = KX_TRACKER_NO_ID,
					.epoch = want.epoch,
					.start_ns = monotonic_ns(),
					.interval_ns = g->epoch_ns };
	set_timer(g, g->epoch_ns);
	return TRUE;
}

static void guest_stop(KxTracker *t)
{
	const struct kvm_ext_channel_command nothing = { 0 };
	Guest *g = t->priv;

	kx_channel_command(t->vm.channel, &nothing);
	g->stopped = TRUE;
	set_timer(g, 0);
}

/* --- passes ------------------------------------------------------------------------------------------------------- */

static void begin_pass(Guest *g)
{
	const struct kvm_ext_rec_pass_begin r = {
		.h = { KVM_EXT_REC_PASS_BEGIN, 0, sizeof(r) },
		.epoch = g->st.epoch,
		.pass = g->st.passes + 1,
		.time_ns = g->now_ns,
		.tracker = KX_TRACKER_NO_ID,
		.granularity = KVM_EXT_GRANULARITY_4K,
	};

	if (!g->in_pass && g->sink->pass_begin)
		g->sink->pass_begin(g->sink_data, &r);
	g->in_pass = TRUE;
}

static KxGuestProcess *process_of(Guest *g, gint32 pid)
{
	KxGuestProcess *p;

	for (guint i = 0; i < g->view.processes->len; i++) {
		p = g->view.processes->pdata[i];
		if (p->pid == pid)
			return p;
	}
	if (g->view.processes->len == PROCESSES_MAX)
		return NULL;
	p = g_new0(KxGuestProcess, 1);
	p->pid = pid;
	p->ranges = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_channel_range));
	g_ptr_array_add(g->view.processes, p);
	return p;
}

/* How often the range of @r was accessed, from the last record of ranges. */
static guint64 accesses_of(Guest *g, const struct kvm_ext_channel_pages *r)
{
	const KxGuestProcess *p = process_of(g, r->pid);

	for (guint i = 0; p && i < p->ranges->len; i++) {
		const struct kvm_ext_channel_range *range =
			&g_array_index(p->ranges, struct kvm_ext_channel_range, i);

		if (range->start == r->start)
			return range->accesses;
	}
	return 0;
}

/* How many pages of the span exist in the VM. */
static guint64 real_pages(guint64 last_gfn, const struct kvm_ext_channel_span *s)
{
	return s->gfn > last_gfn ? 0 : MIN(s->npages, last_gfn + 1 - s->gfn);
}

static guint64 all_pages(guint64 last_gfn, const struct kvm_ext_channel_pages *r)
{
	guint64 sum = 0;

	for (guint32 i = 0; i < r->nr; i++)
		sum += real_pages(last_gfn, &r->span[i]);
	return sum;
}

/* FALSE: this look has accepted as much as it may. */
static gboolean take_share(Guest *g, guint64 spans, guint64 pages)
{
	if (pages > g->pages_left || spans > g->spans_left) {
		g->pages_left = g->spans_left = 0;
		g->crowded++;
		return FALSE;
	}
	g->pages_left -= pages;
	g->spans_left -= spans;
	return TRUE;
}

static void open_share(Guest *g, guint64 ram)
{
	g->pages_left = MAX(ram, MIN(LOOK_TIMES_RAM * ram, LOOK_PAGES));
	g->spans_left = LOOK_SPANS;
}

/* The pages of a range; the accesses of the range are divided among them. */
static void on_pages(void *data, const struct kvm_ext_channel_pages *r)
{
	const KxTracker *t = data;
	Guest *g = t->priv;
	guint64 last_gfn = t->vm.vm->last_gfn, pages;
	double accesses;

	if (r->epoch != g->st.epoch || g->stopped)
		return;
	begin_pass(g);
	pages = all_pages(last_gfn, r);
	if (!take_share(g, r->nr + RECORD_SPANS, pages))
		return;
	accesses = (double)accesses_of(g, r);
	for (guint32 i = 0; i < r->nr; i++) {
		const struct kvm_ext_rec_run run = {
			.h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
			.pass = g->st.passes + 1,
			.gfn = r->span[i].gfn,
			.npages = real_pages(last_gfn, &r->span[i]),
		};

		if (run.npages && g->sink->run)
			g->sink->run(g->sink_data, &run);
		if (run.npages && g->sink->ranked)
			g->sink->ranked(
				g->sink_data, run.gfn, run.npages,
				(guint64)(accesses * (double)run.npages / (double)pages + 0.5));
		if (run.npages < r->span[i].npages &&
		    g->sink->ranked) /* the rest of the span does not exist */
			g->sink->ranked(g->sink_data, KX_GFN_END, 1, 1);
	}
}

static void on_ranges(void *data, const struct kvm_ext_channel_ranges *r)
{
	Guest *g = ((const KxTracker *)data)->priv;
	KxGuestProcess *p = r->epoch == g->st.epoch ? process_of(g, r->pid) : NULL;

	if (!p)
		return;
	g_strlcpy(p->name, r->name, sizeof(p->name));
	p->total = r->total;
	p->look = g->looks;
	g_array_set_size(p->ranges, 0);
	g_array_append_vals(p->ranges, r->range, r->nr); /* bounded: they fit in one record */
}

static void drop_stale(Guest *g)
{
	for (guint i = g->view.processes->len; i-- > 0;) {
		const KxGuestProcess *p = g->view.processes->pdata[i];

		if (g->looks - p->look > STALE_LOOKS)
			g_ptr_array_remove_index(g->view.processes, i);
	}
}

/* By how much the counters of an account have grown. A counter that is smaller than before has started from 0 again. */
static void difference(const struct kvm_ext_channel_account *now,
		       const struct kvm_ext_channel_account *seen,
		       struct kvm_ext_channel_account *d)
{
	const guint64 *a = (const guint64 *)now, *b = (const guint64 *)seen;
	guint64 *to = (guint64 *)d;

	for (guint i = 0; i < sizeof(*d) / sizeof(*to); i++)
		to[i] = MIN(a[i] >= b[i] ? a[i] - b[i] : a[i], DELTA_MAX);
}

static void add_up(struct kvm_ext_channel_account *sum, const struct kvm_ext_channel_account *d,
		   const struct kvm_ext_channel_account *now)
{
	guint64 *to = (guint64 *)sum;
	const guint64 *by = (const guint64 *)d;

	for (guint i = 0; i < sizeof(*d) / sizeof(*to); i++)
		to[i] = MIN(to[i] + by[i], G_MAXINT64 / 4);
	/* these members are not counters */
	sum->max_scan_ns = MAX(sum->max_scan_ns, MIN(now->max_scan_ns, DELTA_MAX));
	sum->memory_bytes = MIN(now->memory_bytes, DELTA_MAX);
	sum->period = MIN(now->period, DELTA_MAX);
}

static guint64 busy_ns(const struct kvm_ext_channel_account *a)
{
	return a->interrupt_ns + a->drain_ns + a->classify_ns + a->report_ns + a->scan_ns +
	       a->flush_ns;
}

/*
 * When a pass began: not before the pass before it ended, although the times of several CPUs, or of a guest that reports false
 * times, may be longer than that in sum.
 */
static guint64 pass_start_ns(const Guest *g, guint64 busy)
{
	guint64 earliest = g->st.passes ? g->counted_ns : g->st.start_ns;

	return g->now_ns - MIN(busy, g->now_ns - MIN(earliest, g->now_ns));
}

static void count_pass(Guest *g, const struct kvm_ext_rec_pass_end *r)
{
	struct kvm_ext_stats *st = &g->st;

	st->last_start_ns = pass_start_ns(g, r->wall_ns);
	if (!st->passes)
		st->first_start_ns = st->last_start_ns;
	g->counted_ns = g->now_ns;
	st->pass_ns_min = st->passes ? MIN(st->pass_ns_min, r->wall_ns) : r->wall_ns;
	st->pass_ns_max = MAX(st->pass_ns_max, r->wall_ns);
	st->pass_ns_p99 = st->pass_ns_max; /* an upper bound */
	st->pass_ns_sum += r->wall_ns;
	st->passes++;
	st->cpu_ns += r->cpu_ns;
	st->pages_scanned += r->pages_scanned;
	st->leaves_tested += r->leaves_tested;
	st->samples += r->samples;
	st->sample_pages += r->sample_pages;
	st->lost_samples += r->lost_samples;
	st->flushes += r->flushes;
	st->flush_ns += r->flush_ns;
	st->max_hold_ns = MAX(st->max_hold_ns, g->view.sum.max_scan_ns);
}

static void end_pass(Guest *g, guint16 flags, const struct kvm_ext_channel_account *d)
{
	const struct kvm_ext_rec_pass_end r = {
		.h = { KVM_EXT_REC_PASS_END, flags, sizeof(r) },
		.pass = g->st.passes + 1,
		.time_ns = g->now_ns,
		.wall_ns = busy_ns(d),
		.cpu_ns = busy_ns(d),
		.pages_scanned = d->pages_scanned,
		.leaves_tested = d->pages_scanned,
		.samples = d->samples,
		.sample_pages = d->samples,
		.lost_samples = d->dropped_queue,
		.flushes = d->flushes,
		.flush_ns = d->flush_ns,
	};

	begin_pass(g);
	g->in_pass = FALSE;
	if (!(flags & KVM_EXT_PASS_CUT))
		count_pass(g, &r);
	if (g->sink->pass_end)
		g->sink->pass_end(g->sink_data, &r);
}

/* Takes what the guest's module has counted since the last look. A module that was loaded again counts from 0. */
static void count(Guest *g, const KxChannelStatus *st)
{
	struct kvm_ext_channel_account d;

	if (st->instance != g->instance) {
		g->view.restarts += g->instance != 0;
		g->instance = st->instance;
		memset(&g->seen, 0, sizeof(g->seen));
	}
	if (st->account.epochs == g->seen.epochs)
		return;
	difference(&st->account, &g->seen, &d);
	/* A look may find several epochs at once: if they are without a sample, each of them is. */
	if (!d.samples)
		g->view.empty_epochs += d.epochs;
	add_up(&g->view.sum, &d, &st->account);
	g->seen = st->account;
	end_pass(g, 0, &d);
}

static void look(KxTracker *t)
{
	Guest *g = t->priv;
	KxChannelStatus st;
	KxChannelState state = kx_channel_look(t->vm.channel, g->now_ns, &st);
	gboolean ours = st.epoch == g->st.epoch && st.state == KVM_EXT_GUEST_RUNNING;
	static const KxChannelOps ops = { .ranges = on_ranges, .pages = on_pages };
	KxChannelCounts counts;

	g->looks++;
	open_share(g, t->vm.vm->last_gfn + 1);
	/* The status was read before the records: the guest writes the status after the records that the status counts. */
	kx_channel_drain(t->vm.channel, &ops, t);
	if (ours && !g->stopped)
		count(g, &st);
	drop_stale(g);
	if (*st.release)
		g_strlcpy(g->view.release, st.release, sizeof(g->view.release));
	kx_channel_counts(t->vm.channel, &counts);
	g->view.bad_records = counts.bad + counts.resyncs - g->bad_before + g->crowded;
	g->view.silent =
		state != KX_CHANNEL_ALIVE ? kx_channel_state_text(state)
		: st.state == KVM_EXT_GUEST_FAILED
			? "the guest's module has failed: it can no longer carry out its command"
			: NULL;
	g->view.work = st.work;
	g->view.work_writers = st.work_writers;
}

static gboolean guest_drain(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error)
{
	static const struct kvm_ext_channel_account nothing;
	Guest *g = t->priv;
	guint64 ticks;

	if (read(g->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		g_clear_error(error); /* no error: other calls of drain look at the channel, too */
	g->sink = sink;
	g->sink_data = data;
	g->now_ns = monotonic_ns();
	look(t);
	if (g->stopped && g->in_pass)
		end_pass(g, KVM_EXT_PASS_CUT, &nothing);
	return TRUE;
}

static gboolean guest_stats(KxTracker *t, struct kvm_ext_stats *st, GError **error)
{
	const Guest *g = t->priv;

	*st = g->st;
	st->now_ns = monotonic_ns();
	st->memory_bytes = g->view.sum.memory_bytes;
	return TRUE;
}

/* --- a pass now --------------------------------------------------------------------------------------------------- */

static gpointer guest_pass_handle(KxTracker *t)
{
	return NULL;
}

static gboolean guest_run_pass(gpointer handle, guint64 *pass, GError **error)
{
	g_set_error(
		error, KX_ERROR, KX_ERROR_INVALID_OPTION,
		"trackers in the guest have no passes on request: they report at the end of each "
		"epoch (option epoch)");
	return FALSE;
}

static void guest_pass_handle_free(gpointer handle)
{
}

static int guest_poll_fd(KxTracker *t)
{
	return ((const Guest *)t->priv)->timer;
}

static const KxGuestView *guest_view(const KxTracker *t)
{
	return &((const Guest *)t->priv)->view;
}

static void fill_window(gconstpointer t, KxWindow *w)
{
	const KxGuestView *view = guest_view(t);

#define PART(id, name, has, none, heading, manual) w->has = TRUE;
#define TOLD(type, member, source)		   KX_PUT_##type(w->member, source);
#define TOLD_LATER(type, member, source)	   TOLD(type, member, source)
#include "model/part-guest.def"
#include "model/part-end.def"
}

const KxTrackerOps kx_tracker_guest = {
	.name = "guest",
	.serves = guest_serves,
	.open = guest_open,
	.close = guest_close,
	.start = guest_start,
	.stop = guest_stop,
	.stats = guest_stats,
	.run_pass = guest_run_pass,
	.pass_handle = guest_pass_handle,
	.pass_handle_free = guest_pass_handle_free,
	.poll_fd = guest_poll_fd,
	.drain = guest_drain,
	.guest = guest_view,
	.fill = fill_window,
};
