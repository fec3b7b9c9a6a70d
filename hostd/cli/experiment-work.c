// SPDX-License-Identifier: GPL-2.0-or-later
/* The workload of an experiment's VM: by the guest agent, or by a command of the file. */
#include "experiment-internal.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>

#include "experiment/agent.h"
#include "vm/libvirt.h"

#define PING_S	 1
#define AGENT_S	 30
#define AGAIN_US 200000 /* between two questions whether the VM is ready */
/*
 * Between two questions whether the workload has ended: each one costs the guest time. The elapsed time is known to 1/200 of itself,
 * or to 50 ms.
 */
#define POLL_LEAST_US 50000
#define POLL_MOST_US  1000000
#define POLL_SHARE    200

/* The agent's answer; NULL: there is none, and the clone remembers why. The caller frees it. */
static char *ask(Clone *c, const char *command, int seconds)
{
	char *raw = virDomainQemuAgentCommand(c->dom, command, seconds, 0);
	char *answer = g_strdup(raw);

	free(raw);
	if (!answer) {
		g_free(c->unanswered);
		c->unanswered = g_strdup_printf("the guest agent: %s", kx_libvirt_last_message());
	}
	return answer;
}

/* --- ready -------------------------------------------------------------------------------------------------------- */

static gboolean command_says_ready(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;

	if (!c->job)
		c->job = job_start(x->plan->ready, c->environment, &error);
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
	g_autofree char *answer = NULL;

	if (c->ready || c->failed)
		return c->ready;
	if (x->plan->ready)
		return command_says_ready(x, c);
	answer = ask(c, KX_AGENT_PING, PING_S);
	c->ready = answer != NULL;
	return c->ready;
}

/* --- the workload ------------------------------------------------------------------------------------------------- */

static void start_in_guest(Experiment *x, Clone *c)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *command = NULL, *answer = NULL;
	g_autoptr(GError) error = NULL;

	for (char **word = x->plan->exec; *word; word++)
		g_ptr_array_add(argv, kx_clone_fill_in(*word, &c->wish));
	g_ptr_array_add(argv, NULL);
	command = kx_agent_exec((char **)argv->pdata);
	c->start_us = g_get_monotonic_time();
	answer = ask(c, command, AGENT_S);
	if (!answer)
		experiment_clone_fail(c, "[workload] exec: %s", c->unanswered);
	else if (!kx_agent_read_exec(answer, &c->agent_pid, &error))
		experiment_clone_fail(c, "[workload] exec: %s", error->message);
	c->asked_us = g_get_monotonic_time();
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
	c->job = job_start(x->plan->command, c->environment, &error);
	if (!c->job)
		experiment_clone_fail(c, "[workload] command: %s", error->message);
}

static gboolean guest_is_over(Clone *c)
{
	gint64 now = g_get_monotonic_time();
	gint64 pause = CLAMP((now - c->start_us) / POLL_SHARE, POLL_LEAST_US, POLL_MOST_US);
	g_autofree char *command = NULL, *answer = NULL;
	g_autoptr(GError) error = NULL;
	gboolean exited = FALSE;

	if (now - c->asked_us < pause)
		return FALSE;
	command = kx_agent_status(c->agent_pid);
	/* A guest that is slow under a tracker may not answer in time: that alone is no failure. */
	answer = ask(c, command, AGENT_S);
	c->asked_us = g_get_monotonic_time();
	if (answer && !kx_agent_read_status(answer, &exited, &error))
		experiment_clone_fail(c, "[workload] exec: %s", error->message);
	if (exited)
		c->end_us = c->asked_us;
	return exited || c->failed;
}

gboolean experiment_work_is_over(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;

	if (c->failed || c->end_us)
		return TRUE;
	if (x->plan->exec)
		return guest_is_over(c);
	c->end_us = job_ended(c->job);
	if (!c->end_us)
		return FALSE;
	if (!job_succeeded(c->job, &error))
		experiment_clone_fail(c, "[workload] command: %s", error->message);
	return TRUE;
}
