// SPDX-License-Identifier: GPL-2.0-or-later
#include "verify.h"

#include <string.h>

unsigned int verify_alone(const Vm *vm)
{
	const volatile uint32_t *versions = vm_versions(vm);
	/*
	 * The guest may have been stopped while it wrote this page, which is then neither old nor
	 * new.
	 */
	uint32_t writing = vm->box->writing, i;
	unsigned int stale = 0;

	for (i = 0; i < GUEST_PAGES; i++)
		stale += i != writing && !guest_page_is(vm_page(vm, i), i, versions[i]);
	return stale;
}

Verdict verify(const Vm *source, const Vm *destination)
{
	Verdict v = { .stale = verify_alone(destination) };
	uint32_t gfn, i;

	for (gfn = 0; gfn < GUEST_RAM / GUEST_PAGE; gfn++, v.compared++) {
		if (!memcmp((const void *)(source->ram + gfn * GUEST_PAGE),
			    (const void *)(destination->ram + gfn * GUEST_PAGE), GUEST_PAGE))
			continue;
		if (v.lost < VERIFY_SHOWN)
			v.first[v.lost] = gfn;
		v.lost++;
	}
	for (i = 0; i < GUEST_PAGES; i++)
		v.unwritten += !vm_versions(source)[i];
	return v;
}
