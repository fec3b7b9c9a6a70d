/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question to the guest agent of an experiment's VM. libvirt waits for the answer on a thread of the question's own: a guest that is
 * slow to answer delays neither signals nor what is measured of other VMs, and the times are those of the question itself.
 */
#ifndef KX_QUESTION_H
#define KX_QUESTION_H

#include <glib.h>
#include <libvirt/libvirt.h>

typedef struct _Question Question;

typedef struct {
	char *text; /* NULL: there is none, and @why is the reason */
	char *why;
	gint64 asked_us, answered_us; /* as g_get_monotonic_time() */
} Answer;

/* Asks; libvirt waits for @seconds. */
Question *question_ask(virDomainPtr dom, const char *command, int seconds);
/* Whether there is an answer, or none will come. TRUE: @a is filled in, for answer_clear(). */
gboolean question_answered(Question *q, Answer *a);
/* A question that has no answer yet is left alone, and its thread ends when libvirt does not wait any more. */
void question_free(Question *q);
void answer_clear(Answer *a);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

#endif /* KX_QUESTION_H */
