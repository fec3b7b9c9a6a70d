/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Williams squares (Williams 1949; Jones and Kenward, Design and Analysis of Cross-Over Trials). The first row is 0, 1, k - 1, 2,
 * k - 2, …; each other row is this row plus a shift, modulo k. For even k the differences in the row are all possible
 * differences, so each ordered pair of settings is in exactly one row. For odd k half of the differences occur, twice each, and
 * the other half occurs in the same rows read backwards.
 *
 * If VMs run different settings, each VM has the rows of VM 0 in rotated order, each VM by another amount: no two VMs have the
 * same row at the same time, and the rows that run at the same time change. Rows read backwards are rotated among themselves,
 * because a row and a row read backwards may have the same setting at the same position.
 */
#include "design.h"

#include <string.h>

#define ATTEMPTS     32u /* the best order of a set's rows among these is used */
#define OTHER_HALVES 8u	 /* tried for each amount by which the first half is rotated */
#define AFTER_ITSELF (G_GUINT64_CONSTANT(1) << 40) /* worse than any uneven pair */

struct _KxDesign {
	guint settings, rounds;
	guint set_rows; /* rows of a full set */
	guint *first;	/* [settings]: the row without a shift */
	guint *names;	/* [set][settings]: of the settings in the squares */
	guint *rows;	/* [set][vm][set_rows], of as many VMs as settings */
};

/* Counts so far: the more uneven they are, the higher is the cost of a row that adds to them. */
typedef struct {
	guint *pairs;  /* [settings][settings]: the first before the second */
	guint *places; /* [place in the round][settings] */
	guint last;    /* KX_NO_SETTING: nothing yet */
	guint64 cost;
} Tally;

static guint rounds_in_sets(const KxDesign *d)
{
	return (d->rounds + d->set_rows - 1) / d->set_rows;
}

static guint *rows_of(const KxDesign *d, guint set, guint vm)
{
	return d->rows + ((gsize)set * d->settings + vm % d->settings) * d->set_rows;
}

/* The setting of row @row of set @set at a position. */
static guint setting_in(const KxDesign *d, guint set, guint row, guint position)
{
	guint k = d->settings;
	guint place = row < k ? position : k - 1 - position;

	return d->names[(gsize)set * k + (d->first[place] + row) % k];
}

/* --- balance -------------------------------------------------------------------------------------------------------- */

static Tally *tally_new(guint k)
{
	Tally *t = g_new0(Tally, 1);

	t->pairs = g_new0(guint, (gsize)k * k);
	t->places = g_new0(guint, (gsize)k * k);
	t->last = KX_NO_SETTING;
	return t;
}

static void tally_free(Tally *t)
{
	g_free(t->pairs);
	g_free(t->places);
	g_free(t);
}

static void tally_copy(Tally *to, const Tally *from, guint k)
{
	memcpy(to->pairs, from->pairs, (gsize)k * k * sizeof(guint));
	memcpy(to->places, from->places, (gsize)k * k * sizeof(guint));
	to->last = from->last;
	to->cost = from->cost;
}

/*
 * How much a row adds to the sums of squares. A setting after itself gives no information on the carry-over of others; with
 * two settings this cannot be avoided.
 */
static guint64 cost_of(const KxDesign *d, const Tally *t, guint set, guint row)
{
	guint k = d->settings, before = t->last;
	guint64 cost = 0;

	for (guint p = 0; p < k; p++) {
		guint s = setting_in(d, set, row, p);

		cost += 2 * t->places[p * k + s] + 1;
		if (before != KX_NO_SETTING)
			cost += 2 * t->pairs[before * k + s] + 1;
		if (before == s && k > 2)
			cost += AFTER_ITSELF;
		before = s;
	}
	return cost;
}

static void tally_add(const KxDesign *d, Tally *t, guint set, guint row)
{
	guint k = d->settings;

	t->cost += cost_of(d, t, set, row);
	for (guint p = 0; p < k; p++) {
		guint s = setting_in(d, set, row, p);

		t->places[p * k + s]++;
		if (t->last != KX_NO_SETTING)
			t->pairs[t->last * k + s]++;
		t->last = s;
	}
}

