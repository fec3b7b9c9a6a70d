// SPDX-License-Identifier: GPL-2.0-or-later
/* The VMs of a comparison: their state before and after it, and queries to the daemon about them. */
#include <string.h>

#include "base/error.h"
#include "base/textfmt.h"
#include "compare-internal.h"
#include "compare/doubts.h"
#include "vm/procstat.h"

void compare_vm_free(gpointer data)
{
	CompareVm *vm = data;

	g_free(vm->target);
	g_free(vm->shown);
	cli_before_clear(&vm->before);
	counter_free(vm->counter);
	kx_vcpu_events_close(vm->llc_misses);
	kx_vcpu_events_close(vm->instructions);
	kx_window_free(vm->begin);
	g_free(vm->failed);
	g_free(vm);
}

/* --- the daemon --------------------------------------------------------------------------------------------------- */

KxVmReport *compare_look(CompareRun *r, const CompareVm *vm, GError **error)
{
	const char *const one[] = { vm->target, NULL };
	g_autoptr(GVariant) vms = cli_ask_stats(r->cli, one, NULL, error);
	g_autoptr(GVariant) first =
		vms && g_variant_n_children(vms) ? g_variant_get_child_value(vms, 0) : NULL;
	g_autoptr(KxVmReport) v = first ? kx_vm_from_variant(first) : NULL;

	if (v && v->attached && v->windows->len)
		return g_steal_pointer(&v);
	if (vms)
		g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED,
				    "the VM is not attached any more");
	return NULL;
}

KxWindow *compare_open_window(const KxVmReport *v)
{
	return v->windows->pdata[v->windows->len - 1];
}

/* QEMU cannot end a measurement of the dirty rate early: after a switch it may continue for at most this time. */
static gint64 rate_us_of(const KxOptions *o)
{
	return o->tracker->can & KX_CAN_RATE ? (gint64)o->dirty_rate.seconds * G_USEC_PER_SEC : 0;
}

gboolean compare_switch(CompareRun *r, CompareVm *vm, const KxSetting *s, GError **error)
{
	vm->done = FALSE;
	if (!cli_ask_set(r->cli, vm->target, kx_setting_to_variant(s), NULL, error))
		return FALSE;
	if (vm->rate_us)
		vm->rate_until_us = g_get_monotonic_time() + vm->rate_us;
	vm->rate_us = rate_us_of(&s->options);
	return TRUE;
}

gint64 compare_quiet_us(const CompareRun *r)
{
	gint64 quiet = 0;

	for (guint i = 0; i < r->vms->len; i++) {
		const CompareVm *vm = r->vms->pdata[i];

		if (!vm->gone)
			quiet = MAX(quiet, vm->rate_until_us);
	}
	return quiet;
}

gboolean compare_is_gone(const GError *error)
{
	int code = kx_exit_code(error);

	return code == KX_EXIT_VM_GONE || code == KX_EXIT_NO_SUCH_VM || code == KX_EXIT_UNREACHABLE;
}

gboolean compare_is_state(const GError *error)
{
	return kx_exit_code(error) == KX_EXIT_STATE;
}

KxComparedVm *compare_vm(const CompareRun *r, guint i)
{
	return r->c->vms->pdata[i];
}

/* --- before ------------------------------------------------------------------------------------------------------- */

/* Notes whether the VM's own tracker has QEMU measure the dirty rate. */
static void note_rate(CompareVm *vm)
{
	g_auto(GStrv) words = g_strsplit(vm->before.options ? vm->before.options : "", " ", -1);
	KxOptions o;

	kx_options_init(&o);
	if (!vm->before.tracker || !kx_options_set(&o, "tracker", vm->before.tracker, NULL))
		return;
	for (char **word = words; *word; word++) {
		char *equals = strchr(*word, '=');

		if (equals) {
			*equals = '\0';
			kx_options_set(&o, *word, equals + 1, NULL);
		}
	}
	vm->rate_us = rate_us_of(&o);
}

