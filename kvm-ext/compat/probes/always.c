// SPDX-License-Identifier: GPL-2.0-only
/* Compiles on every kernel whose headers are complete. */
#include <linux/mm.h>

struct mm_struct *probe(struct vm_area_struct *vma)
{
	return vma->vm_mm;
}
