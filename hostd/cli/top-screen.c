// SPDX-License-Identifier: GPL-2.0-or-later
#include "top-screen.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "exitcode.h"

#define LINES_AROUND 4 /* about, titles; detail, message */

struct _TopScreen {
	SCREEN *screen;
	gboolean utf8;
};

/* The key that sends SIGQUIT must not end the program: the terminal would stay in the state of the full screen. */
static void disable_quit_key(void)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t) != 0)
		return;
	t.c_cc[VQUIT] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
	def_prog_mode();
}

TopScreen *top_screen_open(GError **error)
{
	TopScreen *s = g_new0(TopScreen, 1);

	s->screen = newterm(NULL, stdout, stdin);
	if (!s->screen || !cursor_address) {
		const char *type = g_getenv("TERM");
		g_autofree char *shown = kx_text_clean(type ? type : "");

		g_set_error(error, KX_EXIT_ERROR, KX_EXIT_FAILED,
			    "no full screen on a terminal of the type '%s' (TERM); kvm-ext top | "
			    "cat prints a table",
			    shown);
		top_screen_close(s);
		return NULL;
	}
	s->utf8 = g_get_charset(NULL);
	cbreak();
	noecho();
	disable_quit_key();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	return s;
}

void top_screen_close(TopScreen *s)
{
	if (s->screen) {
		endwin();
		delscreen(s->screen);
	}
	g_free(s);
}

void top_screen_resize(TopScreen *s)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
}

guint top_screen_visible(void)
{
	return LINES > LINES_AROUND ? (guint)(LINES - LINES_AROUND) : 0;
}

/* --- drawing ---------------------------------------------------------------- */

/* If the locale is not UTF-8, each character beyond ASCII is replaced by as many question marks as it has columns. */
static void put(const TopScreen *s, int y, int x, const char *text)
{
	g_autoptr(GString) ascii = NULL;

	if (s->utf8) {
		mvaddstr(y, x, text);
		return;
	}
	ascii = g_string_new(NULL);
	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);

		if (c < 0x80)
			g_string_append_c(ascii, (char)c);
		else if (!g_unichar_iszerowidth(c))
			g_string_append(ascii, g_unichar_iswide(c) ? "??" : "?");
	}
	mvaddstr(y, x, ascii->str);
}

static void put_line(const TopScreen *s, int y, const char *text)
{
	g_autofree char *fit = top_fit(text, (guint)COLS, FALSE);

	if (y >= 0 && y < LINES)
		put(s, y, 0, fit);
}

/* Each cell is placed by itself, so that a terminal with other widths of characters does not shift the other columns. */
static void put_row(const TopScreen *s, int y, const TopRow *row, const guint widths[TOP_COLUMNS],
		    const TopPicture *p)
{
	int x = 0;

	for (guint c = 0; c < TOP_COLUMNS && y < LINES; c++) {
		g_autofree char *cell = top_cell(row, c, widths[c]);

		if (!row && c == p->sort)
			attron(A_BOLD | A_UNDERLINE);
		put(s, y, x, cell);
		if (!row && c == p->sort)
			attroff(A_BOLD | A_UNDERLINE);
		x += (int)widths[c] + (widths[c] ? 1 : 0);
	}
}

static void put_rows(TopScreen *s, const TopPicture *p)
{
	guint visible = top_screen_visible(), widths[TOP_COLUMNS];

	top_widths(p->rows, (guint)COLS, widths);
	top_view_scroll(p->view, p->rows->len, visible);
	attron(A_REVERSE);
	put_line(s, 1, "");
	put_row(s, 1, NULL, widths, p);
	attroff(A_REVERSE);
	for (guint i = 0; i < visible && p->view->first + i < p->rows->len; i++) {
		guint index = p->view->first + i;

		if (index == p->view->selected)
			attron(A_REVERSE);
		put_line(s, (int)i + 2, "");
		put_row(s, (int)i + 2, p->rows->pdata[index], widths, p);
		attroff(A_REVERSE);
	}
	if (p->rows->len && visible) {
		g_autofree char *detail = top_detail(p->rows->pdata[p->view->selected]);

		attron(A_BOLD);
		put_line(s, LINES - 2, detail);
		attroff(A_BOLD);
	}
}

void top_screen_draw(TopScreen *s, const TopPicture *p)
{
	erase();
	put_line(s, 0, p->about);
	if (p->rows)
		put_rows(s, p);
	if (p->prompt) {
		g_autofree char *line = g_strconcat(p->prompt, p->typed, "_", NULL);
		guint wide = kx_text_columns(line);

		/* the end of the line is shown, because the user types there */
		put_line(s, LINES - 1, wide > (guint)COLS ? p->typed : line);
	} else {
		put_line(s, LINES - 1,
			 p->message ? p->message
				    : "q quit  t tracker  < > sort  r reverse  Up Down PgUp PgDn "
				      "Home End");
	}
	refresh();
}

/* --- keys ------------------------------------------------------------------- */

static TopKey function_key(wint_t key)
{
	static const struct {
		wint_t key;
		TopKey is;
	} keys[] = { { KEY_UP, TOP_KEY_UP },	     { KEY_DOWN, TOP_KEY_DOWN },
		     { KEY_PPAGE, TOP_KEY_PAGE_UP }, { KEY_NPAGE, TOP_KEY_PAGE_DOWN },
		     { KEY_HOME, TOP_KEY_HOME },     { KEY_END, TOP_KEY_END },
		     { KEY_ENTER, TOP_KEY_ENTER },   { KEY_BACKSPACE, TOP_KEY_BACKSPACE } };

	for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (keys[i].key == key)
			return keys[i].is;
	}
	return TOP_KEY_OTHER;
}

TopKey top_screen_key(TopScreen *s, gunichar *character)
{
	wint_t key;
	int kind;

	/* resizeterm() leaves this key behind each time */
	do {
		kind = get_wch(&key);
	} while (kind == KEY_CODE_YES && key == KEY_RESIZE);
	if (kind == ERR)
		return TOP_KEY_NONE;
	if (kind == KEY_CODE_YES)
		return function_key(key);
	*character = (gunichar)key;
	switch (key) {
	case '\r':
	case '\n':
		return TOP_KEY_ENTER;
	case '\t':
		return TOP_KEY_TAB;
	case '\b':
	case 0x7f:
		return TOP_KEY_BACKSPACE;
	case 'U' - '@':
		return TOP_KEY_CLEAR;
	case 'L' - '@':
		return TOP_KEY_REDRAW;
	case 0x1b:
		return TOP_KEY_ESCAPE;
	}
	return key < ' ' ? TOP_KEY_OTHER : TOP_KEY_CHARACTER;
}
