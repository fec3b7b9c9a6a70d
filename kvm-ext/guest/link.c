// SPDX-License-Identifier: GPL-2.0-only
#include <linux/build_bug.h>
#include <linux/random.h>
#include <linux/string.h>

#include "link.h"

#define COPY_ATTEMPTS	64

static_assert(sizeof(struct kvm_ext_channel_command) <= PAGE_SIZE);
static_assert(sizeof(struct kvm_ext_channel_status) <= PAGE_SIZE);
static_assert(sizeof(struct kvm_ext_channel_declared) <= PAGE_SIZE);
static_assert(!(KVM_EXT_CHANNEL_RING_SIZE & (KVM_EXT_CHANNEL_RING_SIZE - 1)));

/*
 * Numbers that order the data beside them. Each read pairs with the daemon's write of the number,
 * and each write with the daemon's read.
 */
static u64 link_get64(const u64 *p)
{
	/* Reads after this see all data that the daemon has written before the number. */
	return smp_load_acquire(p);
}

static u32 link_get32(const u32 *p)
{
	/* As in link_get64(). */
	return smp_load_acquire(p);
}

static void link_put64(u64 *p, u64 value)
{
	/* If the daemon sees the number, it also sees the data that was written before. */
	smp_store_release(p, value);
}

bool kx_link_identified(const void *memory)
{
	const struct kvm_ext_channel_id *id = memory + KVM_EXT_CHANNEL_ID_AT;

	return READ_ONCE(id->magic) == KVM_EXT_CHANNEL_MAGIC &&
	       READ_ONCE(id->version) == KVM_EXT_CHANNEL_VERSION &&
	       READ_ONCE(id->size) == KVM_EXT_CHANNEL_SIZE && READ_ONCE(id->instance);
}

u64 kx_link_host_instance(const struct kx_link *l)
{
	const struct kvm_ext_channel_id *id = l->memory + KVM_EXT_CHANNEL_ID_AT;

	return link_get64(&id->instance);
}

u64 kx_link_host_heartbeat(const struct kx_link *l)
{
	const struct kvm_ext_channel_id *id = l->memory + KVM_EXT_CHANNEL_ID_AT;

	return link_get64(&id->heartbeat);
}

/* --- positions ----------------------------------------------------------------- */

static struct kvm_ext_channel_position *link_head_of(const struct kx_link *l)
{
	return l->memory + KVM_EXT_CHANNEL_HEAD_AT;
}

/* The tail; 0 if it is of another instance or was changed meanwhile: nothing was read yet. */
static u64 link_read_tail(const struct kx_link *l)
{
	struct kvm_ext_channel_position *tail = l->memory + KVM_EXT_CHANNEL_TAIL_AT;
	u64 instance, bytes;

	instance = link_get64(&tail->instance);
	bytes = link_get64(&tail->bytes);
	if (instance != l->instance || READ_ONCE(tail->instance) != instance)
		return 0;
	return bytes;
}

static void link_set_head_instance(struct kx_link *l, u64 instance)
{
	struct kvm_ext_channel_position *head = link_head_of(l);

	link_put64(&head->instance, 0);
	link_put64(&head->bytes, 0);
	link_put64(&head->instance, instance);
}

void kx_link_start(struct kx_link *l, u64 host_instance)
{
	u64 old = l->instance;

	do {
		l->instance = get_random_u64();
	} while (!l->instance || l->instance == old);
	l->host_instance = host_instance;
	l->head = 0;
	l->dropped = 0;
	link_set_head_instance(l, l->instance);
}

void kx_link_end(struct kx_link *l)
{
	struct kvm_ext_channel_status none = { .state = KVM_EXT_GUEST_ABSENT };

	link_set_head_instance(l, 0);
	kx_link_put_declared(l, NULL, 0);
	kx_link_put_status(l, &none);
}

/* --- data that is consistent if its number is even and unchanged ------------------ */

