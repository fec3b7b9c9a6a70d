/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon for the CLI's tests: the interface of hostd/dbus/org.kvmext1.xml on a UNIX socket, answered from canned data.
 *
 *     fake-daemon SOCKET REPORT LOG
 *
 * REPORT is a report as JSON; each call of Report moves its open windows on by one second. LOG gets a line for each call.
 * Certain names bring errors: see the table; "waits" an event first. A UUID of none of its VMs means vm2, as the clone that an experiment
 * has started; no clone can have the tracker pml. With FAKE_PAUSES it does not know when VMs were paused,
 * with FAKE_NO_LIBVIRT no VM can have a tracker in the guest. Prints "ready" once it listens; ends with its standard input.
 */
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <string.h>

#include <gio/gunixfdlist.h>

#include "control/holds.h"
#include "record/format.h"
#include "record/recorder.h"
#include "report/json.h"
#include "tracker/options.h"

static GMainLoop *loop;
static GDBusNodeInfo *interfaces;
static KxReport *report;
static FILE *calls;
static GPtrArray *connections; /* open connections; not owned */
static KxHolds *holds;

static const struct {
	const char *name, *uuid;
	gint32 id; /* -1: libvirt does not know it */
	guint32 pid;
	const char *state;
	gboolean attached;
	const char *tracker, *options, *mechanism, *yielded, *waiting;
	const char *emulated_by;
} vms[] = {
	{ "vm1", "6b7f3f2e-0000-4000-8000-000000000001", 1, 8004242, "running", TRUE, "abit-flush",
	  "interval=100ms granularity=4K flush-scope=pass", "", "", "", "" },
	{ "vm2", "6b7f3f2e-0000-4000-8000-000000000002", 2, 8004301, "running", TRUE, "off", "", "",
	  "", "", "" },
	{ "web server", "6b7f3f2e-0000-4000-8000-000000000003", 3, 8004302, "running", FALSE, "",
	  "", "pml", "", "", "" },
	{ "Größe 数据库", "6b7f3f2e-0000-4000-8000-000000000004", 4, 8004303, "paused", FALSE, "",
	  "", "", "", "waiting for the guest's module", "QEMU TCG" },
	{ "logged", "6b7f3f2e-0000-4000-8000-000000000005", -1, 8004304, "running", TRUE,
	  "dirty-log", "interval=10ms granularity=4K", "pml", "migration", "", "" },
};

static const struct {
	const char *target, *error;
} errors[] = {
	{ "busy", "Busy" },
	{ "attached", "AlreadyAttached" },
	{ "detached", "NotAttached" },
	{ "denied", "AccessDenied" },
	{ "gone", "VmGone" },
	{ "shadow", "NotSupported" },
	{ "nomodule", "NoModule" },
	{ "nolibvirt", "NoLibvirt" },
	{ "failed", "Failed" },
	{ "badoption", "InvalidOption" },
	{ "nobody", "NoSuchVm" },
};

static const char *error_of(const char *target)
{
	for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
		if (g_str_equal(errors[i].target, target))
			return errors[i].error;
	}
	return NULL;
}

static gboolean is_clone(const char *target)
{
	for (guint i = 0; i < G_N_ELEMENTS(vms); i++) {
		if (g_str_equal(vms[i].uuid, target))
			return FALSE;
	}
	return g_uuid_string_is_valid(target);
}

/* FAKE_MORE: the number of further VMs, whose names contain characters that a terminal would interpret. */
static void add_more(GVariantBuilder *b)
{
	const char *more = g_getenv("FAKE_MORE");
	guint number = more ? (guint)g_ascii_strtoull(more, NULL, 10) : 0;

	for (guint i = 0; i < number; i++) {
		g_autofree char *name =
			g_strdup_printf("more%03u \033[2J\033]0;title\a\r宽宽宽宽宽宽宽宽", i);
		GVariantDict d;

		g_variant_dict_init(&d, NULL);
		g_variant_dict_insert(&d, "name", "s", name);
		g_variant_dict_insert(&d, "pid", "u", 8005000 + i);
		g_variant_dict_insert(&d, "state", "s", "running");
		g_variant_builder_add_value(b, g_variant_dict_end(&d));
	}
}

