/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracker options: one set of keys for the command line, the configuration
 * file and D-Bus, checked in one place.
 */
#ifndef KX_OPTIONS_H
#define KX_OPTIONS_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#define KX_OPTIONS_ERROR kx_options_error_quark()
GQuark kx_options_error_quark(void);
typedef enum {
	KX_OPTIONS_ERROR_UNKNOWN_KEY,
	KX_OPTIONS_ERROR_BAD_VALUE,
	KX_OPTIONS_ERROR_CONFLICT, /* e.g. a flush scope with a tracker that does not flush */
} KxOptionsError;

typedef struct {
	const struct _KxTrackerRow *tracker; /* row of the table below; never NULL */
	guint64 interval_ns;
	guint32 granularity;	   /* log2 of bytes */
	guint64 first_gfn, npages; /* npages 0: all */
	int cpu;		   /* -1: any */
	enum kvm_ext_flush_scope flush_scope;
	guint32 batch_pages;
	enum kvm_ext_log_mechanism mechanism; /* the only one that will do; UNKNOWN: any */
} KxOptions;

/* What the field calls it, and which options mean something to it. */
typedef struct _KxTrackerRow {
	const char *name;    /* "abit-flush" */
	const char *summary; /* one line, for help and completion */
	int module_id;	     /* enum kvm_ext_tracker_id; -1: not the module's */
	gboolean passes;     /* interval, granularity, range, cpu apply */
	gboolean flushes;    /* flush-scope, batch-pages apply */
	gboolean log;	     /* works on the dirty log: pages of 4K only */
	/* Another row's name: this one is that tracker where the dirty log works by @mechanism, and is refused elsewhere. */
	const char *means;
	enum kvm_ext_log_mechanism mechanism;
} KxTrackerRow;

extern const KxTrackerRow kx_trackers[]; /* ends with name NULL */
/* As it stands in the table; only kx_options_set follows @means. */
const KxTrackerRow *kx_tracker_by_name(const char *name);

/* Defaults: tracker off, interval 1s, 4K, all RAM, any CPU, flush scope as the tracker has it (pass). */
void kx_options_init(KxOptions *o);

/*
 * Sets one key from text. The message names key, value and what is accepted.
 * Set "tracker" first (as kx_option_keys has it): it drops the options of the
 * tracker before that mean nothing to the new one; given afterwards they are a
 * conflict that kx_options_check finds.
 */
gboolean kx_options_set(KxOptions *o, const char *key, const char *value, GError **error);

/* Whole-set check after all keys are set. */
gboolean kx_options_check(const KxOptions *o, GError **error);

/* Keys a user may give, NULL-terminated, for completion and GOption tables. */
extern const char *const kx_option_keys[];

/* Canonical text of the options that matter to the tracker ("interval=100ms granularity=4K …"); "" for off. */
char *kx_options_to_string(const KxOptions *o);

/* Fills the module's structure. */
void kx_options_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t);

/* "250us", "1.5s", "100ms", "2m" → ns; "64K" "2M" "1G" → bytes. */
gboolean kx_parse_duration(const char *text, guint64 *ns, GError **error);
gboolean kx_parse_size(const char *text, guint64 *bytes, GError **error);
char *kx_format_duration(guint64 ns);

#endif /* KX_OPTIONS_H */
