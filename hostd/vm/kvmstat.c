// SPDX-License-Identifier: GPL-2.0-or-later
#include "kvmstat.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "base/error.h"
#include "base/jsontext.h"
#include "procstat.h"

char *kx_kvmstat_dir(const char *debugfs_root, pid_t pid, int vm_fd)
{
	return g_strdup_printf("%s/kvm/%d-%d", debugfs_root, pid, vm_fd);
}

static gboolean read_count(const char *dir, const char *name, guint64 *value, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	if (g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, G_MAXUINT64, value, NULL))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: not a number", path);
	return FALSE;
}

gboolean kx_kvmstat_debugfs(const char *kvm_dir, KxKvmStat *st, GError **error)
{
	return read_count(kvm_dir, "exits", &st->exits, error) &&
	       read_count(kvm_dir, "remote_tlb_flush", &st->remote_tlb_flushes, error);
}

/* json-glib's getters log a warning if a member has an unexpected type; these functions just return FALSE. */
static JsonArray *member_array(JsonNode *node, const char *name)
{
	JsonNode *m;

	if (!node || !JSON_NODE_HOLDS_OBJECT(node))
		return NULL;
	m = json_object_get_member(json_node_get_object(node), name);
	return m && JSON_NODE_HOLDS_ARRAY(m) ? json_node_get_array(m) : NULL;
}

static JsonNode *member_value(JsonNode *node, const char *name)
{
	JsonNode *m;

	if (!node || !JSON_NODE_HOLDS_OBJECT(node))
		return NULL;
	m = json_object_get_member(json_node_get_object(node), name);
	return m && JSON_NODE_HOLDS_VALUE(m) ? m : NULL;
}

/* Sums the statistic @name over the reply's objects (the VM, or each vCPU). */
static gboolean sum_stat(const char *reply, const char *name, guint64 *sum, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	gboolean found = FALSE;
	JsonArray *objects, *stats;
	guint i, j;

	if (!kx_json_load(parser, reply, -1, error))
		return FALSE;
	*sum = 0;
	objects = member_array(json_parser_get_root(parser), "return");
	for (i = 0; objects && i < json_array_get_length(objects); i++) {
		stats = member_array(json_array_get_element(objects, i), "stats");
		for (j = 0; stats && j < json_array_get_length(stats); j++) {
			JsonNode *key = member_value(json_array_get_element(stats, j), "name");
			JsonNode *value = member_value(json_array_get_element(stats, j), "value");

			if (!key || !value || g_strcmp0(json_node_get_string(key), name))
				continue;
			*sum += (guint64)json_node_get_int(value);
			found = TRUE;
		}
	}
	if (!found)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "QEMU's query-stats has no \"%s\"",
			    name);
	return found;
}

gboolean kx_kvmstat_qmp(const char *vm_reply, const char *vcpu_reply, KxKvmStat *st, GError **error)
{
	return sum_stat(vcpu_reply, "exits", &st->exits, error) &&
	       sum_stat(vm_reply, "remote_tlb_flush", &st->remote_tlb_flushes, error);
}

KxVmCounters *kx_vm_counters_unavailable(const char *why)
{
	KxVmCounters *c = g_new0(KxVmCounters, 1);

	c->kvm_na = g_strdup(why);
	c->vcpus_na = g_strdup(why);
	c->process_na = g_strdup(why);
	return c;
}

static void read_kvm(KxVmCounters *c, const struct kvm_ext_vm *vm, const char *kvm_dir,
		     const KxKvmStat *qmp)
{
	g_autoptr(GError) err = NULL;

	if (vm) {
		c->kvm = (KxKvmStat){ vm->exits, vm->remote_tlb_flushes };
		c->source = "module";
	} else if (kvm_dir && kx_kvmstat_debugfs(kvm_dir, &c->kvm, &err)) {
		c->source = "debugfs";
	} else if (qmp) {
		c->kvm = *qmp;
		c->source = "qmp";
	} else {
		c->kvm_na = g_strdup_printf(
			"neither the module nor debugfs nor QEMU gave KVM's counters (%s)",
			err ? err->message : "no debugfs directory");
	}
}

KxVmCounters *kx_vm_counters_read(const struct kvm_ext_vm *vm, const char *kvm_dir,
				  const KxKvmStat *qmp, const char *proc_root, pid_t pid)
{
	KxVmCounters *c = g_new0(KxVmCounters, 1);
	g_autoptr(GError) err = NULL, process = NULL;

	read_kvm(c, vm, kvm_dir, qmp);
	c->vcpus = kx_procstat_vcpus(proc_root, pid, kvm_dir, &err);
	if (!c->vcpus)
		c->vcpus_na = g_strdup(err->message);
	if (!kx_procstat_cpu(proc_root, pid, &c->process_ns, &process))
		c->process_na = g_strdup(process->message);
	return c;
}

