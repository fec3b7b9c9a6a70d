// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The workloads of several clones by their guest agents: a guest that is slow to answer delays no other, and is told. libvirt is replaced
 * by what is below; hostd/cli/experiment-work.c and question.c are the program's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include "experiment-internal.h"

#define LATE_US (60 * G_USEC_PER_SEC)

/* A guest; a virDomainPtr leads to one. */
typedef struct {
	GMutex lock;
	GCond go;
	gboolean hangs;	  /* the agent does not answer now */
	gboolean hanging; /* a question is under way */
	gboolean refuses; /* to start anything */
	gboolean exited;
	guint asked; /* for the state of the process */
} Guest;

int virDomainRef(virDomainPtr dom)
{
	return 0;
}

int virDomainFree(virDomainPtr dom)
{
	return 0;
}

const char *virGetLastErrorMessage(void)
{
	return "the agent did not answer";
}

char *virDomainQemuAgentCommand(virDomainPtr dom, const char *command, int timeout, guint flags)
{
	Guest *g = (Guest *)dom;
	const char *answer;

	g_mutex_lock(&g->lock);
	g->hanging = g->hangs;
	while (g->hangs)
		g_cond_wait(&g->go, &g->lock);
	g->hanging = FALSE;
	if (strstr(command, "guest-exec-status")) {
		g->asked++;
		answer = g->exited ? "{\"return\":{\"exited\":true,\"exitcode\":0}}"
				   : "{\"return\":{\"exited\":false}}";
	} else {
		answer = g->refuses ? NULL : "{\"return\":{\"pid\":7}}";
	}
	g_mutex_unlock(&g->lock);
	return answer ? strdup(answer) : NULL;
}

void experiment_clone_fail(Clone *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!c->failed)
		c->failed = g_strdup_vprintf(format, args);
	va_end(args);
}

/* --- two clones ----------------------------------------------------------------------------------------------------- */

typedef struct {
	Guest guests[2];
	Clone clones[2];
	KxPlan plan;
	KxSetting setting;
	KxPoint point;
	Experiment x;
} Fixture;

static char *exec_words[] = { (char *)"/bin/true", NULL };

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->plan.exec = exec_words;
	f->setting.label = (char *)"abit";
	f->x.plan = &f->plan;
	f->x.setting = &f->setting;
	for (guint i = 0; i < 2; i++) {
		Clone *c = &f->clones[i];

		g_mutex_init(&f->guests[i].lock);
		g_cond_init(&f->guests[i].go);
		c->dom = (virDomainPtr)&f->guests[i];
		c->name = (char *)"web-1";
		c->wish = (KxCloneWish){ "x", "web-1", "u", i, &f->point, NULL };
		c->doubts = g_ptr_array_new_with_free_func(g_free);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	for (guint i = 0; i < 2; i++) {
		Clone *c = &f->clones[i];

		question_free(c->question);
		g_ptr_array_unref(c->doubts);
		g_free(c->failed);
		g_free(c->unanswered);
		g_mutex_clear(&f->guests[i].lock);
		g_cond_clear(&f->guests[i].go);
	}
	g_free(f);
	return 0;
}

#define SET(f, i, member, value)                      \
	do {                                          \
		g_mutex_lock(&(f)->guests[i].lock);   \
		(f)->guests[i].member = (value);      \
		g_cond_broadcast(&(f)->guests[i].go); \
		g_mutex_unlock(&(f)->guests[i].lock); \
	} while (0)

static gboolean is_hanging(Fixture *f, guint i)
{
	gboolean is;

	g_mutex_lock(&f->guests[i].lock);
	is = f->guests[i].hanging;
	g_mutex_unlock(&f->guests[i].lock);
	return is;
}

/* Like the experiment's own loop: looks at all clones, one after the other. */
static void look(Fixture *f, gboolean over[2])
{
	for (guint i = 0; i < 2; i++)
		over[i] = over[i] || experiment_work_is_over(&f->x, &f->clones[i]);
	g_usleep(1000);
}