static GVariant *list_vms(void)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < G_N_ELEMENTS(vms); i++) {
		GVariantDict d;

		g_variant_dict_init(&d, NULL);
		g_variant_dict_insert(&d, "name", "s", vms[i].name);
		g_variant_dict_insert(&d, "uuid", "s", vms[i].uuid);
		g_variant_dict_insert(&d, "pid", "u", vms[i].pid);
		if (vms[i].id >= 0)
			g_variant_dict_insert(&d, "id", "i", vms[i].id);
		g_variant_dict_insert(&d, "state", "s", vms[i].state);
		g_variant_dict_insert(&d, "emulated_by", "s", vms[i].emulated_by);
		g_variant_dict_insert(&d, "attached", "b", vms[i].attached);
		g_variant_dict_insert(&d, "tracker", "s", vms[i].tracker);
		g_variant_dict_insert(&d, "options", "s", vms[i].options);
		g_variant_dict_insert(&d, "mechanism", "s", vms[i].mechanism);
		g_variant_dict_insert(&d, "yielded", "s", vms[i].yielded);
		g_variant_dict_insert(&d, "waiting", "s", vms[i].waiting);
		g_variant_builder_add_value(&b, g_variant_dict_end(&d));
	}
	add_more(&b);
	return g_variant_new("(aa{sv})", &b);
}

static void move_on(KxWindow *w)
{
	if (!w->open)
		return;
	w->duration_ns += 1000000000;
	w->passes += 10;
	w->samples += 2500;
	w->cpu_ns += 20000000;
	w->flushes += 10;
	w->flush_ipis += 20;
	w->exits += 5000;
	if (g_getenv("FAKE_PAUSES") && !w->paused_na)
		w->paused_na = g_strdup("no libvirt told");
}

/* A target is a VM's name or its UUID. */
static gboolean is_meant(const char *name, char **targets)
{
	if (g_strv_contains((const char *const *)targets, name))
		return TRUE;
	for (guint i = 0; i < G_N_ELEMENTS(vms); i++) {
		if (g_str_equal(vms[i].name, name))
			return g_strv_contains((const char *const *)targets, vms[i].uuid);
	}
	return FALSE;
}

static GVariant *make_report(char **targets)
{
	g_autoptr(KxReport) part = kx_report_new();
	g_autofree char *json = NULL;

	part->kernel = g_strdup(report->kernel);
	part->version = g_strdup("0.1.0");
	part->hardware = g_strdup(report->hardware);
	part->hardware_under = g_strdup(report->hardware_under);
	for (guint i = 0; i < report->vms->len; i++) {
		KxVmReport *v = report->vms->pdata[i];

		if (*targets && !is_meant(v->name, targets))
			continue;
		g_ptr_array_foreach(v->windows, (GFunc)(void (*)(void))move_on, NULL);
		g_ptr_array_add(part->vms, v);
	}
	json = kx_report_to_json(part);
	/* the VMs are borrowed */
	while (part->vms->len)
		g_ptr_array_steal_index(part->vms, part->vms->len - 1);
	return g_variant_new("(s)", json);
}

/* The placement of the VM with this process in the report, on a host with two nodes. */
static GVariant *make_placement(const char *target)
{
	g_autoptr(KxReport) part = kx_report_new();
	g_autofree char *json = NULL;

	for (guint i = 0; i < report->vms->len; i++) {
		const KxVmReport *v = report->vms->pdata[i];
		g_autofree char *process = g_strdup_printf("/proc/%u", v->pid);
		KxPlacedNode fast = { 0, TRUE, FALSE, 1u << 30, 0, 100 };
		KxPlacedNode slow = { 1, FALSE, TRUE, 1u << 30, 512, 156 };
		KxVmReport *out;

		if (!g_str_equal(process, target))
			continue;
		out = kx_vm_report_new();
		out->name = g_strdup(v->name);
		out->placement = kx_placement_new();
		out->placement->host_nodes = 2;
		out->placement->tracker = g_strdup("ept-walk");
		out->placement->hot_pages = out->placement->hot_asked = 512;
		out->placement->rest_pages = out->placement->rest_asked = 256;
		out->placement->slow_rule = g_strdup("a node without CPUs is slow");
		g_array_append_val(out->placement->nodes, fast);
		g_array_append_val(out->placement->nodes, slow);
		g_ptr_array_add(part->vms, out);
	}
	json = kx_report_to_json(part);
	return g_variant_new("(s)", json);
}

