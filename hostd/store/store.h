/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: every comparison and every experiment that was measured, in one SQLite file, "history.db".
 *
 * The command kvm-ext measures, so it writes the store as well; the daemon has no part in it. root writes to KX_STORE_SYSTEM,
 * which members of the group kvm-ext can read; any other user writes to a store of that user's own. kx_store_places() has both,
 * and a comparison is found in either by its ID. The environment variable KVM_EXT_STATE_DIR names another directory instead.
 *
 * An experiment (experiment/experiment.h) is kept in the same way: what follows about comparisons is also true of experiments.
 *
 * A comparison is written when it begins, after each round, and at its end, each time in one transaction that is on the disk
 * when kx_store_save() returns (rollback journal, synchronous=EXTRA). A writer that is killed, or a full disk, loses at most
 * the round under way; the store keeps the state after the latest save. Several processes may write at once: they wait for each other.
 *
 * Columns contain only what is searched for. The results are in the JSON form of a comparison (compare/comparison.h), its head in
 * one column and each round in a row, so that each figure is described in one place.
 *
 * The file has our application_id, and the version of its tables in user_version. A file of an older version is brought up to
 * date in one transaction when it is opened by a user who may write it (schema.c has the steps); a file of a newer version, of another
 * program, or a damaged one, is refused and never changed.
 */
#ifndef KX_STORE_H
#define KX_STORE_H

#include <glib.h>

#include "compare/comparison.h"
#include "experiment/experiment.h"

#define KX_STORE_SYSTEM "/var/lib/kvm-ext"
#define KX_STORE_FILE	"history.db"

#define KX_STORE_ERROR kx_store_error_quark()
GQuark kx_store_error_quark(void);
typedef enum {
	KX_STORE_ERROR_FAILED, /* SQLite's reason is in the message: no space, no permission, damaged, … */
	KX_STORE_ERROR_NONE,	  /* there is no store, or no such comparison in it */
	KX_STORE_ERROR_AMBIGUOUS, /* several comparisons have an ID that begins so */
	KX_STORE_ERROR_BUSY,	  /* a running command measures this comparison */
	KX_STORE_ERROR_WHOLE,	  /* nothing of this comparison is left to measure */
	KX_STORE_ERROR_FOREIGN,	  /* the file is not ours, or of a newer version */
	KX_STORE_ERROR_READ_ONLY, /* this user may not write it */
	KX_STORE_ERROR_KIND, /* it is an experiment and no comparison, or the other way round */
} KxStoreError;

/* The directories with stores of this user, the one that this user writes to first. */
char **kx_store_places(void);

typedef struct _KxStore KxStore;

typedef enum {
	KX_STORE_READ,	/* NULL with KX_STORE_ERROR_NONE if there is no store; nothing is created */
	KX_STORE_WRITE, /* directory and file are created if they are missing */
} KxStoreMode;

KxStore *kx_store_open(const char *directory, KxStoreMode mode, GError **error);
void kx_store_close(KxStore *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxStore, kx_store_close)
const char *kx_store_directory(const KxStore *s);

/* --- writing ------------------------------------------------------------------------------------------------------ */

typedef enum {
	KX_STORE_GOES_ON, /* whole rounds are written */
	KX_STORE_ENDS,	  /* all rounds are written, and nobody measures the comparison any more */
} KxStoreStep;

/*
 * Writes the comparison's head, and its rounds from @from on. A comparison without an ID is new: it gets one in @c->id, and
 * this process is recorded as the one that measures it. On error nothing is written, and a new comparison has no ID.
 * KX_STORE_ERROR_NONE: somebody has deleted the comparison meanwhile.
 */
gboolean kx_store_save(KxStore *s, KxComparison *c, guint from, KxStoreStep step, GError **error);

gboolean kx_store_save_experiment(KxStore *s, KxExperiment *e, guint from, KxStoreStep step,
				  GError **error);

/*
 * Records that this process measures the comparison from now on. KX_STORE_ERROR_BUSY: another process measures it. KX_STORE_ERROR_WHOLE:
 * it is whole; such a comparison is never claimed, because a process that is killed would leave it as one that has not ended.
 * kx_store_release() takes the record back: if nothing was saved since, the comparison is again in the state that it had before the
 * claim; else it has not ended, and counts as killed.
 */
gboolean kx_store_claim(KxStore *s, const char *id, GError **error);
gboolean kx_store_release(KxStore *s, const char *id, GError **error);

/* KX_STORE_ERROR_BUSY: it is being measured. */
gboolean kx_store_delete(KxStore *s, const char *id, GError **error);

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* In the file: do not change the numbers. */
typedef enum {
	KX_STORED_COMPARISON = 0,
	KX_STORED_EXPERIMENT = 1,
} KxStoredKind;
/* "comparison", "experiment" */
const char *kx_stored_kind_name(KxStoredKind kind);

typedef enum {
	KX_STORED_WHOLE,
	KX_STORED_RUNNING,
	KX_STORED_ENDED_EARLY, /* by the user, by --max-time, or because no VM was left */
	KX_STORED_KILLED, /* the process that measured it is gone and did not say that it ended */
} KxStoredState;
/* "whole", "running", "ended early", "killed" */
const char *kx_stored_state_name(KxStoredState state);

/* The whole ID of the only comparison whose ID begins with @start. */
char *kx_store_find(KxStore *s, const char *start, GError **error);
gboolean kx_store_kind(KxStore *s, const char *id, KxStoredKind *kind, GError **error);
/* @state: NULL if it is not wanted. KX_STORE_ERROR_KIND: it is of the other kind. */
KxComparison *kx_store_load(KxStore *s, const char *id, KxStoredState *state, GError **error);
KxExperiment *kx_store_load_experiment(KxStore *s, const char *id, KxStoredState *state,
				       GError **error);

/* A line of the list. */
typedef struct {
	KxStoredKind kind;
	char *name; /* an experiment's; NULL: a comparison has none */
	char *id, *command, *kernel, *hardware, *stopped;
	char **vms, **settings; /* names, of an experiment none; labels of those that ran */
	gint64 start_realtime_ns, saved_realtime_ns;
	guint64 seed;
	guint whole, asked; /* rounds */
	KxStoredState state;
	const char *directory; /* of the store; valid as long as the store is open */
} KxStored;

void kx_stored_free(KxStored *s);
/* KxStored, the newest first. @domain: only comparisons with this VM (name or UUID); NULL: all. @limit 0: no limit. */
GPtrArray *kx_store_list(KxStore *s, const char *domain, guint limit, GError **error);

#endif /* KX_STORE_H */