/* Takes process, UUID and name from the daemon's list. */
static void identify(GVariant *list, const char *target, KxComparedVm *into)
{
	g_autoptr(GVariant) vm = cli_find_vm(list, target);
	const char *name = "", *uuid = NULL, *by = "";

	if (!vm)
		return;
	g_variant_lookup(vm, "pid", "u", &into->pid);
	g_variant_lookup(vm, "emulated_by", "&s", &by);
	kx_set_text(&into->emulated_by, *by ? by : NULL);
	if (g_variant_lookup(vm, "uuid", "&s", &uuid)) {
		g_free(into->uuid);
		into->uuid = g_strdup(uuid);
	}
	g_variant_lookup(vm, "name", "&s", &name);
	if (*name) {
		g_free(into->name);
		into->name = g_strdup(name);
	}
}

static gboolean attach(CompareRun *r, CompareVm *vm, GError **error)
{
	g_autofree char *what = g_strdup_printf("attaching to %s", vm->shown);
	GVariantDict options;

	g_variant_dict_init(&options, NULL);
	g_variant_dict_insert(&options, "tracker", "s", "off");
	return cli_ask_attach(r->cli, vm->target, g_variant_dict_end(&options), what, error);
}

static gboolean open_counter(CompareRun *r, CompareVm *vm, const KxComparedVm *v, GError **error)
{
	double value;

	if (r->a->progress_command)
		vm->counter = counter_of_command(r->a->progress_command, v->name, v->pid);
	else if (!r->a->logs)
		vm->counter = counter_of_instructions(v->pid, error);
	return !vm->counter || counter_read(r->cli, vm->counter, &value, error);
}

/* Counts both or neither, because misses are used per instruction. */
static void count_misses(CompareRun *r, CompareVm *vm, guint32 pid)
{
	g_autoptr(GError) error = NULL;

	vm->llc_misses = kx_vcpu_events_open("/proc", (pid_t)pid, KX_EVENT_LLC_MISSES, &error);
	if (vm->llc_misses)
		vm->instructions =
			kx_vcpu_events_open("/proc", (pid_t)pid, KX_EVENT_INSTRUCTIONS, &error);
	if (vm->instructions)
		return;
	g_clear_pointer(&vm->llc_misses, kx_vcpu_events_close);
	if (!r->c->llc_na)
		r->c->llc_na = g_strdup(error->message);
}

/*
 * Chooses the measure of guest progress. If instructions cannot be counted, there is none, and only the costs on the host are
 * compared.
 */
static gboolean choose_progress(CompareRun *r, guint i, int *code)
{
	CompareVm *vm = r->vms->pdata[i];
	g_autoptr(GError) error = NULL;

	if (!open_counter(r, vm, compare_vm(r, i), &error)) {
		if (r->a->progress_command) {
			*code = cli_fail(vm->shown, error);
			return FALSE;
		}
		g_clear_pointer(&vm->counter, counter_free);
	}
	if (r->a->progress_command)
		r->c->progress = r->c->progress ? r->c->progress
						: g_strdup("what --progress-command counts");
	else if (r->a->logs)
		r->c->progress = r->c->progress ? r->c->progress : g_strdup(COMPARE_BY_LOG);
	else if (error && !r->c->progress_na)
		r->c->progress_na =
			g_strdup_printf("how much the guest got done is not known (%s); give "
					"--workload-log or --progress-command",
					error->message);
	return TRUE;
}

/* The daemon's list of VMs; NULL: *@code is set. */
static GVariant *list_vms(CompareRun *r, int *code)
{
	g_autoptr(GError) error = NULL;
	GVariant *vms = cli_ask_list(r->cli, "asking for the VMs", &error);

	if (vms)
		return vms;
	*code = cli_fail(NULL, error);
	return NULL;
}

static void add_vm(CompareRun *r, const char *target, guint32 held)
{
	CompareVm *vm = g_new0(CompareVm, 1);

	vm->target = g_strdup(target);
	vm->shown = cli_show(target);
	vm->held = held;
	vm->done = TRUE; /* nothing to restore until the VM is attached or switched */
	g_ptr_array_add(r->vms, vm);
	kx_comparison_add_vm(r->c, vm->shown);
}

