// SPDX-License-Identifier: GPL-2.0-only
/*
 * A place is claimed by advancing the tail with cmpxchg, then filled, then committed by
 * storing its second word, of which one bit tells in which lap of the ring that was. So a
 * sample takes 16 bytes, the consumer sees at the place itself whether it is there, and
 * gives places back many at a time, by one store to the head.
 *
 * A failed cmpxchg is another producer's success. One who was interrupted between the two
 * has changed nothing; one who was interrupted after it holds a place that is nobody else's.
 *
 * bench/ring.c measures it beside others; tests/model/mpsc.pml goes through the interleavings.
 */
#include "mpsc.h"

#define WORDS		2u
#define META_SPACE	32
#define META_WEIGHT	16

/* The ring bit of what is committed at @position: not what was there a lap before, nor zero. */
static u64 lap_bit(const struct kx_mpsc *r, u64 position)
{
	return position & (r->mask + 1) ? 0 : KX_SAMPLE_RING_BIT;
}

static u64 meta_of(const struct kx_sample *s)
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
		 * What head was seen lies beside the tail; the head itself the consumer keeps
		 * changing. Acquired as the head is: what is overwritten was read.
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
			smp_store_release(&r->head_seen, head);	/* so who acquires this */
		}
	} while (!try_cmpxchg64(&r->tail, &position, position + 1));

	slot = r->slot + WORDS * (position & r->mask);
	slot[0] = sample->address;
	/* With the consumer's acquire: whoever sees the lap change sees the address. */
	smp_store_release(&slot[1], meta_of(sample) | lap_bit(r, position));
	return true;
}

u32 kx_mpsc_pop(struct kx_mpsc *r, struct kx_sample *samples, u32 max)
{
	u64 head = r->head;
	u32 n;

	for (n = 0; n < max; n++) {
		const u64 *slot = r->slot + WORDS * ((head + n) & r->mask);
		u64 meta = smp_load_acquire(&slot[1]);	/* the address after it */

		if ((meta & KX_SAMPLE_RING_BIT) != lap_bit(r, head + n))
			break;
		samples[n] = (struct kx_sample) {
			.address = slot[0],
			.space = meta >> META_SPACE,
			.weight = (u16)(meta >> META_WEIGHT),
			.flags = (u16)meta & ~KX_SAMPLE_RING_BIT,
		};
	}
	if (n)
		smp_store_release(&r->head, head + n);	/* all of it has been read */
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
