// SPDX-License-Identifier: GPL-2.0-or-later
#include "units.h"

#include <errno.h>
#include <string.h>

G_DEFINE_QUARK(kx_options_error, kx_options_error)

/* If several names have the same factor, kx_format_duration() writes the first. */
const KxUnit kx_duration_units[] = {
	{ "s", 1000000000 }, { "ms", 1000000 },	   { "us", 1000 },	   { "ns", 1 },
	{ "µs", 1000 },	     { "m", 60000000000 }, { "min", 60000000000 }, { "h", 3600000000000 },
	{ NULL, 0 },
};

const KxUnit kx_size_units[] = {
	{ "G", 1ull << 30 },   { "M", 1ull << 20 },   { "K", 1ull << 10 }, { "GiB", 1ull << 30 },
	{ "MiB", 1ull << 20 }, { "KiB", 1ull << 10 }, { "B", 1 },	   { NULL, 0 },
};

const KxUnit kx_share_units[] = { { "%", 10000 }, { NULL, 0 } }; /* to parts of a million */

/*
 * Unsigned decimal with an optional fraction, then a unit. strtod() is not used
 * because it also accepts hexadecimal, exponents, "inf" and the locale's comma.
 * The result must be an integer in the base unit.
 */
gboolean kx_parse_with_unit(const char *text, const KxUnit *units, guint64 *result)
{
	const char *p = text;
	guint64 whole = 0, fraction = 0, scale = 1;
	const KxUnit *u;

	if (!g_ascii_isdigit(*p))
		return FALSE;
	for (; g_ascii_isdigit(*p); p++) {
		if (!g_uint64_checked_mul(&whole, whole, 10) ||
		    !g_uint64_checked_add(&whole, whole, (guint64)(*p - '0')))
			return FALSE;
	}
	if (*p == '.') {
		if (!g_ascii_isdigit(*++p))
			return FALSE;
		for (; g_ascii_isdigit(*p); p++) {
			if (scale >= 1000000000000ull)
				return FALSE;
			scale *= 10;
			fraction = fraction * 10 + (guint64)(*p - '0');
		}
	}
	for (u = units; u->name && !g_str_equal(u->name, p); u++)
		;
	if (!u->name) {
		*result = 0;
		return *p == '\0' && whole == 0 && fraction == 0;
	}
	if (!g_uint64_checked_mul(&whole, whole, u->factor) ||
	    !g_uint64_checked_mul(&fraction, fraction, u->factor) || fraction % scale)
		return FALSE;
	return g_uint64_checked_add(result, whole, fraction / scale);
}

gboolean kx_parse_duration(const char *text, guint64 *ns, GError **error)
{
	if (kx_parse_with_unit(text, kx_duration_units, ns))
		return TRUE;
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "'%s' is not a duration; write a number and a unit (ns, us, ms, s, m, h), "
		    "such as 250us, 100ms or 1.5s",
		    text);
	return FALSE;
}

gboolean kx_parse_size(const char *text, guint64 *bytes, GError **error)
{
	if (kx_parse_with_unit(text, kx_size_units, bytes))
		return TRUE;
	g_set_error(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE,
		    "'%s' is not a size; write a number and a unit (K, M, G), such as 4K or 2M",
		    text);
	return FALSE;
}

/* Uses the largest unit with at most three decimals. The text is parsed as the same number again. */
char *kx_format_duration(guint64 ns)
{
	const KxUnit *u = kx_duration_units;
	guint64 milli;

	if (!ns)
		return g_strdup("0");
	while (u->factor > ns || (u->factor >= 1000 && ns % (u->factor / 1000)))
		u++;
	milli = u->factor >= 1000 ? ns % u->factor / (u->factor / 1000) : 0;
	if (!milli)
		return g_strdup_printf("%" G_GUINT64_FORMAT "%s", ns / u->factor, u->name);

	g_autofree char *digits = g_strdup_printf("%03u", (unsigned int)milli);
	for (size_t n = strlen(digits); digits[n - 1] == '0'; n--)
		digits[n - 1] = '\0';
	return g_strdup_printf("%" G_GUINT64_FORMAT ".%s%s", ns / u->factor, digits, u->name);
}

/* Decimal, or hexadecimal after 0x; the whole text up to @end (NULL: the terminating zero). */
gboolean kx_parse_number(const char *text, const char *end, guint64 *value)
{
	gboolean hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *stop;

	if (!end)
		end = text + strlen(text);
	if (digits >= end || !(hex ? g_ascii_isxdigit(*digits) : g_ascii_isdigit(*digits)))
		return FALSE;
	errno = 0;
	*value = g_ascii_strtoull(digits, &stop, hex ? 16 : 10);
	return stop == end && errno == 0;
}

char *kx_format_share(guint32 ppm)
{
	char digits[G_ASCII_DTOSTR_BUF_SIZE];

	g_ascii_formatd(digits, sizeof(digits), "%.7g", ppm / 10000.0);
	return g_strconcat(digits, "%", NULL);
}
