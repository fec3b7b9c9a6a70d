/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stores that a user can read. Each comparison is in one of them, and is found by its ID. */
#ifndef KX_STORES_H
#define KX_STORES_H

#include "cli.h"
#include "store/store.h"

/*
 * The store that has the only comparison whose ID begins with @start, opened for @mode; *@id is the whole ID. A store that
 * cannot be read is an error only if no other store has the comparison.
 */
KxStore *stores_find(const char *start, KxStoreMode mode, char **id, GError **error);

/* Like cli_fail(), with the exit code for an error of the store. */
int stores_fail(const char *what, const GError *error);

/*
 * Loads the comparison, or the experiment: one of *@c and *@e is set. If it is still being measured, or its command was killed, its
 * member @stopped says so. FALSE: @error is set.
 */
gboolean stores_load_any(const char *start, KxComparison **c, KxExperiment **e, GError **error);
/* The comparison of that ID, or in the file of that name, saved with 'compare --json'. */
KxComparison *stores_load_named(const char *name, GError **error);

#endif /* KX_STORES_H */
