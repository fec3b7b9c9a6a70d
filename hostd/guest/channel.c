// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel.h"

#include <string.h>

#include "base/error.h"
#include "base/gfnset.h"
#include "base/sigbus.h"

/* Do not wait without bound for a guest that writes all the time. */
#define SEQ_TRIES 8

/* Two clocks that NTP adjusts do not drift apart faster. */
#define DRIFT_PPM 500
#define TIME_MAX  ((guint64)G_MAXINT64 / 4)

typedef struct {
	gboolean known;
	gint64 offset; /* the host's clock minus the guest's */
	guint64 at_ns; /* when it was measured */
} Bound;

struct _KxChannel {
	GMutex lock;
	guint8 *map;
	KxGuard *guard;
	gint broken; /* atomic: set by others than the guard */
	guint64 instance;
	guint64 beat; /* the daemon's last heartbeat */
	guint32 seq;  /* of the last command; even */
	struct kvm_ext_channel_command command;
	guint64 command_ns; /* when it was written */
	guint64 guest;	    /* the instance of the guest's module whose records are read; 0: none */
	guint64 tail;
	guint64 heartbeat, heartbeat_ns; /* the guest's last, and when it changed */
	Bound above, below;
	struct {
		guint64 tsc, time_ns;
	} first, last;	      /* of this instance */
	KxChannelStatus told; /* the last that kx_channel_status() has given */
	KxChannelCounts counts;
	union {
		struct kvm_ext_channel_record h;
		struct kvm_ext_channel_ranges ranges;
		struct kvm_ext_channel_pages pages;
		struct kvm_ext_channel_samples samples;
		guint8 bytes[KVM_EXT_CHANNEL_REC_MAX];
	} rec; /* the current record, copied before it is checked */
};

/* --- shared memory ------------------------------------------------------------------------------------------------ */

static guint64 load64(const void *at)
{
	return __atomic_load_n((const guint64 *)at, __ATOMIC_ACQUIRE);
}

static guint32 load32(const void *at)
{
	return __atomic_load_n((const guint32 *)at, __ATOMIC_ACQUIRE);
}

static void store64(void *at, guint64 value)
{
	__atomic_store_n((guint64 *)at, value, __ATOMIC_RELEASE);
}

static void store32(void *at, guint32 value)
{
	__atomic_store_n((guint32 *)at, value, __ATOMIC_RELEASE);
}

/* The only copy: after the barrier the compiler must not read the source again. */
static void copy_out(void *to, const void *shared, gsize n)
{
	memcpy(to, shared, n);
	__asm__ __volatile__("" : : "r"(to) : "memory");
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* Copies a structure that begins with its seq. FALSE: the writer was changing it at every attempt. */
static gboolean read_consistent(const void *shared, void *to, gsize n)
{
	for (int i = 0; i < SEQ_TRIES; i++) {
		guint32 before = load32(shared);

		if (before & 1)
			continue;
		copy_out(to, shared, n);
		if (load32(shared) == before)
			return TRUE;
	}
	return FALSE;
}

/* Texts of the guest appear on terminals and in logs. */
static void clean_text(char *to, const char *from, gsize size)
{
	gsize i;

	for (i = 0; i + 1 < size && from[i]; i++)
		to[i] = g_ascii_isprint(from[i]) ? from[i] : '?';
	memset(to + i, 0, size - i);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void write_tail(KxChannel *c)
{
	struct kvm_ext_channel_position *p = (void *)(c->map + KVM_EXT_CHANNEL_TAIL_AT);

	if (load64(&p->instance) != c->guest) {
		store64(&p->instance, 0);
		store64(&p->bytes, c->tail);
		store64(&p->instance, c->guest);
	} else {
		store64(&p->bytes, c->tail);
	}
}

static void identify(KxChannel *c)
{
	struct kvm_ext_channel_id *id = (void *)(c->map + KVM_EXT_CHANNEL_ID_AT);

	memset(id->reserved, 0, sizeof(id->reserved));
	id->version = KVM_EXT_CHANNEL_VERSION;
	id->size = KVM_EXT_CHANNEL_SIZE;
	store64(&id->instance, c->instance);
	store64(&id->magic, KVM_EXT_CHANNEL_MAGIC);
}

/* The heartbeat: a guest that does not see it stops sampling. Every reading of the guest's data calls this. */
static void beat(KxChannel *c)
{
	struct kvm_ext_channel_id *id = (void *)(c->map + KVM_EXT_CHANNEL_ID_AT);

	store64(&id->heartbeat, ++c->beat);
}

KxChannel *kx_channel_new(void *map, gsize len, guint64 instance, GError **error)
{
	KxChannel *c;

	if (len < KVM_EXT_CHANNEL_SIZE || (guintptr)map % 8 || !instance) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "guest channel: %" G_GSIZE_FORMAT
			    " bytes at %p are not the %u it needs",
			    len, map, KVM_EXT_CHANNEL_SIZE);
		return NULL;
	}
	c = g_new0(KxChannel, 1);
	g_mutex_init(&c->lock);
	c->map = map;
	c->guard = kx_guard_new(map, len);
	if (!c->guard) {
		kx_channel_free(c);
		g_set_error_literal(error, KX_ERROR, KX_ERROR_BUSY,
				    "guest channel: there are too many already");
		return NULL;
	}
	c->instance = instance;
	/* An earlier daemon's command is replaced; the numbers of commands continue. */
	c->seq = load32(c->map + KVM_EXT_CHANNEL_COMMAND_AT) & ~1u;
	kx_channel_command(c, &c->command);
	write_tail(c);
	identify(c);
	return c;
}

