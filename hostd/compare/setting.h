/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a comparison compares: trackers with options, as a list on the command line names them:
 *
 *   abit:interval=250ms,abit-flush:flush-scope=page:interval=250ms,trap:pages=hottest:10%
 *
 * A tracker's name begins a setting, "KEY=" an option of it; options follow after ':' or ','. Anything else between two
 * of these separators belongs to the value before it, for values may hold them ("regions=10:200", "pages=1+2,5+6").
 */
#ifndef KX_SETTING_H
#define KX_SETTING_H

#include <glib.h>

#include "tracker/options.h"

typedef struct {
	char *text; /* as it was given, canonical: "abit:interval=250ms" */
	const char *
		tracker; /* as it was given: a name of kx_trackers[], whose row may mean another one */
	GPtrArray *keys, *values; /* char *, in the order of kx_option_keys, "tracker" first */
	KxOptions options;
	gboolean
		from_all; /* the word "all" named it: where it cannot run it is left out, and said */
	/* Two settings of one tracker are told apart by their options. */
	char *label;
} KxSetting;

void kx_setting_free(KxSetting *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSetting, kx_setting_free)

/*
 * Settings (KxSetting) of @list; `off`, the reference, is put in front if it is not among them. "all" names every tracker
 * that is not in the list by itself. NULL: KX_OPTIONS_ERROR, what is wrong with which setting. A setting that is there twice
 * is refused: it would be compared with itself.
 */
GPtrArray *kx_settings_parse(const char *list, GError **error);

/* Options as D-Bus takes them: a{sv}, floating. */
GVariant *kx_setting_to_variant(const KxSetting *s);

#endif /* KX_SETTING_H */
