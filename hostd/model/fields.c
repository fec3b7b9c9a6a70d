// SPDX-License-Identifier: GPL-2.0-or-later
/* The report model's members as data. */
#include "fields.h"

#include <string.h>

#include "report.h"

#define AT(st, member)	 G_STRUCT_OFFSET(st, member)
#define SIZE(st, member) sizeof(((st *)0)->member)

#define FIELD(st, t, member)                                            \
	{                                                               \
#member, KX_FIELD_##t, AT(st, member), -1, -1, 0, FALSE \
	}
#define FIELD_NA(st, t, member, reason)                                             \
	{                                                                           \
#member, KX_FIELD_##t, AT(st, member), AT(st, reason), -1, 0, FALSE \
	}
/* A member of a VM that only the module reports. If @known is 0, the module was not loaded. */
#define FIELD_KNOWN(t, member, known)                                                     \
	{                                                                                 \
#member, KX_FIELD_##t, AT(KxVmReport, member), -1, AT(KxVmReport, known), \
			SIZE(KxVmReport, known), FALSE                                    \
	}
#define END                                                \
	{                                                  \
		NULL, KX_FIELD_STRING, 0, -1, -1, 0, FALSE \
	}

/* --- a window, from window.def -------------------------------------------------------------------------------------- */

/* Offset of each part's gboolean: if it is FALSE, the entries of the part are not valid. */
enum {
	needs_ANY = -1,
#define PART(id, name, has, none, heading, manual) needs_##id = AT(KxWindow, has),
#define TABLE(id, name, heading, manual)	   needs_##id = -1,
#include "model/parts.def"
};

#define NEEDS_OF(part) needs_##part
#define NEEDS(part)    NEEDS_OF(part)
#define WINDOW_FIELD(t, member, na, later)                                        \
	{                                                                         \
#member, KX_FIELD_##t, AT(KxWindow, member), na, NEEDS(PART_NOW), \
			sizeof(gboolean), later                                   \
	}

