/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What arrived, against what was left: two stopped VMs, page by page. The source's memory is the truth for every page of
 * RAM; the checksums and the table of versions say of the guest's pages whether they can be right at all, whatever the
 * source holds.
 */
#ifndef MIGRATE_VERIFY_H
#define MIGRATE_VERIFY_H

#include "vm.h"

#define VERIFY_SHOWN 12

typedef struct {
	unsigned int compared; /* pages of RAM */
	unsigned int lost;     /* differ from the source's */
	unsigned int
		stale; /* of the area: not the version that the destination's own table says, or not whole */
	unsigned int
		unwritten; /* of the area: nothing had been written there, so nothing could be lost */
	uint32_t first[VERIFY_SHOWN]; /* gfns of lost pages */
} Verdict;

Verdict verify(const Vm *source, const Vm *destination);
/* The same of one VM alone: how many of its area's pages are not what its table says. */
unsigned int verify_alone(const Vm *vm);

#endif /* MIGRATE_VERIFY_H */