void kx_channel_free(KxChannel *c)
{
	if (!c)
		return;
	kx_guard_free(c->guard);
	g_mutex_clear(&c->lock);
	g_free(c);
}

void kx_channel_break(KxChannel *c)
{
	g_atomic_int_set(&c->broken, TRUE);
}

gboolean kx_channel_is_broken(const KxChannel *c)
{
	return g_atomic_int_get(&c->broken) || kx_guard_was_hit(c->guard);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

guint32 kx_channel_command(KxChannel *c, const struct kvm_ext_channel_command *command)
{
	struct kvm_ext_channel_command *shared = (void *)(c->map + KVM_EXT_CHANNEL_COMMAND_AT);
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);

	beat(c);
	c->command = *command;
	store32(&shared->seq, c->seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy((guint8 *)shared + sizeof(shared->seq),
	       (const guint8 *)command + sizeof(shared->seq),
	       sizeof(*shared) - sizeof(shared->seq));
	c->seq += 2;
	store32(&shared->seq, c->seq);
	c->command_ns = (guint64)g_get_monotonic_time() * 1000;
	return c->seq;
}

void kx_channel_commanded(KxChannel *c, struct kvm_ext_channel_command *command)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);

	*command = c->command;
}

/* --- status ------------------------------------------------------------------------------------------------------- */

static gboolean read_status(const KxChannel *c, KxChannelStatus *st)
{
	struct kvm_ext_channel_status raw;

	if (!read_consistent(c->map + KVM_EXT_CHANNEL_STATUS_AT, &raw, sizeof(raw)) ||
	    kx_channel_is_broken(c))
		return FALSE;
	if (raw.magic != KVM_EXT_CHANNEL_MAGIC || raw.host_instance != c->instance ||
	    !raw.instance || raw.state == KVM_EXT_GUEST_ABSENT || raw.state > KVM_EXT_GUEST_UNHEARD)
		return FALSE;
	*st = (KxChannelStatus){
		.state = raw.state,
		.instance = raw.instance,
		.heartbeat = raw.heartbeat,
		.time_ns = raw.time_ns,
		.tsc = raw.tsc,
		.acked = raw.acked,
		.error = raw.error < 4096 ? (int)raw.error : 0,
		.surrogate = raw.surrogate != 0,
		.cpus = raw.cpus,
		.epoch = raw.epoch,
		.start_ns = raw.start_ns,
		.work = raw.work,
		.work_writers = raw.work_writers,
		.account = raw.account,
	};
	clean_text(st->event, raw.event, sizeof(st->event));
	clean_text(st->release, raw.release, sizeof(st->release));
	return TRUE;
}

