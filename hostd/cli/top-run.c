// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top's screen and the daemon: one refresh is two calls, List and Stats, one after the other. The screen waits for no call; no refresh
 * begins before the last one has ended.
 */
#include "top-run.h"

#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "top-screen.h"

#define SIGNALLED 128
#define PATIENCE  (2 * G_USEC_PER_SEC) /* then the screen says that the daemon does not answer */

typedef struct {
	Cli *cli;
	const TopOptions *options;
	KxDbusManager *manager; /* the command's */
	GMainLoop *loop;
	TopScreen *screen;
	GPtrArray *rows;  /* NULL: no answer yet */
	GHashTable *seen; /* VM → RateSeen */
	GVariant *list;	  /* the answer to List in the current refresh */
	gint64 asked_at;  /* when the current refresh began; 0: there is none */
	int refreshed;
	TopView view;
	TopColumn sort;
	gboolean reverse;
	char *message; /* NULL: none */
	GString *typed;
	char *prompt; /* asks for the tracker of VM @name, whose TARGET is @target; NULL: nothing is asked */
	char *name, *target;
	gboolean attached;
	GError *error; /* ends top */
	int code;
} Top;

static void quit(Top *t, int code)
{
	t->code = code;
	g_main_loop_quit(t->loop);
}

static void say(Top *t, char *message)
{
	g_free(t->message);
	t->message = message;
}

/* --- drawing ---------------------------------------------------------------- */

static char *about_text(const Top *t)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *time = g_date_time_format(now, "%H:%M:%S");
	gint64 waited = t->asked_at ? g_get_monotonic_time() - t->asked_at : 0;
	guint attached = 0;

	for (guint i = 0; t->rows && i < t->rows->len; i++)
		attached += ((const TopRow *)t->rows->pdata[i])->attached != 0;
	if (waited > PATIENCE)
		return g_strdup_printf("kvm-ext top %s  the daemon has not answered for %.0f s",
				       time, (double)waited / G_USEC_PER_SEC);
	if (!t->rows)
		return g_strdup_printf("kvm-ext top %s  asking the daemon", time);
	return g_strdup_printf("kvm-ext top %s  %u VMs, %u attached; every %g s; by %s%s", time,
			       t->rows->len, attached, t->options->delay, top_column_word(t->sort),
			       t->reverse ? ", reversed" : "");
}

static void draw(Top *t)
{
	g_autofree char *about = about_text(t), *typed = kx_text_clean(t->typed->str);
	const TopPicture p = {
		.rows = t->rows,
		.view = &t->view,
		.sort = t->sort,
		.reverse = t->reverse,
		.about = about,
		.message = t->message,
		.prompt = t->prompt,
		.typed = typed,
	};

	top_screen_draw(t->screen, &p);
}

/* --- refreshing ------------------------------------------------------------- */

static void on_lost(gpointer data)
{
	Top *t = data;

	if (!t->error)
		t->error = cli_lost_error();
	quit(t, KX_EXIT_UNREACHABLE);
}

static void refresh_failed(Top *t, GError *error)
{
	g_autoptr(GError) own = cli_explain(error);

	if (g_dbus_connection_is_closed(t->cli->connection)) {
		on_lost(t);
		return;
	}
	t->asked_at = 0;
	say(t, kx_text_clean(own->message));
	draw(t);
}

static void on_stats(GObject *source, GAsyncResult *result, gpointer data)
{
	g_autoptr(GVariant) stats = NULL;
	GError *error = NULL;
	Top *t = data;

	if (!kx_dbus_manager_call_stats_finish(t->manager, &stats, result, &error)) {
		refresh_failed(t, error);
		return;
	}
	g_clear_pointer(&t->rows, g_ptr_array_unref);
	t->rows = top_wanted_rows(t->options, t->list, stats, &t->seen);
	top_sort(t->rows, t->sort, t->reverse);
	top_view_follow(&t->view, t->rows);
	t->asked_at = 0;
	draw(t);
	if (++t->refreshed == t->options->count)
		quit(t, KX_EXIT_OK);
}

static void on_list(GObject *source, GAsyncResult *result, gpointer data)
{
	const char *const all[] = { NULL };
	GError *error = NULL;
	Top *t = data;

	g_clear_pointer(&t->list, g_variant_unref);
	if (!kx_dbus_manager_call_list_finish(t->manager, &t->list, result, &error))
		refresh_failed(t, error);
	else
		kx_dbus_manager_call_stats(t->manager, all, NULL, on_stats, t);
}

