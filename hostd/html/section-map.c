// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat over time and guest-physical memory: one picture for each tracker; the picture of the running tracker comes first. */
#include "page-internal.h"

#include <math.h>
#include <string.h>

#include "base/colour.h"
#include "base/textfmt.h"
#include "model/accessmap-json.h"
#include "pieces.h"

#define PALETTE 64u
#define DECADES 3.0 /* of heat that the colours tell apart */
/* Only times of more rows than this, in which nothing was found, are left out as a gap. */
#define NEAR_BINS 3
/* If at least this share of the memory was found, all memory is shown; else only the memory that was found. */
#define MUCH (1 / 8.0)

/* One picture. */
typedef struct {
	const KxOverTime *t;
	const KxAccessMap *m;
	gboolean writes;  /* of the writes alone */
	KxPieces *time;	  /* seconds since the origin */
	KxPieces *memory; /* pages */
	double high;	  /* the most heat of a cell */
} Map;

/* --- cells ------------------------------------------------------------------------------------------------------------ */

static const GArray *cells_of(const Map *map, const KxAccessRow *r)
{
	return map->writes ? r->writes : r->cells;
}

static double heat(const Map *map, const KxAccessRow *r, guint column)
{
	return (double)g_array_index(cells_of(map, r), guint64, column) *
	       kx_access_row_factor(map->m, r);
}

static void time_of(const KxAccessMap *m, guint row, double *from, double *until)
{
	guint64 from_ns, until_ns;

	kx_access_row_time(m, row, &from_ns, &until_ns);
	*from = (double)from_ns / 1e9;
	*until = (double)until_ns / 1e9;
}

/* --- axes ------------------------------------------------------------------------------------------------------------- */

static void add_memory(Map *map)
{
	double found = (double)map->m->columns_nr * (double)map->m->bin_pages, all = 0;

	for (guint i = 0; i < map->t->parts->len; i++)
		all += (double)g_array_index(map->t->parts, KxAccessPart, i).npages;
	if (found >= MUCH * all && all > 0) {
		for (guint i = 0; i < map->t->parts->len; i++) {
			const KxAccessPart *part = &g_array_index(map->t->parts, KxAccessPart, i);

			kx_pieces_add(map->memory, (double)part->gfn,
				      (double)(part->gfn + part->npages), 0);
		}
	} else {
		for (guint i = 0; i < map->m->columns->len; i++) {
			const KxAccessColumns *c =
				&g_array_index(map->m->columns, KxAccessColumns, i);

			kx_pieces_add(map->memory, (double)(c->first * map->m->bin_pages),
				      (double)((c->first + c->n) * map->m->bin_pages), 0);
		}
	}
	kx_pieces_arrange(map->memory);
}

static void map_init(Map *map, const KxOverTime *t, const KxAccessMap *m, gboolean writes)
{
	double bin = (double)m->bin_ns / 1e9;

	*map = (Map){
		.t = t, .m = m, .writes = writes, .time = kx_pieces_new(), .memory = kx_pieces_new()
	};
	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(m, i);
		double from, until;

		time_of(m, i, &from, &until);
		kx_pieces_add(map->time, from, until, NEAR_BINS * bin);
		for (guint k = 0; k < m->columns_nr; k++)
			map->high = fmax(map->high, heat(map, r, k));
	}
	kx_pieces_arrange(map->time);
	add_memory(map);
}

static void map_clear(Map *map)
{
	g_array_unref(map->time);
	g_array_unref(map->memory);
}

/* --- data for the script ---------------------------------------------------------------------------------------------- */

