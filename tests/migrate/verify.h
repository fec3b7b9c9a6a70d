/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares the memories of a migration's source and destination, both stopped, page by page: each
 * page of RAM must equal the source's. The checksums and the table of versions check the guest's
 * pages also independently of the source.
 */
#ifndef MIGRATE_VERIFY_H
#define MIGRATE_VERIFY_H

#include "vm.h"

#define VERIFY_SHOWN 12

typedef struct {
	unsigned int compared; /* pages of RAM */
	unsigned int lost;     /* pages that differ from the source's */
	/* Pages of the area whose version differs from the table, or with a wrong checksum */
	unsigned int stale;
	/* Pages of the area that the guest never wrote: the migration could not lose them */
	unsigned int unwritten;
	uint32_t first[VERIFY_SHOWN]; /* gfns of the first lost pages */
} Verdict;

Verdict verify(const Vm *source, const Vm *destination);
/* Checks one VM alone: returns the number of stale pages. */
unsigned int verify_alone(const Vm *vm);

#endif /* MIGRATE_VERIFY_H */
