// SPDX-License-Identifier: GPL-2.0-or-later
/* Option of dirty-log: who reads KVM's dirty log. */
#include "options-internal.h"

static const char *const ways[] = {
	[KX_LOG_VIA_AUTO] = "auto",
	[KX_LOG_VIA_MODULE] = "module",
	[KX_LOG_VIA_QEMU] = "qemu",
};

gboolean kx_option_set_log_via(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
		if (g_str_equal(ways[i], value)) {
			o->log_via = (KxLogVia)i;
			return TRUE;
		}
	}
	return kx_option_bad_value(error, key, value, "auto, module, qemu");
}

char *kx_option_text_log_via(const KxOptions *o)
{
	return o->log_via == KX_LOG_VIA_MODULE ? NULL : g_strdup(ways[o->log_via]);
}