static void add_place(GString *s, double from, double until)
{
	char a[G_ASCII_DTOSTR_BUF_SIZE], b[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append_printf(s, "[%s, %s]", g_ascii_formatd(a, sizeof(a), "%.4f", from),
			       g_ascii_formatd(b, sizeof(b), "%.4f", until));
}

/* From top to bottom, with high addresses at the top. A column that reaches over a border of the memory ends there. */
static void add_columns(GString *s, const Map *map)
{
	g_string_append(s, "\"columns\": [");
	for (guint k = 0; k < map->m->columns_nr; k++) {
		double gfn = (double)kx_access_column_gfn(map->m, k);
		double from = kx_pieces_place(map->memory, gfn);
		double until = kx_pieces_place(map->memory, gfn + (double)map->m->bin_pages);

		from = from < 0 ? 0 : from;
		until = until < 0 ? 100 : until;
		g_string_append(s, k ? ", " : "");
		add_place(s, 100 - until, 100 - from);
	}
	g_string_append(s, "],\n");
}

static void add_rows(GString *s, const Map *map)
{
	char number[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append(s, "\"rows\": [\n");
	for (guint i = 0; i < map->m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(map->m, i);
		g_autofree char *cells = kx_access_numbers_to_text(cells_of(map, r));
		double from, until;

		time_of(map->m, i, &from, &until);
		g_string_append(s, i ? ",\n{\"place\": " : "{\"place\": ");
		add_place(s, kx_pieces_place(map->time, from), kx_pieces_place(map->time, until));
		g_ascii_dtostr(number, sizeof(number), kx_access_row_factor(map->m, r));
		g_string_append_printf(s, ", \"factor\": %s, \"cells\": \"%s\"}", number, cells);
	}
	g_string_append(s, "]\n");
}

static void colour_text(char *text, double place)
{
	KxColour c = kx_colour_at(place);

	g_snprintf(text, 8, "#%02x%02x%02x", c.red, c.green, c.blue);
}

static char *data_of(const Map *map)
{
	char high[G_ASCII_DTOSTR_BUF_SIZE], colour[8];
	GString *s = g_string_new("{");

	g_ascii_dtostr(high, sizeof(high), map->high);
	g_string_append_printf(s, "\"high\": %s, \"decades\": %g,\n\"colours\": [", high, DECADES);
	for (guint i = 0; i < PALETTE; i++) {
		colour_text(colour, (double)i / (PALETTE - 1));
		g_string_append_printf(s, "%s\"%s\"", i ? ", " : "", colour);
	}
	g_string_append(s, "],\n");
	add_columns(s, map);
	add_rows(s, map);
	g_string_append_c(s, '}');
	return g_string_free(s, FALSE);
}

/* --- around the picture ----------------------------------------------------------------------------------------------- */

static char *address(double pages)
{
	return pages == 0 ? g_strdup("0") : kx_text_pages_bytes((guint64)pages);
}

static void text_at(KxPage *p, const char *x, double x_percent, double y_percent, const char *text)
{
	kx_html_open(p->h, "text", NULL);
	if (x)
		kx_html_attr(p->h, "x", x);
	else
		kx_html_attrf(p->h, "x", "%.3f%%", x_percent);
	if (x)
		kx_html_attrf(p->h, "y", "%.3f%%", y_percent);
	else
		kx_html_attr(p->h, "y", "14");
	if (x)
		kx_html_attr(p->h, "dy", "4");
	kx_html_text(p->h, text);
	kx_html_close(p->h);
}

/* The smallest power of two, in pages, of which at most five fit into the picture. */
static double step_of(const Map *map)
{
	double sum = 0, step = 1;

	for (guint i = 0; i < map->memory->len; i++) {
		const KxPiece *piece = &g_array_index(map->memory, KxPiece, i);

		sum += piece->until - piece->from;
	}
	while (step < sum / 5)
		step *= 2;
	return step;
}

/* Writes an address beside the picture, unless another address is already there. */
static void address_at(KxPage *p, const Map *map, GArray *taken, double gfn)
{
	double y = kx_pieces_place(map->memory, gfn);
	g_autofree char *text = address(gfn);

	for (guint i = 0; i < taken->len; i++) {
		if (fabs(g_array_index(taken, double, i) - y) < 5)
			return;
	}
	text_at(p, "98%", 0, 100 - y, text);
	g_array_append_val(taken, y);
}

/* Addresses at the ends of pieces, as far as there is space for them; then round addresses between these. */
static void memory_axis(KxPage *p, const Map *map)
{
	g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(double));
	double step = step_of(map);

	kx_html_open(p->h, "svg", "y-axis");
	kx_html_attr(p->h, "height", "320");
	kx_html_attr(p->h, "aria-hidden", "true");
	for (guint i = 0; i < map->memory->len; i++) {
		const KxPiece *piece = &g_array_index(map->memory, KxPiece, i);

		address_at(p, map, taken, piece->from);
		address_at(p, map, taken, piece->until);
	}
	for (guint i = 0; i < map->memory->len; i++) {
		const KxPiece *piece = &g_array_index(map->memory, KxPiece, i);

		for (double at = ceil(piece->from / step) * step; at < piece->until; at += step)
			address_at(p, map, taken, at);
	}
	kx_html_close(p->h);
}

/* The times of begin and end; between pieces, the times on both sides of the gap, as far as there is space. */
static void time_ticks(KxPage *p, const Map *map)
{
	const KxPiece *pieces = &g_array_index(map->time, KxPiece, 0);
	guint n = map->time->len;
	g_autofree char *begin = kx_tick_seconds(pieces[0].from);
	g_autofree char *end = kx_tick_seconds(pieces[n - 1].until);
	double last = 0;

	text_at(p, NULL, 0, 0, begin);
	text_at(p, NULL, 100, 0, end);
	for (guint i = 1; i < n; i++) {
		g_autofree char *until = kx_tick_seconds(pieces[i - 1].until);
		g_autofree char *from = kx_tick_seconds(pieces[i].from);
		g_autofree char *text = g_strdup_printf("%s | %s", until, from);
		double at = (pieces[i - 1].end + pieces[i].at) / 2;

		if (at - last < 24 || 100 - at < 24)
			continue;
		text_at(p, NULL, at, 0, text);
		last = at;
	}
}

static void time_axis(KxPage *p, const Map *map)
{
	g_autofree char *begin = kx_page_time(map->m->origin_realtime_ns);
	g_autofree char *title = g_strdup_printf("time since %s", begin);

	kx_html_open(p->h, "svg", "x-axis");
	kx_html_attr(p->h, "height", "36");
	kx_html_attr(p->h, "aria-hidden", "true");
	time_ticks(p, map);
	kx_html_svg_text(p->h, "title", "50%", "31", title);
	kx_html_close(p->h);
}

static void border(KxPage *p, double y)
{
	kx_html_open(p->h, "line", "border");
	kx_html_attr(p->h, "x1", "0");
	kx_html_attr(p->h, "x2", "100%");
	kx_html_attrf(p->h, "y1", "%.3f%%", 100 - y);
	kx_html_attrf(p->h, "y2", "%.3f%%", 100 - y);
	kx_html_close(p->h);
}

/* What is left out between pieces: a stripe across the picture. */
static void gaps(KxPage *p, const KxPieces *pieces, gboolean upright)
{
	for (guint i = 1; i < pieces->len; i++) {
		double from = g_array_index(pieces, KxPiece, i - 1).end;
		double until = g_array_index(pieces, KxPiece, i).at;

		kx_html_open(p->h, "rect", "gap");
		kx_html_attrf(p->h, upright ? "x" : "y", "%.3f%%", upright ? from : 100 - until);
		kx_html_attrf(p->h, upright ? "width" : "height", "%.3f%%", until - from);
		kx_html_attr(p->h, upright ? "height" : "width", "100%");
		kx_html_close(p->h);
	}
}

/* Gaps, and where memory slots begin and end. */
static void overlay(KxPage *p, const Map *map)
{
	kx_html_open(p->h, "svg", "over");
	kx_html_attr(p->h, "aria-hidden", "true");
	gaps(p, map->time, TRUE);
	gaps(p, map->memory, FALSE);
	for (guint i = 0; i < map->t->parts->len; i++) {
		const KxAccessPart *part = &g_array_index(map->t->parts, KxAccessPart, i);
		double from = kx_pieces_place(map->memory, (double)part->gfn);
		double until = kx_pieces_place(map->memory, (double)(part->gfn + part->npages));

		if (from >= 0)
			border(p, from);
		if (until >= 0)
			border(p, until);
	}
	kx_html_close(p->h);
}

static char *heat_text(const Map *map, double value)
{
	g_autofree char *number = kx_text_number(value);

	return kx_access_counts_pages(map->m) ? g_strdup_printf("%.3f", value)
					      : g_strdup_printf("%s/s", number);
}

static void colours(KxPage *p, const Map *map)
{
	g_autofree char *low = heat_text(map, map->high / pow(10, DECADES));
	g_autofree char *high = heat_text(map, map->high);
	char colour[8];

	kx_html_open(p->h, "p", "scale");
	kx_html_textf(p->h, "%s or less", low);
	kx_html_open(p->h, "svg", NULL);
	kx_html_attr(p->h, "height", "14");
	kx_html_attr(p->h, "aria-hidden", "true");
	for (guint i = 0; i < 32; i++) {
		colour_text(colour, i / 31.0);
		kx_html_open(p->h, "rect", NULL);
		kx_html_attrf(p->h, "x", "%.3f%%", i * 100 / 32.0);
		kx_html_attr(p->h, "width", "3.3%");
		kx_html_attr(p->h, "height", "14");
		kx_html_attr(p->h, "fill", colour);
		kx_html_close(p->h);
	}
	kx_html_close(p->h);
	kx_html_text(p->h, high);
	kx_html_close(p->h);
	kx_html_open(p->h, "p", "small");
	kx_html_textf(p->h,
		      "Colour: %s, logarithmic; none: nothing was found. Stripes: time or memory "
		      "left out, in which nothing was found.%s",
		      kx_access_counts_pages(map->m)
			      ? "share of the memory's pages that a pass found"
			      : "accesses per second and page",
		      map->t->parts->len ? " Dashed: borders of memory slots." : "");
	kx_html_close(p->h);
}

/* --- the table -------------------------------------------------------------------------------------------------------- */

#define RANGES_SHOWN 3u

/* The memory with at least half of the row's highest heat: ranges, the lowest first. */
static char *hottest(const Map *map, const KxAccessRow *r)
{
	GString *s = g_string_new(NULL);
	double high = 0;
	guint shown = 0, more = 0;

	for (guint k = 0; k < map->m->columns_nr; k++)
		high = fmax(high, heat(map, r, k));
	for (guint k = 0, n; high > 0 && k < map->m->columns_nr; k += n) {
		guint64 gfn = kx_access_column_gfn(map->m, k);
		g_autofree char *size = NULL;

		n = 1;
		if (heat(map, r, k) < high / 2)
			continue;
		while (k + n < map->m->columns_nr && heat(map, r, k + n) >= high / 2 &&
		       kx_access_column_gfn(map->m, k + n) == gfn + n * map->m->bin_pages)
			n++;
		size = kx_text_pages_bytes(n * map->m->bin_pages);
		if (shown++ < RANGES_SHOWN)
			g_string_append_printf(s, "%s0x%" G_GINT64_MODIFIER "x + %s",
					       s->len ? ", " : "", gfn << 12, size);
		else
			more++;
	}
	if (more)
		g_string_append_printf(s, ", and %u more", more);
	if (!s->len)
		g_string_append(s, "-");
	return g_string_free(s, FALSE);
}

static void table(KxPage *p, const Map *map)
{
	const char *titles[] = { "time", "passes",
				 kx_access_counts_pages(map->m) ? "highest\nshare"
								: "highest\nrate",
				 "memory with at least half of this heat", NULL };

	kx_page_table_open(p, "The hottest memory over time", NULL);
	kx_page_table_head(p, titles);
	for (guint i = 0; i < map->m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(map->m, i);
		g_autofree char *time = NULL, *ranges = hottest(map, r);
		double high = 0, from, until;

		time_of(map->m, i, &from, &until);
		time = kx_tick_seconds(from);
		for (guint k = 0; k < map->m->columns_nr; k++)
			high = fmax(high, heat(map, r, k));
		kx_page_row_open(p, time);
		kx_page_cell_take(p, g_strdup_printf("%u", r->passes));
		if (kx_access_row_factor(map->m, r) > 0)
			kx_page_cell_take(p, heat_text(map, high));
		else
			kx_page_cell_figure(p, NULL,
					    &(KxFigure){ .na = (char *)"no page was looked at" },
					    NULL);
		kx_html_element(p->h, "td", "text", ranges);
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

/* --- all of it -------------------------------------------------------------------------------------------------------- */

static void picture(KxPage *p, const Map *map, const char *id)
{
	g_autofree char *data = data_of(map);

	kx_html_open(p->h, "div", "map");
	memory_axis(p, map);
	kx_html_open(p->h, "div", "picture");
	kx_html_open(p->h, "canvas", NULL);
	kx_html_attr(p->h, "data-map", id);
	kx_html_attr(p->h, "width", "1024");
	kx_html_attr(p->h, "height", "640");
	kx_html_attr(p->h, "role", "img");
	kx_html_attr(p->h, "aria-label", "map of heat; the table below has its hottest memory");
	kx_html_close(p->h);
	overlay(p, map);
	kx_html_close(p->h);
	time_axis(p, map);
	kx_html_close(p->h);
	kx_html_open(p->h, "noscript", NULL);
	kx_page_say(p, "This picture is drawn by a script, which does not run here: the table "
		       "below lists the hottest memory.");
	kx_html_close(p->h);
	colours(p, map);
	kx_html_data(p->h, id, data);
}

static void figure(KxPage *p, const KxPageVm *v, guint i, gboolean writes)
{
	const KxAccessMap *m = v->v->over_time->maps->pdata[i];
	g_autofree char *label = kx_access_map_label(m);
	g_autofree char *id = g_strdup_printf("%s-map-%u%s", v->scope, i, writes ? "-writes" : "");
	Map map;

	map_init(&map, v->v->over_time, m, writes);
	kx_html_open(p->h, "figure", NULL);
	kx_html_open(p->h, "figcaption", NULL);
	kx_html_textf(p->h, "%s%s %s%s", label, m->running ? " (running)" : "", m->options,
		      writes				? ": the writes alone"
		      : strcmp(m->kind, "written") == 0 ? ": pages written"
							: "");
	kx_html_close(p->h);
	if (!(map.high > 0)) {
		kx_page_absent(p, writes ? "no write was found" : "nothing was found");
	} else {
		picture(p, &map, id);
		table(p, &map);
	}
	kx_html_close(p->h);
	map_clear(&map);
}

static gboolean has_writes(const KxAccessMap *m)
{
	return m->rows->len && kx_access_row(m, 0)->writes;
}

static void notes(KxPage *p, const KxAccessMap *m)
{
	g_autofree char *interval = m->interval_ns ? kx_text_ns((double)m->interval_ns) : NULL;

	if (m->partial)
		kx_page_say(p, "%s.", m->partial);
	if (m->unseen)
		kx_page_say(p, "%s.", m->unseen);
	if (interval && kx_access_counts_pages(m))
		kx_page_say(p,
			    "A pass shows what was used since the pass before, on average %s "
			    "earlier: how often, and in which order, no pass shows.",
			    interval);
}

static void map_of(KxPage *p, const KxPageVm *v, guint i)
{
	const KxAccessMap *m = v->v->over_time->maps->pdata[i];

	figure(p, v, i, FALSE);
	if (has_writes(m))
		figure(p, v, i, TRUE);
	notes(p, m);
}

/* Why there are no maps; NULL: there are. */
static const char *no_maps(const KxOverTime *t)
{
	if (!t)
		return "the report was made without heat over time";
	if (t->na)
		return t->na;
	return kx_access_main_map(t) ? NULL : "no tracker has found anything yet";
}

static void maps_of(KxPage *p, const KxPageVm *v)
{
	const KxOverTime *t = v->v->over_time;
	const KxAccessMap *first;

	if (no_maps(t)) {
		kx_page_absent(p, no_maps(t));
		return;
	}
	if (t->parts_na)
		kx_page_say(p, "Borders of memory slots: n/a: %s.", t->parts_na);
	first = kx_access_main_map(t);
	for (guint i = 0; i < t->maps->len; i++) {
		if (t->maps->pdata[i] == first)
			map_of(p, v, i);
	}
	for (guint i = 0; i < t->maps->len; i++) {
		const KxAccessMap *m = t->maps->pdata[i];
		g_autofree char *label = kx_access_map_label(m);

		if (m == first || !m->rows->len)
			continue;
		kx_html_open(p->h, "details", NULL);
		kx_html_open(p->h, "summary", NULL);
		kx_html_textf(p->h, "The map of %s (%s)", label, m->options);
		kx_html_close(p->h);
		map_of(p, v, i);
		kx_html_close(p->h);
	}
}

void kx_page_map(KxPage *p)
{
	for (guint i = 0; i < p->vms->len; i++) {
		kx_page_vm_heading(p, p->vms->pdata[i]);
		maps_of(p, p->vms->pdata[i]);
	}
	if (!p->vms->len)
		kx_page_absent(p, KX_PAGE_NO_HEAT);
}
