/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contents of a recording: its last report, with the heat and the heat over time computed again from the recorded samples, by the
 * same code that the daemon uses.
 */
#ifndef KX_REPLAY_H
#define KX_REPLAY_H

#include "model/report.h"
#include "reader.h"

typedef struct {
	/* Only passes that ended in this time count, in ns from the first pass in the recording; 0, G_MAXUINT64: all. */
	guint64 from_ns, until_ns;
	/* Called from time to time with the share of the file that was read; may be NULL. */
	void (*progress)(double share, gpointer data);
	gpointer data;
} KxReplayPart;

typedef struct {
	KxReport *report; /* with one VM */
	char *broken;	  /* why the recording ends early; NULL: it is whole */
	guint64 records, lost, frames;
	char *end_json; /* of the frame at the end; NULL: there is none */
} KxReplay;

/* @part NULL: all of it. NULL: nothing in the file can be used, @error says why. */
KxReplay *kx_replay(KxRecordReader *reader, const KxReplayPart *part, GError **error);
void kx_replay_free(KxReplay *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxReplay, kx_replay_free)

#endif /* KX_REPLAY_H */
