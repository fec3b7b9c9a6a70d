// SPDX-License-Identifier: GPL-2.0-or-later
#include "top-model.h"

#include <math.h>
#include <string.h>

#include "base/textfmt.h"
#include "exitcode.h"
#include "rates.h"
#include "report/figure.h"
#include "report/row.h"
#include "tracker/options.h"

/* @least: the width to which a column's text may be cut; 0: it is never cut. */
static const struct {
	const char *word, *title;
	gboolean number;
	guint least;
} columns[TOP_COLUMNS] = {
	[TOP_NAME] = { "name", "NAME", FALSE, 12 },
	[TOP_TRACKER] = { "tracker", "TRACKER", FALSE, 14 },
	[TOP_STATE] = { "state", "STATE", FALSE, 7 },
	[TOP_SAMPLES] = { "samples", "SAMPLES/S", TRUE, 0 },
	[TOP_COST] = { "cost", "COST", TRUE, 0 },
	[TOP_CPU] = { "cpu", "CPU%", TRUE, 0 },
	[TOP_FOUND] = { "found", "FOUND", TRUE, 0 },
	[TOP_SETTING] = { "setting", "SETTING", FALSE, 9 },
};

const char *top_column_word(TopColumn c)
{
	return columns[c].word;
}

const char *top_column_title(TopColumn c)
{
	return columns[c].title;
}

gboolean top_column_is_number(TopColumn c)
{
	return columns[c].number;
}

gboolean top_column_from_word(const char *word, TopColumn *c)
{
	for (guint i = 0; i < TOP_COLUMNS; i++) {
		if (g_str_equal(columns[i].word, word)) {
			*c = i;
			return TRUE;
		}
	}
	return FALSE;
}

char *top_column_words(void)
{
	const char *words[TOP_COLUMNS + 1] = { NULL };

	for (guint i = 0; i < TOP_COLUMNS; i++)
		words[i] = columns[i].word;
	return g_strjoinv(", ", (char **)words);
}

/* --- rows ------------------------------------------------------------------- */

static void row_free(gpointer data)
{
	TopRow *row = data;

	for (guint c = 0; c < TOP_COLUMNS; c++) {
		g_free(row->cells[c]);
		kx_figure_clear(&row->figures[c]);
	}
	g_variant_unref(row->vm);
	g_free(row->key);
	g_free(row);
}

static const char *lookup(GVariant *vm, const char *key)
{
	const char *s = "";

	g_variant_lookup(vm, key, "&s", &s);
	return s;
}

static void add_words(GString *out, const char *before, const char *words)
{
	if (*words)
		g_string_append_printf(out, "%s%s%s", out->len ? ", " : "", before, words);
}

/* "running, yielded: migration" */
static char *state_text(GVariant *vm)
{
	g_autoptr(GString) out = g_string_new(lookup(vm, "state"));

	add_words(out, "yielded: ", lookup(vm, "yielded"));
	add_words(out, "", lookup(vm, "progress"));
	add_words(out, "", lookup(vm, "waiting"));
	return kx_text_clean(out->str);
}

/* The figures since the tracker was set, as the report has them; rates since the refresh before. */
static void measure(TopRow *row, const KxVmReport *v, const RateSeen *before)
{
	static const struct {
		TopColumn column;
		RateKind rate;
	} live[] = { { TOP_SAMPLES, RATE_SAMPLES }, { TOP_CPU, RATE_CPU } };
	const KxWindow *w = v->windows->pdata[v->windows->len - 1];
	g_autoptr(GPtrArray) rows = kx_vm_rows(v, NULL);
	const KxRow *r = rows->len ? rows->pdata[0] : NULL;

	for (guint i = 0; i < G_N_ELEMENTS(live); i++) {
		const char *why;
		double rate = rate_since(live[i].rate, v, w, before, &why);

		row->figures[live[i].column] = why ? kx_unavailable(why) : kx_figure(rate, 0);
	}
	row->figures[TOP_COST] = r ? kx_figure_copy(&r->cost_per_sample_ns)
				   : kx_unavailable("the window has no figures");
	row->figures[TOP_FOUND] =
		r ? kx_figure_copy(&r->pages_found) : kx_unavailable("the window has no figures");
}

static char *number_text(TopColumn c, const KxFigure *f)
{
	if (f->na)
		return g_strdup("n/a");
	if (c == TOP_COST)
		return kx_text_ns(f->value);
	if (c == TOP_FOUND)
		return kx_text_pages_bytes((guint64)llround(f->value));
	return kx_text_number(f->value);
}

static void write_cells(TopRow *row, const KxWindow *w)
{
	const char *mechanism = lookup(row->vm, "mechanism");
	g_autofree char *label =
		w ? kx_tracker_label(w->tracker, kx_window_mechanism(w))
		  : kx_tracker_label(lookup(row->vm, "tracker"), *mechanism ? mechanism : NULL);

	row->cells[TOP_NAME] = kx_text_clean(lookup(row->vm, "name"));
	row->cells[TOP_STATE] = state_text(row->vm);
	row->cells[TOP_TRACKER] = row->attached ? kx_text_clean(label) : g_strdup("-");
	row->cells[TOP_SETTING] =
		row->attached ? kx_text_clean(w ? w->options : lookup(row->vm, "options"))
			      : g_strdup("");
	for (guint c = 0; c < TOP_COLUMNS; c++) {
		if (columns[c].number)
			row->cells[c] =
				row->attached ? number_text(c, &row->figures[c]) : g_strdup("-");
	}
}