gboolean kx_channel_status(KxChannel *c, KxChannelStatus *st)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);

	beat(c);
	if (!read_status(c, st))
		return FALSE;
	c->told = *st;
	return TRUE;
}

void kx_channel_told(KxChannel *c, KxChannelStatus *st)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);

	*st = c->told;
}

static void guest_restarted(KxChannel *c, guint64 instance)
{
	c->guest = instance;
	c->tail = 0;
	c->heartbeat = c->heartbeat_ns = 0;
	c->above.known = c->below.known = FALSE;
	memset(&c->first, 0, sizeof(c->first));
	memset(&c->last, 0, sizeof(c->last));
	c->counts.restarts++;
	write_tail(c);
}

/* The value of a bound at @now_ns: it weakens with time. */
static gint64 loosened(const Bound *b, gboolean above, guint64 now_ns)
{
	gint64 slack = (gint64)(MIN(now_ns - b->at_ns, TIME_MAX) / 1000000 * DRIFT_PPM);

	return above ? b->offset + slack : b->offset - slack;
}

static void note_bound(Bound *b, gboolean above, gint64 offset, guint64 now_ns)
{
	gint64 old = b->known ? loosened(b, above, now_ns) : 0;

	if (b->known && (above ? old < offset : old > offset))
		return;
	*b = (Bound){ TRUE, offset, now_ns };
}

static void note_time(KxChannel *c, const KxChannelStatus *st, guint64 now_ns)
{
	if (st->time_ns > TIME_MAX || now_ns > TIME_MAX)
		return;
	note_bound(&c->above, TRUE, (gint64)now_ns - (gint64)st->time_ns, now_ns);
	if (st->acked == c->seq)
		note_bound(&c->below, FALSE, (gint64)c->command_ns - (gint64)st->time_ns, now_ns);
	/* The clock jumped, or the guest reports false times: begin again with the last values. */
	if (c->below.known &&
	    loosened(&c->below, FALSE, now_ns) > loosened(&c->above, TRUE, now_ns)) {
		c->above.known = c->below.known = FALSE;
		note_bound(&c->above, TRUE, (gint64)now_ns - (gint64)st->time_ns, now_ns);
	}
	if (!c->first.time_ns) {
		c->first.tsc = st->tsc;
		c->first.time_ns = st->time_ns;
	}
	c->last.tsc = st->tsc;
	c->last.time_ns = st->time_ns;
}

KxChannelState kx_channel_look(KxChannel *c, guint64 now_ns, KxChannelStatus *st)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
	guint64 patience = KX_CHANNEL_PATIENCE_NS + 4 * MIN(c->command.epoch_ns, TIME_MAX / 8);
	KxChannelStatus now;

	beat(c);
	memset(st, 0, sizeof(*st));
	if (read_status(c, &now)) {
		*st = now;
		if (now.instance != c->guest)
			guest_restarted(c, now.instance);
		if (now.heartbeat != c->heartbeat || !c->heartbeat_ns) {
			c->heartbeat = now.heartbeat;
			c->heartbeat_ns = now_ns;
			note_time(c, &now, now_ns);
		}
	} else if (kx_channel_is_broken(c)) {
		return KX_CHANNEL_BROKEN;
	} else if (!c->guest) {
		return KX_CHANNEL_UNCLAIMED;
	}
	return now_ns - c->heartbeat_ns > patience ? KX_CHANNEL_SILENT : KX_CHANNEL_ALIVE;
}

