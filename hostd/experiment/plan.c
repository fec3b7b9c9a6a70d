// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan.h"

#include <string.h>

#include "clone.h"
#include "compare/comparison.h"
#include "compare/setting.h"
#include "plan-internal.h"
#include "tracker/units.h"

#define ROUNDS	      5u
#define BOOT_LIMIT_NS 300000000000ull
#define RUN_LIMIT_NS  3600000000000ull
#define TEXT_MAX      (1024 * 1024) /* of the file, and of the template */

void kx_plan_free(KxPlan *p)
{
	if (!p)
		return;
	g_free(p->text);
	g_free(p->name);
	g_free(p->uri);
	g_free(p->template);
	g_free(p->prepare);
	g_free(p->cleanup);
	g_free(p->ready);
	g_free(p->command);
	g_strfreev(p->exec);
	g_clear_pointer(&p->settings, g_ptr_array_unref);
	g_clear_pointer(&p->points, g_ptr_array_unref);
	kx_placing_clear(&p->placement);
	g_free(p);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* Values that are read from single keys, and put together after all keys were read. */
typedef struct {
	KxPlan *plan;
	const char *dir;
	char *trackers, *exec, *fast, *fast_node, *slow_node, *mode;
	KxPlanLists lists;
} Draft;

typedef struct _Key Key;
struct _Key {
	const char *group, *name;
	gboolean needed;
	gboolean (*set)(Draft *d, const Key *k, const char *value, GError **error);
	gsize offset; /* in KxPlan or Draft, for setters that several keys share */
};

static char **text_at(gpointer object, const Key *k)
{
	return (char **)((char *)object + k->offset);
}

static gboolean set_plan_text(Draft *d, const Key *k, const char *value, GError **error)
{
	*text_at(d->plan, k) = g_strdup(value);
	return TRUE;
}

static gboolean set_draft_text(Draft *d, const Key *k, const char *value, GError **error)
{
	*text_at(d, k) = g_strdup(value);
	return TRUE;
}

static gboolean set_name(Draft *d, const Key *k, const char *value, GError **error)
{
	if (strlen(value) > 64 || strchr(value, '/') ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
		    strlen(value))
		return kx_plan_bad(error, k->group, k->name,
				   "letters, digits, '.', '_' and '-', at most 64, not '%s'",
				   value);
	return set_plan_text(d, k, value, error);
}

static gboolean set_rounds(Draft *d, const Key *k, const char *value, GError **error)
{
	guint64 n;

	if (!kx_parse_number(value, NULL, &n) || n < 2 || n > KX_COMPARISON_ROUNDS_MAX)
		return kx_plan_bad(error, k->group, k->name,
				   "2 to %u, not '%s': one round gives no interval",
				   KX_COMPARISON_ROUNDS_MAX, value);
	d->plan->rounds = (guint)n;
	return TRUE;
}

static gboolean set_seed(Draft *d, const Key *k, const char *value, GError **error)
{
	guint64 n;

	if (!kx_parse_number(value, NULL, &n) || n > G_MAXUINT32)
		return kx_plan_bad(error, k->group, k->name, "a number below 2^32, not '%s'",
				   value);
	d->plan->seed = n;
	d->plan->has_seed = TRUE;
	return TRUE;
}

static gboolean set_limit(Draft *d, const Key *k, const char *value, GError **error)
{
	guint64 *ns = (guint64 *)((char *)d->plan + k->offset);

	if (kx_parse_duration(value, ns, NULL) && *ns >= 1000000000ull &&
	    *ns <= 7 * 86400000000000ull)
		return TRUE;
	return kx_plan_bad(error, k->group, k->name, "a time from 1s to 7 days, not '%s'", value);
}

static gboolean set_template(Draft *d, const Key *k, const char *value, GError **error)
{
	g_autofree char *path = g_canonicalize_filename(value, d->dir);
	g_autoptr(GError) local = NULL;
	gsize len;

	if (!g_file_get_contents(path, &d->plan->template, &len, &local))
		return kx_plan_bad(error, k->group, k->name, "%s", local->message);
	if (len > TEXT_MAX || strlen(d->plan->template) != len)
		return kx_plan_bad(error, k->group, k->name, "%s is no domain's XML", path);
	return TRUE;
}

/* A list of numbers, separated by commas; each is different from the others. */
static GArray *numbers(const Key *k, const char *value, guint64 most, GError **error)
{
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(guint));
	g_auto(GStrv) words = g_strsplit(value, ",", -1);

	for (char **word = words; *word; word++) {
		guint64 n;
		guint one;

		if (!kx_parse_number(g_strstrip(*word), NULL, &n) || n < 1 || n > most) {
			kx_plan_bad(error, k->group, k->name,
				    "numbers from 1 to %" G_GUINT64_FORMAT
				    ", separated by commas, not '%s'",
				    most, value);
			return NULL;
		}
		one = (guint)n;
		for (guint i = 0; i < list->len; i++) {
			if (g_array_index(list, guint, i) == one) {
				kx_plan_bad(error, k->group, k->name, "%u is there twice", one);
				return NULL;
			}
		}
		g_array_append_val(list, one);
	}
	return g_steal_pointer(&list);
}

