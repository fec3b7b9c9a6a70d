// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's numbers as words for reports and events. */
#include "domain-words.h"

#include <glib.h>
#include <libvirt/libvirt.h>

static const char *const states[] = {
	[VIR_DOMAIN_NOSTATE] = "unknown",      [VIR_DOMAIN_RUNNING] = "running",
	[VIR_DOMAIN_BLOCKED] = "blocked",      [VIR_DOMAIN_PAUSED] = "paused",
	[VIR_DOMAIN_SHUTDOWN] = "in shutdown", [VIR_DOMAIN_SHUTOFF] = "shut off",
	[VIR_DOMAIN_CRASHED] = "crashed",      [VIR_DOMAIN_PMSUSPENDED] = "suspended",
};

static const char *const stop_reasons[] = {
	[VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN] = "shut down",
	[VIR_DOMAIN_EVENT_STOPPED_DESTROYED] = "destroyed",
	[VIR_DOMAIN_EVENT_STOPPED_CRASHED] = "crashed",
	[VIR_DOMAIN_EVENT_STOPPED_MIGRATED] = "migrated away",
	[VIR_DOMAIN_EVENT_STOPPED_SAVED] = "saved to a file",
	[VIR_DOMAIN_EVENT_STOPPED_FAILED] = "failed",
	[VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT] = "reverted to a snapshot",
};

static const char *const pause_reasons[] = {
	[VIR_DOMAIN_PAUSED_USER] = "suspended",
	[VIR_DOMAIN_PAUSED_MIGRATION] = "the end of a migration",
	[VIR_DOMAIN_PAUSED_SAVE] = "saved to a file",
	[VIR_DOMAIN_PAUSED_DUMP] = "dump of the VM's memory",
	[VIR_DOMAIN_PAUSED_IOERROR] = "an I/O error",
	[VIR_DOMAIN_PAUSED_WATCHDOG] = "the watchdog",
	[VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "restored from a snapshot",
	[VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting down",
	[VIR_DOMAIN_PAUSED_SNAPSHOT] = "snapshot",
	[VIR_DOMAIN_PAUSED_CRASHED] = "the guest panicked",
	[VIR_DOMAIN_PAUSED_STARTING_UP] = "starting up",
	[VIR_DOMAIN_PAUSED_POSTCOPY] = "post-copy migration",
	[VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = "post-copy migration failed",
};

static const char *const suspend_reasons[] = {
	[VIR_DOMAIN_EVENT_SUSPENDED_PAUSED] = "suspended",
	[VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED] = "the end of a migration",
	[VIR_DOMAIN_EVENT_SUSPENDED_IOERROR] = "an I/O error",
	[VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG] = "the watchdog",
	[VIR_DOMAIN_EVENT_SUSPENDED_RESTORED] = "restored from a file",
	[VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT] = "restored from a snapshot",
	[VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR] = "libvirt failed to go on",
	[VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY] = "post-copy migration",
	[VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED] = "post-copy migration failed",
};

static const char paused[] = "paused";
static const char powered_off[] = "the guest has shut down";
static const char asleep[] = "the guest sleeps (S3)";
static const char panicked[] = "the guest panicked";

static const char *word_of(const char *const *words, guint n, int i, const char *other)
{
	return i >= 0 && (guint)i < n && words[i] ? words[i] : other;
}
#define WORD_OF(words, i, other) word_of(words, G_N_ELEMENTS(words), i, other)

const char *kx_domain_word_state(int state)
{
	return WORD_OF(states, state, "unknown");
}

const char *kx_domain_word_stopped(int detail)
{
	return WORD_OF(stop_reasons, detail, "stopped");
}

const char *kx_domain_word_paused(int state, int reason)
{
	switch (state) {
	case VIR_DOMAIN_PAUSED:
		return WORD_OF(pause_reasons, reason, paused);
	case VIR_DOMAIN_SHUTDOWN:
		return powered_off;
	case VIR_DOMAIN_CRASHED:
		return panicked;
	case VIR_DOMAIN_PMSUSPENDED:
		return asleep;
	default:
		return NULL;
	}
}

const char *kx_domain_word_suspended(int event, int detail)
{
	switch (event) {
	case VIR_DOMAIN_EVENT_SUSPENDED:
		return WORD_OF(suspend_reasons, detail, paused);
	case VIR_DOMAIN_EVENT_PMSUSPENDED:
		return asleep;
	case VIR_DOMAIN_EVENT_SHUTDOWN:
		return powered_off;
	case VIR_DOMAIN_EVENT_CRASHED:
		return panicked;
	default:
		return NULL;
	}
}
