/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of a comparison: trackers with options, in the form of a list on the command line:
 *
 *   abit:interval=250ms,abit-flush:flush-scope=page:interval=250ms,trap:pages=hottest:10%
 *
 * A tracker's name begins a setting, and "KEY=" begins an option of this setting; options follow after ':' or ','. Any other
 * text between two of these separators belongs to the value before it, because values may contain the separators
 * ("regions=10:200", "pages=1+2,5+6").
 */
#ifndef KX_SETTING_H
#define KX_SETTING_H

#include <glib.h>

#include "tracker/options.h"

typedef struct {
	char *text; /* the setting in canonical form: "abit:interval=250ms" */
	const char *
		tracker; /* as given: a name in kx_trackers[]; the row may be an alias of another tracker */
	GPtrArray *keys, *values; /* char *, in the order of kx_option_keys, "tracker" first */
	KxOptions options;
	gboolean
		from_all; /* named by the word "all": if it cannot run, it is left out and the result says so */
	/* Two settings of one tracker are distinguished by their options. */
	char *label;
} KxSetting;

void kx_setting_free(KxSetting *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSetting, kx_setting_free)

/*
 * The settings (KxSetting) in @list; the reference `off` is inserted at the front if it is not among them. "all" means every
 * tracker that the list does not name explicitly. NULL: KX_OPTIONS_ERROR, with the setting and what is wrong with it. A setting
 * that occurs twice is refused, because it would be compared with itself.
 */
GPtrArray *kx_settings_parse(const char *list, GError **error);

/* The tracker of a setting's text, "TRACKER:OPTION=…"; NULL: there is none of that name. */
const KxTrackerRow *kx_setting_tracker(const char *text);

/* The options in D-Bus form: a{sv}, floating. */
GVariant *kx_setting_to_variant(const KxSetting *s);

#endif /* KX_SETTING_H */
