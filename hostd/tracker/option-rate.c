// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of qemu-dirty-rate: what QEMU is asked to do. */
#include "options-internal.h"

#include "vm/dirtyrate.h"

#define NS_PER_S G_GUINT64_CONSTANT(1000000000)

gboolean kx_option_set_mode(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (int i = 0; kx_dirty_rate_modes[i]; i++) {
		if (g_str_equal(kx_dirty_rate_modes[i], value)) {
			o->dirty_rate.mode = i;
			return TRUE;
		}
	}
	return kx_option_bad_value(error, key, value, "page-sampling, dirty-bitmap, dirty-ring");
}

gboolean kx_option_set_calc_time(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (!kx_parse_with_unit(value, kx_duration_units, &ns) || ns % NS_PER_S ||
	    ns < KX_DIRTY_RATE_SECONDS_MIN * NS_PER_S || ns > KX_DIRTY_RATE_SECONDS_MAX * NS_PER_S)
		return kx_option_bad_value(error, key, value, "whole seconds from 1s to 60s");
	o->dirty_rate.seconds = (guint32)(ns / NS_PER_S);
	return TRUE;
}

char *kx_option_text_mode(const KxOptions *o)
{
	return g_strdup(kx_dirty_rate_modes[o->dirty_rate.mode]);
}

char *kx_option_text_calc_time(const KxOptions *o)
{
	return kx_format_duration(o->dirty_rate.seconds * NS_PER_S);
}