const char *kx_channel_state_text(KxChannelState state)
{
	static const char *const texts[] = {
		[KX_CHANNEL_ALIVE] = "the guest answers",
		[KX_CHANNEL_UNCLAIMED] =
			"no module in the guest has taken the channel; load kvm_ext_guest.ko there",
		[KX_CHANNEL_SILENT] = "the guest's module is not answering; is kvm_ext_guest.ko "
				      "still loaded, and "
				      "the VM not paused?",
		[KX_CHANNEL_BROKEN] = "the channel's memory was cut short by another process, and "
				      "its contents are lost; detach, then attach again",
	};

	return texts[state];
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static gboolean host_time(const KxChannel *c, guint64 guest_ns, guint64 *host_ns, guint64 *error_ns)
{
	gint64 low, high, middle;

	if (!c->above.known || !c->below.known || guest_ns > TIME_MAX)
		return FALSE;
	low = c->below.offset;
	high = MAX(c->above.offset, low);
	middle = low + (high - low) / 2;
	if (middle < 0 && (guint64)-middle > guest_ns)
		return FALSE;
	*host_ns = guest_ns + (guint64)middle;
	*error_ns = (guint64)(high - low + 1) / 2;
	return TRUE;
}

gboolean kx_channel_time(KxChannel *c, guint64 guest_ns, guint64 *host_ns, guint64 *error_ns)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);

	return host_time(c, guest_ns, host_ns, error_ns);
}

gboolean kx_channel_tsc_time(KxChannel *c, guint64 tsc, guint64 *host_ns, guint64 *error_ns)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
	double ticks, ns, guest;

	if (c->last.time_ns <= c->first.time_ns || c->last.tsc <= c->first.tsc)
		return FALSE;
	ticks = (double)(c->last.tsc - c->first.tsc);
	ns = (double)(c->last.time_ns - c->first.time_ns);
	guest = (double)c->last.time_ns +
		(tsc >= c->last.tsc ? (double)(tsc - c->last.tsc) : -(double)(c->last.tsc - tsc)) *
			ns / ticks;
	if (!(guest >= 0 && guest < (double)TIME_MAX))
		return FALSE;
	return host_time(c, (guint64)guest, host_ns, error_ns);
}

/* --- the ring ----------------------------------------------------------------------------------------------------- */

static gboolean holds(const KxChannel *c, gsize fixed, guint32 nr, gsize bytes)
{
	return nr <= (c->rec.h.size - fixed) / bytes;
}

static gboolean check_ranges(KxChannel *c)
{
	struct kvm_ext_channel_ranges *r = &c->rec.ranges;
	char name[KVM_EXT_CHANNEL_NAME];

	if (!holds(c, sizeof(*r), r->nr, sizeof(r->range[0])) || r->pid < 0)
		return FALSE;
	for (guint32 i = 0; i < r->nr; i++) {
		struct kvm_ext_channel_range *g = &r->range[i];

		if (!g->size || g->size - 1 > G_MAXUINT64 - g->start)
			return FALSE;
		g->accesses = MIN(g->accesses, KX_CHANNEL_ACCESSES_MAX);
	}
	r->total = MAX(r->total, r->nr);
	clean_text(name, r->name, sizeof(name));
	memcpy(r->name, name, sizeof(name));
	return TRUE;
}

static gboolean is_span(const struct kvm_ext_channel_span *s)
{
	return s->gfn < KX_GFN_END && s->npages && s->npages <= KX_GFN_END - s->gfn;
}