static gboolean refresh(gpointer data)
{
	Top *t = data;

	if (!t->asked_at) {
		t->asked_at = g_get_monotonic_time();
		kx_dbus_manager_call_list(t->manager, NULL, on_list, t);
	}
	draw(t);
	return G_SOURCE_CONTINUE;
}

/* Redraws while an answer is waited for, so that the wait is seen even if the time between refreshes is long. */
static gboolean show_wait(gpointer data)
{
	Top *t = data;

	if (t->asked_at)
		draw(t);
	return G_SOURCE_CONTINUE;
}

/* --- switching -------------------------------------------------------------- */

typedef struct {
	Top *top;
	char *name; /* of the VM, to be shown */
	gboolean attach;
} Switch;

static void on_switched(GObject *source, GAsyncResult *result, gpointer data)
{
	Switch *s = data;
	Top *t = s->top;
	GError *error = NULL;

	if (s->attach)
		kx_dbus_manager_call_attach_finish(t->manager, result, &error);
	else
		kx_dbus_manager_call_set_tracker_finish(t->manager, result, &error);
	if (error) {
		g_autoptr(GError) own = cli_explain(error);
		g_autofree char *text = kx_text_clean(own->message);

		say(t, g_strdup_printf("%s: %s", s->name, text));
	} else {
		say(t, g_strdup_printf("%s: %s", s->name, s->attach ? "attached" : "tracker set"));
	}
	g_free(s->name);
	g_free(s);
	refresh(t);
}

static void end_prompt(Top *t)
{
	g_clear_pointer(&t->prompt, g_free);
	g_clear_pointer(&t->name, g_free);
	g_clear_pointer(&t->target, g_free);
	g_string_truncate(t->typed, 0);
}

static void begin_prompt(Top *t)
{
	const TopRow *row;

	if (!t->rows || !t->rows->len)
		return;
	row = t->rows->pdata[t->view.selected];
	end_prompt(t);
	t->name = g_strdup(row->cells[TOP_NAME]);
	t->target = top_target(row);
	t->attached = row->attached;
	t->prompt = g_strdup_printf("%s, tracker and options (Tab, Enter, Esc): ", t->name);
}

static void switch_tracker(Top *t)
{
	g_autoptr(GError) error = NULL;
	GVariant *setting = top_setting(t->typed->str, &error);
	Switch *s;

	if (!setting) {
		say(t, kx_text_clean(error->message));
		return;
	}
	s = g_new0(Switch, 1);
	s->top = t;
	s->attach = !t->attached;
	s->name = g_strdup(t->name);
	say(t,
	    g_strdup_printf("%s: %s...", s->name, s->attach ? "attaching" : "setting the tracker"));
	if (s->attach)
		kx_dbus_manager_call_attach(t->manager, t->target, setting, NULL, on_switched, s);
	else
		kx_dbus_manager_call_set_tracker(t->manager, t->target, setting, NULL, on_switched,
						 s);
}

/* --- keys ------------------------------------------------------------------- */

static void type_key(Top *t, TopKey key, gunichar c)
{
	char *last;

	switch (key) {
	case TOP_KEY_ESCAPE:
		end_prompt(t);
		break;
	case TOP_KEY_ENTER:
		if (t->typed->len)
			switch_tracker(t);
		end_prompt(t);
		break;
	case TOP_KEY_TAB:
		g_string_assign(t->typed, top_next_tracker(t->typed->len ? t->typed->str : NULL));
		break;
	case TOP_KEY_BACKSPACE:
		last = g_utf8_find_prev_char(t->typed->str, t->typed->str + t->typed->len);
		if (last)
			g_string_truncate(t->typed, (gsize)(last - t->typed->str));
		break;
	case TOP_KEY_CLEAR:
		g_string_truncate(t->typed, 0);
		break;
	case TOP_KEY_CHARACTER:
		if (g_unichar_validate(c))
			g_string_append_unichar(t->typed, c);
		break;
	default:
		break;
	}
}

static void sort_by(Top *t, TopColumn column, gboolean reverse)
{
	t->sort = column;
	t->reverse = reverse;
	if (!t->rows)
		return;
	top_sort(t->rows, column, reverse);
	top_view_follow(&t->view, t->rows);
}

static void command_key(Top *t, gunichar c)
{
	switch (c) {
	case 'q':
		quit(t, KX_EXIT_OK);
		break;
	case 't':
		begin_prompt(t);
		break;
	case '<':
		sort_by(t, (t->sort + TOP_COLUMNS - 1) % TOP_COLUMNS, FALSE);
		break;
	case '>':
		sort_by(t, (t->sort + 1) % TOP_COLUMNS, FALSE);
		break;
	case 'r':
		sort_by(t, t->sort, !t->reverse);
		break;
	default:
		break;
	}
}