static void started(Fixture *f)
{
	gint64 late = g_get_monotonic_time() + LATE_US;
	gboolean over[2] = { FALSE, FALSE };

	experiment_start_work(&f->x, &f->clones[0]);
	experiment_start_work(&f->x, &f->clones[1]);
	while (!(f->clones[0].started && f->clones[1].started) && g_get_monotonic_time() < late)
		look(f, over);
	assert_true(f->clones[0].started && f->clones[1].started);
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static void test_slow_agent(void **state)
{
	Fixture *f = *state;
	gint64 late = g_get_monotonic_time() + LATE_US;
	gboolean over[2] = { FALSE, FALSE };

	started(f);
	SET(f, 0, hangs, TRUE);
	while (!is_hanging(f, 0) && g_get_monotonic_time() < late)
		look(f, over);
	assert_true(is_hanging(f, 0));
	SET(f, 1, exited, TRUE);
	while (!over[1] && g_get_monotonic_time() < late)
		look(f, over);
	/* The first clone's agent still hangs, and the second clone has its elapsed time. */
	assert_true(over[1] && !over[0] && is_hanging(f, 0));
	assert_true(f->clones[1].end_us > f->clones[1].start_us && !f->clones[1].failed);
	/* Much longer than the promised precision of 50 ms. */
	SET(f, 0, exited, TRUE);
	g_usleep(300000);
	SET(f, 0, hangs, FALSE);
	while (!over[0] && g_get_monotonic_time() < late)
		look(f, over);
	assert_true(over[0] && f->clones[0].end_us > f->clones[1].end_us);
	assert_int_equal(f->clones[0].doubts->len, 1);
	assert_non_null(strstr(f->clones[0].doubts->pdata[0], "a run of abit is known to "));
}

static guint asked(Fixture *f)
{
	guint n;

	g_mutex_lock(&f->guests[0].lock);
	n = f->guests[0].asked;
	g_mutex_unlock(&f->guests[0].lock);
	return n;
}

/* The agent answers late that the workload runs, and then at once that it has ended: it is not known when it ended in between. */
static void test_slow_before_the_last(void **state)
{
	Fixture *f = *state;
	gint64 late = g_get_monotonic_time() + LATE_US;
	gboolean over[2] = { FALSE, TRUE };
	guint before;

	started(f);
	SET(f, 0, hangs, TRUE);
	while (!is_hanging(f, 0) && g_get_monotonic_time() < late)
		look(f, over);
	g_usleep(300000);
	before = asked(f);
	SET(f, 0, hangs, FALSE);
	while (asked(f) == before && g_get_monotonic_time() < late)
		look(f, over);
	SET(f, 0, exited, TRUE);
	while (!over[0] && g_get_monotonic_time() < late)
		look(f, over);
	assert_true(over[0] && !f->clones[0].failed);
	assert_int_equal(f->clones[0].doubts->len, 1);
}

/* All clones are asked to start before the first answer comes, so the time of a clone does not contain the wait for another one. */
static void test_slow_start(void **state)
{
	Fixture *f = *state;
	gint64 late = g_get_monotonic_time() + LATE_US;
	gboolean over[2] = { FALSE, FALSE };

	SET(f, 0, hangs, TRUE);
	SET(f, 1, exited, TRUE);
	experiment_start_work(&f->x, &f->clones[0]);
	experiment_start_work(&f->x, &f->clones[1]);
	while (!over[1] && g_get_monotonic_time() < late)
		look(f, over);
	assert_true(over[1] && !over[0] && !f->clones[0].started);
	SET(f, 0, exited, TRUE);
	SET(f, 0, hangs, FALSE);
	while (!over[0] && g_get_monotonic_time() < late)
		look(f, over);
	assert_true(over[0] && !f->clones[0].failed);
}

/* A question that is not waited for any more ends by itself. */
static void test_left_alone(void **state)
{
	Fixture *f = *state;
	gint64 late = g_get_monotonic_time() + LATE_US;

	SET(f, 0, hangs, TRUE);
	experiment_start_work(&f->x, &f->clones[0]);
	while (!is_hanging(f, 0) && g_get_monotonic_time() < late)
		g_usleep(1000);
	g_clear_pointer(&f->clones[0].question, question_free);
	SET(f, 0, hangs, FALSE);
	while (is_hanging(f, 0) && g_get_monotonic_time() < late)
		g_usleep(1000);
	assert_false(is_hanging(f, 0));
}

static void test_refused(void **state)
{
	Fixture *f = *state;
	gint64 late = g_get_monotonic_time() + LATE_US;
	gboolean over[2] = { FALSE, TRUE };

	SET(f, 0, refuses, TRUE);
	experiment_start_work(&f->x, &f->clones[0]);
	while (!over[0] && g_get_monotonic_time() < late)
		look(f, over);
	assert_non_null(f->clones[0].failed);
	assert_non_null(strstr(f->clones[0].failed, "the agent did not answer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_agent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_before_the_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