static gboolean check_pages(KxChannel *c)
{
	const struct kvm_ext_channel_pages *r = &c->rec.pages;

	if (!holds(c, sizeof(*r), r->nr, sizeof(r->span[0])) || r->pid < 0)
		return FALSE;
	for (guint32 i = 0; i < r->nr; i++) {
		if (!is_span(&r->span[i]))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_samples(KxChannel *c)
{
	const struct kvm_ext_channel_samples *r = &c->rec.samples;

	return holds(c, sizeof(*r), r->nr, sizeof(r->sample[0])) && r->pid >= 0;
}

static void give_ranges(const KxChannel *c, const KxChannelOps *ops, void *data)
{
	if (ops->ranges)
		ops->ranges(data, &c->rec.ranges);
}

static void give_pages(const KxChannel *c, const KxChannelOps *ops, void *data)
{
	if (ops->pages)
		ops->pages(data, &c->rec.pages);
}

static void give_samples(const KxChannel *c, const KxChannelOps *ops, void *data)
{
	if (ops->samples)
		ops->samples(data, &c->rec.samples);
}

/* An unknown type comes from a newer module: it is skipped. */
static const struct {
	guint32 min_size;
	gboolean (*check)(KxChannel *c);
	void (*give)(const KxChannel *c, const KxChannelOps *ops, void *data);
} kinds[] = {
	[KVM_EXT_CHANNEL_RANGES] = { sizeof(struct kvm_ext_channel_ranges), check_ranges,
				     give_ranges },
	[KVM_EXT_CHANNEL_PAGES] = { sizeof(struct kvm_ext_channel_pages), check_pages, give_pages },
	[KVM_EXT_CHANNEL_SAMPLES] = { sizeof(struct kvm_ext_channel_samples), check_samples,
				      give_samples },
};

/* The size of the record at the tail; 0: there is no valid record. */
static guint32 one_record(KxChannel *c, guint64 readable, const KxChannelOps *ops, void *data)
{
	guint64 at = c->tail & (KVM_EXT_CHANNEL_RING_SIZE - 1);
	const guint8 *from = c->map + KVM_EXT_CHANNEL_RING_AT + at;
	guint64 room = MIN(readable, KVM_EXT_CHANNEL_RING_SIZE - at); /* records do not wrap */
	struct kvm_ext_channel_record h;

	if (room < sizeof(h))
		return 0;
	copy_out(&h, from, sizeof(h));
	if (h.size < sizeof(h) || h.size % 8 || h.size > room)
		return 0;
	if (h.type == KVM_EXT_CHANNEL_PAD) /* may be longer than a record, so it is not copied */
		return h.size;
	if (h.size > KVM_EXT_CHANNEL_REC_MAX)
		return 0;
	c->counts.records++;
	if (h.type >= G_N_ELEMENTS(kinds))
		return h.size;
	if (h.size < kinds[h.type].min_size) {
		c->counts.bad++;
		return h.size;
	}
	copy_out(c->rec.bytes, from, h.size);
	c->rec.h = h; /* the checked header, even if the guest has changed it */
	if (kinds[h.type].check(c))
		kinds[h.type].give(c, ops, data);
	else
		c->counts.bad++;
	return h.size;
}

/* FALSE: the ring cannot be read now. */
static gboolean read_head(KxChannel *c, guint64 *head)
{
	const struct kvm_ext_channel_position *p = (const void *)(c->map + KVM_EXT_CHANNEL_HEAD_AT);
	guint64 instance = load64(&p->instance);

	*head = load64(&p->bytes);
	return instance && instance == c->guest && load64(&p->instance) == instance &&
	       !kx_channel_is_broken(c);
}

void kx_channel_drain(KxChannel *c, const KxChannelOps *ops, void *data)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
	guint64 head;

	if (!read_head(c, &head) || head == c->tail)
		return;
	if (head - c->tail > KVM_EXT_CHANNEL_RING_SIZE || head % 8) {
		c->counts.resyncs++;
		c->tail = head = head & ~(guint64)7;
	}
	while (c->tail != head) {
		guint32 size = one_record(c, head - c->tail, ops, data);

		if (!size) {
			c->counts.resyncs++;
			c->tail = head;
			break;
		}
		c->tail += size;
	}
	write_tail(c);
}

void kx_channel_counts(KxChannel *c, KxChannelCounts *counts)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);

	*counts = c->counts;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

GArray *kx_channel_declared(KxChannel *c)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
	struct kvm_ext_channel_declared d;
	GArray *spans;

	beat(c);
	if (!read_consistent(c->map + KVM_EXT_CHANNEL_DECLARED_AT, &d, sizeof(d)) ||
	    kx_channel_is_broken(c))
		return NULL;
	spans = g_array_new(FALSE, FALSE, sizeof(d.span[0]));
	for (guint32 i = 0; i < MIN(d.nr, KVM_EXT_CHANNEL_DECLARED_MAX); i++) {
		if (is_span(&d.span[i]))
			g_array_append_val(spans, d.span[i]);
	}
	return spans;
}