static gboolean set_vms(Draft *d, const Key *k, const char *value, GError **error)
{
	d->lists.vms = numbers(k, value, KX_PLAN_VMS_MAX, error);
	return d->lists.vms != NULL;
}

static gboolean set_vcpus(Draft *d, const Key *k, const char *value, GError **error)
{
	d->lists.vcpus = numbers(k, value, 1024, error);
	return d->lists.vcpus != NULL;
}

static gboolean set_memory(Draft *d, const Key *k, const char *value, GError **error)
{
	g_auto(GStrv) words = g_strsplit(value, ",", -1);

	d->lists.memory = g_array_new(FALSE, FALSE, sizeof(guint64));
	for (char **word = words; *word; word++) {
		guint64 bytes;

		if (!kx_parse_size(g_strstrip(*word), &bytes, NULL) || bytes < 16777216 ||
		    bytes % 1048576 || bytes > (1ull << 46))
			return kx_plan_bad(error, k->group, k->name,
					   "whole MiB, at least 16M each, separated by commas, not "
					   "'%s'",
					   value);
		for (guint i = 0; i < d->lists.memory->len; i++) {
			if (g_array_index(d->lists.memory, guint64, i) == bytes)
				return kx_plan_bad(error, k->group, k->name, "%s is there twice",
						   *word);
		}
		g_array_append_val(d->lists.memory, bytes);
	}
	return TRUE;
}

static gboolean set_working_set(Draft *d, const Key *k, const char *value, GError **error)
{
	g_auto(GStrv) words = g_strsplit(value, ",", -1);

	d->lists.working_set = g_ptr_array_new_with_free_func(g_free);
	for (char **word = words; *word; word++) {
		guint64 bytes, other;

		if (!kx_parse_size(g_strstrip(*word), &bytes, NULL) || !bytes)
			return kx_plan_bad(error, k->group, k->name,
					   "sizes such as 64M, separated by commas, not '%s'",
					   value);
		for (guint i = 0; i < d->lists.working_set->len; i++) {
			if (kx_parse_size(d->lists.working_set->pdata[i], &other, NULL) &&
			    other == bytes)
				return kx_plan_bad(error, k->group, k->name, "%s is there twice",
						   *word);
		}
		g_ptr_array_add(d->lists.working_set, g_strdup(*word));
	}
	return TRUE;
}

static gboolean set_cpus(Draft *d, const Key *k, const char *value, GError **error)
{
	d->plan->placement.cpus = kx_placing_cpus(value);
	return d->plan->placement.cpus ||
	       kx_plan_bad(error, k->group, k->name, "a list of CPUs such as 2-5,8, not '%s'",
			   value);
}

static gboolean set_emulator_cpus(Draft *d, const Key *k, const char *value, GError **error)
{
	g_autoptr(GArray) cpus = kx_placing_cpus(value);

	if (!cpus)
		return kx_plan_bad(error, k->group, k->name, "a list of CPUs such as 0-1, not '%s'",
				   value);
	d->plan->placement.emulator_cpus = g_strdup(value);
	return TRUE;
}

