// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of the trackers that run in the guest. */
#include "options-internal.h"

#include <string.h>

#include <kvm-ext/channel.h>

static const char *const guest_events[] = {
	[KVM_EXT_EVENT_AUTO] = "auto",	   [KVM_EXT_EVENT_PAGE_FAULTS] = "page-faults",
	[KVM_EXT_EVENT_RAW] = "raw",	   [KVM_EXT_EVENT_LOADS] = "loads",
	[KVM_EXT_EVENT_STORES] = "stores", [KVM_EXT_EVENT_ACCESSES] = "loads+stores",
};

const char *const kx_guest_policies[] = {
	[KVM_EXT_POLICY_FIXED] = "fixed",
	[KVM_EXT_POLICY_BUDGET] = "budget",
	[KVM_EXT_POLICY_POLL] = "poll",
};

static gboolean parse_raw_event(const char *text, KxGuestOptions *g)
{
	const char *colon = strchr(text, ':');

	g->event.config1 = 0;
	return kx_parse_number(text, colon, &g->event.config) &&
	       (!colon || kx_parse_number(colon + 1, NULL, &g->event.config1));
}

static gboolean parse_named_event(const char *value, KxGuestOptions *g)
{
	for (guint i = 0; i < G_N_ELEMENTS(guest_events); i++) {
		if (i != KVM_EXT_EVENT_RAW && g_str_equal(value, guest_events[i])) {
			g->event.kind = i;
			return TRUE;
		}
	}
	if (!g_str_equal(value, "sw:page-faults"))
		return FALSE;
	g->event.kind = KVM_EXT_EVENT_PAGE_FAULTS;
	return TRUE;
}

gboolean kx_option_set_event(KxOptions *o, const char *key, const char *value, GError **error)
{
	KxGuestOptions g = o->guest;

	g.event.config = g.event.config1 = 0;
	if (g_str_has_prefix(value, "raw:") && parse_raw_event(value + strlen("raw:"), &g))
		g.event.kind = KVM_EXT_EVENT_RAW;
	else if (!parse_named_event(value, &g))
		return kx_option_bad_value(
			error, key, value,
			"auto, loads, stores, loads+stores, page-faults (a surrogate where the CPU "
			"has no events with addresses), raw:CONFIG or raw:CONFIG:CONFIG1 such as "
			"raw:0x1cd:0x40");
	o->guest = g;
	return TRUE;
}

gboolean kx_option_set_policy(KxOptions *o, const char *key, const char *value, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(kx_guest_policies); i++) {
		if (g_str_equal(kx_guest_policies[i], value)) {
			o->guest.policy = i;
			return TRUE;
		}
	}
	return kx_option_bad_value(error, key, value, "fixed, budget, poll");
}

gboolean kx_option_fits_budget(const KxOptions *o)
{
	return o->guest.policy == KVM_EXT_POLICY_BUDGET;
}

gboolean kx_option_set_period(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 n;

	if (!kx_parse_number(value, NULL, &n) || !n || n > 1ull << 40)
		return kx_option_bad_value(error, key, value, "1 to 2^40 events a sample");
	o->guest.period = n;
	return TRUE;
}

gboolean kx_option_set_budget(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ppm;

	if (!kx_parse_with_unit(value, kx_share_units, &ppm) || !ppm || ppm > KX_SHARE_MAX)
		return kx_option_bad_value(error, key, value,
					   "a share of the guest's CPU time such as 3%");
	o->guest.budget_ppm = (guint32)ppm;
	return TRUE;
}

gboolean kx_option_set_flush(KxOptions *o, const char *key, const char *value, GError **error)
{
	return kx_option_yes_no(key, value, &o->guest.flush, error);
}

static gboolean add_process(KxGuestOptions *g, const char *word)
{
	gsize len = strlen(word);
	guint64 pid;

	if (kx_parse_number(word, NULL, &pid)) {
		if (!pid || pid > G_MAXINT32 || g->processes.nr_pids == KX_OPTIONS_PROCESSES_MAX)
			return FALSE;
		g->processes.pids[g->processes.nr_pids++] = (gint32)pid;
		return TRUE;
	}
	if (!len || len >= KX_OPTIONS_PROCESS_NAME ||
	    g->processes.nr_names == KX_OPTIONS_PROCESSES_MAX)
		return FALSE;
	for (const char *p = word; *p; p++) {
		if (!g_ascii_isgraph(*p))
			return FALSE;
	}
	memcpy(g->processes.names[g->processes.nr_names++], word, len);
	return TRUE;
}

gboolean kx_option_set_processes(KxOptions *o, const char *key, const char *value, GError **error)
{
	g_auto(GStrv) words = g_strsplit(value, ",", -1);
	KxGuestOptions g = o->guest;

	memset(&g.processes, 0, sizeof(g.processes));
	for (char **word = words; !g_str_equal(value, "largest") && (*word || word == words);
	     word++) {
		if (!*word || !add_process(&g, *word))
			return kx_option_bad_value(
				error, key, value,
				"'largest', or up to 16 numbers and 16 names (of up to 15 "
				"characters) of the guest's processes, with commas between");
	}
	o->guest = g;
	return TRUE;
}

#define WAIT_MAX_NS 86400000000000ull

gboolean kx_option_set_wait(KxOptions *o, const char *key, const char *value, GError **error)
{
	guint64 ns;

	if (g_str_equal(value, "auto")) {
		o->wait_ns = -1;
		return TRUE;
	}
	if (!kx_parse_duration(value, &ns, NULL) || ns > WAIT_MAX_NS)
		return kx_option_bad_value(error, key, value,
					   "0 to 24h, with a unit, such as 30s or 5m, or 'auto'");
	o->wait_ns = (gint64)ns;
	return TRUE;
}

char *kx_option_text_event(const KxOptions *o)
{
	const KxGuestOptions *g = &o->guest;

	if (g->event.kind != KVM_EXT_EVENT_RAW)
		return g_strdup(guest_events[g->event.kind]);
	return g->event.config1
		       ? g_strdup_printf("raw:0x%" G_GINT64_MODIFIER "x:0x%" G_GINT64_MODIFIER "x",
					 g->event.config, g->event.config1)
		       : g_strdup_printf("raw:0x%" G_GINT64_MODIFIER "x", g->event.config);
}

char *kx_option_text_policy(const KxOptions *o)
{
	return g_strdup(kx_guest_policies[o->guest.policy]);
}

char *kx_option_text_period(const KxOptions *o)
{
	return o->guest.period ? g_strdup_printf("%" G_GUINT64_FORMAT, o->guest.period) : NULL;
}

char *kx_option_text_budget(const KxOptions *o)
{
	return o->guest.policy == KVM_EXT_POLICY_BUDGET && o->guest.budget_ppm
		       ? kx_format_share(o->guest.budget_ppm)
		       : NULL;
}

char *kx_option_text_flush(const KxOptions *o)
{
	return g_strdup(o->guest.flush ? "yes" : "no");
}

char *kx_option_text_processes(const KxOptions *o)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < o->guest.processes.nr_pids; i++)
		g_string_append_printf(s, "%s%d", s->len ? "," : "", o->guest.processes.pids[i]);
	for (guint i = 0; i < o->guest.processes.nr_names; i++)
		g_string_append_printf(s, "%s%s", s->len ? "," : "", o->guest.processes.names[i]);
	return g_string_free(s, !s->len);
}
