/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_OUTPUT_H
#define KX_OUTPUT_H

#include <glib.h>

/* The width of a text in columns: @width if not 0, else the terminal's. @output: the text's file, NULL: standard output. */
guint cli_columns(int width, const char *output);

/*
 * Writes @text to a file. A regular file appears complete or not at all: the text is written to another file, which is then
 * renamed. Devices and pipes are written to, not replaced. @what: the text's name in the error, "the report".
 */
gboolean cli_write(const char *path, const char *what, const char *text, GError **error);
gboolean cli_write_bytes(const char *path, const char *what, const void *data, gsize len,
			 GError **error);

#endif /* KX_OUTPUT_H */