/* A hot window of 4 MiB that moves up by itself every ten passes. */
static KxAccessMap *make_stairs(void)
{
	const KxAccessColumns columns = { 64, 64 };
	KxAccessMap *m = kx_access_map_new();

	m->tracker = g_strdup("abit-flush");
	m->options = g_strdup("interval=100ms");
	m->running = TRUE;
	m->unit = g_strdup(KX_ACCESS_PAGES);
	m->kind = g_strdup("touched");
	m->origin_realtime_ns = G_GINT64_CONSTANT(1795240000000000000);
	m->bin_ns = 100000000;
	m->interval_ns = 100000000;
	m->bin_pages = 256;
	m->sizes_every = 1;
	m->columns_nr = 64;
	g_array_append_val(m->columns, columns);
	for (guint i = 0; i < 160; i++) {
		KxAccessRow *r = kx_access_row_new();
		guint64 pages = 1024 + i % 10;

		r->bin = i;
		r->passes = 1;
		r->looks = 1;
		r->found = r->found_min = r->found_max = pages;
		r->pairs = i > 0;
		r->before = i ? 1024 + (i - 1) % 10 : 0;
		r->stayed = i && i % 10 ? 1024 : 0;
		r->blocks = 2 + (pages > 1024);
		m->block_use[9] += 2;
		if (pages > 1024)
			m->block_use[g_bit_storage(pages - 1024) - 1]++;
		g_array_set_size(r->cells, 64);
		for (guint k = 0; k < 4; k++)
			g_array_index(r->cells, guint64, i / 10 * 4 + k) = 256;
		g_array_index(r->cells, guint64, 63 - i / 10 * 4) += pages - 1024;
		g_array_append_val(m->sizes, pages);
		g_ptr_array_add(m->rows, r);
	}
	return m;
}

static GVariant *make_over_time(const char *target)
{
	g_autoptr(KxReport) part = kx_report_new();
	const KxAccessPart low = { 0, 0xa0 }, high = { 0x100, 0x10000 };
	g_autofree char *json = NULL;

	for (guint i = 0; i < report->vms->len; i++) {
		const KxVmReport *v = report->vms->pdata[i];
		g_autofree char *process = g_strdup_printf("/proc/%u", v->pid);
		char *one[] = { (char *)target, NULL };
		KxVmReport *out;

		if (!g_str_equal(process, target) && !is_meant(v->name, one))
			continue;
		out = kx_vm_report_new();
		out->name = g_strdup(v->name);
		out->pid = v->pid;
		out->attached = v->attached;
		out->ram_pages = v->ram_pages;
		out->over_time = kx_over_time_new();
		g_array_append_val(out->over_time->parts, low);
		g_array_append_val(out->over_time->parts, high);
		g_ptr_array_add(out->over_time->maps, make_stairs());
		g_ptr_array_add(part->vms, out);
	}
	json = kx_report_to_json(part);
	return g_variant_new("(s)", json);
}

/* The same report's VMs with their last windows. */
static GVariant *make_stats(char **targets)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	if (*targets && g_str_equal(*targets, "primes"))
		g_variant_builder_add_parsed(&b,
					     "{'name': <'primes'>, 'progress': <'priming, 23 % of "
					     "memory, about 60 s to go'>}");
	for (guint i = 0; i < report->vms->len; i++) {
		KxVmReport *v = report->vms->pdata[i];

		if (*targets && !is_meant(v->name, targets))
			continue;
		g_ptr_array_foreach(v->windows, (GFunc)(void (*)(void))move_on, NULL);
		if (v->attached)
			g_variant_builder_add_value(&b, kx_vm_to_variant(v));
	}
	return g_variant_new("(aa{sv})", &b);
}

/* The VM's open window gets the tracker and the options, as the daemon writes them. */
static void set_tracker(const char *target, GVariant *params)
{
	g_autoptr(GVariant) given = g_variant_get_child_value(params, 1);
	char *one[] = { (char *)target, NULL };
	KxOptions o;

	kx_options_init(&o);
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		const char *value;

		if (g_variant_lookup(given, k->key, "&s", &value))
			kx_options_set(&o, k->key, value, NULL);
	}
	for (guint i = 0; i < report->vms->len; i++) {
		KxVmReport *v = report->vms->pdata[i];
		KxWindow *w = v->windows->len ? v->windows->pdata[v->windows->len - 1] : NULL;

		if (!w || !w->open || !is_meant(v->name, one))
			continue;
		g_free(w->tracker);
		g_free(w->options);
		w->tracker = g_strdup(o.tracker->name);
		w->options = kx_options_to_string(&o);
	}
}

/* Every other of the first 64 pages. */
static GVariant *found_runs(void)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE("a(tt)"));
	for (guint64 gfn = 0x100; gfn < 0x140; gfn += 2)
		g_variant_builder_add(&b, "(tt)", gfn, (guint64)1);
	return g_variant_new("(a(tt))", &b);
}

