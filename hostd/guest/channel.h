/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's end of the guest channel (include/kvm-ext/channel.h): writes commands, and reads the guest's status and
 * records. The channel works on any mapping. The guest is not trusted: everything that the guest writes is read once into our
 * own memory, checked against bounds, and only then used. A guest can report false data about itself, and nothing else. Any
 * thread may call these functions: a lock inside serialises them.
 */
#ifndef KX_CHANNEL_H
#define KX_CHANNEL_H

#include <glib.h>

#include <kvm-ext/channel.h>

/* A guest that has not read its commands for this time plus four epochs does not answer. */
#define KX_CHANNEL_PATIENCE_NS G_GUINT64_CONSTANT(3000000000)
/* The accesses of a range are limited to this number, so that sums of them cannot overflow. */
#define KX_CHANNEL_ACCESSES_MAX (G_GUINT64_CONSTANT(1) << 40)

/* The checked part of the guest's status: numbers within their bounds, texts in printable ASCII. */
typedef struct {
	enum kvm_ext_channel_state state;
	guint64 instance;
	guint64 heartbeat, time_ns, tsc;
	guint32 acked;
	int error; /* errno; 0: none */
	gboolean surrogate;
	guint32 cpus;
	guint64 epoch, start_ns;
	char event[48], release[64];
	guint64 work, work_writers;
	struct kvm_ext_channel_account account;
} KxChannelStatus;

typedef enum {
	KX_CHANNEL_ALIVE,
	KX_CHANNEL_UNCLAIMED, /* no module in the guest has taken the device since we opened it */
	KX_CHANNEL_SILENT,    /* a module had, but has not read its commands for a long time */
	KX_CHANNEL_BROKEN,    /* the channel's memory was truncated: this cannot be repaired */
} KxChannelState;

typedef struct _KxChannel KxChannel;

/*
 * @map of @len bytes belongs to the caller and must outlive the channel; it may map a file that is truncated (sigbus.h).
 * Every reading of the guest's status, and every command, increments the heartbeat. @instance: our own number, which no
 * channel on this memory had before; not 0. The function writes the identification, so call it before the device is
 * plugged in, or to take over a device that is plugged in: the guest then starts again.
 */
KxChannel *kx_channel_new(void *map, gsize len, guint64 instance, GError **error);
void kx_channel_free(KxChannel *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxChannel, kx_channel_free)

/* Tells the channel that its memory was truncated and no longer contains what the guest has written. On any thread. */
void kx_channel_break(KxChannel *c);
/* Whether the memory was truncated, or missing memory was accessed. On any thread. */
gboolean kx_channel_is_broken(const KxChannel *c);

/* Writes @command (this function sets its seq) and returns the number with which the guest acknowledges it. */
guint32 kx_channel_command(KxChannel *c, const struct kvm_ext_channel_command *command);
/* The last command that was written; all zero before the first. */
void kx_channel_commanded(KxChannel *c, struct kvm_ext_channel_command *command);

/* The guest's status now. FALSE: it cannot be read, or it is meant for another daemon instance. */
gboolean kx_channel_status(KxChannel *c, KxChannelStatus *st);
/* The last status that kx_channel_status() has given; all zero before the first. */
void kx_channel_told(KxChannel *c, KxChannelStatus *st);
/* Reads the status at @now_ns (CLOCK_MONOTONIC) and records it for the time functions below: call this about once per epoch. */
KxChannelState kx_channel_look(KxChannel *c, guint64 now_ns, KxChannelStatus *st);
/* The state as text for users. */
const char *kx_channel_state_text(KxChannelState state);

/*
 * Convert the guest's CLOCK_MONOTONIC, or its TSC, to our CLOCK_MONOTONIC: the true time is within @error_ns. The upper bound
 * is the time when a time stamp was seen, the lower bound the time when the command that it acknowledges was written. FALSE:
 * too few stamps have been seen.
 */
gboolean kx_channel_time(KxChannel *c, guint64 guest_ns, guint64 *host_ns, guint64 *error_ns);
gboolean kx_channel_tsc_time(KxChannel *c, guint64 tsc, guint64 *host_ns, guint64 *error_ns);

/* Called in the order of the ring; a NULL member skips that kind of record. A record is valid only during the call. */
typedef struct {
	void (*ranges)(void *data, const struct kvm_ext_channel_ranges *r);
	void (*pages)(void *data, const struct kvm_ext_channel_pages *r);
	void (*samples)(void *data, const struct kvm_ext_channel_samples *r);
} KxChannelOps;

/*
 * Passes the records that are in the ring at the time of the call to @ops, which must not call the channel, and frees their
 * room. Records that break the rules of channel.h are left out and counted.
 */
void kx_channel_drain(KxChannel *c, const KxChannelOps *ops, void *data);

typedef struct {
	guint64 records;
	guint64 bad;	  /* left out: they contradict themselves */
	guint64 resyncs;  /* the rest of the ring was left out: record boundaries were lost */
	guint64 restarts; /* starts of the guest's end, including the first */
} KxChannelCounts;
void kx_channel_counts(KxChannel *c, KxChannelCounts *counts);

/* The memory that must stay mapped, as struct kvm_ext_channel_span; NULL: not readable now. */
GArray *kx_channel_declared(KxChannel *c);

#endif /* KX_CHANNEL_H */
