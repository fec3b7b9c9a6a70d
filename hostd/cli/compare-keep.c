// SPDX-License-Identifier: GPL-2.0-or-later
#include "compare-keep.h"

#include "base/textfmt.h"

struct _Keeper {
	const Cli *cli;
	KxStore *store; /* NULL: it could not be opened yet */
	guint saved;	/* rounds */
	gboolean told;	/* the error was printed */
	gboolean lost;	/* somebody has deleted the comparison: it is not saved again */
};

Keeper *keeper_new(const Cli *cli)
{
	Keeper *k = g_new0(Keeper, 1);

	k->cli = cli;
	return k;
}

Keeper *keeper_of(const Cli *cli, KxStore *store, const KxComparison *c)
{
	Keeper *k = keeper_new(cli);

	k->store = store;
	k->saved = c->whole;
	return k;
}

void keeper_free(Keeper *k)
{
	if (!k)
		return;
	kx_store_close(k->store);
	g_free(k);
}

static gboolean open_store(Keeper *k, GError **error)
{
	g_auto(GStrv) places = kx_store_places();

	if (!k->store)
		k->store = kx_store_open(places[0], KX_STORE_WRITE, error);
	return k->store != NULL;
}

/* What is kept: @c or @e, by @kind. */
typedef struct {
	KxStoredKind kind;
	KxComparison *c;
	KxExperiment *e;
} Kept;
#define COMPARISON(c) (&(Kept){ KX_STORED_COMPARISON, c, NULL })
#define EXPERIMENT(e) (&(Kept){ KX_STORED_EXPERIMENT, NULL, e })

static gboolean is_experiment(const Kept *what)
{
	return what->kind == KX_STORED_EXPERIMENT;
}

static char **id_of(const Kept *what)
{
	return is_experiment(what) ? &what->e->id : &what->c->id;
}

static const char *kind_of(const Kept *what)
{
	return kx_stored_kind_name(what->kind);
}

static void tell(Keeper *k, const Kept *what, const GError *error)
{
	g_autofree char *why = kx_text_clean(error->message);

	if (!k->told)
		fprintf(stderr, "kvm-ext: this %s goes on, but is not kept: %s\n", kind_of(what),
			why);
	k->told = TRUE;
}

static gboolean write_to_store(const Keeper *k, const Kept *what, KxStoreStep step, GError **error)
{
	return is_experiment(what)
		       ? kx_store_save_experiment(k->store, what->e, k->saved, step, error)
		       : kx_store_save(k->store, what->c, k->saved, step, error);
}

static gboolean save(Keeper *k, const Kept *what, KxStoreStep step)
{
	g_autoptr(GError) error = NULL;
	char **id = id_of(what);

	if (k->lost)
		return FALSE;
	if (open_store(k, &error) && write_to_store(k, what, step, &error)) {
		k->saved = is_experiment(what) ? kx_experiment_whole(what->e) : what->c->whole;
		return TRUE;
	}
	tell(k, what, error);
	k->lost = *id && g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE);
	if (k->lost)
		g_clear_pointer(id, g_free);
	return FALSE;
}

static void say_kept(const Keeper *k, const char *id)
{
	if (!k->cli->quiet)
		fprintf(stderr, "kvm-ext: kept as %s (kvm-ext show %s)\n", id, id);
}

/* Writes all rounds again, because the workload's logs are joined only now. */
static void end(Keeper *k, const Kept *what)
{
	const char *id;

	k->saved = 0;
	if (!save(k, what, KX_STORE_ENDS)) {
		id = *id_of(what);
		if (id)
			fprintf(stderr, "kvm-ext: the end of %s %s could not be kept\n",
				kind_of(what), id);
		return;
	}
	say_kept(k, *id_of(what));
}

void keeper_save(Keeper *k, KxComparison *c)
{
	save(k, COMPARISON(c), KX_STORE_GOES_ON);
}

void keeper_save_experiment(Keeper *k, KxExperiment *e)
{
	save(k, EXPERIMENT(e), KX_STORE_GOES_ON);
}

void keeper_end(Keeper *k, KxComparison *c)
{
	end(k, COMPARISON(c));
}

void keeper_end_experiment(Keeper *k, KxExperiment *e)
{
	end(k, EXPERIMENT(e));
}

gboolean keeper_join(Keeper *k, KxComparison *c)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *why = NULL;

	if (kx_store_save(k->store, c, 0, KX_STORE_ENDS, &error)) {
		say_kept(k, c->id);
		return TRUE;
	}
	why = kx_text_clean(error->message);
	fprintf(stderr, "kvm-ext: the log is not joined with what is kept as %s: %s\n", c->id, why);
	return FALSE;
}

void keeper_give_up(Keeper *k, const KxComparison *c)
{
	g_autoptr(GError) error = NULL;

	if (k->store && c->id && !kx_store_release(k->store, c->id, &error))
		cli_fail(NULL, error);
}
