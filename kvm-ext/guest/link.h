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

/* All of these are for the agent's thread, and do not sleep. */

/**
 * kx_link_identified() - is a device's memory our channel?
 * @memory: the memory
 *
 * Return: true if it bears the identification that is written for us.
 */
bool kx_link_identified(const void *memory);

/**
 * kx_link_host_instance() - the daemon's instance as it is now
 * @l: the link
 */
u64 kx_link_host_instance(const struct kx_link *l);

/**
 * kx_link_host_heartbeat() - the daemon's sign of life, which it counts up
 * @l: the link
 *
 * Return: 0: it gives none.
 */
u64 kx_link_host_heartbeat(const struct kx_link *l);

/**
 * kx_link_start() - take an instance of our own, and start the ring
 * @l: the link
 * @host_instance: the daemon's, that this is for
 */
void kx_link_start(struct kx_link *l, u64 host_instance);

/**
 * kx_link_end() - leave the device as nobody's
 * @l: the link
 */
void kx_link_end(struct kx_link *l);

/**
 * kx_link_command_seq() - the command's number: cheap, to see whether there is a new one
 * @l: the link
 */
u32 kx_link_command_seq(const struct kx_link *l);

/**
 * kx_link_command() - copy the command
 * @l: the link
 * @command: where to
 *
 * Return: false: it was being written all the time.
 */
bool kx_link_command(const struct kx_link *l, struct kvm_ext_channel_command *command);

/**
 * kx_link_put_status() - publish a status
 * @l: the link
 * @status: its @seq is ignored
 */
void kx_link_put_status(struct kx_link *l, const struct kvm_ext_channel_status *status);

/**
 * kx_link_put_declared() - publish which memory must stay as it is
 * @l: the link
 * @spans: guest pages
 * @nr: how many spans there are
 */
void kx_link_put_declared(struct kx_link *l, const struct kvm_ext_channel_span *spans, u32 nr);

/**
 * kx_link_reserve() - room for a record
 * @l: the link
 * @max: bytes, at most KVM_EXT_CHANNEL_REC_MAX
 *
 * Return: the room, all in one piece, in shared memory: write, do not read; then
 * kx_link_commit(). NULL: there is none, which is counted.
 */
void *kx_link_reserve(struct kx_link *l, u32 max);

/**
 * kx_link_commit() - publish the record reserved last, with its header
 * @l: the link
 * @type: enum kvm_ext_channel_record_type
 * @size: bytes that were used
 */
void kx_link_commit(struct kx_link *l, u16 type, u32 size);

#endif /* KVM_EXT_LINK_H */
