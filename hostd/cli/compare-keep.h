/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a comparison in the store while it is measured. That it cannot be kept is printed once and ends nothing: the
 * comparison goes on, and keeping it is tried again after each round.
 */
#ifndef KX_COMPARE_KEEP_H
#define KX_COMPARE_KEEP_H

#include "cli.h"
#include "store/store.h"

typedef struct _Keeper Keeper;

Keeper *keeper_new(const Cli *cli);
/* Of a comparison that is in @store already, and claimed; takes @store. */
Keeper *keeper_of(const Cli *cli, KxStore *store, const KxComparison *c);
/* What was not saved as ended counts as killed: call keeper_end() before. */
void keeper_free(Keeper *k);

/* When it begins, and after each round. */
void keeper_save(Keeper *k, KxComparison *c);
/* At its end; says where it is. */
void keeper_end(Keeper *k, KxComparison *c);
/* Nothing was measured: the store has the comparison as it was before. */
void keeper_give_up(Keeper *k, const KxComparison *c);

#endif /* KX_COMPARE_KEEP_H */