static void link_begin_write(u32 *seq)
{
	WRITE_ONCE(*seq, READ_ONCE(*seq) | 1);
	/* No reader sees the data below before it sees the odd number. */
	smp_wmb();
}

static void link_end_write(u32 *seq)
{
	/* No reader sees the even number before it sees all of the data. */
	smp_store_release(seq, READ_ONCE(*seq) + 1);
}

u32 kx_link_command_seq(const struct kx_link *l)
{
	const struct kvm_ext_channel_command *command = l->memory + KVM_EXT_CHANNEL_COMMAND_AT;

	return link_get32(&command->seq);
}

bool kx_link_command(const struct kx_link *l, struct kvm_ext_channel_command *command)
{
	const struct kvm_ext_channel_command *shared = l->memory + KVM_EXT_CHANNEL_COMMAND_AT;
	unsigned int i;
	u32 seq;

	for (i = 0; i < COPY_ATTEMPTS; i++) {
		seq = link_get32(&shared->seq);
		if (!(seq & 1)) {
			memcpy(command, shared, sizeof(*command));
			/* The copy is complete before the number is read again. */
			smp_rmb();
			if (READ_ONCE(shared->seq) == seq) {
				command->seq = seq;
				return true;
			}
		}
		cpu_relax();
	}
	return false;
}

void kx_link_put_status(struct kx_link *l, const struct kvm_ext_channel_status *status)
{
	struct kvm_ext_channel_status *shared = l->memory + KVM_EXT_CHANNEL_STATUS_AT;
	const size_t at = offsetofend(struct kvm_ext_channel_status, seq);

	link_begin_write(&shared->seq);
	memcpy((void *)shared + at, (const void *)status + at, sizeof(*shared) - at);
	link_end_write(&shared->seq);
}

void kx_link_put_declared(struct kx_link *l, const struct kvm_ext_channel_span *spans, u32 nr)
{
	struct kvm_ext_channel_declared *shared = l->memory + KVM_EXT_CHANNEL_DECLARED_AT;

	nr = min_t(u32, nr, KVM_EXT_CHANNEL_DECLARED_MAX);
	link_begin_write(&shared->seq);
	shared->nr = nr;
	if (nr)
		memcpy(shared->span, spans, nr * sizeof(*spans));
	link_end_write(&shared->seq);
}

/* --- the ring -------------------------------------------------------------------- */

static void *link_ring_at(const struct kx_link *l, u64 position)
{
	return l->memory + KVM_EXT_CHANNEL_RING_AT + (position & (KVM_EXT_CHANNEL_RING_SIZE - 1));
}

static void link_put_header(const struct kx_link *l, u64 position, u16 type, u32 size)
{
	*(struct kvm_ext_channel_record *)link_ring_at(l, position) =
		(struct kvm_ext_channel_record){ .type = type, .size = size };
}

void *kx_link_reserve(struct kx_link *l, u32 max)
{
	u64 used = l->head - link_read_tail(l);
	u32 rest = KVM_EXT_CHANNEL_RING_SIZE - (l->head & (KVM_EXT_CHANNEL_RING_SIZE - 1));
	u32 pad = rest < max ? rest : 0;

	/* If an invalid tail is in front of the head, the difference is larger than the ring. */
	if (used > KVM_EXT_CHANNEL_RING_SIZE || KVM_EXT_CHANNEL_RING_SIZE - used < pad + max) {
		l->dropped++;
		return NULL;
	}
	if (pad) {
		link_put_header(l, l->head, KVM_EXT_CHANNEL_PAD, pad);
		l->head += pad;
	}
	l->reserved = max;
	return link_ring_at(l, l->head);
}

void kx_link_commit(struct kx_link *l, u16 type, u32 size)
{
	if (WARN_ON_ONCE(size > l->reserved || size % 8))
		return;
	link_put_header(l, l->head, type, size);
	l->head += size;
	l->reserved = 0;
	link_put64(&link_head_of(l)->bytes, l->head);
}
