// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions on a single key: its default, the trackers that accept it, and the error about a bad value. */
#include "options-internal.h"

#include <string.h>

#include "vm/dirtyrate.h"

const KxOptions kx_options_defaults = {
	.tracker = kx_trackers,
	.interval_ns = 1000000000,
	.granularity = KVM_EXT_GRANULARITY_4K,
	.cpu = -1,
	.flush_scope = KVM_EXT_FLUSH_DEFAULT,
	.skip = TRUE,
	.faults_per_s = KVM_EXT_TRAP_FAULTS_DEFAULT,
	.vcpu_ppm = KVM_EXT_TRAP_TIME_DEFAULT,
	.wait_ns = -1,
	.dirty_rate = { KX_DIRTY_RATE_SAMPLING, KX_DIRTY_RATE_SECONDS_MIN },
};

gboolean kx_option_is_default(const KxOptions *o, const KxOptionKey *k)
{
	return memcmp((const char *)o + k->offset, (const char *)&kx_options_defaults + k->offset,
		      k->size) == 0;
}

gboolean kx_option_is_for(const KxOptionKey *k, const KxTrackerRow *t)
{
	return (t->can & k->needs) == k->needs;
}

gboolean kx_option_bad_value(GError **error, const char *key, const char *value,
			     const char *accepted)
{
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "%s '%s' is not valid; accepted: %s", key, value, accepted);
	return FALSE;
}

gboolean kx_option_yes_no(const char *key, const char *value, gboolean *yes, GError **error)
{
	if (!g_str_equal(value, "yes") && !g_str_equal(value, "no"))
		return kx_option_bad_value(error, key, value, "yes, no");
	*yes = g_str_equal(value, "yes");
	return TRUE;
}