KxVmCounters *kx_vm_counters_kvm(const struct kvm_ext_vm *vm, const char *kvm_dir)
{
	KxVmCounters *c = g_new0(KxVmCounters, 1);

	read_kvm(c, vm, kvm_dir, NULL);
	c->vcpus_na = g_strdup("not asked for");
	c->process_na = g_strdup(c->vcpus_na);
	return c;
}

KxVmCounters *kx_vm_counters_copy(const KxVmCounters *c)
{
	KxVmCounters *n = g_new0(KxVmCounters, 1);

	*n = *c;
	n->kvm_na = g_strdup(c->kvm_na);
	n->vcpus_na = g_strdup(c->vcpus_na);
	n->process_na = g_strdup(c->process_na);
	if (c->vcpus)
		n->vcpus = g_array_ref(c->vcpus); /* never changed once read */
	return n;
}

void kx_vm_counters_free(KxVmCounters *c)
{
	if (!c)
		return;
	g_free(c->kvm_na);
	g_free(c->vcpus_na);
	g_free(c->process_na);
	g_clear_pointer(&c->vcpus, g_array_unref);
	g_free(c);
}

/* Why @start and @end have no difference, or NULL. */
static char *kvm_no_delta(const KxVmCounters *start, const KxVmCounters *end)
{
	if (!start->source)
		return g_strdup(start->kvm_na);
	if (!end->source)
		return g_strdup(end->kvm_na);
	if (strcmp(start->source, end->source))
		return g_strdup_printf("the counters' source changed from %s to %s", start->source,
				       end->source);
	if (end->kvm.exits < start->kvm.exits ||
	    end->kvm.remote_tlb_flushes < start->kvm.remote_tlb_flushes)
		return g_strdup("KVM's counters were reset meanwhile");
	return NULL;
}

/* A new thread counts from its start; the time of a thread that has ended is lost. */
static char *vcpu_delta(const KxVmCounters *start, const KxVmCounters *end, guint64 *run,
			guint64 *wait)
{
	guint i, j = 0;

	if (!start->vcpus)
		return g_strdup(start->vcpus_na);
	if (!end->vcpus)
		return g_strdup(end->vcpus_na);
	*run = *wait = 0;
	for (i = 0; i < end->vcpus->len; i++) {
		const KxVcpuTime *e = &g_array_index(end->vcpus, KxVcpuTime, i), *s = NULL;

		if (j < start->vcpus->len &&
		    g_array_index(start->vcpus, KxVcpuTime, j).tid == e->tid)
			s = &g_array_index(start->vcpus, KxVcpuTime, j++);
		*run += e->run_ns - (s ? s->run_ns : 0);
		*wait += e->wait_ns - (s ? s->wait_ns : 0);
	}
	if (j < start->vcpus->len)
		return g_strdup("a vCPU thread ended meanwhile");
	return NULL;
}

/* The CPU time of the VMM's threads that run no vCPU. Call this after the vCPUs' time was written to @w. */
static char *vmm_delta(const KxVmCounters *start, const KxVmCounters *end, KxWindow *w)
{
	const char *na = w->vcpu_run_na	     ? w->vcpu_run_na
			 : start->process_na ? start->process_na
					     : end->process_na;
	guint64 all = end->process_ns - start->process_ns;

	if (na)
		return g_strdup(na);
	if (end->process_ns < start->process_ns)
		return g_strdup("the process' CPU time went back");
	/* The process's time is rounded, and was read a little later than that of the vCPUs: the difference may be negative. */
	w->vmm_cpu_ns = all - MIN(all, w->vcpu_run_ns);
	return NULL;
}

void kx_vm_counters_delta(const KxVmCounters *start, const KxVmCounters *end, KxWindow *w)
{
	g_free(w->exits_na);
	g_free(w->remote_tlb_flushes_na);
	g_free(w->exits_source);
	g_free(w->vcpu_run_na);
	g_free(w->vcpu_steal_na);
	g_free(w->vmm_cpu_na);

	w->exits_na = kvm_no_delta(start, end);
	w->remote_tlb_flushes_na = g_strdup(w->exits_na);
	w->exits = w->exits_na ? 0 : end->kvm.exits - start->kvm.exits;
	w->remote_tlb_flushes =
		w->exits_na ? 0 : end->kvm.remote_tlb_flushes - start->kvm.remote_tlb_flushes;
	w->exits_source = w->exits_na ? NULL : g_strdup(end->source);

	w->vcpu_run_na = vcpu_delta(start, end, &w->vcpu_run_ns, &w->vcpu_steal_ns);
	w->vcpu_steal_na = g_strdup(w->vcpu_run_na);
	if (w->vcpu_run_na)
		w->vcpu_run_ns = w->vcpu_steal_ns = 0;
	w->vmm_cpu_ns = 0;
	w->vmm_cpu_na = vmm_delta(start, end, w);
}