/* --- one set -------------------------------------------------------------------------------------------------------- */

static void swap(guint *list, guint i, guint j)
{
	guint kept = list[i];

	list[i] = list[j];
	list[j] = kept;
}

static void shuffle(GRand *rand, guint *list, guint n)
{
	for (guint i = n; i > 1; i--)
		swap(list, i - 1, (guint)g_rand_int_range(rand, 0, (gint)i));
}

/* Takes the row with the lowest cost each time; among equal costs, the first in @rows. */
static void sort_by_cost(const KxDesign *d, Tally *t, guint set, guint *rows)
{
	for (guint i = 0; i < d->set_rows; i++) {
		guint best = i;
		guint64 least = G_MAXUINT64;

		for (guint j = i; j < d->set_rows; j++) {
			guint64 cost = cost_of(d, t, set, rows[j]);

			if (cost < least) {
				least = cost;
				best = j;
			}
		}
		swap(rows, i, best);
		tally_add(d, t, set, rows[i]);
	}
}

static void add_rows(const KxDesign *d, Tally *t, guint set, const guint *rows)
{
	for (guint i = 0; i < d->set_rows; i++)
		tally_add(d, t, set, rows[i]);
}

/* Always taking the cheapest row may leave bad rows for the end: so half of the attempts use the random order. */
static void order_rows(const KxDesign *d, Tally *so_far, guint set, GRand *rand)
{
	g_autofree guint *attempt = g_new(guint, d->set_rows);
	guint *rows = rows_of(d, set, 0), k = d->settings;
	Tally *with = tally_new(k), *best = tally_new(k);

	best->cost = G_MAXUINT64;
	for (guint i = 0; i < ATTEMPTS; i++) {
		for (guint row = 0; row < d->set_rows; row++)
			attempt[row] = row;
		shuffle(rand, attempt, d->set_rows);
		tally_copy(with, so_far, k);
		if (i % 2)
			add_rows(d, with, set, attempt);
		else
			sort_by_cost(d, with, set, attempt);
		if (with->cost < best->cost) {
			tally_copy(best, with, k);
			memcpy(rows, attempt, d->set_rows * sizeof(guint));
		}
	}
	tally_copy(so_far, best, k);
	tally_free(with);
	tally_free(best);
}

/* --- other VMs ------------------------------------------------------------------------------------------------------ */

/* The rotations of VMs' rows: for rows as they are, and for rows read backwards. [settings] each, the used ones first. */
typedef struct {
	guint *by[2];
} Amounts;

/* The rows of VM 0, rotated. */
static void rotate(const KxDesign *d, guint set, const guint by[2], guint *rows)
{
	const guint *of = rows_of(d, set, 0);
	g_autofree guint *square = g_new(guint, d->set_rows);
	guint k = d->settings, seen[2] = { 0, 0 };

	for (guint i = 0; i < d->set_rows; i++)
		square[(of[i] >= k) * k + seen[of[i] >= k]++] = of[i];
	seen[0] = seen[1] = 0;
	for (guint i = 0; i < d->set_rows; i++) {
		guint half = of[i] >= k;

		rows[i] = square[half * k + (seen[half]++ + by[half]) % k];
	}
}

static guint64 cost_of_rows(const KxDesign *d, const Tally *so_far, guint set, const guint *rows)
{
	Tally *t = tally_new(d->settings);
	guint64 cost;

	tally_copy(t, so_far, d->settings);
	add_rows(d, t, set, rows);
	cost = t->cost;
	tally_free(t);
	return cost;
}

