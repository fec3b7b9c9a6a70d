/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as text: durations, sizes, shares. A written number is read back as the same number. */
#ifndef KX_UNITS_H
#define KX_UNITS_H

#include <glib.h>

#define KX_OPTIONS_ERROR kx_options_error_quark()
GQuark kx_options_error_quark(void);
typedef enum {
	KX_OPTIONS_ERROR_UNKNOWN_KEY,
	KX_OPTIONS_ERROR_BAD_VALUE,
	KX_OPTIONS_ERROR_CONFLICT, /* e.g. a flush scope with a tracker that does not flush */
} KxOptionsError;

typedef struct {
	const char *name;
	guint64 factor;
} KxUnit;

/* End with name NULL. If several names have the same factor, the first name is written. */
extern const KxUnit kx_duration_units[], kx_size_units[];
extern const KxUnit kx_share_units[]; /* factors to parts per million */

#define KX_SHARE_MAX 1000000u

/* Parses the whole of @text. 0 needs no unit. FALSE: @text is no such number, or the number does not fit. */
gboolean kx_parse_with_unit(const char *text, const KxUnit *units, guint64 *result);
/* Decimal, or hexadecimal after 0x; the whole text up to @end (NULL: the terminating zero). */
gboolean kx_parse_number(const char *text, const char *end, guint64 *value);

/* "250us", "1.5s", "100ms", "2m" → ns; "64K" "2M" "1G" → bytes. */
gboolean kx_parse_duration(const char *text, guint64 *ns, GError **error);
gboolean kx_parse_size(const char *text, guint64 *bytes, GError **error);
char *kx_format_duration(guint64 ns);
char *kx_format_share(guint32 ppm); /* "0.5%" */

#endif /* KX_UNITS_H */
