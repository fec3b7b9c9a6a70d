// SPDX-License-Identifier: GPL-2.0-or-later
/* Help that is wider than the terminal is folded. In a pipe each option is one line, as completion reads it. */
#include "cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MIN 40

/* Where the description of an option begins: after at least two spaces behind the option's name. 0: there is none. */
static int description_of(const char *line)
{
	const char *name = line + strspn(line, " ");
	const char *gap = name > line && *name == '-' ? strstr(name, "  ") : NULL;

	return gap ? (int)(gap - line) + (int)strspn(gap, " ") : 0;
}

/* Each character of a help text has the width of one column. */
static void put_folded(const char *line, int width)
{
	int indent = description_of(line), room = width;

	if (indent > width / 2)
		indent = 8;
	while (g_utf8_strlen(line, -1) > room) {
		const char *end = g_utf8_offset_to_pointer(line, room);
		const char *cut = g_strrstr_len(line, end - line + 1, " ");

		/* A word that is too long stays whole, and so does the option's name. */
		if (!cut || cut - line <= (room == width ? indent : 0))
			break;
		printf("%.*s\n%*s", (int)(cut - line), line, indent, "");
		line = cut + 1;
		room = width - indent;
	}
	puts(line);
}

void cli_print_help(const char *text)
{
	struct winsize size;
	g_auto(GStrv) lines = NULL;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < COLUMNS_MIN) {
		fputs(text, stdout);
		return;
	}
	lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l && (l[1] || **l); l++)
		put_folded(*l, size.ws_col);
}