const KxField kx_window_fields[] = {
#define PART(id, name, has, none, heading, manual) \
	{ "has_" #name, KX_FIELD_BOOL, AT(KxWindow, has), -1, -1, 0, FALSE },
#define STAT(type, member, source) WINDOW_FIELD(type, member, -1, FALSE),
#define TOLD(type, member, source) WINDOW_FIELD(type, member, -1, FALSE),
#define KEPT(type, member)	   WINDOW_FIELD(type, member, -1, FALSE),
#define KEPT_AT(type, key, path)   { #key, KX_FIELD_##type, AT(KxWindow, path), -1, -1, 0, FALSE },
#define KEPT_LATER(type, member)   WINDOW_FIELD(type, member, -1, TRUE),
#define KEPT_NA(type, member, na)  WINDOW_FIELD(type, member, AT(KxWindow, na), FALSE),
#define LATER(type, member, source)                                  \
	WINDOW_FIELD(type, member, AT(KxWindow, member##_na), TRUE), \
		WINDOW_FIELD(STRING, member##_na, -1, TRUE),
#define TOLD_LATER(type, member, source) LATER(type, member, source)
#include "model/window.def"
	END,
};

/* --- other structures ------------------------------------------------------------------------------------------------ */

const KxField kx_pause_fields[] = {
	FIELD(KxPause, I64, from_ns),
	FIELD(KxPause, I64, until_ns),
	END,
};

const KxField kx_regions_fields[] = {
	FIELD(KxRegions, U64, aggregation),
	FIELD(KxRegions, U32, checks),
	FIELD(KxRegions, U32, total),
	END,
};

const KxField kx_region_fields[] = {
	FIELD(KxRegion, U64, gfn),	FIELD(KxRegion, U64, npages), FIELD(KxRegion, U32, as_id),
	FIELD(KxRegion, U32, accesses), FIELD(KxRegion, U32, age),    END,
};

const KxField kx_vm_fields[] = {
	FIELD(KxVmReport, STRING, name),
	FIELD(KxVmReport, STRING, uuid),
	FIELD(KxVmReport, U32, pid),
	FIELD(KxVmReport, BOOL, attached),
	FIELD(KxVmReport, STRING, ended),
	FIELD_KNOWN(U32, vcpus, vcpus),
	FIELD_KNOWN(U32, memslots, memslots),
	FIELD_KNOWN(U32, root_level, memslots),
	FIELD_KNOWN(U32, address_spaces, memslots),
	FIELD(KxVmReport, STRING, paging),
	FIELD(KxVmReport, STRING, ad_bits),
	FIELD(KxVmReport, STRING, emulated_by),
	FIELD(KxVmReport, U64, ram_pages),
	FIELD_KNOWN(U64, mapped_4k, memslots),
	FIELD_KNOWN(U64, mapped_2m, memslots),
	FIELD_KNOWN(U64, mapped_1g, memslots),
	FIELD_KNOWN(U64, ring_bytes, ring_bytes),
	FIELD(KxVmReport, STRING, log_mechanism),
	FIELD(KxVmReport, STRING, log_mechanism_source),
	FIELD(KxVmReport, STRING, log_mode),
	FIELD(KxVmReport, STRING, yielded),
	FIELD(KxVmReport, STRING, progress),
	FIELD(KxVmReport, STRING, paused),
	FIELD(KxVmReport, U64, declared_pages),
	END,
};

/* The host: members of a report's header and of a saved comparison. */
#define HOST_FIELDS                                                             \
	FIELD(KxReport, STRING, kernel), FIELD(KxReport, STRING, cpu_vendor),   \
		FIELD(KxReport, STRING, cpu_model), FIELD(KxReport, U32, cpus), \
		FIELD(KxReport, STRING, hardware), FIELD(KxReport, STRING, hardware_under)

const KxField kx_host_fields[] = {
	HOST_FIELDS,
	FIELD(KxReport, STRING, version),
	END,
};

const KxField kx_report_fields[] = {
	FIELD(KxReport, STRING, version),
	FIELD(KxReport, I64, generated_realtime_ns),
	HOST_FIELDS,
	FIELD(KxReport, STRING, log_selftest),
	FIELD(KxReport, STRING, log_selftest_text),
	FIELD(KxReport, STRING, reference),
	END,
};

const KxField kx_heat_map_fields[] = {
	FIELD(KxHeatMap, STRING, tracker),
	FIELD(KxHeatMap, STRING, mechanism),
	FIELD(KxHeatMap, STRING, options),
	FIELD(KxHeatMap, STRING, process),
	FIELD(KxHeatMap, U32, pid),
	FIELD(KxHeatMap, BOOL, running),
	FIELD(KxHeatMap, STRING, partial),
	FIELD(KxHeatMap, STRING, unseen),
	FIELD(KxHeatMap, U64, granularity_bytes),
	FIELD(KxHeatMap, U64, leaf_bytes),
	FIELD(KxHeatMap, U64, epoch_ns),
	FIELD(KxHeatMap, U64, epochs),
	FIELD(KxHeatMap, U64, samples),
	FIELD(KxHeatMap, U64, outside),
	FIELD(KxHeatMap, U64, lost),
	FIELD(KxHeatMap, U64, accesses),
	FIELD(KxHeatMap, U64, half_bytes),
	FIELD(KxHeatMap, U32, ranges_total),
	FIELD(KxHeatMap, U32, ranges_hot),
	END,
};

const KxField kx_heat_range_fields[] = {
	FIELD(KxHeatRange, U64, start),
	FIELD(KxHeatRange, U64, size),
	FIELD(KxHeatRange, U64, accesses),
	FIELD(KxHeatRange, U32, age),
	END,
};

const KxField kx_agreement_fields[] = {
	FIELD(KxAgreement, STRING, a),
	FIELD(KxAgreement, STRING, b),
	FIELD(KxAgreement, U64, samples_a),
	FIELD(KxAgreement, U64, samples_b),
	FIELD_NA(KxAgreement, U64, bytes, na),
	FIELD_NA(KxAgreement, U64, common, na),
	FIELD_NA(KxAgreement, DOUBLE, f1, na),
	FIELD_NA(KxAgreement, DOUBLE, jaccard, na),
	FIELD_NA(KxAgreement, DOUBLE, by_chance, na),
	FIELD(KxAgreement, STRING, na),
	END,
};

const KxField kx_placement_fields[] = {
	FIELD(KxPlacement, STRING, na),
	FIELD(KxPlacement, U32, host_nodes),
	FIELD(KxPlacement, STRING, tracker),
	FIELD(KxPlacement, STRING, mechanism),
	FIELD(KxPlacement, STRING, options),
	FIELD(KxPlacement, BOOL, running),
	FIELD(KxPlacement, STRING, hot_na),
	FIELD(KxPlacement, STRING, hot_note),
	FIELD_NA(KxPlacement, DOUBLE, hot_heat, hot_na),
	FIELD(KxPlacement, STRING, slow_rule),
	FIELD(KxPlacement, STRING, slow_na),
	FIELD_NA(KxPlacement, U64, hot_pages, hot_na),
	FIELD_NA(KxPlacement, U64, hot_asked, hot_na),
	FIELD_NA(KxPlacement, U64, hot_absent, hot_na),
	FIELD_NA(KxPlacement, U64, rest_pages, na),
	FIELD_NA(KxPlacement, U64, rest_asked, na),
	FIELD_NA(KxPlacement, U64, rest_absent, na),
	FIELD_NA(KxPlacement, U64, batches, na),
	FIELD_NA(KxPlacement, U64, cpu_ns, na),
	END,
};

const KxField kx_placed_node_fields[] = {
	FIELD(KxPlacedNode, U32, node),
	FIELD(KxPlacedNode, BOOL, cpus),
	FIELD(KxPlacedNode, BOOL, slow),
	FIELD(KxPlacedNode, U64, bytes),
	FIELD(KxPlacedNode, U64, hot),
	FIELD(KxPlacedNode, U64, rest),
	END,
};

const KxField kx_access_map_fields[] = {
	FIELD(KxAccessMap, STRING, tracker),
	FIELD(KxAccessMap, STRING, mechanism),
	FIELD(KxAccessMap, STRING, options),
	FIELD(KxAccessMap, BOOL, running),
	FIELD(KxAccessMap, STRING, unit),
	FIELD(KxAccessMap, STRING, kind),
	FIELD(KxAccessMap, STRING, partial),
	FIELD(KxAccessMap, STRING, unseen),
	FIELD(KxAccessMap, STRING, size_na),
	FIELD(KxAccessMap, STRING, pairs_na),
	FIELD(KxAccessMap, U64, leaf_bytes),
	FIELD(KxAccessMap, I64, origin_realtime_ns),
	FIELD(KxAccessMap, U64, bin_ns),
	FIELD(KxAccessMap, U64, bin_pages),
	FIELD(KxAccessMap, U64, interval_ns),
	FIELD(KxAccessMap, U32, sizes_every),
	FIELD(KxAccessMap, STRING, ages_na),
	FIELD(KxAccessMap, U64, age_grain),
	FIELD(KxAccessMap, U64, first_end_ns),
	FIELD(KxAccessMap, U64, last_end_ns),
	END,
};

const KxField kx_access_row_fields[] = {
	FIELD(KxAccessRow, U64, bin),	    FIELD(KxAccessRow, U32, passes),
	FIELD(KxAccessRow, U64, looks),	    FIELD(KxAccessRow, U64, lost),
	FIELD(KxAccessRow, U64, found),	    FIELD(KxAccessRow, U64, found_min),
	FIELD(KxAccessRow, U64, found_max), FIELD(KxAccessRow, U32, pairs),
	FIELD(KxAccessRow, U64, before),    FIELD(KxAccessRow, U64, stayed),
	FIELD(KxAccessRow, U64, blocks),    END,
};

const KxField kx_access_part_fields[] = {
	FIELD(KxAccessPart, U64, gfn),
	FIELD(KxAccessPart, U64, npages),
	END,
};

/* --- functions on fields ---------------------------------------------------------------------------------------------- */

gboolean kx_field_is_there(const KxField *f, const void *object)
{
	static const guint8 zero[sizeof(guint64)];

	return f->needs_offset < 0 ||
	       memcmp((const char *)object + f->needs_offset, zero, f->needs_size) != 0;
}

void kx_free_strings(const KxField *fields, void *object)
{
	for (; fields->key; fields++) {
		if (fields->type == KX_FIELD_STRING)
			g_clear_pointer((char **)((char *)object + fields->offset), g_free);
	}
}

void kx_copy_strings(const KxField *fields, void *object)
{
	for (; fields->key; fields++) {
		char **s = (char **)((char *)object + fields->offset);

		if (fields->type == KX_FIELD_STRING)
			*s = g_strdup(*s);
	}
}