/* Adds the VMs, and holds them (cli_list_held()). Returns its list, as it is then; NULL: *@code is set. */
static GVariant *add_vms(CompareRun *r, int *code)
{
	g_autofree guint32 *held = g_new0(guint32, g_strv_length(r->a->targets));
	g_autoptr(GError) error = NULL;
	const char *failed;
	GVariant *list =
		cli_list_held(r->cli, (const char *const *)r->a->targets, held, &failed, &error);

	for (guint i = 0; r->a->targets[i]; i++)
		add_vm(r, r->a->targets[i], held[i]);
	if (!list)
		*code = cli_fail(failed, error);
	return list;
}

/* Notes the VM's state, and attaches the VM if it is not attached. */
static gboolean begin_vm(CompareRun *r, GVariant *list, guint i, int *code)
{
	g_autoptr(GError) error = NULL;
	CompareVm *vm = r->vms->pdata[i];

	cli_before_read(list, vm->target, &vm->before);
	note_rate(vm);
	if (vm->before.attached)
		return TRUE;
	if (attach(r, vm, &error)) {
		vm->done = FALSE;
		return TRUE;
	}
	vm->before.cut = cli_was_cut(r->cli);
	vm->done = !vm->before.cut;
	*code = cli_fail(vm->target, error);
	return FALSE;
}

/*
 * A VM can be named twice, for example by its name and by its UUID. The two would be switched one after the other, and each
 * would measure the other's tracker.
 */
static gboolean is_twice(const CompareRun *r, guint i, int *code)
{
	for (guint k = 0; k < i; k++) {
		if (compare_vm(r, k)->pid == compare_vm(r, i)->pid) {
			*code = cli_usage("compare", "%s and %s are one VM",
					  ((CompareVm *)r->vms->pdata[k])->shown,
					  ((CompareVm *)r->vms->pdata[i])->shown);
			return TRUE;
		}
	}
	return FALSE;
}

gboolean compare_begin_vms(CompareRun *r, int *code)
{
	g_autoptr(GVariant) before = add_vms(r, code), now = NULL;
	g_autoptr(GError) error = NULL;

	for (guint i = 0; before && i < r->vms->len; i++) {
		if (!begin_vm(r, before, i, code))
			return FALSE;
	}
	/* A process that libvirt does not know is in the list only after it was attached. */
	now = before ? list_vms(r, code) : NULL;
	for (guint i = 0; now && i < r->vms->len; i++) {
		KxComparedVm *v = compare_vm(r, i);

		identify(now, ((CompareVm *)r->vms->pdata[i])->target, v);
		if (is_twice(r, i, code))
			return FALSE;
		kx_procstat_started("/proc", (pid_t)v->pid, &v->started, NULL);
		g_ptr_array_unref(v->doubts);
		v->doubts = kx_doubts_of_vm(NULL, (pid_t)v->pid, v->emulated_by);
		if (!choose_progress(r, i, code))
			return FALSE;
		count_misses(r, r->vms->pdata[i], v->pid);
	}
	if (now && !compare_check_logs(r->c, r->a->logs, &error)) {
		*code = cli_fail(NULL, error);
		return FALSE;
	}
	if (now && !r->c->progress && !r->c->progress_na)
		r->c->progress = g_strdup("instructions retired by the vCPUs in guest mode");
	return now != NULL;
}

void compare_tell_id(CompareRun *r)
{
	for (guint i = 0; r->c->id && i < r->vms->len; i++) {
		const CompareVm *vm = r->vms->pdata[i];

		if (vm->held)
			cli_hold(r->cli, vm->held, r->c->id, NULL);
	}
}

/* --- after -------------------------------------------------------------------------------------------------------- */

/* If the daemon is busy with the VM, the call is repeated for some time. */
void compare_leave_vm(CompareRun *r, CompareVm *vm)
{
	g_autoptr(GError) error = NULL;

	if (!vm->done && !cli_before_restore(r->cli, vm->target, &vm->before, &error))
		cli_fail(vm->target, error);
	if (vm->held)
		cli_ask_release(r->cli, vm->held);
}
