/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's end of the guest channel (include/kvm-ext/channel.h): writes commands, reads what the guest says. Works on
 * a mapping, whoever made it. The guest is not trusted: whatever it writes is read once into memory of our own, bounded,
 * and only then used. It can lie about itself, and that is all. One thread may use a channel at a time for each of its
 * functions: a lock inside keeps them apart.
 */
#ifndef KX_CHANNEL_H
#define KX_CHANNEL_H

#include <glib.h>

#include <kvm-ext/channel.h>

/* A guest that has not looked at its commands for this long, and four epochs more, does not answer. */
#define KX_CHANNEL_PATIENCE_NS G_GUINT64_CONSTANT(3000000000)
/* Accesses of a range beyond this are cut: sums of them stay far from overflow. */
#define KX_CHANNEL_ACCESSES_MAX (G_GUINT64_CONSTANT(1) << 40)

/* Of the guest's status, what can be used: numbers bounded where they must be, texts printable ASCII. */
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
	KX_CHANNEL_SILENT,    /* one had, but it has not looked at its commands for long */
	KX_CHANNEL_BROKEN,    /* its memory was taken away: it will not come back */
} KxChannelState;

typedef struct _KxChannel KxChannel;

/*
 * @map of @len bytes stays the caller's and must outlive the channel; it may be a file's that is cut short (sigbus.h).
 * Every look at what the guest says, and every command, is a sign of life to the guest. @instance: a number of our own that no channel on
 * this memory had before; not 0. Writes the identification, so call it before the device is plugged, or to take over one
 * that is plugged: the guest then starts again.
 */
KxChannel *kx_channel_new(void *map, gsize len, guint64 instance, GError **error);
void kx_channel_free(KxChannel *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxChannel, kx_channel_free)

/* The memory was cut short, and is not what the guest has written any more. On any thread. */
void kx_channel_break(KxChannel *c);
/* Whether that, or an access to memory that was not there, has happened. On any thread. */
gboolean kx_channel_is_broken(const KxChannel *c);

/* Writes @command, whose seq is ours to fill in, and returns the number that the guest acknowledges it by. */
guint32 kx_channel_command(KxChannel *c, const struct kvm_ext_channel_command *command);
/* What was last written; all zero before. */
void kx_channel_commanded(KxChannel *c, struct kvm_ext_channel_command *command);

/* What the guest says now, FALSE: nothing that can be read, or not to us. */
gboolean kx_channel_status(KxChannel *c, KxChannelStatus *st);
/* The same at @now_ns (CLOCK_MONOTONIC), noted for what follows below: to be called once per epoch or so. */
KxChannelState kx_channel_look(KxChannel *c, guint64 now_ns, KxChannelStatus *st);
/* For people. */
const char *kx_channel_state_text(KxChannelState state);

/*
 * Guest's CLOCK_MONOTONIC, or its TSC, in ours: the true time is within @error_ns. It is bounded from above by when a
 * stamp was seen, from below by when the command it acknowledges was written. FALSE: not enough has been seen.
 */
gboolean kx_channel_time(KxChannel *c, guint64 guest_ns, guint64 *host_ns, guint64 *error_ns);
gboolean kx_channel_tsc_time(KxChannel *c, guint64 tsc, guint64 *host_ns, guint64 *error_ns);

/* Called in the order of the ring; a NULL member skips that kind. What they point to lives as long as the call. */
typedef struct {
	void (*ranges)(void *data, const struct kvm_ext_channel_ranges *r);
	void (*pages)(void *data, const struct kvm_ext_channel_pages *r);
	void (*samples)(void *data, const struct kvm_ext_channel_samples *r);
} KxChannelOps;

/*
 * Hands the records that were there at the call to @ops, which must not call back, and frees their room. What is not as
 * the contract has it is left out and counted.
 */
void kx_channel_drain(KxChannel *c, const KxChannelOps *ops, void *data);

typedef struct {
	guint64 records;
	guint64 bad;	  /* left out: they contradict themselves */
	guint64 resyncs;  /* the rest of the ring was left out: where records begin was lost */
	guint64 restarts; /* the guest's end began anew, the first time included */
} KxChannelCounts;
void kx_channel_counts(KxChannel *c, KxChannelCounts *counts);

/* struct kvm_ext_channel_span of memory that the guest asks to be left alone; NULL: not readable now. */
GArray *kx_channel_declared(KxChannel *c);

#endif /* KX_CHANNEL_H */
