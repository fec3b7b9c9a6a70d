// SPDX-License-Identifier: GPL-2.0-or-later
/* The working set as text for people. */
#include "overtime-text.h"

#include <math.h>

#include "base/textfmt.h"
#include "working-set.h"

#define PAGE_SIZE 4096u
/* Lines of the table over time. */
#define STRETCHES 20u

static char *pages_text(double pages)
{
	return isfinite(pages) ? kx_text_pages_bytes((guint64)(pages + 0.5)) : g_strdup("n/a");
}

static char *percent(double share)
{
	g_autofree char *number = isfinite(share) ? kx_text_number(share * 100) : NULL;

	return number ? g_strdup_printf("%s %%", number) : g_strdup("n/a");
}

static void heading(GString *out, const KxVmReport *v, const KxAccessMap *m, const KxWorkingSet *w)
{
	g_autofree char *name = kx_text_clean(v->name), *plain = kx_access_map_label(m);
	g_autofree char *label = kx_text_clean(plain),
			*interval = kx_text_ns((double)m->interval_ns);

	g_string_append_printf(out,
			       "%s: working set as %s found it: memory %s between a pass and the "
			       "next; %" G_GUINT64_FORMAT " passes%s%s\n\n",
			       name, label,
			       g_str_equal(m->kind, "written") ? "written" : "accessed", w->passes,
			       m->interval_ns ? ", one in " : "", m->interval_ns ? interval : "");
}

/* --- tables -------------------------------------------------------------------------------------------------------------- */

static void columns(KxTable *t, const char *const *titles)
{
	for (; *titles; titles++)
		kx_table_add_column(t, *titles, FALSE, FALSE);
}

static void sizes(GString *out, const KxAccessMap *m, const KxWorkingSet *w, guint width)
{
	g_autoptr(KxTable) t = kx_table_new();
	guint column = 0;

	kx_table_add_column(t, "share of the passes", TRUE, FALSE);
	kx_table_add_column(t, "least", FALSE, FALSE);
	for (guint i = 0; i < KX_SIZE_SHARES; i++) {
		g_autofree char *title = g_strdup_printf("%.0f %%", kx_size_shares[i] * 100);

		kx_table_add_column(t, title, FALSE, FALSE);
	}
	kx_table_add_column(t, "most", FALSE, FALSE);
	kx_table_add_column(t, "mean", FALSE, FALSE);
	kx_table_add_cell(t, column++, g_strdup("find at most"));
	kx_table_add_cell(t, column++, pages_text((double)w->min));
	for (guint i = 0; i < KX_SIZE_SHARES; i++)
		kx_table_add_cell(t, column++, pages_text(kx_access_size_at(m, kx_size_shares[i])));
	kx_table_add_cell(t, column++, pages_text((double)w->max));
	kx_table_add_cell(t, column++, pages_text(w->mean));
	kx_table_print(t, out, width, 2, 0);
	if (m->sizes_every > 1)
		g_string_append_printf(out, "  (percentiles of each %uth pass: %u passes)\n",
				       m->sizes_every, m->sizes->len);
}

static void add_row(KxWorkingSet *w, const KxAccessRow *r)
{
	w->min = w->passes ? MIN(w->min, r->found_min) : r->found_min;
	w->max = MAX(w->max, r->found_max);
	w->passes += r->passes;
	w->found += r->found;
	w->before += r->before;
	w->stayed += r->stayed;
	w->blocks += r->blocks;
}

static void stretch(KxTable *t, const KxAccessMap *m, const KxWorkingSet *w, guint64 from)
{
	double blocks = (double)w->blocks * KX_ACCESS_BLOCK_PAGES;
	char *cells[] = {
		kx_text_ns((double)from * (double)m->bin_ns),
		g_strdup_printf("%" G_GUINT64_FORMAT, w->passes),
		pages_text((double)w->min),
		pages_text((double)w->found / (double)w->passes),
		pages_text((double)w->max),
		percent(w->before ? 1 - (double)w->stayed / (double)w->before : NAN),
		percent(w->blocks ? (double)w->found / blocks : NAN),
	};

	for (guint i = 0; i < G_N_ELEMENTS(cells); i++)
		kx_table_add_cell(t, i, cells[i]);
}

