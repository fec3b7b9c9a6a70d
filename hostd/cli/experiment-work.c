// SPDX-License-Identifier: GPL-2.0-or-later
/* The workload of an experiment's VM: by the guest agent, or by a command of the file. */
#include "experiment-internal.h"

#include "experiment/agent.h"

#define PING_S	 1
#define AGENT_S	 30
#define AGAIN_US 200000 /* between two questions whether the VM is ready */
/*
 * The least time between two questions whether the workload has ended, because each question costs the guest time. So the elapsed time
 * is known to 1/200 of itself, or to 50 ms if that is more.
 */
#define POLL_LEAST_US 50000
#define POLL_MOST_US  1000000
#define POLL_SHARE    200

/*
 * Asks the guest agent, unless a question is not answered yet. TRUE: the question is over: @a is the answer, for answer_clear(), or
 * there is none, and c->unanswered has the reason.
 */
static gboolean ask(Clone *c, const char *command, int seconds, Answer *a)
{
	if (!c->question)
		c->question = question_ask(c->dom, command, seconds);
	if (!question_answered(c->question, a))
		return FALSE;
	g_clear_pointer(&c->question, question_free);
	if (!a->text) {
		g_free(c->unanswered);
		c->unanswered = g_strdup_printf("the guest agent: %s", a->why);
	}
	return TRUE;
}

/* --- ready -------------------------------------------------------------------------------------------------------- */

static gboolean command_says_ready(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;

	if (!c->job)
		c->job = job_start(x->plan->ready, c->environment, JOB_SILENT, &error);
	if (!c->job) {
		experiment_clone_fail(c, "[vm] ready: %s", error->message);
		return FALSE;
	}
	if (!job_ended(c->job))
		return FALSE;
	c->ready = job_succeeded(c->job, &error);
	if (c->ready) {
		g_clear_pointer(&c->job, job_free);
		return TRUE;
	}
	g_free(c->unanswered);
	c->unanswered = g_strdup_printf("[vm] ready: %s", error->message);
	if (g_get_monotonic_time() - job_ended(c->job) > AGAIN_US)
		g_clear_pointer(&c->job, job_free);
	return FALSE;
}

gboolean experiment_is_ready(Experiment *x, Clone *c)
{
	g_auto(Answer) a = { 0 };

	if (c->ready || c->failed)
		return c->ready;
	if (x->plan->ready)
		return command_says_ready(x, c);
	c->ready = ask(c, KX_AGENT_PING, PING_S, &a) && a.text;
	return c->ready;
}

/* --- the workload ------------------------------------------------------------------------------------------------- */

static char *start_command(const Experiment *x, const Clone *c)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

	for (char **word = x->plan->exec; *word; word++)
		g_ptr_array_add(argv, kx_clone_fill_in(*word, &c->wish));
	g_ptr_array_add(argv, NULL);
	return kx_agent_exec((char **)argv->pdata);
}

/* All clones are asked before the first answer is waited for. */
static void start_in_guest(Experiment *x, Clone *c)
{
	g_autofree char *command = start_command(x, c);

	c->start_us = g_get_monotonic_time();
	c->question = question_ask(c->dom, command, AGENT_S);
}

/* The guest has answered whether it starts the workload. */
static void take_start(Clone *c, const Answer *a)
{
	g_autoptr(GError) error = NULL;

	c->start_us = c->ran_us = c->asked_us = a->asked_us;
	if (!a->text)
		experiment_clone_fail(c, "[workload] exec: %s", c->unanswered);
	else if (!kx_agent_read_exec(a->text, &c->agent_pid, &error))
		experiment_clone_fail(c, "[workload] exec: %s", error->message);
	c->started = !c->failed;
}

void experiment_start_work(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;

	if (c->failed)
		return;
	if (x->plan->exec) {
		start_in_guest(x, c);
		return;
	}
	c->start_us = g_get_monotonic_time();
	c->job = job_start(x->plan->command, c->environment, JOB_SILENT, &error);
	if (!c->job)
		experiment_clone_fail(c, "[workload] command: %s", error->message);
}

/* The time between two questions at the time @now, which is also the promised precision. */
static gint64 pause_us(const Clone *c, gint64 now)
{
	return CLAMP((now - c->start_us) / POLL_SHARE, POLL_LEAST_US, POLL_MOST_US);
}

/*
 * The workload has ended at some time after the last question to which the guest answered that the workload runs. If that question was
 * asked much earlier than the promised precision allows, because an answer took long, the elapsed time gets a doubt.
 */
static void doubt_late(const Experiment *x, Clone *c, const Answer *a)
{
	static const guint percents[] = { 1, 2, 5, 10, 20, 50, 100 };
	gint64 range = a->answered_us - c->ran_us, elapsed = a->answered_us - c->start_us;
	guint i = 0;

	if (range <= 2 * pause_us(c, a->answered_us))
		return;
	while (i < G_N_ELEMENTS(percents) - 1 && range * 100 > elapsed * percents[i])
		i++;
	g_ptr_array_add(c->doubts,
			g_strdup_printf("the elapsed time of a run of %s is known to %u %% only: "
					"its guest agent took that long to answer whether the "
					"workload had ended",
					x->setting->label, percents[i]));
}

static void take_status(const Experiment *x, Clone *c, const Answer *a)
{
	g_autoptr(GError) error = NULL;
	gboolean exited = FALSE;

	c->asked_us = a->answered_us;
	/* A guest that is slow under a tracker may not answer in time: that alone is no failure. */
	if (a->text && !kx_agent_read_status(a->text, &exited, &error))
		experiment_clone_fail(c, "[workload] exec: %s", error->message);
	if (!exited) {
		/* A question without an answer says nothing about the workload. */
		c->ran_us = a->text ? a->asked_us : c->ran_us;
		return;
	}
	c->end_us = a->answered_us;
	doubt_late(x, c, a);
}

static gboolean guest_is_over(const Experiment *x, Clone *c)
{
	gint64 now = g_get_monotonic_time();
	g_autofree char *command = NULL;
	g_auto(Answer) a = { 0 };

	if (!c->question && now - c->asked_us < pause_us(c, now))
		return FALSE;
	command = kx_agent_status(c->agent_pid);
	if (!ask(c, command, AGENT_S, &a))
		return FALSE;
	if (c->started)
		take_status(x, c, &a);
	else
		take_start(c, &a);
	return c->end_us || c->failed;
}

gboolean experiment_work_is_over(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;

	if (c->failed || c->end_us)
		return TRUE;
	if (x->plan->exec)
		return guest_is_over(x, c);
	c->end_us = job_ended(c->job);
	if (!c->end_us)
		return FALSE;
	if (!job_succeeded(c->job, &error))
		experiment_clone_fail(c, "[workload] command: %s", error->message);
	return TRUE;
}
