/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_OUTPUT_H
#define KX_OUTPUT_H

#include <glib.h>

/* Columns of a text: @width if it is given, else the terminal's; @output: the file that it goes to, NULL: none. */
guint cli_columns(int width, const char *output);

/*
 * A regular file appears whole or not at all: written beside its place, then renamed. Devices and pipes are written to, not
 * replaced. @what is written stands in the error: "the report".
 */
gboolean cli_write(const char *path, const char *what, const char *text, GError **error);

#endif /* KX_OUTPUT_H */