static void over_time(GString *out, const KxAccessMap *m, guint width)
{
	static const char *const titles[] = { "from", "passes",		  "least",	    "mean",
					      "most", "not found\nagain", "used of\n2 MiB", NULL };
	g_autoptr(KxTable) t = kx_table_new();
	guint64 first = kx_access_row(m, 0)->bin;
	guint64 bins = kx_access_row(m, m->rows->len - 1)->bin - first + 1;
	guint64 group = (bins + STRETCHES - 1) / STRETCHES, now = 0;
	KxWorkingSet w = { 0 };

	columns(t, titles);
	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(m, i);
		guint64 at = (r->bin - first) / group;

		if (at != now && w.passes) {
			stretch(t, m, &w, now * group);
			w = (KxWorkingSet){ 0 };
		}
		now = at;
		add_row(&w, r);
	}
	if (w.passes)
		stretch(t, m, &w, now * group);
	g_string_append(out, "\n  Over time, from the first pass on:\n");
	kx_table_print(t, out, width, 2, 0);
}

static void sparsity(GString *out, const KxAccessMap *m, guint width)
{
	static const char *const titles[] = { "pages used\nof 512", "blocks\nin a pass",
					      "share of\nblocks", NULL };
	g_autoptr(KxTable) t = kx_table_new();
	KxWorkingSet w = kx_working_set(m);

	if (m->pairs_na || !w.blocks)
		return;
	columns(t, titles);
	for (guint i = 0; i < KX_ACCESS_BLOCK_CLASSES; i++) {
		gboolean one = !i || i + 1 == KX_ACCESS_BLOCK_CLASSES;

		if (!m->block_use[i])
			continue;
		kx_table_add_cell(t, 0,
				  one ? g_strdup_printf("%u", 1u << i)
				      : g_strdup_printf("%u-%u", 1u << i, (2u << i) - 1));
		kx_table_add_cell(t, 1, kx_text_number((double)m->block_use[i] / (double)w.passes));
		kx_table_add_cell(t, 2, percent((double)m->block_use[i] / (double)w.blocks));
	}
	g_string_append(out, "\n  How much of the touched 2 MiB blocks is used:\n");
	kx_table_print(t, out, width, 2, 0);
}

static void temperature(GString *out, const KxHeatMap *heat, guint width)
{
	static const char *const titles[] = { "accesses per page", "size", "so hot\nor hotter",
					      NULL };
	g_autoptr(KxTable) t = kx_table_new();
	g_autoptr(GArray) classes = kx_heat_classes(heat);
	guint64 sum = 0;

	if (!classes->len)
		return;
	columns(t, titles);
	for (guint i = 0; i < classes->len; i++) {
		const KxHeatClass *c = &g_array_index(classes, KxHeatClass, i);
		g_autofree char *from = kx_text_number(c->heat);
		g_autofree char *to = kx_text_number(2 * c->heat);

		sum += c->bytes;
		kx_table_add_cell(t, 0, g_strdup_printf("%s to %s", from, to));
		kx_table_add_cell(t, 1, kx_text_pages_bytes(c->bytes / PAGE_SIZE));
		kx_table_add_cell(t, 2, kx_text_pages_bytes(sum / PAGE_SIZE));
	}
	g_string_append(out,
			"\n  Memory by its heat now, as the classifier of kvm-ext heat has it:\n");
	kx_table_print(t, out, width, 2, 0);
}

static void add_notes(GString *out, const KxAccessMap *m, guint width)
{
	g_autoptr(GPtrArray) notes = kx_access_map_notes(m);

	g_string_append_c(out, '\n');
	for (guint i = 0; i < notes->len; i++)
		kx_text_fold(out, width, notes->pdata[i], 2);
}

char *kx_working_set_to_text(const KxVmReport *v, const KxAccessMap *m, const KxHeatMap *heat,
			     guint width)
{
	GString *out = g_string_new(NULL);
	KxWorkingSet w = kx_working_set(m);
	g_autofree char *again = percent(w.again);

	heading(out, v, m, &w);
	if (m->size_na) {
		g_string_append_printf(out, "  n/a: %s\n", m->size_na);
	} else {
		sizes(out, m, &w, width);
		if (m->pairs_na)
			g_string_append_printf(out, "  How it changes: n/a: %s\n", m->pairs_na);
		else if (w.pairs)
			g_string_append_printf(
				out,
				"  Of what a pass found, the next pass found %s again "
				"(%" G_GUINT64_FORMAT " pairs of passes).\n",
				again, w.pairs);
		over_time(out, m, width);
		sparsity(out, m, width);
	}
	if (heat)
		temperature(out, heat, width);
	add_notes(out, m, width);
	return g_string_free(out, FALSE);
}

