/* SPDX-License-Identifier: GPL-2.0-only */
/* One sampled access, as it travels from a sampler through the ring to the classifier. */
#ifndef KVM_EXT_SAMPLE_H
#define KVM_EXT_SAMPLE_H

#include "port.h"

/* The flags' top bit is the ring's own: it is ignored on the way in, and clear on the way out. */
#define KX_SAMPLE_RING_BIT	0x8000u

struct kx_sample {
	u64 address;
	u32 space;		/* the sampler's number of the address space */
	u16 weight;		/* accesses it stands for; a sampler that does not weigh says 1 */
	u16 flags;		/* 15 bits, the sampler's */
};

#endif /* KVM_EXT_SAMPLE_H */