#define PLAN(member)  G_STRUCT_OFFSET(KxPlan, member)
#define DRAFT(member) G_STRUCT_OFFSET(Draft, member)

static const Key keys[] = {
	{ "experiment", "name", FALSE, set_name, PLAN(name) },
	{ "experiment", "trackers", TRUE, set_draft_text, DRAFT(trackers) },
	{ "experiment", "rounds", FALSE, set_rounds, 0 },
	{ "experiment", "seed", FALSE, set_seed, 0 },
	{ "vm", "template", TRUE, set_template, 0 },
	{ "vm", "uri", FALSE, set_plan_text, PLAN(uri) },
	{ "vm", "vms", FALSE, set_vms, 0 },
	{ "vm", "vcpus", FALSE, set_vcpus, 0 },
	{ "vm", "memory", FALSE, set_memory, 0 },
	{ "vm", "prepare", FALSE, set_plan_text, PLAN(prepare) },
	{ "vm", "ready", FALSE, set_plan_text, PLAN(ready) },
	{ "vm", "cleanup", FALSE, set_plan_text, PLAN(cleanup) },
	{ "vm", "boot-limit", FALSE, set_limit, PLAN(boot_limit_ns) },
	{ "workload", "exec", FALSE, set_draft_text, DRAFT(exec) },
	{ "workload", "command", FALSE, set_plan_text, PLAN(command) },
	{ "workload", "working-set", FALSE, set_working_set, 0 },
	{ "workload", "run-limit", FALSE, set_limit, PLAN(run_limit_ns) },
	{ "placement", "fast", FALSE, set_draft_text, DRAFT(fast) },
	{ "placement", "fast-node", FALSE, set_draft_text, DRAFT(fast_node) },
	{ "placement", "slow-node", FALSE, set_draft_text, DRAFT(slow_node) },
	{ "placement", "mode", FALSE, set_draft_text, DRAFT(mode) },
	{ "placement", "cpus", FALSE, set_cpus, 0 },
	{ "placement", "emulator-cpus", FALSE, set_emulator_cpus, 0 },
	{ NULL, NULL, FALSE, NULL, 0 },
};

static gboolean is_group(const char *name)
{
	for (const Key *k = keys; k->name; k++) {
		if (g_str_equal(k->group, name))
			return TRUE;
	}
	return g_str_equal(name, "options");
}

static gboolean is_key(const char *group, const char *name)
{
	for (const Key *k = keys; k->name; k++) {
		if (g_str_equal(k->group, group) && g_str_equal(k->name, name))
			return TRUE;
	}
	/* The options have their own table. */
	return g_str_equal(group, "options");
}

static gboolean check_names(GKeyFile *file, GError **error)
{
	g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

	for (char **group = groups; *group; group++) {
		g_auto(GStrv) names = g_key_file_get_keys(file, *group, NULL, NULL);

		if (!is_group(*group)) {
			g_set_error(error, KX_PLAN_ERROR, KX_PLAN_ERROR_KEY,
				    "[%s]: there is no such group; groups are experiment, options, "
				    "vm, workload, placement",
				    *group);
			return FALSE;
		}
		for (char **name = names; name && *name; name++) {
			if (!is_key(*group, *name))
				return kx_plan_bad(error, *group, *name, "there is no such key");
		}
	}
	return TRUE;
}

static gboolean read_keys(Draft *d, GKeyFile *file, GError **error)
{
	for (const Key *k = keys; k->name; k++) {
		g_autofree char *value = NULL;
		g_autoptr(GError) local = NULL;

		if (!g_key_file_has_key(file, k->group, k->name, NULL)) {
			if (k->needed)
				return kx_plan_bad(error, k->group, k->name, "it is missing");
			continue;
		}
		value = g_key_file_get_value(file, k->group, k->name, &local);
		if (!value)
			return kx_plan_bad(error, k->group, k->name, "%s", local->message);
		if (!*g_strstrip(value))
			return kx_plan_bad(error, k->group, k->name, "it has no value");
		if (!k->set(d, k, value, error))
			return FALSE;
	}
	return TRUE;
}