/* FAKE_MICROCODE: the microcode of another host. */
static GVariant *environment(void)
{
	const char *microcode = g_getenv("FAKE_MICROCODE");

	return g_variant_new_parsed("({'microcode': <%s>, 'CONFIG_KVM_ELIDE_TLB_FLUSH_IF_YOUNG': "
				    "<'n'>, 'kvm_ext.build_na': <'the module is not loaded'>, "
				    "'libvirt': <'9.0.0'>, 'qemu': <'7.2.0'>},)",
				    microcode ? microcode : "0x1");
}

/* --- a recording of three frames, without the end, as of a killed daemon -------------------------------------------------- */

static GDBusMethodInvocation *recording; /* the call that waits for StopRecord */

static void begin_recording(GDBusMethodInvocation *invocation, char **targets)
{
	GUnixFDList *fds =
		g_dbus_message_get_unix_fd_list(g_dbus_method_invocation_get_message(invocation));
	g_autoptr(GVariant) made = g_variant_ref_sink(make_report(targets));
	KxRecorder *r = kx_recorder_new(g_unix_fd_list_get(fds, 0, NULL), NULL, NULL);
	const char *json;

	g_variant_get(made, "(&s)", &json);
	kx_recorder_put(
		r, KX_FRAME_HEAD,
		"{\"schema\":\"kvm-ext-record/1\",\"last_gfn\":1048575,\"ram_pages\":1048576}");
	kx_recorder_put(r, KX_FRAME_SETTING, "{\"epoch\":1,\"tracker\":\"abit\",\"options\":\"\"}");
	kx_recorder_put(r, KX_FRAME_REPORT, json);
	kx_recorder_end(r);
	g_assert_true(kx_recorder_wait(r, -1, NULL));
	kx_recorder_unref(r);
	recording = invocation;
}

static void end_recording(GDBusMethodInvocation *invocation)
{
	g_dbus_method_invocation_return_value(invocation, NULL);
	if (recording)
		g_dbus_method_invocation_return_value(
			g_steal_pointer(&recording),
			g_variant_new_parsed("({'why': <'on request'>, 'records': <uint64 12>, "
					     "'lost': <uint64 0>, 'bytes': <uint64 4096>, "
					     "'cpu_ns': <uint64 1000000>},)"));
}

static GVariant *answer(const char *method, char **targets)
{
	if (g_str_equal(method, "List"))
		return list_vms();
	if (g_str_equal(method, "Report"))
		return make_report(targets);
	if (g_str_equal(method, "Stats"))
		return make_stats(targets);
	if (g_str_equal(method, "Heat"))
		return make_report(targets);
	if (g_str_equal(method, "Placement"))
		return make_placement(targets[0]);
	if (g_str_equal(method, "OverTime"))
		return make_over_time(targets[0]);
	if (g_str_equal(method, "Found"))
		return found_runs();
	if (g_str_equal(method, "Environment"))
		return environment();
	if (g_str_equal(method, "RunPass"))
		return g_variant_new("(t)", (guint64)17);
	return NULL;
}

static char **targets_of(GVariant *params)
{
	g_autoptr(GVariant) first =
		g_variant_n_children(params) ? g_variant_get_child_value(params, 0) : NULL;
	char **targets = g_new0(char *, 2);

	if (first && g_variant_is_of_type(first, G_VARIANT_TYPE_STRING_ARRAY)) {
		g_free(targets);
		return g_variant_dup_strv(first, NULL);
	}
	if (first)
		targets[0] = g_variant_dup_string(first, NULL);
	return targets;
}

/* Like the daemon, for a guest that answers late; an event of another VM comes before. */
static void tell_waiting(GDBusConnection *c)
{
	static const char *const names[] = { "vm2", "waits" };

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *reason = g_strconcat("waiting for the guest of ", names[i], NULL);
		GVariantDict d;

		g_variant_dict_init(&d, NULL);
		g_variant_dict_insert(&d, "reason", "s", reason);
		g_dbus_connection_emit_signal(
			c, NULL, "/org/kvmext1", "org.kvmext1.Manager", "Event",
			g_variant_new("(ss@a{sv})", names[i], "waiting", g_variant_dict_end(&d)),
			NULL);
	}
}