static void move(Top *t, TopKey key)
{
	gint64 page = MAX(1, top_screen_visible());
	gint64 by = 0;

	switch (key) {
	case TOP_KEY_UP:
		by = -1;
		break;
	case TOP_KEY_DOWN:
		by = 1;
		break;
	case TOP_KEY_PAGE_UP:
		by = -page;
		break;
	case TOP_KEY_PAGE_DOWN:
		by = page;
		break;
	case TOP_KEY_HOME:
		by = -(gint64)G_MAXINT32;
		break;
	case TOP_KEY_END:
		by = G_MAXINT32;
		break;
	default:
		break;
	}
	if (by && t->rows)
		top_view_move(&t->view, t->rows, by);
}

static gboolean on_key(gint fd, GIOCondition condition, gpointer data)
{
	gunichar c = 0;
	Top *t = data;
	TopKey key;

	if (condition & (G_IO_HUP | G_IO_ERR)) {
		quit(t, SIGNALLED + SIGHUP);
		return G_SOURCE_CONTINUE; /* the function that made the source removes it */
	}
	while ((key = top_screen_key(t->screen, &c)) != TOP_KEY_NONE) {
		say(t, NULL);
		if (key == TOP_KEY_REDRAW)
			top_screen_resize(t->screen);
		else if (t->prompt)
			type_key(t, key, c);
		else if (key == TOP_KEY_CHARACTER)
			command_key(t, c);
		else
			move(t, key);
	}
	draw(t);
	return G_SOURCE_CONTINUE;
}

/* --- signals, and all of it ------------------------------------------------- */

static gboolean on_interrupt(gpointer data)
{
	quit(data, SIGNALLED + SIGINT);
	return G_SOURCE_CONTINUE;
}

static gboolean on_terminate(gpointer data)
{
	quit(data, SIGNALLED + SIGTERM);
	return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer data)
{
	quit(data, SIGNALLED + SIGHUP);
	return G_SOURCE_CONTINUE;
}

static gboolean on_resize(gpointer data)
{
	Top *t = data;

	if (t->screen) {
		top_screen_resize(t->screen);
		draw(t);
	}
	return G_SOURCE_CONTINUE;
}

/* Opens the screen, runs the loop, and closes the screen again, whatever ended the loop; errors are printed afterwards. */
static void show(Top *t)
{
	guint keys, timer, wait;

	t->screen = top_screen_open(&t->error);
	if (!t->screen) {
		t->code = KX_EXIT_FAILED;
		return;
	}
	keys = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, on_key, t);
	timer = g_timeout_add((guint)(t->options->delay * 1000), refresh, t);
	wait = g_timeout_add_seconds(1, show_wait, t);
	refresh(t);
	g_main_loop_run(t->loop);
	g_source_remove(wait);
	g_source_remove(timer);
	g_source_remove(keys);
	g_clear_pointer(&t->screen, top_screen_close);
}

static void top_clear(Top *t)
{
	g_clear_pointer(&t->rows, g_ptr_array_unref);
	g_clear_pointer(&t->seen, g_hash_table_unref);
	g_clear_pointer(&t->list, g_variant_unref);
	g_string_free(t->typed, TRUE);
	g_free(t->prompt);
	g_free(t->name);
	g_free(t->target);
	g_free(t->message);
	g_free(t->view.key);
	g_clear_error(&t->error);
	g_main_loop_unref(t->loop);
}

int top_run(Cli *cli, const TopOptions *o)
{
	Top t = { .cli = cli, .options = o, .sort = o->sort };
	CliLost lost = { on_lost, &t };
	guint signals[4];

	t.manager = cli_manager(cli, &t.error);
	if (!t.manager) {
		int code = cli_fail(NULL, t.error);

		g_error_free(t.error);
		return code;
	}
	t.loop = g_main_loop_new(NULL, FALSE);
	t.typed = g_string_new(NULL);
	/* Before the screen opens: curses leaves signals alone that have handlers. */
	signals[0] = g_unix_signal_add(SIGINT, on_interrupt, &t);
	signals[1] = g_unix_signal_add(SIGTERM, on_terminate, &t);
	signals[2] = g_unix_signal_add(SIGHUP, on_hangup, &t);
	signals[3] = g_unix_signal_add(SIGWINCH, on_resize, &t);
	cli_lost_begin(cli, &lost);
	show(&t);
	cli_lost_end(cli, &lost);
	for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
		g_source_remove(signals[i]);
	if (t.error)
		cli_fail(NULL, t.error);
	top_clear(&t);
	return t.code;
}
