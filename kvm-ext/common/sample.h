/* SPDX-License-Identifier: GPL-2.0-only */
/* One sampled access, which goes from a sampler through the ring to the classifier. */
#ifndef KVM_EXT_SAMPLE_H
#define KVM_EXT_SAMPLE_H

#include "port.h"

/* The top bit of the flags belongs to the ring: ignored in pushed samples, clear in popped ones. */
#define KX_SAMPLE_RING_BIT	0x8000u

struct kx_sample {
	u64 address;
	u32 space;		/* the sampler's number of the address space */
	u16 weight;		/* accesses that the sample represents; 1 without weighting */
	u16 flags;		/* 15 bits, for the sampler */
};

#endif /* KVM_EXT_SAMPLE_H */
