// SPDX-License-Identifier: GPL-2.0-or-later
#include "question.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>

#include "vm/libvirt.h"

struct _Question {
	gatomicrefcount refs; /* the owner, and the thread */
	virDomainPtr dom;
	char *command;
	int seconds;

	GMutex lock;
	gboolean done; /* protected by the lock; once TRUE, the owner has @answer */
	Answer answer;
};

void answer_clear(Answer *a)
{
	g_clear_pointer(&a->text, g_free);
	g_clear_pointer(&a->why, g_free);
}

void question_free(Question *q)
{
	if (!q || !g_atomic_ref_count_dec(&q->refs))
		return;
	virDomainFree(q->dom);
	g_free(q->command);
	answer_clear(&q->answer);
	g_mutex_clear(&q->lock);
	g_free(q);
}

static gpointer ask(gpointer data)
{
	Question *q = data;
	Answer a = { .asked_us = g_get_monotonic_time() };
	char *raw = virDomainQemuAgentCommand(q->dom, q->command, q->seconds, 0);

	a.answered_us = g_get_monotonic_time();
	a.text = g_strdup(raw);
	/* libvirt keeps an error for each thread, so the error is read on this one. */
	if (!raw)
		a.why = g_strdup(kx_libvirt_last_message());
	free(raw);
	g_mutex_lock(&q->lock);
	q->answer = a;
	q->done = TRUE;
	g_mutex_unlock(&q->lock);
	question_free(q);
	return NULL;
}

Question *question_ask(virDomainPtr dom, const char *command, int seconds)
{
	Question *q = g_new0(Question, 1);

	g_atomic_ref_count_init(&q->refs);
	g_atomic_ref_count_inc(&q->refs);
	g_mutex_init(&q->lock);
	virDomainRef(dom);
	q->dom = dom;
	q->command = g_strdup(command);
	q->seconds = seconds;
	g_thread_unref(g_thread_new("agent", ask, q));
	return q;
}

gboolean question_answered(Question *q, Answer *a)
{
	gboolean done;

	g_mutex_lock(&q->lock);
	done = q->done;
	if (done) {
		*a = q->answer;
		q->answer = (Answer){ 0 };
	}
	g_mutex_unlock(&q->lock);
	return done;
}
