// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes a command's text to the terminal or to a file. */
#include "output.h"

#include <errno.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_COLUMNS 120 /* if standard output is no terminal */

guint cli_columns(int width, const char *output)
{
	struct winsize size;

	if (width)
		return (guint)width;
	if (!output && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
		return size.ws_col;
	return FILE_COLUMNS;
}

static gboolean write_special(const char *path, const void *data, gsize len, GError **error)
{
	FILE *f = fopen(path, "we");

	if (f && fwrite(data, 1, len, f) == len && fflush(f) == 0 && fclose(f) == 0)
		return TRUE;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s", g_strerror(errno));
	return FALSE;
}

gboolean cli_write_bytes(const char *path, const char *what, const void *data, gsize len,
			 GError **error)
{
	struct stat st;
	gboolean ok;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		ok = write_special(path, data, len, error);
	else
		ok = g_file_set_contents_full(path, data, (gssize)len,
					      G_FILE_SET_CONTENTS_CONSISTENT, 0666, error);
	if (!ok)
		g_prefix_error(error, "%s could not be written to %s: ", what, path);
	return ok;
}

gboolean cli_write(const char *path, const char *what, const char *text, GError **error)
{
	return cli_write_bytes(path, what, text, strlen(text), error);
}

static gboolean is_stdout(const char *path)
{
	return !path || g_str_equal(path, "-");
}

gboolean cli_put_text(const char *output, const char *what, const char *text, GError **error)
{
	if (!is_stdout(output))
		return cli_write(output, what, text, error);
	fputs(text, stdout);
	return TRUE;
}

gboolean cli_put_page(const char *html, const KxPageOf *of, GError **error)
{
	g_autofree char *page = html ? kx_page_html(of) : NULL;

	return !html || cli_put_text(html, "the page", page, error);
}

gboolean cli_page_is_all(const char *html, const char *output)
{
	return html && is_stdout(html) && is_stdout(output);
}
