/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the options: the keys by kind (option-*.c), and functions on all keys (options*.c). */
#ifndef KX_OPTIONS_INTERNAL_H
#define KX_OPTIONS_INTERNAL_H

#include "options.h"

extern const KxOptions kx_options_defaults;
extern const char *const kx_flush_scopes[]; /* by enum kvm_ext_flush_scope; the default has none */
extern const char *const kx_guest_policies[]; /* by KVM_EXT_POLICY_* */

gboolean kx_option_is_default(const KxOptions *o, const KxOptionKey *k);
gboolean kx_option_is_for(const KxOptionKey *k, const KxTrackerRow *t);
/* The flush scope; if not set, the tracker's default. */
enum kvm_ext_flush_scope kx_options_flush_scope(const KxOptions *o);
gboolean kx_options_aggregates_whole_passes(const KxOptions *o);

/* --- for kx_option_set_* ------------------------------------------------------------------------------------------ */

/* Sets @error, and returns FALSE. */
gboolean kx_option_bad_value(GError **error, const char *key, const char *value,
			     const char *accepted);
gboolean kx_option_yes_no(const char *key, const char *value, gboolean *yes, GError **error);
/* GFN+PAGES, up to @end (NULL: the terminating zero). */
gboolean kx_option_parse_range(const char *text, const char *end, guint64 *gfn, guint64 *npages);

/* --- members of the table's rows ------------------------------------------------------------------------------------ */

#define KX_OPTION_SETS(key)                                                             \
	gboolean kx_option_set_##key(KxOptions *o, const char *name, const char *value, \
				     GError **error)
#define KX_OPTION_WRITES(key) char *kx_option_text_##key(const KxOptions *o)
#define KX_OPTION_FITS(key)   gboolean kx_option_fits_##key(const KxOptions *o)

KX_OPTION_SETS(tracker);
KX_OPTION_SETS(interval);
KX_OPTION_SETS(granularity);
KX_OPTION_SETS(range);
KX_OPTION_SETS(cpu);
KX_OPTION_SETS(flush_scope);
KX_OPTION_SETS(batch_pages);
KX_OPTION_SETS(skip);
KX_OPTION_SETS(staleness);
KX_OPTION_SETS(regions);
KX_OPTION_SETS(aggregation);
KX_OPTION_SETS(pages);
KX_OPTION_SETS(fault_budget);
KX_OPTION_SETS(vcpu_budget);
KX_OPTION_SETS(event);
KX_OPTION_SETS(policy);
KX_OPTION_SETS(period);
KX_OPTION_SETS(budget);
KX_OPTION_SETS(flush);
KX_OPTION_SETS(epoch);
KX_OPTION_SETS(range_size);
KX_OPTION_SETS(processes);
KX_OPTION_SETS(ring_size);
KX_OPTION_SETS(wait);
KX_OPTION_SETS(mode);
KX_OPTION_SETS(calc_time);
KX_OPTION_SETS(log_via);

KX_OPTION_WRITES(interval);
KX_OPTION_WRITES(granularity);
KX_OPTION_WRITES(range);
KX_OPTION_WRITES(cpu);
KX_OPTION_WRITES(flush_scope);
KX_OPTION_WRITES(batch_pages);
KX_OPTION_WRITES(skip);
KX_OPTION_WRITES(staleness);
KX_OPTION_WRITES(regions);
KX_OPTION_WRITES(aggregation);
KX_OPTION_WRITES(pages);
KX_OPTION_WRITES(fault_budget);
KX_OPTION_WRITES(vcpu_budget);
KX_OPTION_WRITES(event);
KX_OPTION_WRITES(policy);
KX_OPTION_WRITES(period);
KX_OPTION_WRITES(budget);
KX_OPTION_WRITES(flush);
KX_OPTION_WRITES(epoch);
KX_OPTION_WRITES(range_size);
KX_OPTION_WRITES(processes);
KX_OPTION_WRITES(mode);
KX_OPTION_WRITES(calc_time);
KX_OPTION_WRITES(log_via);

KX_OPTION_FITS(granularity);
KX_OPTION_FITS(flush_scope);
KX_OPTION_FITS(batch_pages);
KX_OPTION_FITS(aggregation);
KX_OPTION_FITS(budget);

#endif /* KX_OPTIONS_INTERNAL_H */