/* Like the daemon after such a call: to all connections. */
static void tell_done(const char *method, const char *target)
{
	static const struct {
		const char *method, *event;
	} events[] = { { "Attach", "attached" },
		       { "SetTracker", "tracker" },
		       { "Detach", "detached" } };

	for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
		if (!g_str_equal(events[i].method, method))
			continue;
		for (guint n = 0; n < connections->len; n++)
			g_dbus_connection_emit_signal(
				connections->pdata[n], NULL, "/org/kvmext1", "org.kvmext1.Manager",
				"Event",
				g_variant_new_parsed(
					"(%s, %s, {'uuid': <'6b7f3f2e'>, 'pid': <uint32 "
					"8004242>, 'tracker': <'abit'>, 'options': "
					"<'interval=100ms'>})",
					target, events[i].event),
				NULL);
	}
}

/* Like the daemon, with the daemon's own code. */
static void hold(GDBusConnection *c, const char *method, GVariant *params,
		 GDBusMethodInvocation *invocation)
{
	g_autofree char *client = g_strdup_printf("%p", (void *)c);
	g_autoptr(GCancellable) gone = g_cancellable_new();
	g_autoptr(GError) error = NULL;
	const char *who;
	guint32 pid;

	if (g_str_equal(method, "Release")) {
		g_variant_get(params, "(u)", &pid);
		kx_holds_release(holds, (pid_t)pid, client);
		g_dbus_method_invocation_return_value(invocation, NULL);
		return;
	}
	g_signal_connect_object(c, "closed", G_CALLBACK(g_cancellable_cancel), gone,
				G_CONNECT_SWAPPED);
	g_variant_get(params, "(u&s)", &pid, &who);
	if (kx_holds_take(holds, (pid_t)pid, client, who, gone, &error))
		g_dbus_method_invocation_return_value(invocation, NULL);
	else
		g_dbus_method_invocation_return_dbus_error(invocation, "org.kvmext1.Error.Busy",
							   error->message);
}

/* The VM `slow` is attached a while after the call, whether the caller waits or not; until then it is not attached. */
static gboolean slow_attached;

static gboolean attach_slow(gpointer data)
{
	GDBusMethodInvocation *invocation = data;

	slow_attached = TRUE;
	g_dbus_method_invocation_return_value(invocation, NULL);
	return G_SOURCE_REMOVE;
}

/* FALSE: the call is answered like that of another VM. */
static gboolean call_slow(const char *method, GDBusMethodInvocation *invocation)
{
	gboolean was = slow_attached;

	if (g_str_equal(method, "Attach")) {
		g_timeout_add(1000, attach_slow, invocation);
		return TRUE;
	}
	if (g_str_equal(method, "Detach"))
		slow_attached = FALSE;
	if (was)
		return FALSE;
	g_dbus_method_invocation_return_dbus_error(invocation, "org.kvmext1.Error.NotAttached",
						   "the VM is not attached");
	return TRUE;
}

static void on_call(GDBusConnection *c, const char *sender, const char *path, const char *interface,
		    const char *method, GVariant *params, GDBusMethodInvocation *invocation,
		    gpointer data)
{
	gboolean by_pid = g_variant_is_of_type(params, G_VARIANT_TYPE("(u*)")) ||
			  g_variant_is_of_type(params, G_VARIANT_TYPE("(u)"));
	g_auto(GStrv) targets = by_pid ? g_new0(char *, 1) : targets_of(params);
	g_autofree char *text = g_variant_print(params, FALSE);
	const char *error = targets[0] ? error_of(targets[0]) : NULL;
	gboolean clone = FALSE;

	fprintf(calls, "%s %s\n", method, text);
	fflush(calls);
	if (g_str_equal(method, "Hold") || g_str_equal(method, "Release")) {
		hold(c, method, params, invocation);
		return;
	}
	if (targets[0] && g_str_equal(targets[0], "crash")) {
		g_dbus_connection_close(c, NULL, NULL, NULL);
		g_object_unref(invocation);
		return;
	}
	if (error) {
		g_autofree char *name = g_strconcat("org.kvmext1.Error.", error, NULL);
		g_autofree char *message = g_strdup_printf("canned %s for '%s'", error, targets[0]);

		g_dbus_method_invocation_return_dbus_error(invocation, name, message);
		return;
	}
	if (g_str_equal(method, "Record")) {
		begin_recording(invocation, targets);
		return;
	}
	if (g_str_equal(method, "StopRecord")) {
		end_recording(invocation);
		return;
	}
	if (targets[0] && g_str_equal(targets[0], "slow") && call_slow(method, invocation))
		return;
	if (targets[0] && g_str_equal(targets[0], "waits"))
		tell_waiting(c);
	for (char **target = targets; *target; target++) {
		if (is_clone(*target)) {
			g_free(*target);
			*target = g_strdup("vm2");
			clone = TRUE;
		}
	}
	if (clone && g_str_equal(method, "SetTracker") && strstr(text, "'tracker': <'pml'>")) {
		g_dbus_method_invocation_return_dbus_error(
			invocation, "org.kvmext1.Error.NotSupported", "this CPU has no PML");
		return;
	}
	if (g_getenv("FAKE_NO_LIBVIRT") && g_str_equal(method, "SetTracker") &&
	    strstr(text, "'tracker': <'guest-")) {
		g_dbus_method_invocation_return_dbus_error(
			invocation, "org.kvmext1.Error.NoLibvirt", "libvirt cannot be reached");
		return;
	}
	/* Like the daemon, which accepts this option only in SetTracker. */
	if (clone && g_str_equal(method, "Attach") && strstr(text, "'fresh'")) {
		g_dbus_method_invocation_return_dbus_error(invocation,
							   "org.kvmext1.Error.InvalidOption",
							   "there is no tracker option 'fresh'");
		return;
	}
	if (g_str_equal(method, "SetTracker"))
		set_tracker(targets[0], params);
	g_dbus_method_invocation_return_value(invocation, answer(method, targets));
	if (targets[0])
		tell_done(method, targets[0]);
}

