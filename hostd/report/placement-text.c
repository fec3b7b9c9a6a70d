// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the VM's memory lies, as text for people. */
#include "text-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "placed.h"

static char *number(double mib)
{
	return g_strdup_printf("%.*f", mib >= 100 || mib == 0 ? 0 : mib >= 10 ? 1 : 2, mib);
}

/* Takes @f. */
static char *mib_text(KxFigure f)
{
	g_autofree char *value = number(f.value), *low = NULL, *high = NULL;
	char *text;

	if (isfinite(f.low)) {
		low = number(f.low);
		high = number(f.high);
		text = g_strdup_printf("%s [%s, %s]", value, low, high);
	} else {
		text = g_steal_pointer(&value);
	}
	kx_figure_clear(&f);
	return text;
}

static char *node_cell(const KxPlacement *p, const KxPlacedNode *n)
{
	return g_strdup_printf("%u%s%s", n->node,
			       p->slow_na ? ""
			       : n->slow  ? ": slow"
					  : ": fast",
			       n->cpus ? "" : ", no CPUs");
}

/* If it is not known what is hot, there is one column for all memory. */
static void print_nodes(KxText *t, const KxPlacement *p)
{
	g_autoptr(KxTable) table = kx_table_new();
	guint column = 1;

	kx_table_add_column(table, "NUMA node", TRUE, FALSE);
	if (!p->hot_na)
		kx_table_add_column(table, "hot\nMiB", FALSE, FALSE);
	kx_table_add_column(table, p->hot_na ? "memory\nMiB" : "cold\nMiB", FALSE, FALSE);
	for (guint i = 0; i < p->nodes->len; i++) {
		const KxPlacedNode *n = &g_array_index(p->nodes, KxPlacedNode, i);

		kx_table_add_cell(table, 0, node_cell(p, n));
		if (!p->hot_na)
			kx_table_add_cell(table, column++, mib_text(kx_placed_hot(p, n->hot)));
		kx_table_add_cell(table, column, mib_text(kx_placed_rest(p, n->rest)));
		column = 1;
	}
	kx_table_add_cell(table, 0, g_strdup("not mapped by QEMU"));
	if (!p->hot_na)
		kx_table_add_cell(table, column++, mib_text(kx_placed_hot(p, p->hot_absent)));
	kx_table_add_cell(table, column, mib_text(kx_placed_rest(p, p->rest_absent)));
	kx_table_print(table, t->out, t->width, 2, 0);
}

/* Takes @f. */
static char *sum_text(KxText *t, KxFigure f)
{
	g_autofree char *mib = NULL;
	char *text;

	if (f.na) {
		text = kx_na_cell(t, f.na);
		kx_figure_clear(&f);
		return text;
	}
	mib = mib_text(f);
	return g_strconcat(mib, " MiB", NULL);
}

static void print_sums(KxText *t, const KxPlacement *p)
{
	g_autofree char *hot = sum_text(t, kx_placed_hot_on_slow(p));
	g_autofree char *cold = sum_text(t, kx_placed_cold_on_fast(p));

	g_string_append_printf(t->out,
			       "\n  hot memory on slow nodes: %s; cold memory on fast nodes: %s\n",
			       hot, cold);
}

static char *hot_text(const KxPlacement *p)
{
	g_autofree char *label = kx_tracker_label(p->tracker ? p->tracker : "?", p->mechanism);
	g_autofree char *heat = kx_text_number(p->hot_heat);

	return g_strdup_printf("Hot: ranges with at least %s accesses per page in the map of %s%s "
			       "(kvm-ext heat), which is "
			       "half of the heat of the range that has the middle one of all "
			       "accesses. Cold: all other "
			       "memory of the VM.%s%s%s",
			       heat, label, p->running ? ", which runs now" : "",
			       p->hot_note ? " Note: " : "", p->hot_note ? p->hot_note : "",
			       p->hot_note ? "." : "");
}

static char *cost_text(const KxPlacement *p)
{
	g_autofree char *cpu = kx_text_ns((double)p->cpu_ns);

	return g_strdup_printf(
		"The kernel was asked about %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
		" pages of 4 KiB in %" G_GUINT64_FORMAT
		" calls, which took %s of host CPU time. This time is not a part of any tracker's "
		"cost.%s",
		p->hot_asked + p->rest_asked, p->hot_pages + p->rest_pages, p->batches, cpu,
		kx_placed_is_sample(p)
			? " The pages were drawn at random, one of each of many equal parts of the "
			  "hot "
			  "and of the cold memory: [low, high] is the 95 % interval of this sample."
			: "");
}

GPtrArray *kx_placed_sentences(const KxPlacement *p)
{
	g_autofree char *hot = p->hot_na ? NULL : hot_text(p);
	g_autofree char *cost = cost_text(p);
	g_autofree char *rule =
		p->slow_rule ? g_strdup_printf("Slow nodes: %s.", p->slow_rule) : NULL;
	const char *texts[] = { hot, rule, cost };
	GPtrArray *sentences = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		if (texts[i])
			g_ptr_array_add(sentences, kx_text_clean(texts[i]));
	}
	return sentences;
}

static void print_sentences(KxText *t, const KxPlacement *p)
{
	g_autoptr(GPtrArray) sentences = kx_placed_sentences(p);

	for (guint i = 0; i < sentences->len; i++)
		kx_text_fold(t->out, t->width, sentences->pdata[i], 2);
}

void kx_text_placement(KxText *t, const KxPlacement *p)
{
	if (p->host_nodes == 1)
		return; /* all memory lies there */
	g_string_append(t->out, "\n  On which NUMA nodes of the host the VM's memory lies");
	if (p->na) {
		g_autofree char *na = kx_na_cell(t, p->na);

		g_string_append_printf(t->out, ": %s\n", na);
		return;
	}
	g_string_append(t->out, "\n\n");
	print_nodes(t, p);
	print_sums(t, p);
	print_sentences(t, p);
}