static TopRow *row_of(GVariant *vm, const char *key, const KxVmReport *v, const RateSeen *before)
{
	TopRow *row = g_new0(TopRow, 1);
	gboolean has = v && v->windows->len;

	row->vm = g_variant_ref(vm);
	row->key = g_strdup(key);
	g_variant_lookup(vm, "attached", "b", &row->attached);
	if (row->attached && has) {
		measure(row, v, before);
	} else {
		for (guint c = 0; c < TOP_COLUMNS; c++) {
			if (columns[c].number)
				row->figures[c] = kx_unavailable(row->attached ? "no figures yet"
									       : "not attached");
		}
	}
	write_cells(row, has ? v->windows->pdata[v->windows->len - 1] : NULL);
	return row;
}

/* VM → KxVmReport */
static GHashTable *reports_of(GVariant *stats)
{
	GHashTable *reports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
						    (GDestroyNotify)kx_vm_report_free);

	for (gsize i = 0; i < g_variant_n_children(stats); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(stats, i);
		KxVmReport *v = kx_vm_from_variant(vm);

		g_hash_table_replace(reports, rate_vm_key(v), v);
	}
	return reports;
}

static char *key_in_list(GVariant *vm)
{
	guint32 pid = 0;

	g_variant_lookup(vm, "pid", "u", &pid);
	return g_strdup_printf("%s/%u/%s", lookup(vm, "uuid"), pid, lookup(vm, "name"));
}

GPtrArray *top_rows(GVariant *list, GVariant *stats, GHashTable **seen)
{
	g_autoptr(GHashTable) reports = reports_of(stats);
	GHashTable *now = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);

	for (gsize i = 0; i < g_variant_n_children(list); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(list, i);
		g_autofree char *key = key_in_list(vm);
		const KxVmReport *v = g_hash_table_lookup(reports, key);

		g_ptr_array_add(rows,
				row_of(vm, key, v, *seen ? g_hash_table_lookup(*seen, key) : NULL));
		if (v && v->windows->len)
			g_hash_table_replace(now, g_steal_pointer(&key),
					     rate_seen(v->windows->pdata[v->windows->len - 1]));
	}
	g_clear_pointer(seen, g_hash_table_unref);
	*seen = now;
	return rows;
}

/* --- order ------------------------------------------------------------------ */

typedef struct {
	TopColumn by;
	gboolean reverse;
} Order;

static int compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const TopRow *x = *(TopRow *const *)a, *y = *(TopRow *const *)b;
	const KxFigure *f, *g;
	const Order *order = data;
	int result = 0;

	if (columns[order->by].number) {
		f = &x->figures[order->by];
		g = &y->figures[order->by];
		if (!f->na != !g->na)
			return f->na ? 1 : -1;
		if (!f->na)
			result = (f->value < g->value) - (f->value > g->value);
	} else {
		result = strcmp(x->cells[order->by], y->cells[order->by]);
	}
	if (result)
		return order->reverse ? -result : result;
	result = strcmp(x->cells[TOP_NAME], y->cells[TOP_NAME]);
	return result ? result : strcmp(x->key, y->key);
}

void top_sort(GPtrArray *rows, TopColumn by, gboolean reverse)
{
	Order order = { by, reverse };

	g_ptr_array_sort_with_data(rows, compare, &order);
}

/* --- text ------------------------------------------------------------------- */

void top_widths(const GPtrArray *rows, guint width, guint widths[TOP_COLUMNS])
{
	static const TopColumn cut_first[] = { TOP_SETTING, TOP_STATE, TOP_NAME, TOP_TRACKER };
	guint total = TOP_COLUMNS - 1, left = width;

	for (guint c = 0; c < TOP_COLUMNS; c++) {
		widths[c] = strlen(columns[c].title);
		for (guint i = 0; i < rows->len; i++) {
			const TopRow *row = rows->pdata[i];

			widths[c] = MAX(widths[c], kx_text_columns(row->cells[c]));
		}
		total += widths[c];
	}
	if (!width)
		return;
	for (guint i = 0; i < G_N_ELEMENTS(cut_first) && total > width; i++) {
		guint *w = &widths[cut_first[i]], least = columns[cut_first[i]].least;
		guint cut = *w > least ? MIN(*w - least, total - width) : 0;

		*w -= cut;
		total -= cut;
	}
	for (guint c = 0; c < TOP_COLUMNS; c++) {
		widths[c] = MIN(widths[c], left);
		left -= MIN(left, widths[c] + 1);
	}
}

