// SPDX-License-Identifier: GPL-2.0-or-later
#include "picture.h"

#include <cairo-svg.h>
#include <gio/gio.h>
#include <math.h>
#include <string.h>

#include "base/colour.h"
#include "base/textfmt.h"
#include "report/heatgrid.h"

#define PAGE_SIZE 4096u
/* Space around the map for the axes and the scale. */
#define LEFT   130
#define RIGHT  24
#define TOP    44
#define BOTTOM 92
#define FONT   12
#define TICKS  8u

typedef struct {
	cairo_t *cr;
	const KxVmReport *vm;
	const KxAccessMap *m;
	const KxHeatGrid *g;
	double width, height; /* of the map */
} Drawing;

static gboolean ends_in(const char *path, const char *ending)
{
	gsize len = strlen(path), n = strlen(ending);

	return len >= n && !g_ascii_strcasecmp(path + len - n, ending);
}

gboolean picture_format(const char *path, PictureFormat *format)
{
	*format = ends_in(path, ".svg") ? PICTURE_SVG : PICTURE_PNG;
	return ends_in(path, ".svg") || ends_in(path, ".png");
}

gboolean picture_unknown(const char *path)
{
	static const char *const endings[] = {
		".jpg",	 ".jpeg", ".jpe",  ".gif", ".webp", ".bmp", ".tif",  ".tiff",
		".avif", ".heic", ".heif", ".jxl", ".ico",  ".tga", ".pdf",  ".eps",
		".ps",	 ".pbm",  ".pgm",  ".ppm", ".pnm",  ".xpm", ".svgz", ".apng"
	};

	for (guint i = 0; i < G_N_ELEMENTS(endings); i++) {
		if (ends_in(path, endings[i]))
			return TRUE;
	}
	return FALSE;
}

static void set_colour(cairo_t *cr, KxColour c)
{
	cairo_set_source_rgb(cr, c.red / 255.0, c.green / 255.0, c.blue / 255.0);
}

static void black(cairo_t *cr)
{
	cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
}

/* @align: 0: begins at x; 1: ends there; 0.5: its middle is there. */
static void text(cairo_t *cr, double x, double y, double align, const char *words)
{
	cairo_text_extents_t e;

	cairo_text_extents(cr, words, &e);
	cairo_move_to(cr, x - align * e.x_advance, y);
	cairo_show_text(cr, words);
}

static void cells(const Drawing *d)
{
	double w = d->width / d->g->nx, h = d->height / d->g->ny;

	for (guint y = 0; y < d->g->ny; y++) {
		for (guint x = 0; x < d->g->nx; x++) {
			double heat = d->g->heat[y * d->g->nx + x];

			if (isnan(heat)) /* the tracker did not run: white */
				continue;
			set_colour(d->cr, kx_colour_at(d->g->max > 0 ? heat / d->g->max : 0));
			/* whole pixels, without seams */
			cairo_rectangle(d->cr, LEFT + floor(x * w),
					TOP + floor((d->g->ny - 1 - y) * h),
					floor((x + 1) * w) - floor(x * w),
					floor((d->g->ny - y) * h) - floor((d->g->ny - 1 - y) * h));
			cairo_fill(d->cr);
		}
	}
}

/* Whether a part of the memory begins at the begin of the line, or memory is missing before it. */
static gboolean is_border(const Drawing *d, guint y)
{
	const KxGridLine *l = &g_array_index(d->g->lines, KxGridLine, y);

	if (l->gap)
		return TRUE;
	for (guint i = 0; d->vm->over_time && y && i < d->vm->over_time->parts->len; i++) {
		guint64 gfn = g_array_index(d->vm->over_time->parts, KxAccessPart, i).gfn;

		if (gfn >= l->gfn && gfn < l->gfn + l->npages)
			return TRUE;
	}
	return FALSE;
}

static void borders(const Drawing *d)
{
	const double dashes[] = { 6, 4 };
	double h = d->height / d->g->ny;

	cairo_set_line_width(d->cr, 1);
	cairo_set_dash(d->cr, dashes, 2, 0);
	for (guint y = 0; y < d->g->ny; y++) {
		double at = TOP + floor((d->g->ny - y) * h) - 0.5;

		if (!is_border(d, y))
			continue;
		cairo_set_source_rgb(d->cr, 1, 1, 1);
		cairo_move_to(d->cr, LEFT, at);
		cairo_line_to(d->cr, LEFT + d->width, at);
		cairo_stroke(d->cr);
	}
	cairo_set_dash(d->cr, NULL, 0, 0);
	black(d->cr);
	cairo_rectangle(d->cr, LEFT - 0.5, TOP - 0.5, d->width + 1, d->height + 1);
	cairo_stroke(d->cr);
}