/* --- values that depend on several keys ------------------------------------------------------------------------------ */

static gboolean finish_workload(Draft *d, GError **error)
{
	KxPlan *p = d->plan;
	g_autoptr(GError) local = NULL;

	if (!d->exec == !p->command)
		return kx_plan_bad(error, "workload", "exec",
				   "either exec or command must be there: %s",
				   d->exec ? "both are" : "none is");
	if (p->command && !p->ready)
		return kx_plan_bad(error, "vm", "ready",
				   "it is missing: with command, it must be 'agent' or a command "
				   "that succeeds when the VM is ready");
	if (p->ready && g_str_equal(p->ready, "agent"))
		g_clear_pointer(&p->ready, g_free);
	if (d->exec && !g_shell_parse_argv(d->exec, NULL, &p->exec, &local))
		return kx_plan_bad(error, "workload", "exec", "%s", local->message);
	if (p->exec && p->exec[0][0] != '/')
		return kx_plan_bad(error, "workload", "exec",
				   "the program needs its whole path in the guest, not '%s'",
				   p->exec[0]);
	return TRUE;
}

static gboolean node_number(const char *key, const char *value, guint *node, GError **error)
{
	guint64 n;

	if (!value || !kx_parse_number(value, NULL, &n) || n > 1023)
		return kx_plan_bad(error, "placement", key,
				   value ? "a node's number, not '%s'" : "it is missing%s",
				   value ? value : "");
	*node = (guint)n;
	return TRUE;
}

/* "1/5", of the memory. */
static gboolean finish_split(Draft *d, GError **error)
{
	KxPlacing *p = &d->plan->placement;
	const char *slash = d->fast ? strchr(d->fast, '/') : NULL;

	if (!d->fast) {
		if (d->fast_node || d->slow_node || d->mode)
			return kx_plan_bad(error, "placement", "fast",
					   "it is missing: the share of the memory on the fast "
					   "node, such as 1/5");
		return TRUE;
	}
	if (!slash || !kx_parse_number(d->fast, slash, &p->fast_share[0]) ||
	    !kx_parse_number(slash + 1, NULL, &p->fast_share[1]) || !p->fast_share[0] ||
	    p->fast_share[0] >= p->fast_share[1])
		return kx_plan_bad(error, "placement", "fast",
				   "a share between 0 and 1 such as 1/5, not '%s'", d->fast);
	if (!node_number("fast-node", d->fast_node, &p->fast_node, error) ||
	    !node_number("slow-node", d->slow_node, &p->slow_node, error))
		return FALSE;
	if (d->mode && !g_str_equal(d->mode, "strict") && !g_str_equal(d->mode, "preferred"))
		return kx_plan_bad(error, "placement", "mode", "strict or preferred, not '%s'",
				   d->mode);
	if (!d->lists.memory)
		return kx_plan_bad(error, "vm", "memory",
				   "it is missing: [placement] fast splits it");
	p->preferred = g_strcmp0(d->mode, "preferred") == 0;
	p->split = TRUE;
	return TRUE;
}

static gboolean check_cpus(const KxPlan *p, guint of_template, GError **error)
{
	guint most = 0;

	for (guint i = 0; i < p->points->len; i++) {
		const KxPoint *point = p->points->pdata[i];

		most = MAX(most, point->vms * (point->vcpus ? point->vcpus : of_template));
	}
	if (!p->placement.cpus || p->placement.cpus->len >= most)
		return TRUE;
	return kx_plan_bad(
		error, "placement", "cpus",
		"%u CPUs are too few: each vCPU of all VMs gets one of its own, %u in all",
		p->placement.cpus->len, most);
}

