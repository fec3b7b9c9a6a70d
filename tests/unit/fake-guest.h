/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's end of a channel in memory: writes what kvm_ext_guest.ko writes. */
#ifndef FAKE_GUEST_H
#define FAKE_GUEST_H

#include <glib.h>
#include <string.h>

#include <kvm-ext/channel.h>

typedef struct {
	guint8 *map;
	struct kvm_ext_channel_status *status;
	struct kvm_ext_channel_position *head, *tail;
	struct kvm_ext_channel_command *command;
	struct kvm_ext_channel_id *id;
	guint32 refuses; /* errno with which samplers are refused; 0: none is refused */
} FakeGuest;

static inline void fake_guest_at(FakeGuest *g, guint8 *map)
{
	g->map = map;
	g->status = (void *)(map + KVM_EXT_CHANNEL_STATUS_AT);
	g->head = (void *)(map + KVM_EXT_CHANNEL_HEAD_AT);
	g->tail = (void *)(map + KVM_EXT_CHANNEL_TAIL_AT);
	g->command = (void *)(map + KVM_EXT_CHANNEL_COMMAND_AT);
	g->id = (void *)(map + KVM_EXT_CHANNEL_ID_AT);
	g->refuses = 0;
}

/* Module loaded, device claimed. */
static inline void fake_guest_claims(FakeGuest *g, guint64 instance)
{
	memset(g->status, 0, sizeof(*g->status));
	*g->head = (struct kvm_ext_channel_position){ 0, instance };
	g->status->magic = KVM_EXT_CHANNEL_MAGIC;
	g->status->instance = instance;
	g->status->host_instance = g->id->instance;
	g->status->state = KVM_EXT_GUEST_IDLE;
	g->status->cpus = 2;
	strcpy(g->status->release, "6.1.0-guest");
}

/* Reads the command, as the module does once per epoch. */
static inline void fake_guest_beats(FakeGuest *g, guint64 time_ns)
{
	g->status->heartbeat++;
	g->status->time_ns = time_ns;
	g->status->tsc = time_ns * 3;
	if (g->status->acked == g->command->seq)
		return;
	g->status->epoch = g->command->epoch;
	g->status->start_ns = time_ns;
	memset(&g->status->account, 0, sizeof(g->status->account));
	g->status->state = !g->command->sampler ? KVM_EXT_GUEST_IDLE
			   : g->refuses		? KVM_EXT_GUEST_FAILED
						: KVM_EXT_GUEST_RUNNING;
	g->status->error = g->command->sampler ? g->refuses : 0;
	g->status->surrogate = g->command->event == KVM_EXT_EVENT_PAGE_FAULTS;
	memset(g->status->event, 0, sizeof(g->status->event));
	if (g->command->sampler == KVM_EXT_SAMPLER_EVENTS)
		strcpy(g->status->event, "sw:page-faults");
	/* Written after everything that it acknowledges. */
	__atomic_store_n(&g->status->acked, g->command->seq, __ATOMIC_RELEASE);
}

static inline void fake_guest_puts(FakeGuest *g, const void *record, guint32 size)
{
	guint64 at = g->head->bytes & (KVM_EXT_CHANNEL_RING_SIZE - 1);
	guint8 *data = g->map + KVM_EXT_CHANNEL_RING_AT;

	if (KVM_EXT_CHANNEL_RING_SIZE - at < size) {
		struct kvm_ext_channel_record pad = { KVM_EXT_CHANNEL_PAD, 0,
						      (guint32)(KVM_EXT_CHANNEL_RING_SIZE - at) };

		memcpy(data + at, &pad, sizeof(pad));
		g->head->bytes += pad.size;
		at = 0;
	}
	memcpy(data + at, record, size);
	__atomic_store_n(&g->head->bytes, g->head->bytes + size, __ATOMIC_RELEASE);
}

static inline void fake_guest_puts_range(FakeGuest *g, guint64 number, gint32 pid, const char *name,
					 struct kvm_ext_channel_range range)
{
	struct {
		struct kvm_ext_channel_ranges r;
		struct kvm_ext_channel_range range[1];
	} rec = { 0 };

	rec.r.h = (struct kvm_ext_channel_record){ KVM_EXT_CHANNEL_RANGES, 0, sizeof(rec) };
	rec.r.epoch = g->status->epoch;
	rec.r.number = number;
	rec.r.pid = pid;
	rec.r.nr = rec.r.total = 1;
	memcpy(rec.r.name, name, MIN(strlen(name), sizeof(rec.r.name)));
	rec.range[0] = range;
	fake_guest_puts(g, &rec, sizeof(rec));
}

static inline void fake_guest_puts_pages(FakeGuest *g, guint64 number, gint32 pid, guint64 start,
					 guint64 gfn, guint64 npages)
{
	struct {
		struct kvm_ext_channel_pages r;
		struct kvm_ext_channel_span span[1];
	} rec = { 0 };

	rec.r.h = (struct kvm_ext_channel_record){ KVM_EXT_CHANNEL_PAGES, 0, sizeof(rec) };
	rec.r.epoch = g->status->epoch;
	rec.r.number = number;
	rec.r.pid = pid;
	rec.r.start = start;
	rec.r.nr = 1;
	rec.span[0] = (struct kvm_ext_channel_span){ gfn, npages };
	fake_guest_puts(g, &rec, sizeof(rec));
}

#endif /* FAKE_GUEST_H */
