// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat over time as text and as CSV. */
#include "overtime-text.h"

#include <math.h>
#include <string.h>

#include "base/colour.h"
#include "base/textfmt.h"
#include "csv.h"
#include "heatgrid.h"

#define PAGE_SIZE 4096u

/* The label of a line: "0x0000123456000 |" */
#define LABEL 16u
/* From nothing to the greatest heat. Memory in which something was found is never shown as a space. */
static const char ramp[] = " .:-=+*#%@";
#define RAMP_TOP (sizeof(ramp) - 2)

/* --- notes --------------------------------------------------------------------------------------------------------------- */

static void note(GPtrArray *notes, char *sentence)
{
	g_ptr_array_add(notes, sentence);
}

static void note_interval(GPtrArray *notes, const KxAccessMap *m)
{
	g_autofree char *interval = kx_text_ns((double)m->interval_ns);

	if (!kx_access_counts_pages(m)) {
		note(notes,
		     g_strdup("Cells count single accesses that were caught, not all accesses: "
			      "dark memory may have been used without being caught."));
		if (m->interval_ns)
			return;
	}
	if (!m->interval_ns) {
		note(notes, g_strdup("The time between passes is not known."));
		return;
	}
	note(notes,
	     g_strdup_printf("A pass finds what was accessed since the pass before began, %s "
			     "earlier. It cannot show when in this time a page was accessed, nor "
			     "how often, nor in which order: pages that were used one after the "
			     "other within this time look as if they were used at once.",
			     interval));
}

GPtrArray *kx_access_map_notes(const KxAccessMap *m)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);
	guint64 lost = 0;

	note_interval(notes, m);
	for (guint i = 0; i < m->rows->len; i++)
		lost += kx_access_row(m, i)->lost;
	if (lost) {
		g_autofree char *text = kx_text_count((double)lost);

		note(notes,
		     g_strdup_printf("%s samples were lost, of unknown pages: memory may have "
				     "been used more than is shown.",
				     text));
	}
	if (m->leaf_bytes > PAGE_SIZE) {
		g_autofree char *leaf = kx_text_pages_bytes(m->leaf_bytes / PAGE_SIZE);

		note(notes,
		     g_strdup_printf("At least half of the memory was found through mappings "
				     "of %s or more, whose pages cannot be told apart.",
				     leaf));
	}
	if (g_str_equal(m->kind, "written"))
		note(notes, g_strdup_printf("%s finds what was written: memory that is only read "
					    "stays dark.",
					    m->tracker));
	if (m->pairs_na && !m->size_na)
		note(notes,
		     g_strdup("One page stands for its region, so all sizes are estimates."));
	if (m->partial)
		note(notes, g_strdup_printf("The map does not cover all memory: %s.", m->partial));
	if (m->unseen)
		note(notes, g_strdup_printf("%s.", m->unseen));
	return notes;
}

static void add_notes(GString *out, const KxAccessMap *m, guint width)
{
	g_autoptr(GPtrArray) notes = kx_access_map_notes(m);

	for (guint i = 0; i < notes->len; i++)
		kx_text_fold(out, width, notes->pdata[i], 2);
}

/* --- the map ------------------------------------------------------------------------------------------------------------- */

static void heading(GString *out, const KxVmReport *v, const KxAccessMap *m)
{
	g_autofree char *name = kx_text_clean(v->name), *plain = kx_access_map_label(m);
	g_autofree char *label = kx_text_clean(plain);
	guint64 passes = 0;

	for (guint i = 0; i < m->rows->len; i++)
		passes += kx_access_row(m, i)->passes;
	g_string_append_printf(
		out, "%s: %s%s, guest-physical memory over time; %" G_GUINT64_FORMAT " passes\n\n",
		name, label, m->running ? ", running" : "", passes);
}

/* The number of the nearest colour in xterm's cube of 6 × 6 × 6 colours. */
static guint of_cube(KxColour c)
{
	return 16 + 36 * ((c.red + 25u) / 51) + 6 * ((c.green + 25u) / 51) + (c.blue + 25u) / 51;
}

static void set_colour(GString *out, KxColours colours, double share)
{
	KxColour c = kx_colour_at(share);

	if (colours == KX_COLOURS_TRUE)
		g_string_append_printf(out, "\033[48;2;%u;%u;%um", c.red, c.green, c.blue);
	else
		g_string_append_printf(out, "\033[48;5;%um", of_cube(c));
}

static char level(double share)
{
	guint i = (guint)ceil(share * RAMP_TOP);

	return ramp[MIN(i, RAMP_TOP)];
}

