// SPDX-License-Identifier: GPL-2.0-or-later
#include "comparison.h"

#include "vm/environment.h"

static void setting_free(gpointer data)
{
	KxComparedSetting *s = data;

	g_free(s->label);
	g_free(s->text);
	g_free(s->sees);
	g_free(s->left_out);
	g_free(s);
}

static void vm_free(gpointer data)
{
	KxComparedVm *v = data;

	g_free(v->name);
	g_free(v->uuid);
	g_free(v->emulated_by);
	g_free(v->ended);
	g_ptr_array_unref(v->doubts);
	g_ptr_array_unref(v->stretches);
	g_free(v);
}

KxComparison *kx_comparison_new(void)
{
	KxComparison *c = g_new0(KxComparison, 1);

	c->host = kx_report_new();
	c->settings = g_ptr_array_new_with_free_func(setting_free);
	c->vms = g_ptr_array_new_with_free_func(vm_free);
	c->doubts = g_ptr_array_new_with_free_func(g_free);
	c->environment = kx_environment_new();
	return c;
}

void kx_comparison_free(KxComparison *c)
{
	if (!c)
		return;
	g_free(c->id);
	kx_report_free(c->host);
	g_free(c->asked.progress_command);
	g_strfreev(c->asked.logs);
	g_free(c->asked.directory);
	g_ptr_array_unref(c->environment);
	g_free(c->progress);
	g_free(c->progress_na);
	g_free(c->llc_na);
	g_free(c->stopped);
	g_free(c->command);
	g_ptr_array_unref(c->settings);
	g_ptr_array_unref(c->vms);
	g_ptr_array_unref(c->doubts);
	g_free(c);
}

KxComparedSetting *kx_comparison_add_setting(KxComparison *c, const char *label, const char *text)
{
	KxComparedSetting *s = g_new0(KxComparedSetting, 1);

	s->label = g_strdup(label);
	s->text = g_strdup(text);
	g_ptr_array_add(c->settings, s);
	return s;
}

KxComparedVm *kx_comparison_add_vm(KxComparison *c, const char *name)
{
	KxComparedVm *v = g_new0(KxComparedVm, 1);

	v->name = g_strdup(name);
	v->doubts = g_ptr_array_new_with_free_func(g_free);
	v->stretches = g_ptr_array_new_with_free_func((GDestroyNotify)kx_stretch_free);
	g_ptr_array_add(c->vms, v);
	return v;
}

void kx_comparison_put(KxComparison *c, guint vm, guint round, guint setting, KxStretch *s)
{
	KxComparedVm *v = c->vms->pdata[vm];
	guint i = round * c->settings->len + setting;

	if (v->stretches->len <= i)
		g_ptr_array_set_size(v->stretches, (gint)((round + 1) * c->settings->len));
	kx_stretch_free(v->stretches->pdata[i]);
	v->stretches->pdata[i] = s;
}

const KxStretch *kx_comparison_at(const KxComparison *c, guint vm, guint round, guint setting)
{
	const KxComparedVm *v = c->vms->pdata[vm];
	guint i = round * c->settings->len + setting;

	return i < v->stretches->len ? v->stretches->pdata[i] : NULL;
}

void kx_comparison_cut(KxComparison *c, guint rounds)
{
	for (guint i = 0; i < c->vms->len; i++) {
		KxComparedVm *v = c->vms->pdata[i];

		if (v->stretches->len > rounds * c->settings->len)
			g_ptr_array_set_size(v->stretches, (gint)(rounds * c->settings->len));
	}
	c->rounds = MIN(c->rounds, rounds);
	c->whole = MIN(c->whole, rounds);
}