char *top_fit(const char *text, guint width, gboolean right)
{
	guint columns_of = kx_text_columns(text), used = 0;
	g_autoptr(GString) out = g_string_new(NULL);

	if (columns_of <= width)
		return right ? g_strdup_printf("%*s%s", (int)(width - columns_of), "", text)
			     : g_strdup_printf("%s%*s", text, (int)(width - columns_of), "");
	for (; *text && width; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);
		guint w = g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;

		if (used + w > width - 1)
			break;
		g_string_append_unichar(out, c);
		used += w;
	}
	if (width)
		g_string_append_printf(out, "…%*s", (int)(width - 1 - used), "");
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *top_cell(const TopRow *row, TopColumn c, guint width)
{
	return top_fit(row ? row->cells[c] : columns[c].title, width, columns[c].number);
}

static void add_line(GString *out, const TopRow *row, const guint widths[TOP_COLUMNS])
{
	g_autoptr(GString) line = g_string_new(NULL);

	for (guint c = 0; c < TOP_COLUMNS; c++) {
		g_autofree char *cell = top_cell(row, c, widths[c]);

		g_string_append_printf(line, "%s%s", c && widths[c] ? " " : "", cell);
	}
	g_string_append_printf(out, "%s\n", g_strchomp(line->str));
}

char *top_table(const GPtrArray *rows, guint width)
{
	GString *out = g_string_new(NULL);
	guint widths[TOP_COLUMNS];

	top_widths(rows, width, widths);
	add_line(out, NULL, widths);
	for (guint i = 0; i < rows->len; i++)
		add_line(out, rows->pdata[i], widths);
	return g_string_free(out, FALSE);
}

char *top_detail(const TopRow *row)
{
	GString *out = g_string_new(NULL);

	g_string_printf(out, "%s: %s", row->cells[TOP_NAME], row->cells[TOP_STATE]);
	if (!row->attached) {
		g_string_append(out, "; not attached");
	} else {
		const KxFigure *cost = &row->figures[TOP_COST];
		g_autofree char *interval =
			cost->na || isnan(cost->low)
				? NULL
				: kx_text_ns_interval(cost->value, cost->low, cost->high);
		g_autofree char *why = cost->na ? kx_text_clean(cost->na) : NULL;

		g_string_append_printf(out, "; %s %s; cost %s", row->cells[TOP_TRACKER],
				       row->cells[TOP_SETTING],
				       interval ? interval : row->cells[TOP_COST]);
		if (why)
			g_string_append_printf(out, ": %s", why);
	}
	return g_string_free(out, FALSE);
}

/* --- the view --------------------------------------------------------------- */

static void select_row(TopView *v, const GPtrArray *rows, guint index)
{
	const TopRow *row;

	if (!rows->len) {
		v->selected = 0;
		return;
	}
	v->selected = MIN(index, rows->len - 1);
	row = rows->pdata[v->selected];
	g_free(v->key);
	v->key = g_strdup(row->key);
}

void top_view_follow(TopView *v, const GPtrArray *rows)
{
	guint index = v->selected;

	for (guint i = 0; i < rows->len; i++) {
		const TopRow *row = rows->pdata[i];

		if (g_strcmp0(row->key, v->key) == 0)
			index = i;
	}
	select_row(v, rows, index);
}

void top_view_move(TopView *v, const GPtrArray *rows, gint64 by)
{
	select_row(v, rows, (guint)CLAMP((gint64)v->selected + by, 0, (gint64)G_MAXINT32));
}

void top_view_scroll(TopView *v, guint rows, guint visible)
{
	if (v->selected < v->first)
		v->first = v->selected;
	if (visible && v->selected >= v->first + visible)
		v->first = v->selected - visible + 1;
	/* no empty lines while there are rows above */
	v->first = MIN(v->first, rows > visible ? rows - visible : 0);
}

/* --- switching -------------------------------------------------------------- */

const char *top_next_tracker(const char *now)
{
	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if (now && g_str_equal(t->name, now) && t[1].name)
			return t[1].name;
	}
	return kx_trackers[0].name;
}

GVariant *top_setting(const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	const char *tracker = NULL;
	GVariantDict dict;

	g_variant_dict_init(&dict, NULL);
	for (char **word = words; *word; word++) {
		char *equals = strchr(*word, '=');

		if (equals) {
			*equals = '\0';
			g_variant_dict_insert(&dict, *word, "s", equals + 1);
		} else if (**word && tracker) {
			g_set_error(error, KX_EXIT_ERROR, KX_EXIT_USAGE,
				    "'%s' is no option: options are KEY=VALUE", *word);
			g_variant_dict_clear(&dict);
			return NULL;
		} else if (**word) {
			tracker = *word;
			g_variant_dict_insert(&dict, "tracker", "s", tracker);
		}
	}
	return g_variant_dict_end(&dict);
}

char *top_target(const TopRow *row)
{
	const char *uuid = lookup(row->vm, "uuid");
	guint32 pid = 0;

	g_variant_lookup(row->vm, "pid", "u", &pid);
	if (pid)
		return g_strdup_printf("/proc/%u", pid);
	return g_strdup(*uuid ? uuid : lookup(row->vm, "name"));
}
