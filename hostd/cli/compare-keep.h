/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a comparison, or an experiment, in the store while it is measured. If it cannot be kept, an error is printed once, the
 * measurement goes on, and the keeper tries again after each round.
 */
#ifndef KX_COMPARE_KEEP_H
#define KX_COMPARE_KEEP_H

#include "cli.h"
#include "store/store.h"

typedef struct _Keeper Keeper;

Keeper *keeper_new(const Cli *cli);
/* The keeper of a comparison that is in @store already, and was claimed unless it is whole. The keeper takes ownership of @store. */
Keeper *keeper_of(const Cli *cli, KxStore *store, const KxComparison *c);
/* Call keeper_end() before this: a comparison without an end counts as killed. */
void keeper_free(Keeper *k);

/* Call this function when the comparison begins, and after each round. */
void keeper_save(Keeper *k, KxComparison *c);
void keeper_save_experiment(Keeper *k, KxExperiment *e);
/* Call this function at the end; it prints the ID. */
void keeper_end(Keeper *k, KxComparison *c);
void keeper_end_experiment(Keeper *k, KxExperiment *e);
/*
 * Writes a comparison that was whole before, with the logs that were joined with it since. FALSE: the error is printed, and what is kept is
 * as it was.
 */
gboolean keeper_join(Keeper *k, KxComparison *c);
/* Call this function if nothing was measured: the comparison stays in the store as it was before. */
void keeper_give_up(Keeper *k, const KxComparison *c);

#endif /* KX_COMPARE_KEEP_H */
