// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of heat: the length of an epoch, and the size of ranges. */
#include "options-internal.h"

gboolean kx_option_set_epoch(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!kx_parse_with_unit(value, kx_duration_units, &ns) || ns < 10000000 || ns > 10000000000)
		return kx_option_bad_value(error, key, value, "10ms to 10s, such as 500ms");
	o->epoch_ns = ns;
	return TRUE;
}

gboolean kx_option_set_range_size(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 bytes;

	if (!kx_parse_with_unit(value, kx_size_units, &bytes) || bytes < 4096 ||
	    bytes > 1ull << 30 || (bytes & (bytes - 1)))
		return kx_option_bad_value(error, key, value,
					   "a power of two from 4K to 1G, such as 2M");
	o->range_order = (guint32)__builtin_ctzll(bytes);
	return TRUE;
}

char *kx_option_text_epoch(const KxOptions *o)
{
	return o->epoch_ns ? kx_format_duration(o->epoch_ns) : NULL;
}

char *kx_option_text_range_size(const KxOptions *o)
{
	guint order = o->range_order;

	if (!order)
		return NULL;
	return order < 20   ? g_strdup_printf("%uK", 1u << (order - 10))
	       : order < 30 ? g_strdup_printf("%uM", 1u << (order - 20))
			    : g_strdup("1G");
}
