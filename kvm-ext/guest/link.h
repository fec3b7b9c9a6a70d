/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's end of the channel (kvm-ext/channel.h): the shared memory, and who
 * writes and reads what in it. All of it is for one thread, the agent's.
 *
 * The host is not our enemy, but may be a daemon that crashed while it wrote: what
 * it writes is read once, and bounded.
 */
#ifndef KVM_EXT_LINK_H
#define KVM_EXT_LINK_H

#include <linux/types.h>
#include <kvm-ext/channel.h>

struct kx_link {
	void *memory;		/* KVM_EXT_CHANNEL_SIZE bytes */
	u64 instance;		/* ours */
	u64 host_instance;
	u64 head;		/* as published */
	u32 reserved;		/* bytes at @head, from kx_link_reserve() */
	u64 dropped;		/* records without room, since the ring was started */
};

/* True if the memory bears the identification that is written for us. */
bool kx_link_identified(const void *memory);

/* The daemon's instance as it is now. */
u64 kx_link_host_instance(const struct kx_link *l);
/* The daemon's sign of life, which it counts up; 0: it gives none. */
u64 kx_link_host_heartbeat(const struct kx_link *l);
/* Takes an instance of our own, for @host_instance, and starts the ring. */
void kx_link_start(struct kx_link *l, u64 host_instance);
/* Leaves the device as nobody's. */
void kx_link_end(struct kx_link *l);

/* The command's number: cheap, to see whether there is a new one. */
u32 kx_link_command_seq(const struct kx_link *l);
/* False: it was being written all the time. */
bool kx_link_command(const struct kx_link *l, struct kvm_ext_channel_command *command);

/* Publishes @status, whose @seq is ignored. */
void kx_link_put_status(struct kx_link *l, const struct kvm_ext_channel_status *status);
void kx_link_put_declared(struct kx_link *l, const struct kvm_ext_channel_span *spans, u32 nr);

/*
 * Room for a record of up to @max bytes, at most KVM_EXT_CHANNEL_REC_MAX, all in one
 * piece; NULL: there is none, which is counted. It is in shared memory: write, do not
 * read. Then commit what was used, with the header.
 */
void *kx_link_reserve(struct kx_link *l, u32 max);
void kx_link_commit(struct kx_link *l, u16 type, u32 size);

#endif /* KVM_EXT_LINK_H */