/* --- idle ages ----------------------------------------------------------------------------------------------------------- */

/* The maps that have ages. */
static GPtrArray *aged(const KxVmReport *v, const char *only)
{
	GPtrArray *maps = g_ptr_array_new();

	for (guint i = 0; i < v->over_time->maps->len; i++) {
		KxAccessMap *m = v->over_time->maps->pdata[i];

		if (m->rows->len && !m->ages_na && (!only || g_str_equal(only, m->tracker)))
			g_ptr_array_add(maps, m);
	}
	return maps;
}

static char *class_text(const KxAgeClass *c)
{
	g_autofree char *from = kx_text_ns((double)c->from_ns);
	g_autofree char *to = c->until_ns == G_MAXUINT64 ? NULL : kx_text_ns((double)c->until_ns);

	return to ? g_strdup_printf("%s to %s", c->from_ns ? from : "0", to)
		  : g_strdup_printf("%s or longer", from);
}

/* The classes of the map that has looked for the longest time, which has the most classes. */
static GArray *all_classes(const GPtrArray *maps)
{
	GArray *longest = NULL;

	for (guint i = 0; i < maps->len; i++) {
		g_autoptr(GArray) classes = kx_access_age_classes(maps->pdata[i]);

		if (longest && longest->len >= classes->len)
			continue;
		g_clear_pointer(&longest, g_array_unref);
		longest = g_steal_pointer(&classes);
	}
	return longest;
}

static void age_column(KxTable *t, const KxVmReport *v, const KxAccessMap *m, guint rows)
{
	g_autofree char *plain = kx_access_map_label(m), *label = kx_text_clean(plain);
	g_autofree char *title = g_strdup_printf(
		"%s\n%s", label, g_str_equal(m->kind, "written") ? "not written" : "not accessed");
	g_autoptr(GArray) classes = kx_access_age_classes(m);
	guint column = kx_table_add_column(t, title, FALSE, FALSE);
	guint64 known = kx_access_pages_known(m);

	for (guint i = 0; i < rows; i++)
		kx_table_add_cell(
			t, column,
			i < classes->len
				? kx_text_pages_bytes(g_array_index(classes, KxAgeClass, i).pages)
				: g_strdup("-"));
	kx_table_add_cell(t, column,
			  m->partial || !v->ram_pages || known > v->ram_pages
				  ? g_strdup("n/a")
				  : kx_text_pages_bytes(v->ram_pages - known));
}

static void age_note(GString *out, const KxAccessMap *m, guint width)
{
	g_autofree char *watched = kx_text_ns((double)(m->last_end_ns - m->first_end_ns));
	g_autofree char *interval = kx_text_ns((double)m->interval_ns);
	g_autofree char *grain = kx_text_pages_bytes(m->age_grain);
	g_autofree char *sentence = g_strdup_printf(
		"%s: counted back from its last pass, %s after its first; a pass that found a page "
		"says that the page was used in the %s before%s%s.",
		m->tracker, watched, m->interval_ns ? interval : "interval",
		m->age_grain > 1 ? "; pages have one age in groups of " : "",
		m->age_grain > 1 ? grain : "");

	kx_text_fold(out, width, sentence, 2);
}

char *kx_idle_ages_to_text(const KxVmReport *v, const char *only, guint width)
{
	g_autoptr(GPtrArray) maps = aged(v, only);
	g_autoptr(GArray) classes = all_classes(maps);
	g_autofree char *name = kx_text_clean(v->name);
	g_autoptr(KxTable) t = kx_table_new();
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "%s: for how long memory has not been found\n\n", name);
	if (!maps->len) {
		g_string_append(out, "  n/a: no tracker that finds all pages has had a pass\n");
		return g_string_free(out, FALSE);
	}
	kx_table_add_column(t, "for", TRUE, FALSE);
	for (guint i = 0; i < classes->len; i++)
		kx_table_add_cell(t, 0, class_text(&g_array_index(classes, KxAgeClass, i)));
	kx_table_add_cell(t, 0, g_strdup("never found"));
	for (guint i = 0; i < maps->len; i++)
		age_column(t, v, maps->pdata[i], classes->len);
	kx_table_print(t, out, width, 2, 0);
	g_string_append_c(out, '\n');
	for (guint i = 0; i < maps->len; i++)
		age_note(out, maps->pdata[i], width);
	return g_string_free(out, FALSE);
}
