/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples for the ring's tests; each identifies its producer and its number. */
#ifndef MPSC_SAMPLES_H
#define MPSC_SAMPLES_H

#include "sample.h"

/* Every field identifies producer and number, so a mixture of two samples would be noticed. */
static inline struct kx_sample sample_of(u32 who, u64 number)
{
	return (struct kx_sample){
		.address = number << 8 | who,
		.space = who * 0x9e3779b1u ^ (u32)number,
		.weight = number * 31 + who,
		.flags = (number * 7 + who) & ~KX_SAMPLE_RING_BIT,
	};
}

static inline u32 who_of(const struct kx_sample *s)
{
	return s->address & 0xff;
}

static inline u64 number_of(const struct kx_sample *s)
{
	return s->address >> 8;
}

static inline bool is_whole(const struct kx_sample *s)
{
	struct kx_sample right = sample_of(who_of(s), number_of(s));

	return s->space == right.space && s->weight == right.weight && s->flags == right.flags;
}

#endif /* MPSC_SAMPLES_H */
