/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_OUTPUT_H
#define KX_OUTPUT_H

#include <glib.h>

#include "html/page.h"

/* The width of a text in columns: @width if not 0, else the terminal's. @output: the text's file, NULL: standard output. */
guint cli_columns(int width, const char *output);

/*
 * Writes @text to a file. A regular file appears complete or not at all: the text is written to another file, which is then
 * renamed. Devices and pipes are written to, not replaced. @what: the text's name in the error, "the report".
 */
gboolean cli_write(const char *path, const char *what, const char *text, GError **error);
gboolean cli_write_bytes(const char *path, const char *what, const void *data, gsize len,
			 GError **error);

/* Writes @text to the file @output; NULL or "-": to standard output. */
gboolean cli_put_text(const char *output, const char *what, const char *text, GError **error);
/* Writes the page to the file @html; "-": to standard output; NULL: nothing. */
gboolean cli_put_page(const char *html, const KxPageOf *of, GError **error);
/* Whether the page replaces the text, because both would go to standard output. */
gboolean cli_page_is_all(const char *html, const char *output);

#define HTML_ENTRY(variable)                                                                  \
	{                                                                                     \
		"html", 0, 0, G_OPTION_ARG_FILENAME, &(variable),                             \
			"Also write it to FILE as a page for browsers, with pictures", "FILE" \
	}

#endif /* KX_OUTPUT_H */
