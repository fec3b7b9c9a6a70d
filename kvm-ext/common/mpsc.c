// SPDX-License-Identifier: GPL-2.0-only
/*
 * A producer claims a slot by advancing the tail with cmpxchg, fills the slot, and commits
 * it by storing the second word; one bit of this word alternates with each lap of the ring.
 * So a sample takes 16 bytes, the consumer sees in the slot itself whether the sample is
 * complete, and the consumer frees many slots at a time by one store to the head.
 *
 * If cmpxchg fails, another producer has succeeded. A producer that was interrupted before
 * its cmpxchg has changed nothing; a producer that was interrupted after it owns its slot.
 *
 * bench/ring.c compares this ring with others; tests/model/mpsc.pml checks all interleavings.
 */
#include "mpsc.h"

#define WORDS		2u
#define META_SPACE	32
#define META_WEIGHT	16

/* The ring bit of a sample committed at @position: differs from the lap before, and from zero. */
static u64 mpsc_lap_bit(const struct kx_mpsc *r, u64 position)
{
	return position & (r->mask + 1) ? 0 : KX_SAMPLE_RING_BIT;
}

static u64 mpsc_meta_of(const struct kx_sample *s)
{
	return (u64)s->space << META_SPACE | (u64)s->weight << META_WEIGHT |
	       (s->flags & ~KX_SAMPLE_RING_BIT);
}

size_t kx_mpsc_bytes(u32 entries)
{
	return sizeof(u64) * WORDS * entries;
}

int kx_mpsc_init(struct kx_mpsc *r, void *memory, u32 entries)
{
	if (entries < 2 || entries & (entries - 1))
		return -EINVAL;
	memset(r, 0, sizeof(*r));
	memset(memory, 0, kx_mpsc_bytes(entries));
	r->slot = memory;
	r->mask = entries - 1;
	return 0;
}

bool kx_mpsc_push(struct kx_mpsc *r, const struct kx_sample *sample)
{
	u64 position = READ_ONCE(r->tail), *slot;

	do {
		/*
		 * @head_seen lies in the tail's cache line; the consumer changes the head itself
		 * all the time. Acquire, as for the head: the overwritten slot has been read.
		 */
		u64 head = smp_load_acquire(&r->head_seen);

		if (unlikely((s64)(position - head) > (s64)r->mask)) {
			/*
			 * After the tail: then the ring was full when this was read, if it looks
			 * so. It may be past an old @position; then the cmpxchg fails.
			 */
			head = smp_load_acquire(&r->head);
			if ((s64)(position - head) > (s64)r->mask) {
				atomic64_inc(&r->dropped);
				return false;
			}
			smp_store_release(&r->head_seen, head);	/* pairs with the acquire */
		}
	} while (!try_cmpxchg64(&r->tail, &position, position + 1));

	slot = r->slot + WORDS * (position & r->mask);
	slot[0] = sample->address;
	/* Pairs with the consumer's acquire: a consumer that sees the bit sees the address. */
	smp_store_release(&slot[1], mpsc_meta_of(sample) | mpsc_lap_bit(r, position));
	return true;
}

u32 kx_mpsc_pop(struct kx_mpsc *r, struct kx_sample *samples, u32 max)
{
	u64 head = r->head;
	u32 n;

	for (n = 0; n < max; n++) {
		const u64 *slot = r->slot + WORDS * ((head + n) & r->mask);
		u64 meta = smp_load_acquire(&slot[1]);	/* read the address after this */

		if ((meta & KX_SAMPLE_RING_BIT) != mpsc_lap_bit(r, head + n))
			break;
		samples[n] = (struct kx_sample) {
			.address = slot[0],
			.space = meta >> META_SPACE,
			.weight = (u16)(meta >> META_WEIGHT),
			.flags = (u16)meta & ~KX_SAMPLE_RING_BIT,
		};
	}
	if (n)
		smp_store_release(&r->head, head + n);	/* all these slots were read */
	return n;
}

u64 kx_mpsc_pushed(const struct kx_mpsc *r)
{
	return READ_ONCE(r->tail);
}

u64 kx_mpsc_dropped(const struct kx_mpsc *r)
{
	return atomic64_read(&r->dropped);
}
