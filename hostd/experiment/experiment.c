// SPDX-License-Identifier: GPL-2.0-or-later
#include "experiment.h"

#include "compare/setting.h"

static void point_free(gpointer data)
{
	KxExperimentPoint *p = data;

	kx_point_free(p->at);
	kx_comparison_free(p->c);
	g_free(p);
}

void kx_experiment_add_point(KxExperiment *e, KxPoint *at, KxComparison *c)
{
	KxExperimentPoint *p = g_new0(KxExperimentPoint, 1);

	if (!e->points)
		e->points = g_ptr_array_new_with_free_func(point_free);
	p->at = at;
	p->c = c;
	g_ptr_array_add(e->points, p);
}

static KxComparison *empty_comparison(const KxPlan *plan, const KxPoint *at, guint64 seed)
{
	KxComparison *c = kx_comparison_new();

	c->seed = seed;
	c->layout = KX_TOGETHER;
	c->progress = g_strdup("whole runs of the workload");
	for (guint i = 0; i < plan->settings->len; i++) {
		const KxSetting *s = plan->settings->pdata[i];
		KxComparedSetting *compared = kx_comparison_add_setting(c, s->label, s->text);

		compared->sees = g_strdup(s->options.tracker->sees.recall);
	}
	for (guint i = 0; i < at->vms; i++) {
		g_autofree char *name = g_strdup_printf("clone %u", i + 1);

		kx_comparison_add_vm(c, name);
	}
	return c;
}

KxExperiment *kx_experiment_new(const KxPlan *plan)
{
	KxExperiment *e = g_new0(KxExperiment, 1);

	e->name = g_strdup(plan->name);
	e->file = g_strdup(plan->text);
	e->seed = plan->seed;
	e->rounds = plan->rounds;
	for (guint i = 0; i < plan->points->len; i++) {
		const KxPoint *at = plan->points->pdata[i];

		/* Each point has its own order of settings. */
		kx_experiment_add_point(e, kx_point_copy(at),
					empty_comparison(plan, at, plan->seed + i));
	}
	return e;
}

void kx_experiment_free(KxExperiment *e)
{
	if (!e)
		return;
	g_free(e->id);
	g_free(e->name);
	g_free(e->file);
	g_free(e->command);
	g_free(e->stopped);
	g_clear_pointer(&e->points, g_ptr_array_unref);
	g_free(e);
}

guint kx_experiment_whole(const KxExperiment *e)
{
	guint whole = G_MAXUINT;

	for (guint i = 0; i < e->points->len; i++)
		whole = MIN(whole, ((const KxExperimentPoint *)e->points->pdata[i])->c->whole);
	return whole;
}

void kx_experiment_set_whole(KxExperiment *e, guint rounds)
{
	for (guint i = 0; i < e->points->len; i++)
		((KxExperimentPoint *)e->points->pdata[i])->c->whole = rounds;
}

guint kx_experiment_begun(const KxExperiment *e)
{
	guint begun = 0;

	for (guint i = 0; i < e->points->len; i++)
		begun = MAX(begun, ((const KxExperimentPoint *)e->points->pdata[i])->c->rounds);
	return begun;
}

guint *kx_experiment_order(const KxExperiment *e, guint round)
{
	const guint32 seed[] = { (guint32)e->seed, (guint32)(e->seed >> 32), round };
	GRand *rand = g_rand_new_with_seed_array(seed, G_N_ELEMENTS(seed));
	guint n = e->points->len;
	guint *order = g_new(guint, n);

	for (guint i = 0; i < n; i++) {
		guint k = (guint)g_rand_int_range(rand, 0, (gint32)i + 1);

		order[i] = order[k];
		order[k] = i;
	}
	g_rand_free(rand);
	return order;
}

void kx_experiment_whole_run(KxStretch *s, double elapsed_ns)
{
	s->run_ns = elapsed_ns;
	s->progress = 1;
}
