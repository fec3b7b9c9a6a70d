/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question to the guest agent of an experiment's VM. Each question has a thread, on which libvirt waits for the answer: a guest that
 * answers slowly delays neither signals nor the measurement of other VMs, and the times are those of the question itself.
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
/* If the question has no answer yet, its thread continues, and ends when libvirt does not wait any more. */
void question_free(Question *q);
void answer_clear(Answer *a);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

#endif /* KX_QUESTION_H */