static void memory_axis(const Drawing *d)
{
	double h = d->height / d->g->ny;
	guint every = MAX(d->g->ny / TICKS, 1);

	for (guint y = 0; y < d->g->ny; y += every) {
		const KxGridLine *l = &g_array_index(d->g->lines, KxGridLine, y);
		g_autofree char *label =
			g_strdup_printf("0x%" G_GINT64_MODIFIER "x", l->gfn * PAGE_SIZE);

		text(d->cr, LEFT - 6, TOP + (d->g->ny - y) * h, 1, label);
	}
}

static void time_axis(const Drawing *d)
{
	double w = d->width / d->g->nx;
	guint every = MAX(d->g->nx / TICKS, 1);
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(
		(d->m->origin_realtime_ns + (gint64)d->g->start_ns) / 1000000000);
	g_autofree char *clock = utc ? g_date_time_format(utc, "%Y-%m-%d %H:%M:%S UTC") : NULL;
	g_autofree char *caption =
		g_strdup_printf("time since the first pass (%s)", clock ? clock : "?");

	for (guint x = 0; x <= d->g->nx; x += every) {
		g_autofree char *label = kx_text_ns((double)d->g->step_ns * x);

		text(d->cr, LEFT + x * w, TOP + d->height + 16, 0.5, x ? label : "0");
	}
	text(d->cr, LEFT + d->width / 2, TOP + d->height + 34, 0.5, caption);
}

static void scale(const Drawing *d)
{
	const double y = TOP + d->height + 48, w = 200;
	gboolean pages = kx_access_counts_pages(d->m);
	g_autofree char *most = kx_text_number(pages ? d->g->max * 100 : d->g->max);
	g_autofree char *end = g_strdup_printf("%s %s; white: the tracker did not run", most,
					       pages ? "% of the memory found in a pass"
						     : "accesses per second and page");

	for (guint i = 0; i < (guint)w; i++) {
		set_colour(d->cr, kx_colour_at(i / (w - 1)));
		cairo_rectangle(d->cr, LEFT + i, y, 1, 12);
		cairo_fill(d->cr);
	}
	black(d->cr);
	text(d->cr, LEFT - 6, y + 11, 1, "0");
	text(d->cr, LEFT + w + 6, y + 11, 0, end);
}

static void title(const Drawing *d)
{
	g_autofree char *name = kx_text_clean(d->vm->name), *plain = kx_access_map_label(d->m);
	g_autofree char *label = kx_text_clean(plain),
			*interval = kx_text_ns((double)d->m->interval_ns);
	g_autofree char *words = g_strdup_printf(
		"%s: guest-physical memory over time, as %s found it%s%s", name, label,
		d->m->interval_ns ? "; a pass in " : "", d->m->interval_ns ? interval : "");

	cairo_set_font_size(d->cr, FONT + 2);
	text(d->cr, LEFT, TOP - 18, 0, words);
	cairo_set_font_size(d->cr, FONT);
}

static void draw(const Drawing *d)
{
	cairo_set_source_rgb(d->cr, 1, 1, 1);
	cairo_paint(d->cr);
	cairo_select_font_face(d->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
			       CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_antialias(d->cr, CAIRO_ANTIALIAS_DEFAULT);
	black(d->cr);
	title(d);
	cells(d);
	borders(d);
	memory_axis(d);
	time_axis(d);
	scale(d);
}

static cairo_status_t append(void *data, const unsigned char *bytes, unsigned int len)
{
	g_byte_array_append(data, bytes, len);
	return CAIRO_STATUS_SUCCESS;
}

GByteArray *picture_draw(const KxVmReport *v, const KxAccessMap *m, PictureFormat format,
			 guint width, guint height, GError **error)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(KxHeatGrid) grid = kx_heat_grid_new(m, KX_ACCESS_ROWS_MAX, KX_ACCESS_COLUMNS_MAX);
	cairo_surface_t *surface =
		format == PICTURE_SVG
			? cairo_svg_surface_create_for_stream(append, out, width, height)
			: cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
	Drawing d = {
		cairo_create(surface), v, m, grid, width - LEFT - RIGHT, height - TOP - BOTTOM
	};
	cairo_status_t status;

	draw(&d);
	status = cairo_status(d.cr);
	cairo_destroy(d.cr);
	if (!status && format == PICTURE_PNG)
		status = cairo_surface_write_to_png_stream(surface, append, out);
	cairo_surface_finish(surface);
	if (!status)
		status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	if (!status)
		return g_steal_pointer(&out);
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "the picture cannot be drawn: %s",
		    cairo_status_to_string(status));
	return NULL;
}