static void line(GString *out, const KxHeatGrid *g, guint y, KxColours colours)
{
	const KxGridLine *l = &g_array_index(g->lines, KxGridLine, y);
	gboolean coloured = FALSE;

	g_string_append_printf(out, "%#*" G_GINT64_MODIFIER "x %c", (int)LABEL - 2,
			       l->gfn * PAGE_SIZE, l->gap ? '+' : '|');
	for (guint x = 0; x < g->nx; x++) {
		double heat = g->heat[y * g->nx + x];
		double share = g->max > 0 ? heat / g->max : 0;

		if (colours == KX_COLOURS_NONE) {
			g_string_append_c(out, isnan(heat) ? '?' : level(share));
			continue;
		}
		if (isnan(heat) && coloured)
			g_string_append(out, "\033[0m");
		else if (!isnan(heat))
			set_colour(out, colours, share);
		coloured = !isnan(heat);
		g_string_append_c(out, isnan(heat) ? '?' : ' ');
	}
	g_string_append(out, coloured ? "\033[0m|\n" : "|\n");
}

static void lines(GString *out, const KxHeatGrid *g, KxColours colours)
{
	for (guint y = g->ny; y-- > 0;)
		line(out, g, y, colours);
}

static char *clock_text(gint64 realtime_ns)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(realtime_ns / 1000000000);

	return utc ? g_date_time_format(utc, "%Y-%m-%d %H:%M:%S UTC") : g_strdup("?");
}

static void axis(GString *out, const KxAccessMap *m, const KxHeatGrid *g, KxColours colours)
{
	g_autofree char *from = clock_text(m->origin_realtime_ns + (gint64)g->start_ns);
	g_autofree char *step = kx_text_ns((double)g->step_ns);
	g_autofree char *all = kx_text_ns((double)g->step_ns * g->nx);
	gboolean pages = kx_access_counts_pages(m);
	g_autofree char *most = kx_text_number(pages ? g->max * 100 : g->max);

	g_string_append_printf(out, "%*s %s, then %s to the right, %s a column\n", (int)LABEL, "",
			       from, all, step);
	g_string_append_printf(out, "%*s ", (int)LABEL, "");
	for (guint i = 0; i <= RAMP_TOP; i++) {
		if (colours == KX_COLOURS_NONE) {
			g_string_append_c(out, ramp[i]);
			continue;
		}
		set_colour(out, colours, (double)i / RAMP_TOP);
		g_string_append(out, "  ");
	}
	g_string_append_printf(
		out, "%s 0 to %s %s; ? the tracker did not run; + nothing was found below\n\n",
		colours == KX_COLOURS_NONE ? "" : "\033[0m", most,
		pages ? "% of the memory in a pass" : "accesses per second and page");
}

char *kx_access_map_to_text(const KxVmReport *v, const KxAccessMap *m, guint width, guint height,
			    KxColours colours)
{
	g_autoptr(KxHeatGrid) g =
		kx_heat_grid_new(m, MAX(width, LABEL + 12) - LABEL - 2, MAX(height, 4));
	GString *out = g_string_new(NULL);

	heading(out, v, m);
	lines(out, g, colours);
	axis(out, m, g, colours);
	add_notes(out, m, width);
	return g_string_free(out, FALSE);
}

/* --- CSV ----------------------------------------------------------------------------------------------------------------- */

void kx_access_map_csv_head(GString *out)
{
	g_string_append(out, "vm,tracker,unit,begin_realtime_ns,duration_ns,looks,gpa,bytes,count,"
			     "writes,found_in_ns\n");
}

static void csv_row(GString *out, const char *begin, const KxAccessMap *m, guint row)
{
	const KxAccessRow *r = kx_access_row(m, row);
	guint64 from_ns, until_ns;
	gint64 at;

	kx_access_row_time(m, row, &from_ns, &until_ns);
	at = m->origin_realtime_ns + (gint64)from_ns;
	for (guint k = 0; k < m->columns_nr; k++) {
		g_string_append_printf(out,
				       "%s%" G_GINT64_FORMAT ",%" G_GUINT64_FORMAT
				       ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
				       ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",",
				       begin, at, until_ns - from_ns, r->looks,
				       kx_access_column_gfn(m, k) * PAGE_SIZE,
				       m->bin_pages * PAGE_SIZE, kx_access_cell(r, k));
		if (r->writes)
			g_string_append_printf(out, "%" G_GUINT64_FORMAT,
					       g_array_index(r->writes, guint64, k));
		g_string_append_printf(out, ",%.0f\n", kx_access_row_seconds(m, r) * 1e9);
	}
}

void kx_access_map_to_csv(GString *out, const KxVmReport *v, const KxAccessMap *m)
{
	g_autofree char *label = kx_access_map_label(m);
	g_autoptr(GString) begin = g_string_new(NULL);

	kx_csv_add(begin, v->name, FALSE);
	kx_csv_add(begin, label, FALSE);
	kx_csv_add(begin, m->unit, FALSE);
	for (guint i = 0; i < m->rows->len; i++)
		csv_row(out, begin->str, m, i);
}