static GVariant *on_get(GDBusConnection *c, const char *sender, const char *path,
			const char *interface, const char *property, GError **error, gpointer data)
{
	if (g_str_equal(property, "Version"))
		return g_variant_new_string("0.1.0-fake");
	if (g_str_equal(property, "LibvirtUri"))
		return g_variant_new_string("qemu:///fake");
	return g_variant_new_boolean(TRUE);
}

static void on_closed(GDBusConnection *c, gboolean remote, GError *error, gpointer data)
{
	g_ptr_array_remove(connections, c);
	g_object_unref(c);
}

static gboolean on_connection(GDBusServer *server, GDBusConnection *c, gpointer data)
{
	static const GDBusInterfaceVTable vtable = { on_call, on_get, NULL, { 0 } };
	g_autoptr(GError) error = NULL;

	if (!g_dbus_connection_register_object(c, "/org/kvmext1", interfaces->interfaces[0],
					       &vtable, NULL, NULL, &error))
		g_error("%s", error->message);
	g_signal_connect(g_object_ref(c), "closed", G_CALLBACK(on_closed), NULL);
	g_ptr_array_add(connections, c);
	return TRUE;
}

static void on_input(GObject *in, GAsyncResult *result, gpointer data)
{
	g_main_loop_quit(loop);
}

static void load(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = NULL, *json = NULL;

	if (!g_file_get_contents("hostd/dbus/org.kvmext1.xml", &xml, NULL, &error) ||
	    !(interfaces = g_dbus_node_info_new_for_xml(xml, &error)) ||
	    !g_file_get_contents(path, &json, NULL, &error) ||
	    !(report = kx_report_from_json(json, &error)))
		g_error("%s", error->message);
}

int main(int argc, char **argv)
{
	g_autofree char *guid = g_dbus_generate_guid(), *address = NULL;
	g_autoptr(GInputStream) in = g_unix_input_stream_new(0, FALSE);
	g_autoptr(GDBusServer) server = NULL;
	g_autoptr(GError) error = NULL;
	char byte;

	if (argc != 4)
		return 2;
	load(argv[2]);
	calls = fopen(argv[3], "ae");
	connections = g_ptr_array_new();
	holds = kx_holds_new("/proc");
	if (!calls)
		return 1;
	address = g_strdup_printf("unix:path=%s", argv[1]);
	server =
		g_dbus_server_new_sync(address, G_DBUS_SERVER_FLAGS_NONE, guid, NULL, NULL, &error);
	if (!server)
		g_error("%s", error->message);
	g_signal_connect(server, "new-connection", G_CALLBACK(on_connection), NULL);
	g_dbus_server_start(server);
	puts("ready");
	fflush(stdout);
	loop = g_main_loop_new(NULL, FALSE);
	g_input_stream_read_async(in, &byte, 1, 0, NULL, on_input, NULL);
	g_main_loop_run(loop);
	g_dbus_server_stop(server);
	kx_holds_free(holds);
	fclose(calls);
	return 0;
}
