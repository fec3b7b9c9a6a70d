// SPDX-License-Identifier: GPL-2.0-or-later
/* Sentences of the report that compare rows. */
#include "text-internal.h"

#include <math.h>

#include "base/textfmt.h"

#define LARGE 1.05 /* with more pages per sample than this, some samples must be large leaves */

/* Costs on the host are compared with each other, and so are costs in the guest. */
typedef struct {
	gsize cost, ratio, per_page; /* offsets of figures in a row */
	const char *of;
} Kind;

static const Kind kinds[] = {
	{ G_STRUCT_OFFSET(KxRow, cost_per_sample_ns), G_STRUCT_OFFSET(KxRow, cost_vs_reference),
	  G_STRUCT_OFFSET(KxRow, cost_per_page_vs_reference), "" },
	{ G_STRUCT_OFFSET(KxRow, guest_cost_per_sample_ns),
	  G_STRUCT_OFFSET(KxRow, guest_cost_vs_reference),
	  G_STRUCT_OFFSET(KxRow, guest_cost_per_page_vs_reference), ", of the guest's CPU time" },
};

static const KxFigure *figure_at(const GPtrArray *rows, guint i, gsize offset)
{
	return (const KxFigure *)((const char *)rows->pdata[i] + offset);
}

static char *label_of(const GPtrArray *rows, guint i)
{
	g_autofree char *label = kx_row_label(rows, i);

	return kx_text_clean(label);
}

static const KxFigure *pages_of(const GPtrArray *rows, guint i)
{
	return &((const KxRow *)rows->pdata[i])->pages_per_sample;
}

static gboolean is_large(const KxFigure *pages)
{
	return !pages->na && pages->value >= LARGE;
}

/* Index of the row with which the others are compared; rows->len: none. */
static guint base_of(const GPtrArray *rows)
{
	guint i;

	for (i = 0; i < rows->len && !((const KxRow *)rows->pdata[i])->is_reference; i++)
		;
	return i;
}

static char *pages_text(const KxFigure *pages)
{
	g_autofree char *n = NULL;

	if (pages->na)
		return g_strdup_printf("n/a (%s) pages", pages->na);
	n = pages->value == floor(pages->value) ? kx_text_count(pages->value)
						: kx_text_number(pages->value);
	return g_strdup_printf("%s page%s", n, pages->value == 1 ? "" : "s");
}

/* A small difference in size would not be visible in the ratio. */
static gboolean differ_in_size(const KxFigure *a, const KxFigure *b)
{
	if (a->na || b->na)
		return is_large(a) || is_large(b);
	return fmax(a->value, b->value) >= LARGE * fmin(a->value, b->value);
}

/* If the samples of the two rows differ in size: the ratio per page. Empty: they do not differ. */
static char *by_page(const GPtrArray *rows, guint i, guint base, const Kind *k)
{
	const KxFigure *own = pages_of(rows, i), *other = pages_of(rows, base);
	const KxFigure *f = figure_at(rows, i, k->per_page);
	g_autofree char *label = label_of(rows, i), *base_label = label_of(rows, base);
	g_autofree char *pages = pages_text(own), *base_pages = pages_text(other), *ratio = NULL;

	if (!differ_in_size(own, other))
		return g_strdup("");
	ratio = f->na ? g_strdup_printf("n/a: %s", f->na) : kx_text_number(f->value);
	if (!other->na && other->value == 1)
		return g_strdup_printf(" (a sample of %s covers %s; per page the ratio is %s)",
				       label, pages, ratio);
	return g_strdup_printf(" (a sample of %s covers %s, one of %s %s; per page the ratio is "
			       "%s)",
			       label, pages, base_label, base_pages, ratio);
}

/* The interval of a ratio as text. */
static char *interval_text(const KxFigure *f)
{
	g_autofree char *low = NULL, *high = NULL;

	if (isnan(f->high))
		return g_strdup(f->note ? f->note : "no interval");
	low = kx_text_number(f->low);
	high = kx_text_number(f->high);
	return g_strdup_printf("95 %% interval %s to %s", low, high);
}

static char *ratio_text(const GPtrArray *rows, guint i, guint base, const Kind *k)
{
	const KxFigure *f = figure_at(rows, i, k->ratio);
	g_autofree char *label = label_of(rows, i), *base_label = label_of(rows, base);
	g_autofree char *value = kx_text_number(f->value), *sure = interval_text(f);
	g_autofree char *page = by_page(rows, i, base, k);

	return g_strdup_printf("A sample of %s costs %s times one of %s%s [%s]%s.", label, value,
			       base_label, k->of, sure, page);
}

/* The receiver of the sentences. */
typedef struct {
	KxSentenceFunc each;
	gpointer data;
	gboolean first; /* of a group */
} Sentences;

/* Takes @sentence. */
static void say(Sentences *s, char *sentence)
{
	s->each(sentence, s->first, s->data);
	s->first = FALSE;
	g_free(sentence);
}

/* Says nothing if the reference has no cost of this kind. */
static void say_ratios(Sentences *s, const GPtrArray *rows, const Kind *k)
{
	guint base = base_of(rows);

	s->first = TRUE;
	if (base == rows->len || figure_at(rows, base, k->cost)->na)
		return;
	for (guint i = 0; i < rows->len; i++) {
		const KxFigure *f = figure_at(rows, i, k->ratio);
		g_autofree char *label = label_of(rows, i);

		if (i == base || figure_at(rows, i, k->cost)->na)
			continue;
		say(s, f->na ? g_strdup_printf("%s: %s.", label, f->na)
			     : ratio_text(rows, i, base, k));
	}
}

/* The reference has no cost of either kind, or is not there. */
static void say_no_reference(Sentences *s, const GPtrArray *rows, const char *reference)
{
	guint base = base_of(rows);
	g_autofree char *name = NULL;

	s->first = TRUE;
	if (!reference)
		return;
	for (guint i = 0; base < rows->len && i < G_N_ELEMENTS(kinds); i++) {
		if (!figure_at(rows, base, kinds[i].cost)->na)
			return;
	}
	name = kx_text_clean(reference);
	say(s, base < rows->len
		       ? g_strdup_printf("Costs are not compared with %s: %s.", name,
					 figure_at(rows, base, kinds[0].cost)->na)
		       : g_strdup_printf("Costs are not compared with %s: this VM has no row "
					 "that is called so.",
					 name));
}

/* If the VM's memory is mapped by 2M or 1G leaves, whole leaves are found; this explains a low precision. */
static void say_leaves(Sentences *s, const GPtrArray *rows)
{
	s->first = TRUE;
	for (guint i = 0; i < rows->len; i++) {
		const KxFigure *f = pages_of(rows, i);
		g_autofree char *label = label_of(rows, i), *pages = NULL;

		if (!is_large(f))
			continue;
		pages = kx_text_number(f->value);
		say(s, g_strdup_printf("A sample of %s covers %s pages on average: large leaves "
				       "are found whole.",
				       label, pages));
	}
}

void kx_row_sentences(const GPtrArray *rows, const char *reference, KxSentenceFunc each,
		      gpointer data)
{
	Sentences s = { each, data, TRUE };

	say_no_reference(&s, rows, reference);
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		say_ratios(&s, rows, &kinds[i]);
	say_leaves(&s, rows);
}