static gboolean check_exec(const KxPlan *p, const KxCloneWish *wish, GError **error)
{
	for (char **word = p->exec; word && *word; word++) {
		g_autofree char *unknown = kx_clone_unknown(*word, wish);

		if (unknown)
			return kx_plan_bad(error, "workload", "exec", KX_CLONE_NO_VALUE, unknown);
	}
	return TRUE;
}

/* Makes a clone of every point, so that what is wrong with the template is known before the first VM starts. */
static gboolean try_template(KxPlan *p, GError **error)
{
	for (guint i = 0; i < p->points->len; i++) {
		const KxCloneWish wish = { "0",
					   "clone",
					   "00000000-0000-4000-8000-000000000000",
					   0,
					   p->points->pdata[i],
					   &p->placement };
		g_autofree char *xml = kx_clone_xml(p->template, &wish, error);

		if (!xml || !check_exec(p, &wish, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean finish(Draft *d, GKeyFile *file, GError **error)
{
	KxPlan *p = d->plan;
	g_autofree char *name = NULL;
	guint vcpus;

	if (!kx_clone_look(p->template, &name, &vcpus, error))
		return FALSE;
	if (!p->name && strchr(name, '{'))
		return kx_plan_bad(error, "experiment", "name",
				   "it is missing, and the template's <name> has a placeholder");
	if (!p->name)
		p->name = g_steal_pointer(&name);
	if (!p->uri)
		p->uri = g_strdup("qemu:///system");
	return finish_workload(d, error) && finish_split(d, error) &&
	       kx_plan_make_points(p, &d->lists, error) &&
	       kx_plan_make_settings(p, file, d->trackers, error) && check_cpus(p, vcpus, error) &&
	       try_template(p, error);
}

static void draft_clear(Draft *d)
{
	g_free(d->trackers);
	g_free(d->exec);
	g_free(d->fast);
	g_free(d->fast_node);
	g_free(d->slow_node);
	g_free(d->mode);
	g_clear_pointer(&d->lists.vms, g_array_unref);
	g_clear_pointer(&d->lists.vcpus, g_array_unref);
	g_clear_pointer(&d->lists.memory, g_array_unref);
	g_clear_pointer(&d->lists.working_set, g_ptr_array_unref);
}

KxPlan *kx_plan_parse(const char *text, const char *dir, GError **error)
{
	g_autoptr(KxPlan) p = g_new0(KxPlan, 1);
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(GError) local = NULL;
	Draft d = { .plan = p, .dir = dir };
	gboolean ok;

	p->text = g_strdup(text);
	p->rounds = ROUNDS;
	p->boot_limit_ns = BOOT_LIMIT_NS;
	p->run_limit_ns = RUN_LIMIT_NS;
	if (!g_utf8_validate(text, -1, NULL) ||
	    !g_key_file_load_from_data(file, text, (gsize)-1, G_KEY_FILE_NONE, &local)) {
		g_set_error(error, KX_PLAN_ERROR, KX_PLAN_ERROR_FILE,
			    "this is no experiment's file: %s",
			    local ? local->message : "it is no UTF-8");
		return NULL;
	}
	ok = check_names(file, error) && kx_plan_check_once(text, error) &&
	     read_keys(&d, file, error) && finish(&d, file, error);
	draft_clear(&d);
	return ok ? g_steal_pointer(&p) : NULL;
}

KxPlan *kx_plan_read(const char *path, GError **error)
{
	g_autofree char *text = NULL, *dir = NULL, *here = g_get_current_dir(), *whole = NULL;
	g_autoptr(GError) local = NULL;
	gsize len;

	if (!g_file_get_contents(path, &text, &len, &local)) {
		g_set_error_literal(error, KX_PLAN_ERROR, KX_PLAN_ERROR_FILE, local->message);
		return NULL;
	}
	if (len > TEXT_MAX || strlen(text) != len) {
		g_set_error(error, KX_PLAN_ERROR, KX_PLAN_ERROR_FILE,
			    "this is no experiment's file: it is longer than 1 MiB, or binary");
		return NULL;
	}
	whole = g_canonicalize_filename(path, here);
	dir = g_path_get_dirname(whole);
	return kx_plan_parse(text, dir, error);
}
