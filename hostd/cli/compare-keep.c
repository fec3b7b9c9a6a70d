// SPDX-License-Identifier: GPL-2.0-or-later
#include "compare-keep.h"

#include "base/textfmt.h"

struct _Keeper {
	const Cli *cli;
	KxStore *store; /* NULL: it could not be opened yet */
	guint saved;	/* rounds */
	gboolean told;	/* that it is not kept */
	gboolean lost;	/* somebody deleted it: it is not made again */
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

static void tell(Keeper *k, const GError *error)
{
	g_autofree char *why = kx_text_clean(error->message);

	if (!k->told)
		fprintf(stderr, "kvm-ext: this comparison goes on, but is not kept: %s\n", why);
	k->told = TRUE;
}

static gboolean save(Keeper *k, KxComparison *c, KxStoreStep step)
{
	g_autoptr(GError) error = NULL;

	if (k->lost)
		return FALSE;
	if (open_store(k, &error) && kx_store_save(k->store, c, k->saved, step, &error)) {
		k->saved = c->whole;
		return TRUE;
	}
	tell(k, error);
	k->lost = c->id && g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE);
	if (k->lost)
		g_clear_pointer(&c->id, g_free);
	return FALSE;
}

void keeper_save(Keeper *k, KxComparison *c)
{
	save(k, c, KX_STORE_GOES_ON);
}

/* Writes all rounds again, because the workload's logs are joined only now. */
void keeper_end(Keeper *k, KxComparison *c)
{
	k->saved = 0;
	if (!save(k, c, KX_STORE_ENDS)) {
		if (c->id)
			fprintf(stderr,
				"kvm-ext: what is kept of comparison %s ends before its end\n",
				c->id);
		return;
	}
	if (!k->cli->quiet)
		fprintf(stderr, "kvm-ext: kept as %s (kvm-ext show %s)\n", c->id, c->id);
}

void keeper_give_up(Keeper *k, const KxComparison *c)
{
	g_autoptr(GError) error = NULL;

	if (k->store && c->id && !kx_store_release(k->store, c->id, &error))
		cli_fail(NULL, error);
}