/* Among the rotations that no VM has yet, those that give this VM the most balanced order. */
static void rotate_for_vm(const KxDesign *d, Tally *so_far, guint set, guint vm, Amounts *amounts)
{
	guint *rows = rows_of(d, set, vm), best[2] = { vm, vm };
	guint k = d->settings, others = d->set_rows > k ? MIN(k, vm + OTHER_HALVES) : vm + 1;
	guint64 least = G_MAXUINT64;

	for (guint i = vm; i < k; i++) {
		for (guint j = vm; j < others; j++) {
			guint64 cost;

			rotate(d, set, (guint[]){ amounts->by[0][i], amounts->by[1][j] }, rows);
			cost = cost_of_rows(d, so_far, set, rows);
			if (cost >= least)
				continue;
			least = cost;
			best[0] = i;
			best[1] = j;
		}
	}
	for (guint half = 0; half < 2; half++)
		swap(amounts->by[half], vm, best[half]);
	rotate(d, set, (guint[]){ amounts->by[0][vm], amounts->by[1][vm] }, rows);
	add_rows(d, so_far, set, rows);
}

/* --- the design ----------------------------------------------------------------------------------------------------- */

static void draw_set(KxDesign *d, guint set, Tally **tallies, GRand *rand)
{
	guint k = d->settings;
	g_autofree guint *lists = g_new(guint, 2 * (gsize)k);
	guint *names = d->names + (gsize)set * k;
	Amounts amounts = { { lists, lists + k } };

	for (guint i = 0; i < k; i++)
		names[i] = lists[i] = lists[k + i] = i;
	shuffle(rand, names, k);
	order_rows(d, tallies[0], set, rand);
	for (guint half = 0; half < 2; half++)
		shuffle(rand, amounts.by[half] + 1, k - 1); /* VM 0 has 0 */
	for (guint vm = 1; vm < k; vm++)
		rotate_for_vm(d, tallies[vm], set, vm, &amounts);
}

static void first_row(KxDesign *d)
{
	guint k = d->settings;

	for (guint p = 0; p < k; p++)
		d->first[p] = p % 2 ? (p + 1) / 2 : (k - p / 2) % k;
}

static void draw_all(KxDesign *d, guint64 seed)
{
	guint32 seeds[] = { (guint32)seed, (guint32)(seed >> 32) };
	GRand *rand = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
	Tally **tallies = g_new(Tally *, d->settings);

	for (guint vm = 0; vm < d->settings; vm++)
		tallies[vm] = tally_new(d->settings);
	for (guint set = 0; set < rounds_in_sets(d); set++)
		draw_set(d, set, tallies, rand);
	for (guint vm = 0; vm < d->settings; vm++)
		tally_free(tallies[vm]);
	g_free(tallies);
	g_rand_free(rand);
}

KxDesign *kx_design_new(guint settings, guint rounds, guint64 seed)
{
	KxDesign *d = g_new0(KxDesign, 1);
	guint sets;

	d->settings = MAX(settings, 1);
	d->rounds = MAX(rounds, 1);
	d->set_rows = d->settings % 2 && d->settings > 1 ? 2 * d->settings : d->settings;
	sets = rounds_in_sets(d);
	d->first = g_new(guint, d->settings);
	d->names = g_new(guint, (gsize)sets * d->settings);
	d->rows = g_new(guint, (gsize)sets * d->settings * d->set_rows);
	first_row(d);
	draw_all(d, seed);
	return d;
}

void kx_design_free(KxDesign *d)
{
	if (!d)
		return;
	g_free(d->first);
	g_free(d->names);
	g_free(d->rows);
	g_free(d);
}

guint kx_design_settings(const KxDesign *d)
{
	return d->settings;
}

guint kx_design_rounds(const KxDesign *d)
{
	return d->rounds;
}

guint kx_design_for_vm(const KxDesign *d, guint vm, guint round, guint position)
{
	guint set = round / d->set_rows;

	g_return_val_if_fail(round < d->rounds && position < d->settings, KX_NO_SETTING);
	return setting_in(d, set, rows_of(d, set, vm)[round % d->set_rows], position);
}

guint kx_design_at(const KxDesign *d, guint round, guint position)
{
	return kx_design_for_vm(d, 0, round, position);
}

guint kx_design_before(const KxDesign *d, guint vm, guint round, guint position)
{
	if (position)
		return kx_design_for_vm(d, vm, round, position - 1);
	return round ? kx_design_for_vm(d, vm, round - 1, d->settings - 1) : KX_NO_SETTING;
}
