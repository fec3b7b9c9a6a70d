// SPDX-License-Identifier: GPL-2.0-or-later
/* The key of the sample ring, which is allocated when the VM is attached. */
#include "options-internal.h"

#define PAGE_BYTES     4096u
#define RING_BYTES_MIN (64ull << 10)
#define RING_AUTO_MAX  (64u << 8) /* pages: 64 MiB */

gboolean kx_option_set_ring_size(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 bytes;

	if (g_str_equal(value, "auto")) {
		o->ring_pages = 0;
		return TRUE;
	}
	if (!kx_parse_with_unit(value, kx_size_units, &bytes) || bytes < RING_BYTES_MIN ||
	    bytes > (guint64)KVM_EXT_RING_PAGES_MAX * PAGE_BYTES || bytes & (bytes - 1))
		return kx_option_bad_value(
			error, key, value,
			"a power of two from 64K to 256M, such as 16M, or 'auto': by the "
			"VM's memory");
	o->ring_pages = (guint32)(bytes / PAGE_BYTES);
	return TRUE;
}

/* One bit for each page, and a quarter more for the headers of the records. */
guint32 kx_options_ring_pages(const KxOptions *o, guint64 ram_pages)
{
	guint64 want = ram_pages / 8 / PAGE_BYTES * 5 / 4;
	guint32 pages = KVM_EXT_RING_PAGES_DEFAULT;

	if (o->ring_pages)
		return o->ring_pages;
	while (pages < want && pages < RING_AUTO_MAX)
		pages *= 2;
	return pages;
}
