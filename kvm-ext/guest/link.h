/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's end of the channel (kvm-ext/channel.h): reads and writes the shared memory. Only the
 * agent's thread uses it.
 *
 * The guest trusts the host, but the daemon may crash while it writes. So the guest reads each
 * value once, and checks the bounds of the value.
 */
#ifndef KVM_EXT_LINK_H
#define KVM_EXT_LINK_H

#include <linux/types.h>
#include <kvm-ext/channel.h>

struct kx_link {
	void *memory;		/* KVM_EXT_CHANNEL_SIZE bytes */
	u64 instance;		/* of the guest's end */
	u64 host_instance;
	u64 head;		/* as published in the channel */
	u32 reserved;		/* bytes at @head, from kx_link_reserve() */
	u64 dropped;		/* records without room; the agent resets this at each command */
};

/* Only the agent's thread calls these functions, except the first. They do not sleep. */

/**
 * kx_link_identified() - is a device's memory a channel of kvm-ext?
 * @memory: the memory
 *
 * Return: true if the memory contains the identification that the daemon writes.
 */
bool kx_link_identified(const void *memory);

/**
 * kx_link_host_instance() - the current instance of the daemon
 * @l: the link
 */
u64 kx_link_host_instance(const struct kx_link *l);

/**
 * kx_link_host_heartbeat() - the heartbeat, a number that the daemon increments
 * @l: the link
 *
 * Return: the number; 0: this daemon has no heartbeat.
 */
u64 kx_link_host_heartbeat(const struct kx_link *l);

/**
 * kx_link_start() - choose a new instance for the guest's end, and make the ring empty
 * @l: the link
 * @host_instance: the daemon's instance to which the guest answers
 */
void kx_link_start(struct kx_link *l, u64 host_instance);

/**
 * kx_link_end() - mark the channel as unused
 * @l: the link
 */
void kx_link_end(struct kx_link *l);

/**
 * kx_link_command_seq() - the number of the command, for a fast check whether the command is a new
 * one
 * @l: the link
 */
u32 kx_link_command_seq(const struct kx_link *l);

/**
 * kx_link_command() - copy the command
 * @l: the link
 * @command: result
 *
 * Return: true; false: during all attempts the command was unfinished or changed.
 */
bool kx_link_command(const struct kx_link *l, struct kvm_ext_channel_command *command);

/**
 * kx_link_put_status() - publish a status
 * @l: the link
 * @status: the status; its member @seq is ignored
 */
void kx_link_put_status(struct kx_link *l, const struct kvm_ext_channel_status *status);

/**
 * kx_link_put_declared() - publish which memory must stay mapped
 * @l: the link
 * @spans: array of spans of guest pages; NULL: none
 * @nr: number of spans
 */
void kx_link_put_declared(struct kx_link *l, const struct kvm_ext_channel_span *spans, u32 nr);

/**
 * kx_link_reserve() - reserve room for a record
 * @l: the link
 * @max: bytes, at most KVM_EXT_CHANNEL_REC_MAX
 *
 * Return: contiguous shared memory, to be written and not to be read; then call kx_link_commit().
 * NULL: there is no room; the record is counted as dropped.
 */
void *kx_link_reserve(struct kx_link *l, u32 max);

/**
 * kx_link_commit() - publish the record that was reserved last, with its header
 * @l: the link
 * @type: enum kvm_ext_channel_record_type
 * @size: bytes that were used
 */
void kx_link_commit(struct kx_link *l, u16 type, u32 size);

#endif /* KVM_EXT_LINK_H */
