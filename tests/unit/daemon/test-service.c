// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* setresuid */
/*
 * The service over its own socket, with a module in memory (fake-module.h): the whole way from a method call to the ring
 * and back. Callers sit on a thread of their own, as other processes do.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <gio/gunixinputstream.h>
#include <glib/gstdio.h>
#include <kvm-ext/version.h>

#include "base/error.h"
#include "base/refusal.h"
#include "cases.h"
#include "fake-module.h"
#include "fake-numa.h"
#include "fake-service.h"
#include "record/replay.h"
#include "report/json.h"
#include "report/text.h"
#include "vm/procstat.h"

typedef struct {
	FakeService on;
	char *self; /* "pid:N" of this process, which plays QEMU */
	GString *events;
	KxHost host; /* of cases with files of their own */
} State;

static void on_signal(GDBusConnection *c, const char *sender, const char *path,
		      const char *interface, const char *signal, GVariant *params, gpointer data)
{
	State *s = data;
	const char *target, *event;

	g_variant_get(params, "(&s&s@a{sv})", &target, &event, NULL);
	g_string_append_printf(s->events, "%s ", event);
}

/* The version that the loaded module shows; NULL: no module can be seen. */
static int setup_with(void **state, const char *module_version)
{
	State *s = g_new0(State, 1);

	fake_reset();
	fake_numa_reset();
	s->self = g_strdup_printf("pid:%d", getpid());
	s->events = g_string_new(NULL);
	fake_service_root(&s->on);
	s->host = fake_host;
	s->host.numa = &fake_numa_sys;
	if (module_version) {
		s->host.root = s->on.root;
		fake_write(s->on.root, "sys/module/kvm_ext/version", module_version);
	}
	fake_service_start(&s->on, &s->host);
	g_dbus_connection_signal_subscribe(s->on.client, NULL, "org.kvmext1.Manager", "Event",
					   KX_DBUS_PATH, NULL, 0, on_signal, s, NULL);
	*state = s;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, NULL);
}

static int setup_old_module(void **state)
{
	return setup_with(state, "0.0.9\n");
}

static int setup_own_module(void **state)
{
	return setup_with(state, KVM_EXT_VERSION "\n");
}

static int teardown(void **state)
{
	State *s = *state;

	fake_service_stop(&s->on);
	g_free(s->self);
	g_string_free(s->events, TRUE);
	g_free(s);
	return 0;
}

static void start_call(State *s, const char *method, GVariant *params, FakeAnswer *a)
{
	fake_start_call(&s->on, method, params, 20000, a);
}

/* NULL: the call failed with org.kvmext1.Error.@want. */
static GVariant *call(State *s, const char *method, GVariant *params, const char *want)
{
	g_autofree char *name = NULL,
			*full = g_strdup_printf("org.kvmext1.Error.%s", want ? want : "");
	FakeAnswer a = { 0 };

	start_call(s, method, params, &a);
	fake_finish_call(&a);
	if (!want) {
		if (a.error)
			fail_msg("%s: %s", method, a.error->message);
		return a.reply;
	}
	assert_non_null(a.error);
	name = g_dbus_error_get_remote_error(a.error);
	assert_string_equal(name, full);
	g_error_free(a.error);
	return NULL;
}

static void expect(State *s, const char *method, GVariant *params, const char *want)
{
	g_autoptr(GVariant) reply = call(s, method, params, want);
}

static GVariant *with_options_list(const char *target, ...)
{
	const char *key;
	GVariantDict d;
	va_list args;

	g_variant_dict_init(&d, NULL);
	va_start(args, target);
	while ((key = va_arg(args, const char *)))
		g_variant_dict_insert(&d, key, "s", va_arg(args, const char *));
	va_end(args);
	return g_variant_new("(s@a{sv})", target, g_variant_dict_end(&d));
}

#define with_options(...) with_options_list(__VA_ARGS__, (const char *)NULL)

static GVariant *with_targets(const char *target)
{
	const char *const targets[] = { target, NULL };

	return g_variant_new("(^as)", targets);
}

static KxReport *report_in(GVariant *reply)
{
	g_autoptr(GError) error = NULL;
	const char *json;
	KxReport *r;

	g_variant_get(reply, "(&s)", &json);
	r = kx_report_from_json(json, &error);
	if (!r)
		fail_msg("%s", error->message);
	return r;
}

static KxReport *report(State *s, const char *target)
{
	g_autoptr(GVariant) reply = call(s, "Report", with_targets(target), NULL);

	return report_in(reply);
}

static KxReport *placement(State *s)
{
	g_autoptr(GVariant) reply = call(s, "Placement", g_variant_new("(s)", s->self), NULL);

	return report_in(reply);
}

static const KxWindow *window_of(const KxReport *r, guint vm, guint window)
{
	const KxVmReport *v = r->vms->pdata[vm];

	assert_true(window < v->windows->len);
	return v->windows->pdata[window];
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

static void attaches_switches_reports_detaches(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) live = NULL, after = NULL;
	g_autoptr(GVariant) found = NULL, pass = NULL, list = NULL;
	const KxVmReport *v;
	guint64 gfn, n, nr;

	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	assert_true(fake.attached);
	assert_int_equal(fake.tracker.tracker, KVM_EXT_TRACKER_ABIT);
	assert_int_equal(fake.tracker.interval_ns, 0);
	pass = call(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	g_variant_get(pass, "(t)", &nr);
	assert_int_equal(nr, 1);

	fake.passes_at_set = 1; /* one more pass ends just before the switch */
	expect(s, "SetTracker",
	       with_options(s->self, "tracker", "abit-flush", "flush-scope", "page"), NULL);
	assert_int_equal(fake.tracker.flush_scope, KVM_EXT_FLUSH_PAGE);
	assert_int_equal(fake.tracker.interval_ns, 0); /* kept */
	fake.found.gfn = 0x200;
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);

	live = report(s, s->self);
	v = live->vms->pdata[0];
	assert_true(v->attached);
	assert_string_equal(v->paging, "NPT");
	assert_int_equal(v->windows->len, 2);
	assert_string_equal(window_of(live, 0, 0)->tracker, "abit");
	assert_false(window_of(live, 0, 0)->open);
	assert_int_equal(window_of(live, 0, 0)->passes, 2);
	assert_int_equal(window_of(live, 0, 0)->pass_costs.sums.n, 2);
	assert_int_equal(window_of(live, 0, 0)->samples, 8);
	assert_int_equal(window_of(live, 0, 0)->found_pages, 4);
	assert_true(window_of(live, 0, 0)->exits > 0);
	assert_string_equal(window_of(live, 0, 0)->exits_source, "module");
	assert_true(window_of(live, 0, 1)->open);
	assert_int_equal(window_of(live, 0, 1)->passes, 1);

	found = call(s, "Found", g_variant_new("(st)", s->self, window_of(live, 0, 1)->id), NULL);
	found = (g_variant_get_child(found, 0, "@a(tt)", &list), found);
	assert_int_equal(g_variant_n_children(list), 1);
	g_variant_get_child(list, 0, "(tt)", &gfn, &n);
	assert_int_equal(gfn, 0x200);
	assert_int_equal(n, 4);

	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	assert_false(fake.attached);
	after = report(s, s->self);
	assert_false(((KxVmReport *)after->vms->pdata[0])->attached);
	assert_string_equal(((KxVmReport *)after->vms->pdata[0])->ended, "detached");
	assert_int_equal(window_of(after, 0, 1)->passes, 1);
	assert_non_null(strstr(s->events->str, "attached tracker detached"));
}

static char *why_not(State *s, const char *method, GVariant *params)
{
	FakeAnswer a = { 0 };
	char *text;

	start_call(s, method, params, &a);
	fake_finish_call(&a);
	assert_non_null(a.error);
	g_dbus_error_strip_remote_error(a.error);
	text = g_strdup(a.error->message);
	g_error_free(a.error);
	return text;
}

static void refuses_with_the_right_error(void **state)
{
	State *s = *state;
	g_autofree char *why = NULL;
	GVariantDict d;

	expect(s, "Attach", with_options("vm1"), "NoLibvirt");
	expect(s, "Attach", with_options("pid:2147483000"), "NoSuchVm");
	expect(s, "Attach", with_options(s->self, "tracker", "warp"), "InvalidOption");
	expect(s, "Attach", with_options(s->self, "colour", "red"), "InvalidOption");
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "flush-scope", "page"),
	       "InvalidOption");
	g_variant_dict_init(&d, NULL);
	g_variant_dict_insert(&d, "interval", "t", (guint64)5);
	expect(s, "Attach", g_variant_new("(s@a{sv})", s->self, g_variant_dict_end(&d)),
	       "InvalidOption");
	/* QEMU reads its log at an interval, and is asked through libvirt. */
	expect(s, "Attach", with_options(s->self, "tracker", "dirty-log", "log-via", "qemu"),
	       "NotSupported");
	expect(s, "Attach",
	       with_options(s->self, "tracker", "dirty-log", "log-via", "qemu", "interval", "0"),
	       "InvalidOption");
	expect(s, "SetTracker", with_options(s->self, "tracker", "abit"), "NotAttached");
	expect(s, "RunPass", g_variant_new("(s)", s->self), "NotAttached");
	expect(s, "Detach", g_variant_new("(s)", s->self), "NotAttached");
	expect(s, "Found", g_variant_new("(st)", s->self, (guint64)1), "NotAttached");

	fake.device_errno = ENOENT;
	expect(s, "Attach", with_options(s->self, "tracker", "abit"), "NoModule");
	expect(s, "Attach", with_options(s->self, "tracker", "guest-abit"), "NotSupported");
	fake.device_errno = EACCES;
	expect(s, "Attach", with_options(s->self), "AccessDenied");
	fake.device_errno = EPERM; /* a unit without the device */
	why = why_not(s, "Attach", with_options(s->self));
	assert_non_null(strstr(why, "systemctl restart kvm-extd"));
	fake.device_errno = 0;
	fake.attach_errno = EBUSY;
	expect(s, "Attach", with_options(s->self), "Busy");
	fake.attach_errno = 0;
	fake.set_errno = EOPNOTSUPP;
	expect(s, "Attach", with_options(s->self, "tracker", "abit"), "NotSupported");
	assert_false(fake.attached);
	fake.set_errno = 0;

	expect(s, "Attach", with_options(s->self), NULL);
	expect(s, "Attach", with_options(s->self), "AlreadyAttached");
	expect(s, "RunPass", g_variant_new("(s)", s->self), "InvalidOption"); /* off has no pass */
	expect(s, "Found", g_variant_new("(st)", s->self, (guint64)99), "InvalidOption");
}

/* Plays a QEMU that can be killed. */
static pid_t start_vm(char **target)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		/* in a program of its own: this one has threads, whose locks fork() copies */
		execlp("sleep", "sleep", "600", (char *)NULL);
		_exit(127);
	}
	*target = g_strdup_printf("pid:%d", pid);
	return pid;
}

static void kill_vm(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* off needs no module; a tracker that needs it says so, and is served once the module is loaded. */
static void session_without_the_module(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) alone = NULL, with = NULL;
	g_autofree char *why = NULL, *text = NULL, *vm = NULL;
	pid_t pid = start_vm(&vm);
	const KxVmReport *v;

	fake.device_errno = ENOENT;
	expect(s, "Attach", with_options(vm), NULL);
	assert_int_equal(fake.opens, 0);
	why = why_not(s, "SetTracker", with_options(vm, "tracker", "abit"));
	assert_non_null(strstr(why, "tracker abit: /dev/kvm-ext is not there"));
	expect(s, "RunPass", g_variant_new("(s)", vm), "InvalidOption");
	expect(s, "SetTracker", with_options(vm, "tracker", "off"), NULL);
	alone = report(s, vm);
	v = alone->vms->pdata[0];
	assert_true(v->attached);
	assert_string_equal(v->paging, "unknown");
	assert_string_equal(v->ad_bits, "unknown");
	assert_string_equal(v->log_mode, "unknown");
	assert_int_equal(v->windows->len, 2);
	assert_string_equal(window_of(alone, 0, 0)->tracker, "off");
	assert_false(window_of(alone, 0, 0)->open);
	assert_true(window_of(alone, 0, 1)->open);
	assert_non_null(window_of(alone, 0, 1)->exits_na);
	text = kx_report_to_text(alone, 0);
	assert_non_null(strstr(text, "vCPUs unknown, paging unknown, A/D bits unknown"));
	assert_null(strstr(text, "memslot"));

	fake.device_errno = 0;
	expect(s, "SetTracker", with_options(vm, "tracker", "abit", "interval", "0"), NULL);
	assert_true(fake.attached);
	expect(s, "RunPass", g_variant_new("(s)", vm), NULL);
	expect(s, "SetTracker", with_options(vm, "tracker", "off"), NULL);
	assert_int_equal(fake.tracker.tracker, KVM_EXT_TRACKER_OFF);
	with = report(s, vm);
	v = with->vms->pdata[0];
	assert_string_equal(v->paging, "NPT");
	assert_int_equal(v->windows->len, 4);
	assert_int_equal(window_of(with, 0, 2)->passes, 1);
	assert_int_equal(window_of(with, 0, 2)->samples, 4);
	assert_string_equal(window_of(with, 0, 3)->exits_source, "module");
	expect(s, "Detach", g_variant_new("(s)", vm), NULL);
	kill_vm(pid);
}

/* The value of @key of the only VM in @method's answer. */
static char *told(State *s, const char *method, GVariant *params, const char *key)
{
	g_autoptr(GVariant) reply = call(s, method, params, NULL);
	g_autoptr(GVariant) vms = g_variant_get_child_value(reply, 0);
	g_autoptr(GVariant) vm = NULL;
	char *text = NULL;

	assert_int_equal(g_variant_n_children(vms), 1);
	vm = g_variant_get_child_value(vms, 0);
	g_variant_lookup(vm, key, "s", &text);
	return text ? text : g_strdup("");
}

/* Plays a QEMU without KVM: a thread's name tells. */
static pid_t start_emulated_vm(char **target)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "CPU 0/TCG");
		for (;;)
			pause();
	}
	while (!kx_procstat_is_emulated("/proc", pid))
		g_usleep(1000);
	*target = g_strdup_printf("pid:%d", pid);
	return pid;
}

/* Neither the module nor the host's kernel knows such a VM: only what runs in the guest can track it. */
static void session_of_an_emulated_vm(void **state)
{
	State *s = *state;
	g_autofree char *vm = NULL, *first = NULL, *later = NULL, *rate = NULL, *text = NULL,
			*listed = NULL;
	g_autoptr(KxReport) r = NULL;
	pid_t pid = start_emulated_vm(&vm);

	first = why_not(s, "Attach", with_options(vm, "tracker", "abit"));
	assert_non_null(strstr(first, "tracker abit: QEMU emulates this VM (TCG"));
	assert_non_null(strstr(first, "guest-pebs, guest-abit"));
	expect(s, "Attach", with_options(vm, "tracker", "abit"), "NotSupported");
	expect(s, "Attach", with_options(vm), NULL);
	assert_int_equal(fake.opens, 0);
	r = report(s, vm);
	assert_string_equal(((KxVmReport *)r->vms->pdata[0])->emulated_by, "QEMU TCG");
	listed = told(s, "List", g_variant_new("()"), "emulated_by");
	assert_string_equal(listed, "QEMU TCG");
	assert_string_equal(window_of(r, 0, 0)->exits_na, "QEMU emulates this VM, KVM is not used");
	assert_null(((KxVmReport *)r->vms->pdata[0])->log_mechanism);
	text = kx_report_to_text(r, 0);
	assert_non_null(strstr(text, "emulated by QEMU TCG, without KVM"));
	later = why_not(s, "SetTracker", with_options(vm, "tracker", "dirty-log"));
	assert_non_null(strstr(later, "tracker dirty-log: QEMU emulates this VM"));
	rate = why_not(s, "SetTracker", with_options(vm, "tracker", "soft-dirty"));
	assert_non_null(strstr(rate, "QEMU's own accesses"));
	assert_int_equal(fake.opens, 0);
	expect(s, "Detach", g_variant_new("(s)", vm), NULL);
	kill_vm(pid);
}

static guint pidfds(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	const char *name;
	guint n = 0;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename("/proc/self/fd", name, NULL);
		g_autofree char *link = g_file_read_link(path, NULL);

		n += link && strstr(link, "pidfd") != NULL;
	}
	return n;
}

/* Without the module no descriptor of it hangs up when the VM ends. */
static void vm_that_goes_without_the_module(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	g_autofree char *vm = NULL;
	pid_t pid = start_vm(&vm);

	fake.device_errno = ENOENT;
	expect(s, "Attach", with_options(vm), NULL);
	assert_int_equal(pidfds(), 1);
	kill_vm(pid);
	while (!strstr(s->events->str, "vm-gone"))
		g_main_context_iteration(NULL, TRUE);
	assert_int_equal(pidfds(), 0); /* a session that has ended has no pidfd */
	expect(s, "SetTracker", with_options(vm, "tracker", "off"), "VmGone");
	r = report(s, vm);
	assert_string_equal(((KxVmReport *)r->vms->pdata[0])->ended, "VM gone");
	assert_non_null(window_of(r, 0, 0)->exits_na);
}

/* Properties of the VM explain the module's error number. */
static void refusals_give_the_reason(void **state)
{
	State *s = *state;
	g_autofree char *shadow = NULL, *no_bits = NULL, *regions = NULL, *old = NULL;

	fake.set_errno = EOPNOTSUPP;
	fake.vm.paging = KVM_EXT_PAGING_SHADOW;
	shadow = why_not(s, "Attach", with_options(s->self, "tracker", "ept-walk"));
	assert_non_null(strstr(shadow, "shadow paging"));
	fake.vm.paging = KVM_EXT_PAGING_EPT;
	fake.vm.ad_bits = 0;
	no_bits = why_not(s, "Attach", with_options(s->self, "tracker", "ept-walk"));
	assert_non_null(strstr(no_bits, "no hardware A bits"));
	fake.set_errno = E2BIG;
	fake.vm.memslots = 9;
	regions = why_not(s, "Attach", with_options(s->self, "tracker", "abit", "regions", "1:3"));
	assert_non_null(strstr(regions, "3 regions at most are too few"));
	assert_non_null(strstr(regions, "allow 9"));
	old = why_not(s, "Attach", with_options(s->self, "tracker", "abit"));
	assert_non_null(strstr(old, "older than the daemon"));
}

/* Pages are chosen by what this VM's trackers have found: at first nothing, later pages. */
static void traps_by_heat(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	g_autofree char *why = NULL;

	fake.vm.ram_pages = 400;
	why = why_not(s, "Attach", with_options(s->self, "tracker", "trap", "pages", "hottest:1%"));
	assert_non_null(strstr(why, "run a tracker of accessed bits first"));
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	expect(s, "SetTracker", with_options(s->self, "tracker", "trap", "pages", "coldest"),
	       "InvalidOption");
	assert_int_equal(fake.tracker.tracker, KVM_EXT_TRACKER_ABIT);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	expect(s, "SetTracker",
	       with_options(s->self, "tracker", "trap", "pages", "hottest:1%", "fault-budget", "7"),
	       NULL);
	assert_int_equal(fake.tracker.tracker, KVM_EXT_TRACKER_TRAP);
	assert_int_equal(fake.tracker.nr_ranges, 1);
	assert_int_equal(fake.range.gfn, fake.found.gfn);
	assert_int_equal(fake.range.npages, fake.found.npages);
	assert_int_equal(fake.tracker.trap_share_ppm, 1000000);
	assert_int_equal(fake.tracker.trap_faults_per_s, 7);
	r = report(s, s->self);
	assert_true(window_of(r, 0, 1)->has_trap);
	assert_int_equal(window_of(r, 0, 1)->trap_faults_budget, 7);
	assert_int_equal(window_of(r, 0, 1)->trap_time_budget_ppm, KVM_EXT_TRAP_TIME_DEFAULT);
}

/* Without libvirt it is not known where the memory is in QEMU; on a host with one node this is not needed. */
static void tells_where_memory_lies(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) two = NULL, one = NULL;
	const KxPlacement *p;

	expect(s, "Placement", g_variant_new("(s)", s->self), "NotAttached");
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	two = placement(s);
	assert_int_equal(two->vms->len, 1);
	p = ((KxVmReport *)two->vms->pdata[0])->placement;
	assert_non_null(strstr(p->na, "only through libvirt"));
	fake_numa.bytes[1] = 0;
	one = placement(s);
	p = ((KxVmReport *)one->vms->pdata[0])->placement;
	assert_int_equal(p->host_nodes, 1);
	assert_string_equal(p->na, "the host has one NUMA node");
	assert_int_equal(fake_numa.calls, 0);
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	expect(s, "Placement", g_variant_new("(s)", s->self), "NotAttached");
}

/* The samples of the attached VM, and those of its account after it was detached. */
static void tells_heat_over_time(void **state)
{
	State *s = *state;

	expect(s, "OverTime", g_variant_new("(s)", s->self), "NotAttached");
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	for (guint detached = 0; detached < 2; detached++) {
		g_autoptr(GVariant) reply =
			call(s, "OverTime", g_variant_new("(s)", s->self), NULL);
		g_autoptr(KxReport) r = report_in(reply);
		const KxVmReport *v = r->vms->pdata[0];
		const KxAccessMap *m = kx_access_main_map(v->over_time);
		guint64 found = 0;

		assert_non_null(v->over_time->parts_na);
		assert_int_equal(v->windows->len, 0);
		assert_non_null(m);
		assert_string_equal(m->tracker, "abit");
		assert_int_equal(m->running, !detached);
		for (guint i = 0; i < m->rows->len; i++)
			found += kx_access_row(m, i)->found;
		assert_int_equal(found, 2 * fake.found.npages);
		assert_in_range(fake.found.gfn, kx_access_column_gfn(m, 0),
				kx_access_column_gfn(m, 0) + m->bin_pages - 1);
		if (!detached)
			expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	}
}

/* --- recordings */

typedef struct {
	GVariant *reply;
	GError *error;
	gboolean done;
} Recorded;

static void on_recorded(GObject *source, GAsyncResult *result, gpointer data)
{
	Recorded *r = data;

	r->reply = g_dbus_connection_call_with_unix_fd_list_finish(G_DBUS_CONNECTION(source), NULL,
								   result, &r->error);
	r->done = TRUE;
}

/* Takes @fd. */
static void begin_recording(State *s, int fd, Recorded *r)
{
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, 1);

	*r = (Recorded){ 0 };
	g_dbus_connection_call_with_unix_fd_list(
		s->on.client, NULL, KX_DBUS_PATH, "org.kvmext1.Manager", "Record",
		g_variant_new("(sh)", s->self, 0), NULL, G_DBUS_CALL_FLAGS_NONE, -1, fds, NULL,
		on_recorded, r);
}

static void wait_recorded(Recorded *r)
{
	while (!r->done)
		g_main_context_iteration(NULL, TRUE);
}

/* FALSE: nothing is being recorded. */
static gboolean stops_recording(State *s)
{
	FakeAnswer a = { 0 };
	gboolean stopped;

	start_call(s, "StopRecord", g_variant_new("(s)", s->self), &a);
	fake_finish_call(&a);
	stopped = a.reply != NULL;
	g_clear_pointer(&a.reply, g_variant_unref);
	g_clear_error(&a.error);
	return stopped;
}

static KxReplay *replay_of(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxRecordReader) reader = kx_record_reader_new(path, &error);
	KxReplay *r = reader ? kx_replay(reader, NULL, &error) : NULL;

	if (!r)
		fail_msg("%s", error->message);
	return r;
}

static void wait_for_head(const char *path)
{
	GStatBuf st;

	do {
		assert_int_equal(g_stat(path, &st), 0);
		g_main_context_iteration(NULL, FALSE);
	} while (st.st_size < 100);
}

static char *heat_text(const KxReport *r)
{
	const KxVmReport *v = r->vms->pdata[0];
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	kx_heat_add_json(b, v);
	root = json_builder_get_root(b);
	return json_to_string(root, TRUE);
}

/* A recording from the attach on: the replay equals the daemon's live answer, also over switches of settings. */
static void records_what_it_shows(void **state)
{
	State *s = *state;
	g_autofree char *path = NULL, *live_heat = NULL, *heat = NULL;
	g_autoptr(KxReport) live = NULL, live_report = NULL;
	g_autoptr(GVariant) heat_reply = NULL, over_time = NULL;
	g_autoptr(KxReplay) replay = NULL;
	const KxVmReport *a, *b;
	Recorded r;

	expect(s, "StopRecord", g_variant_new("(s)", s->self), "NotAttached");
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	expect(s, "StopRecord", g_variant_new("(s)", s->self), "NotAttached");
	begin_recording(s, g_file_open_tmp("rec-XXXXXX", &path, NULL), &r);
	wait_for_head(path);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	expect(s, "SetTracker", with_options(s->self, "tracker", "abit-flush", "interval", "0"),
	       NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	heat_reply = call(s, "Heat", g_variant_new("(s)", s->self), NULL);
	live = report_in(heat_reply);
	live_report = report(s, s->self);
	expect(s, "StopRecord", g_variant_new("(s)", s->self), NULL);
	wait_recorded(&r);
	assert_null(r.error);
	replay = replay_of(path);
	assert_null(replay->broken);
	live_heat = heat_text(live);
	heat = heat_text(replay->report);
	assert_string_equal(heat, live_heat);
	a = live_report->vms->pdata[0];
	b = replay->report->vms->pdata[0];
	assert_int_equal(a->windows->len, b->windows->len);
	for (guint i = 0; i < a->windows->len; i++) {
		const KxWindow *x = a->windows->pdata[i], *y = b->windows->pdata[i];

		assert_string_equal(x->tracker, y->tracker);
		assert_int_equal(x->samples, y->samples);
		assert_int_equal(x->passes, y->passes);
		assert_int_equal(x->cpu_ns, y->cpu_ns);
		assert_int_equal(x->found_pages, y->found_pages);
	}
	assert_int_equal(b->over_time->maps->len, 2);
	assert_true(((KxWindow *)b->windows->pdata[0])->record_bytes +
			    ((KxWindow *)b->windows->pdata[1])->record_bytes >
		    0);
	g_variant_unref(r.reply);
	g_unlink(path);
}

/* A full disk, a second recording, and a session that ends: each case has its own answer. */
static void recordings_end(void **state)
{
	State *s = *state;
	g_autofree char *path = NULL, *other = NULL, *name = NULL;
	g_autoptr(KxReplay) replay = NULL;
	Recorded r, second;

	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	begin_recording(s, open("/dev/full", O_WRONLY), &r);
	wait_recorded(&r);
	assert_null(r.reply);
	assert_non_null(strstr(r.error->message, "No space left on device"));
	g_clear_error(&r.error);
	begin_recording(s, g_file_open_tmp("rec-XXXXXX", &path, NULL), &r);
	wait_for_head(path);
	begin_recording(s, g_file_open_tmp("rec-XXXXXX", &other, NULL), &second);
	wait_recorded(&second);
	name = g_dbus_error_get_remote_error(second.error);
	assert_string_equal(name, "org.kvmext1.Error.Busy");
	g_clear_error(&second.error);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	wait_recorded(&r);
	assert_null(r.error);
	replay = replay_of(path);
	assert_null(replay->broken);
	assert_false(((KxVmReport *)replay->report->vms->pdata[0])->attached);
	g_variant_unref(r.reply);
	g_unlink(path);
	g_unlink(other);
}

/* The end of a pipe that is full; @reader gets the other end. */
static int full_pipe(int *reader)
{
	static const char page[4096];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	*reader = ends[0];
	return ends[1];
}

static void expect_no_recording(State *s)
{
	g_autofree char *path = NULL, *name = NULL;
	Recorded r;

	begin_recording(s, g_file_open_tmp("rec-XXXXXX", &path, NULL), &r);
	wait_recorded(&r);
	assert_non_null(r.error);
	name = g_dbus_error_get_remote_error(r.error);
	assert_string_equal(name, "org.kvmext1.Error.Busy");
	g_error_free(r.error);
	g_unlink(path);
}

/* A file that takes nothing costs memory and a thread: a VM has one such recording at most, however often it ends. */
static void one_unwritten_recording_per_vm(void **state)
{
	State *s = *state;
	int reader, writer = full_pipe(&reader);
	g_autofree char *path = NULL;
	Recorded r, next;

	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	begin_recording(s, writer, &r);
	while (!stops_recording(s))
		;
	expect_no_recording(s);
	assert_false(r.done);
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	expect_no_recording(s);
	assert_false(r.done);
	close(reader);
	wait_recorded(&r);
	assert_null(r.reply);
	assert_non_null(strstr(r.error->message, "Broken pipe"));
	g_clear_error(&r.error);
	begin_recording(s, g_file_open_tmp("rec-XXXXXX", &path, NULL), &next);
	wait_for_head(path);
	expect(s, "StopRecord", g_variant_new("(s)", s->self), NULL);
	wait_recorded(&next);
	assert_null(next.error);
	g_variant_unref(next.reply);
	g_unlink(path);
}

static void failed_switch_keeps_the_old_tracker(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	fake.set_errno = ERANGE;
	expect(s, "SetTracker", with_options(s->self, "range", "0x99999999+1"), "InvalidOption");
	fake.set_errno = 0;
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	r = report(s, s->self);
	assert_int_equal(((KxVmReport *)r->vms->pdata[0])->windows->len, 1);
	assert_int_equal(window_of(r, 0, 0)->passes, 1);
	assert_true(window_of(r, 0, 0)->open);
}

static void vm_that_goes_ends_its_session(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	const KxVmReport *v;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	fake_vm_goes();
	while (!strstr(s->events->str, "vm-gone"))
		g_main_context_iteration(NULL, TRUE);
	assert_false(fake.attached);
	expect(s, "SetTracker", with_options(s->self, "tracker", "off"), "VmGone");
	expect(s, "Stats", with_targets(s->self), "VmGone");
	r = report(s, s->self);
	v = r->vms->pdata[0];
	assert_false(v->attached);
	assert_string_equal(v->ended, "VM gone");
	assert_int_equal(window_of(r, 0, 0)->passes, 1);
	assert_non_null(window_of(r, 0, 0)->exits_na);
}

/* A long pass delays no other call; its samples are counted when the call is answered. */
static void pass_does_not_block_others(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	FakeAnswer pass = { 0 };

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	g_atomic_int_set(&fake.blocked, TRUE);
	start_call(s, "RunPass", g_variant_new("(s)", s->self), &pass);
	expect(s, "List", g_variant_new("()"), NULL);
	expect(s, "Attach", with_options(s->self), "AlreadyAttached");
	assert_false(pass.done);
	g_atomic_int_set(&fake.blocked, FALSE);
	fake_finish_call(&pass);
	assert_null(pass.error);
	g_variant_unref(pass.reply);
	r = report(s, s->self);
	assert_int_equal(window_of(r, 0, 0)->found_pages, 4);
}

static void detach_during_a_pass(void **state)
{
	State *s = *state;
	FakeAnswer pass = { 0 };

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	g_atomic_int_set(&fake.blocked, TRUE);
	start_call(s, "RunPass", g_variant_new("(s)", s->self), &pass);
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	g_atomic_int_set(&fake.blocked, FALSE);
	fake_finish_call(&pass);
	assert_non_null(pass.error); /* the tracker is off: no pass */
	g_error_free(pass.error);
	while (fake.attached)
		g_main_context_iteration(NULL, FALSE);
}

static void broken_ring_ends_the_session(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	fake.ring->data_head += 4;
	fake_signal();
	while (!strstr(s->events->str, "vm-gone"))
		g_main_context_iteration(NULL, TRUE);
	r = report(s, s->self);
	assert_non_null(strstr(((KxVmReport *)r->vms->pdata[0])->ended, "ring"));
	expect(s, "List", g_variant_new("()"), NULL);
}

static void many_sessions_stay_bounded(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) all = NULL;
	const char *const none[] = { NULL };
	g_autoptr(GVariant) reply = NULL;
	const char *json;
	int i;

	for (i = 0; i < 100; i++) {
		expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
		expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	}
	reply = call(s, "Report", g_variant_new("(^as)", none), NULL);
	g_variant_get(reply, "(&s)", &json);
	all = kx_report_from_json(json, NULL);
	assert_int_equal(all->vms->len, 1); /* one VM: its latest account */
}

/* The facts are read below the host's root; without libvirt there is a reason instead of its version. */
static void environment_is_told(void **state)
{
	State *s = *state;
	g_autoptr(GVariant) reply = call(s, "Environment", g_variant_new("()"), NULL);
	g_autoptr(GVariant) facts = g_variant_get_child_value(reply, 0);
	g_autofree char *microcode = NULL, *libvirt = NULL;

	assert_true(g_variant_lookup(facts, "microcode", "s", &microcode) ||
		    g_variant_lookup(facts, "microcode_na", "s", &microcode));
	assert_true(g_variant_lookup(facts, "libvirt_na", "s", &libvirt));
	assert_string_equal(libvirt, "there is no connection to libvirt");
}

static void large_replies_arrive(void **state)
{
	State *s = *state;
	g_autoptr(GVariant) reply = NULL, runs = NULL;
	guint64 i;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	for (i = 0; i < 100000; i++) {
		struct kvm_ext_rec_run run = { .h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
					       .pass = 1,
					       .gfn = 2 * i,
					       .npages = 1 };

		if (i == 0) {
			struct kvm_ext_rec_pass_begin b = { .h = { KVM_EXT_REC_PASS_BEGIN, 0,
								   sizeof(b) },
							    .epoch = fake.stats.epoch,
							    .pass = 1 };

			fake_put(&b, sizeof(b));
		}
		fake_put(&run, sizeof(run));
		if (i % 100 == 99) /* drains the ring */
			kx_report_free(report(s, s->self));
	}
	reply = call(s, "Found", g_variant_new("(st)", s->self, (guint64)1), NULL);
	g_variant_get_child(reply, 0, "@a(tt)", &runs);
	assert_int_equal(g_variant_n_children(runs), 100000);
}

/* --- the dirty log ------------------------------------------------------------------------------------------------ */

static void wait_for(State *s, const char *event)
{
	while (!strstr(s->events->str, event))
		g_main_context_iteration(NULL, TRUE);
}

static void pml_is_refused_where_there_is_none(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	fake.vm.log_mechanism = KVM_EXT_LOG_WRITE_PROTECT;
	expect(s, "Attach", with_options(s->self, "tracker", "pml"), "NotSupported");
	assert_false(fake.attached);
	expect(s, "Attach", with_options(s->self, "tracker", "dirty-log"), NULL);
	expect(s, "SetTracker", with_options(s->self, "tracker", "pml"), "NotSupported");
	expect(s, "SetTracker", with_options(s->self, "granularity", "2M"), "InvalidOption");
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);

	fake.vm.log_mechanism = KVM_EXT_LOG_UNKNOWN; /* and nothing to read on this host */
	expect(s, "Attach", with_options(s->self, "tracker", "pml"), "NotSupported");
	fake.vm.log_mechanism = KVM_EXT_LOG_PML;
	expect(s, "Attach", with_options(s->self, "tracker", "pml"), NULL);
	assert_int_equal(fake.tracker.tracker, KVM_EXT_TRACKER_DIRTY_LOG);
	r = report(s, s->self);
	assert_string_equal(((KxVmReport *)r->vms->pdata[0])->log_mechanism, "pml");
	assert_string_equal(window_of(r, 0, 0)->tracker, "dirty-log");
	assert_string_equal(window_of(r, 0, 0)->log_mechanism, "pml");
}

static gint module_warnings;

static GLogWriterOutput count_warnings(GLogLevelFlags level, const GLogField *fields, gsize n,
				       gpointer data)
{
	gboolean ours = FALSE;

	for (gsize i = 0; i < n; i++)
		ours |= !strcmp(fields[i].key, "EVENT") &&
			!strcmp(fields[i].value, "module-version");
	for (gsize i = 0; ours && i < n; i++) {
		if (strcmp(fields[i].key, "MESSAGE") == 0 &&
		    strstr(fields[i].value, "kvm_ext has version 0.0.9, this daemon has version"))
			g_atomic_int_inc(&module_warnings);
	}
	return g_log_writer_default(level, fields, n, NULL);
}

/* Attaching works nevertheless, because only the version of the interface decides, and it is the same. */
static void a_module_of_another_version_is_named(void **state)
{
	State *s = *state;

	g_atomic_int_set(&module_warnings, 0);
	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	assert_int_equal(g_atomic_int_get(&module_warnings), 1);
}

static void a_module_of_this_version_is_not(void **state)
{
	State *s = *state;

	g_atomic_int_set(&module_warnings, 0);
	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	assert_int_equal(g_atomic_int_get(&module_warnings), 0);
}

static void dirty_ring_is_refused_with_the_reason(void **state)
{
	State *s = *state;
	FakeAnswer a = { 0 };

	fake.vm.log_mode = KVM_EXT_LOG_MODE_RING;
	start_call(s, "Attach", with_options(s->self, "tracker", "dirty-log"), &a);
	fake_finish_call(&a);
	assert_non_null(strstr(a.error->message, "dirty ring"));
	assert_non_null(strstr(a.error->message, "dirty-ring-size"));
	g_error_free(a.error);
	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	expect(s, "SetTracker", with_options(s->self, "tracker", "pml-abit"), "NotSupported");
	assert_int_equal(fake.tracker.tracker, KVM_EXT_TRACKER_ABIT);
}

/* The value of @key in List for the only attached VM. */
static char *listed(State *s, const char *key)
{
	g_autoptr(GVariant) reply = call(s, "List", g_variant_new("()"), NULL);
	g_autoptr(GVariant) vms = g_variant_get_child_value(reply, 0);
	g_autoptr(GVariant) vm = g_variant_get_child_value(vms, 0);
	char *text = NULL;

	assert_true(g_variant_lookup(vm, key, "s", &text));
	return text;
}

static void yields_are_seen_and_counted(void **state)
{
	State *s = *state;
	g_autofree char *before = NULL, *during = NULL, *after = NULL, *mechanism = NULL;
	g_autoptr(KxReport) live = NULL, later = NULL;

	fake.vm.log_mechanism = KVM_EXT_LOG_PML;
	expect(s, "Attach", with_options(s->self, "tracker", "dirty-log"), NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	before = listed(s, "yielded");
	mechanism = listed(s, "mechanism");
	assert_string_equal(before, "");
	assert_string_equal(mechanism, "pml");

	/* The flag of a pass shows it at once, before the statistics are read again. */
	fake.yielded = TRUE;
	fake.stats.log.last_yield_ns = fake_now();
	fake.stats.log.vmm_pages = 4096;
	fake.stats.log.yields = 3;
	fake_pass(KVM_EXT_PASS_YIELDED);
	fake_wake();
	wait_for(s, "yielded");
	during = listed(s, "yielded");
	assert_string_equal(during, "the VMM logs its memory"); /* no libvirt here to ask */
	g_usleep(20000);
	live = report(s, s->self);
	assert_string_equal(((KxVmReport *)live->vms->pdata[0])->yielded,
			    "the VMM logs its memory");
	assert_true(window_of(live, 0, 0)->log_yielded_ns >= 20000000);
	assert_int_equal(window_of(live, 0, 0)->log_vmm_pages, 4096);
	assert_int_equal(window_of(live, 0, 0)->passes, 1);
	assert_int_equal(window_of(live, 0, 0)->pass_costs.sums.n, 1);

	fake.yielded = FALSE;
	fake.stats.log.last_resume_ns = fake_now();
	fake.stats.log.resumes = 3;
	wait_for(s, "resumed");
	after = listed(s, "yielded");
	assert_string_equal(after, "");
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	later = report(s, s->self);
	assert_null(((KxVmReport *)later->vms->pdata[0])->yielded);
	assert_true(window_of(later, 0, 0)->log_yielded_ns >= 20000000);
	assert_string_equal(window_of(later, 0, 0)->log_yielded_to, "the VMM logs its memory");
	assert_int_equal(window_of(later, 0, 0)->passes, 2);
	assert_int_equal(window_of(later, 0, 0)->pass_costs.sums.n, 2);
	assert_int_equal(window_of(later, 0, 0)->log_yields, 3);
}

/* A yield that has ended before the statistics are read is reported with begin and end. */
static void short_yields_are_told_too(void **state)
{
	State *s = *state;
	const char *told;

	expect(s, "Attach", with_options(s->self, "tracker", "pml-abit"), NULL);
	fake_pass(KVM_EXT_PASS_YIELDED);
	fake.stats.log.last_yield_ns = fake.stats.log.last_resume_ns = fake_now();
	fake_wake();
	wait_for(s, "resumed");
	told = strstr(s->events->str, "yielded");
	assert_non_null(told);
	assert_non_null(strstr(told, "resumed"));
	/* reported once, although the counter keeps its value */
	expect(s, "List", g_variant_new("()"), NULL);
	assert_null(strstr(strstr(told, "resumed"), "yielded"));
}

static void leaving_the_log_is_charged_to_its_window(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL, after = NULL;

	fake.vm.log_mechanism = KVM_EXT_LOG_PML;
	expect(s, "Attach", with_options(s->self, "tracker", "dirty-log"), NULL);
	fake.disable_ns = 700;
	fake.disable_pages = 7;
	expect(s, "SetTracker", with_options(s->self, "tracker", "pml-abit"), NULL);
	r = report(s, s->self);
	assert_null(window_of(r, 0, 0)->log_disable_na);
	assert_int_equal(window_of(r, 0, 0)->log_disable_ns, 700);
	assert_non_null(window_of(r, 0, 1)->log_disable_na);
	fake.disable_ns = 800;
	fake.disable_pages = 8;
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	after = report(s, s->self);
	assert_int_equal(window_of(after, 0, 0)->log_disable_pages, 7);
	assert_int_equal(window_of(after, 0, 1)->log_disable_ns, 800);
	assert_null(window_of(after, 0, 1)->log_disable_na);
}

/* A VM ends while the VMM has its log: this is reported, the session ends, and nothing hangs. */
static void vm_that_goes_while_yielded(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	expect(s, "Attach", with_options(s->self, "tracker", "dirty-log"), NULL);
	fake.yielded = TRUE;
	wait_for(s, "yielded");
	fake_vm_goes();
	wait_for(s, "vm-gone");
	r = report(s, s->self);
	assert_null(((KxVmReport *)r->vms->pdata[0])->yielded);
	assert_string_equal(((KxVmReport *)r->vms->pdata[0])->ended, "VM gone");
	assert_non_null(strstr(window_of(r, 0, 0)->log_disable_na, "VM ended"));
}

static void on_ended(KxSession *session, gpointer data)
{
	*(gboolean *)data = TRUE;
}

/* libvirt reports the end of a migration while the process still exists; the session ends with this reason. */
static void migrated_away_is_the_reason(void **state)
{
	KxVmIdent ident = { (char *)"vm1", NULL, getpid() };
	g_autoptr(KxSession) session = NULL;
	gboolean ended = FALSE;
	KxOptions o;

	kx_options_init(&o);
	assert_true(kx_options_set(&o, "tracker", "dirty-log", NULL));
	session = kx_session_attach(&fake_host, &ident, &o, NULL, NULL, NULL);
	assert_non_null(session);
	kx_session_on_ended(session, on_ended, &ended);
	kx_session_begin(session);
	kx_session_expect_end(session, "migrated away");
	assert_true(kx_session_alive(session));
	fake_vm_goes();
	while (!ended)
		g_main_context_iteration(NULL, TRUE);
	assert_string_equal(kx_session_ended(session), "VM gone: migrated away");
}

static void selftest_stands_in_every_report(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	while (!g_atomic_int_get(&fake.selftests))
		g_main_context_iteration(NULL, TRUE);
	expect(s, "Attach", with_options(s->self, "tracker", "off"), NULL);
	r = report(s, s->self);
	assert_string_equal(r->log_selftest, "wrong");
	assert_non_null(strstr(r->log_selftest_text, "3 of 9 missing"));
	assert_int_equal(fake.selftests, 1); /* once for each load of KVM */
}

/* --- what takes long ---------------------------------------------------------------------------------------------------- */

static GVariant *all(void)
{
	const char *const none[] = { NULL };

	return g_variant_new("(^as)", none);
}

/*
 * The module takes its time to switch a log on: the main loop serves the others, this VM shows what it is doing and its last
 * figures, and what is asked of it meanwhile comes in order.
 */
static void a_switch_that_blocks_keeps_nobody_waiting(void **state)
{
	State *s = *state;
	FakeAnswer first = { 0 }, second = { 0 }, detach = { 0 };
	g_autofree char *listed = NULL, *before = NULL, *during = NULL;
	g_autoptr(KxReport) r = NULL;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	before = told(s, "Stats", all(), "progress");
	assert_string_equal(before, "");
	g_atomic_int_set(&fake.set_blocked, TRUE);
	start_call(s, "SetTracker", with_options(s->self, "tracker", "dirty-log"), &first);
	while (!g_atomic_int_get(&fake.set_waits))
		g_main_context_iteration(NULL, FALSE);
	start_call(s, "SetTracker", with_options(s->self, "tracker", "ept-walk"), &second);
	start_call(s, "Detach", g_variant_new("(s)", s->self), &detach);
	listed = told(s, "List", g_variant_new("()"), "progress");
	assert_string_equal(listed, "the tracker is being set");
	during = told(s, "Stats", all(), "progress");
	assert_string_equal(during, "the tracker is being set");
	assert_false(first.done || second.done || detach.done);
	g_atomic_int_set(&fake.set_blocked, FALSE);
	fake_finish_call(&first);
	fake_finish_call(&second);
	fake_finish_call(&detach);
	assert_null(first.error);
	assert_null(second.error);
	assert_null(detach.error);
	g_variant_unref(first.reply);
	g_variant_unref(second.reply);
	g_variant_unref(detach.reply);
	r = report(s, s->self);
	assert_int_equal(((KxVmReport *)r->vms->pdata[0])->windows->len, 3);
	assert_string_equal(window_of(r, 0, 1)->tracker, "dirty-log");
	assert_string_equal(window_of(r, 0, 2)->tracker, "ept-walk");
}

static gpointer unblock(gpointer data)
{
	g_usleep(50000);
	g_atomic_int_set(&fake.set_blocked, FALSE);
	return NULL;
}

/* The daemon can stop while the module is still switching. */
static void the_daemon_stops_in_a_switch(void **state)
{
	State *s = *state;
	FakeAnswer set = { 0 };
	GThread *later;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	g_atomic_int_set(&fake.set_blocked, TRUE);
	start_call(s, "SetTracker", with_options(s->self, "tracker", "ept-walk"), &set);
	while (!g_atomic_int_get(&fake.set_waits))
		g_main_context_iteration(NULL, FALSE);
	later = g_thread_new("later", unblock, NULL);
	kx_service_free(s->on.service);
	s->on.service = NULL;
	assert_false(fake.attached);
	g_thread_join(later);
	fake_finish_call(&set);
	g_clear_error(&set.error);
	g_clear_pointer(&set.reply, g_variant_unref);
}

/* Stats has the same figures of a window as the report, whether or not a report was requested. */
static void stats_are_the_reports_figures(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	g_autoptr(GVariant) reply = NULL, vms = NULL, vm = NULL;
	g_autoptr(KxVmReport) v = NULL;
	const KxWindow *w;

	expect(s, "Stats", with_targets(s->self), "NotAttached");
	expect(s, "Attach", with_options(s->self, "tracker", "abit", "interval", "0"), NULL);
	expect(s, "RunPass", g_variant_new("(s)", s->self), NULL);
	reply = call(s, "Stats", with_targets(s->self), NULL);
	vms = g_variant_get_child_value(reply, 0);
	vm = g_variant_get_child_value(vms, 0);
	v = kx_vm_from_variant(vm);
	assert_int_equal(v->pid, getpid());
	assert_true(v->attached);
	assert_null(v->yielded);
	assert_int_equal(v->windows->len, 1);
	w = v->windows->pdata[0];
	r = report(s, s->self);
	assert_true(w->open && w->has_stats);
	assert_int_equal(w->id, window_of(r, 0, 0)->id);
	assert_string_equal(w->tracker, "abit");
	assert_int_equal(w->passes, 1);
	assert_int_equal(w->samples, window_of(r, 0, 0)->samples);
	assert_int_equal(w->cpu_ns, window_of(r, 0, 0)->cpu_ns);
	assert_int_equal(w->found_pages, 4);
	assert_true(w->exits > 0 && !w->exits_na);
	assert_true(w->duration_ns > 0 && w->duration_ns <= window_of(r, 0, 0)->duration_ns);
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	expect(s, "Stats", with_targets(s->self), "NotAttached");
	g_clear_pointer(&reply, g_variant_unref);
	g_clear_pointer(&vms, g_variant_unref);
	reply = call(s, "Stats", all(), NULL);
	vms = g_variant_get_child_value(reply, 0);
	assert_int_equal(g_variant_n_children(vms), 0);
}

/* The ring has the size for the VM's memory, or the requested size, which cannot be changed later. */
static void the_ring_goes_with_the_vm(void **state)
{
	static const struct {
		const char *size;
		guint64 ram_pages;
		guint32 pages;
	} cases[] = {
		{ "auto", 1 << 20, FAKE_DATA_SIZE / 4096 },
		{ "auto", 16 << 20, 1024 },
		{ "auto", 1 << 28, 16384 },
		{ "auto", 1ull << 32, 16384 },
		{ "64K", 1 << 28, 16 },
		{ "256M", 1 << 20, 65536 },
	};
	State *s = *state;

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxReport) r = NULL;

		fake.vm.ram_pages = cases[i].ram_pages;
		expect(s, "Attach",
		       with_options(s->self, "tracker", "abit", "ring-size", cases[i].size), NULL);
		assert_int_equal(fake.ring_pages, cases[i].pages);
		r = report(s, s->self);
		assert_int_equal(((KxVmReport *)r->vms->pdata[0])->ring_bytes,
				 (guint64)cases[i].pages * 4096);
		expect(s, "SetTracker", with_options(s->self, "ring-size", "1M"), "InvalidOption");
		expect(s, "SetTracker", with_options(s->self, "tracker", "ept-walk"), NULL);
		expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
	}
	expect(s, "Attach", with_options(s->self, "ring-size", "3M"), "InvalidOption");
}

/* If the first pass over a VM takes minutes, every command shows it. */
static void priming_is_told(void **state)
{
	static const char want[] = "priming, 23 % of memory, about 6";
	State *s = *state;
	g_autofree char *stats = NULL;
	g_autoptr(KxReport) r = NULL;
	gboolean listed = FALSE;

	expect(s, "Attach", with_options(s->self, "tracker", "abit"), NULL);
	fake.stats.progress = (struct kvm_ext_progress){ .start_ns = fake_now() - 20000000000ull,
							 .pages = 23 << 20,
							 .total_pages = 100 << 20,
							 .flags = KVM_EXT_PASS_PRIME };
	stats = told(s, "Stats", all(), "progress");
	assert_int_equal(strncmp(stats, want, strlen(want)), 0);
	r = report(s, s->self);
	assert_non_null(strstr(((KxVmReport *)r->vms->pdata[0])->progress, want));
	/* without anybody having asked for figures since */
	fake.stats.progress.pages = 46 << 20;
	while (!listed) {
		g_autofree char *text = told(s, "List", g_variant_new("()"), "progress");

		listed = strstr(text, "priming, 46 % of memory, about 2") != NULL;
		g_main_context_iteration(NULL, FALSE);
	}
	fake.stats.progress = (struct kvm_ext_progress){ 0 };
	fake.stats.passes = 1;
	g_free(stats);
	stats = told(s, "Stats", all(), "progress");
	assert_string_equal(stats, "");
}

/* --- the socket --------------------------------------------------------------------------------------------------- */

static void second_daemon_is_refused(void **state)
{
	State *s = *state;
	g_autoptr(GError) error = NULL;
	g_autofree char *pid = g_strdup_printf("pid %d", getpid());

	assert_null(kx_listener_new(s->on.socket, fake_on_connection, s->on.service, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_BUSY));
	assert_non_null(strstr(error->message, pid));
	expect(s, "List", g_variant_new("()"), NULL); /* the first daemon still answers */
}

static void stale_socket_is_replaced(void **state)
{
	State *s = *state;
	g_autofree char *path = g_build_filename(s->on.root, "stale.sock", NULL);
	g_autofree char *file = g_build_filename(s->on.root, "file", NULL);
	g_autoptr(GError) error = NULL;
	KxListener *l;
	pid_t pid = fork();
	struct stat st;

	if (pid == 0) {
		/* in a program of its own: this one has threads, whose locks fork() copies */
		execl("/proc/self/exe", "kvm-ext-test-listener", "--listen", path, NULL);
		_exit(8);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(stat(path, &st), 0);
	l = kx_listener_new(path, fake_on_connection, s->on.service, &error);
	assert_non_null(l);
	assert_int_equal(stat(path, &st), 0);
	assert_true((st.st_mode & 07777) == 0600 || (st.st_mode & 07777) == 0660);
	kx_listener_free(l);
	assert_int_not_equal(stat(path, &st), 0);

	fake_write(s->on.root, "file", "precious");
	assert_null(kx_listener_new(file, fake_on_connection, s->on.service, &error));
	assert_non_null(strstr(error->message, "no socket"));
	assert_int_equal(stat(file, &st), 0);
}

/* One more than a user may have is refused, with the reason; root's are not counted, and those that were closed no longer. */
static void a_user_has_so_many_connections(void **state)
{
	State *s = *state;
	g_autofree char *dir = g_path_get_dirname(s->on.socket);
	g_autoptr(GSubprocess) crowd = NULL;
	g_autoptr(GDBusConnection) root = NULL;
	GInputStream *told;
	GPollFD ready = { .events = G_IO_IN };
	char byte;

	/* The crowd is of a user who is neither root nor in the group. */
	assert_int_equal(g_chmod(s->on.root, 0755) | g_chmod(dir, 0755), 0);
	assert_int_equal(g_chmod(s->on.socket, 0666), 0);
	crowd = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
				 NULL, "/proc/self/exe", "--crowd", s->on.socket, NULL);
	assert_non_null(crowd);
	told = g_subprocess_get_stdout_pipe(crowd);
	ready.fd = g_unix_input_stream_get_fd(G_UNIX_INPUT_STREAM(told));
	while (!g_poll(&ready, 1, 2))
		g_main_context_iteration(NULL, FALSE);
	assert_int_equal(read(ready.fd, &byte, 1), 1);
	if (!geteuid())
		root = fake_connect_to(s->on.socket);
	expect(s, "List", g_variant_new("()"), NULL);
	assert_true(g_output_stream_write_all(g_subprocess_get_stdin_pipe(crowd), "g", 1, NULL,
					      NULL, NULL));
	while (!g_poll(&ready, 1, 2))
		g_main_context_iteration(NULL, FALSE);
	assert_true(g_subprocess_wait(crowd, NULL, NULL));
	assert_true(g_subprocess_get_if_exited(crowd));
	assert_int_equal(g_subprocess_get_exit_status(crowd), 0);
}

/* NULL: the VM is held now; else the reason why not. */
static char *hold(FakeService *f, const char *who)
{
	FakeAnswer a = { 0 };
	g_autofree char *name = NULL;
	char *why;

	fake_start_call(f, "Hold", g_variant_new("(us)", (guint32)getpid(), who), 20000, &a);
	fake_finish_call(&a);
	if (!a.error) {
		g_variant_unref(a.reply);
		return NULL;
	}
	name = g_dbus_error_get_remote_error(a.error);
	assert_string_equal(name, "org.kvmext1.Error.Busy");
	why = g_strdup(a.error->message);
	g_error_free(a.error);
	return why;
}

/* The second client gets an error that names the first one, until that one releases or disconnects; nothing else is refused. */
static void one_measures_a_vm_at_a_time(void **state)
{
	State *s = *state;
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	FakeService second = s->on;
	g_autofree char *why = NULL, *again = NULL;
	FakeAnswer a = { 0 };

	second.client = fake_connect_to(s->on.socket);
	assert_null(hold(&s->on, "the first"));
	assert_null(hold(&s->on, "the first\033, kept as 77"));
	why = hold(&second, "the second");
	assert_non_null(strstr(why, "measured by the first\357\277\275, kept as 77"));
	expect(s, "Attach", with_options(s->self), NULL);
	/* A client releases only its own hold. */
	fake_start_call(&second, "Release", g_variant_new("(u)", (guint32)getpid()), 20000, &a);
	fake_finish_call(&a);
	assert_null(a.error);
	g_variant_unref(a.reply);
	again = hold(&second, "the second");
	assert_non_null(again);
	expect(s, "Release", g_variant_new("(u)", (guint32)getpid()), NULL);
	assert_null(hold(&second, "the second"));
	why = (g_free(why), hold(&s->on, "the first"));
	assert_non_null(strstr(why, "the second"));
	g_dbus_connection_close_sync(second.client, NULL, NULL);
	g_object_unref(second.client);
	while (why && g_get_monotonic_time() < late)
		why = (g_free(why), hold(&s->on, "the first"));
	assert_null(why);
	expect(s, "Detach", g_variant_new("(s)", s->self), NULL);
}

static gboolean always(gpointer data)
{
	return G_SOURCE_CONTINUE;
}

/* Another user is refused even if the socket's mode would permit the connection. */
static void other_user_is_refused(void **state)
{
	State *s = *state;
	g_autofree char *dir = g_path_get_dirname(s->on.socket);
	int status = 0;
	guint tick;
	pid_t pid;

	if (geteuid() != 0)
		skip(); /* only root can become somebody else */
	chmod(s->on.root, 0755);
	chmod(dir, 0755);
	chmod(s->on.socket, 0666);
	pid = fork();
	if (pid == 0) {
		g_autofree char *address = g_strdup_printf("unix:path=%s", s->on.socket);
		char *const argv[] = { "kvm-ext-test-client", address, NULL };

		if (setgid(65534) || setuid(65534))
			_exit(9);
		execl("/proc/self/exe", argv[0], "--client", argv[1], NULL);
		_exit(8);
	}
	tick = g_timeout_add(10, always, NULL);
	while (waitpid(pid, &status, WNOHANG) == 0)
		g_main_context_iteration(NULL, TRUE);
	g_source_remove(tick);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

/* A caller as another user: 0 if it gets an answer, 1 if it is refused. */
static int client(const char *address)
{
	GDBusConnection *c = g_dbus_connection_new_for_address_sync(
		address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, NULL);
	gboolean answered = c != NULL;

	g_clear_object(&c);
	return answered ? 0 : 1;
}

/* Why another connection is refused for the user's number of connections; NULL: it is not refused for this reason. */
static char *refusal(const char *path)
{
	g_autofree char *address = g_strconcat("unix:path=", path, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDBusConnection) c = g_dbus_connection_new_for_address_sync(
		address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);

	return error ? kx_refusal_in(error->message) : NULL;
}

/* Connections that never say who they are. */
static int crowd(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	g_autofree char *why = NULL;
	int fds[KX_CONNECTIONS_PER_USER];
	char byte;

	if (!geteuid() && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
			   setresuid(65534, 65534, 65534)))
		return 2;
	g_strlcpy(to.sun_path, path, sizeof(to.sun_path));
	for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&to, sizeof(to)))
			return 3;
	}
	/* The daemon may still be counting them. */
	while (!why && g_get_monotonic_time() < late)
		why = refusal(path);
	if (!why || !strstr(why, "has 256 connections to kvm-extd, and may have no more"))
		return 4;
	if (write(STDOUT_FILENO, "r", 1) != 1 || read(STDIN_FILENO, &byte, 1) != 1)
		return 5;
	close(fds[0]);
	while (why && g_get_monotonic_time() < late) {
		g_clear_pointer(&why, g_free);
		why = refusal(path);
	}
	return why ? 6 : 0;
}

/* A daemon that is killed: socket and lock file stay behind. */
static int killed_listener(const char *path)
{
	KxListener *l = kx_listener_new(path, NULL, NULL, NULL);

	if (!l)
		return 1;
	raise(SIGKILL);
	return 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(attaches_switches_reports_detaches),
		CASE(refuses_with_the_right_error),
		CASE(session_without_the_module),
		CASE(session_of_an_emulated_vm),
		CASE(vm_that_goes_without_the_module),
		CASE(refusals_give_the_reason),
		CASE(traps_by_heat),
		CASE(tells_where_memory_lies),
		CASE(tells_heat_over_time),
		CASE(records_what_it_shows),
		CASE(recordings_end),
		CASE(one_unwritten_recording_per_vm),
		CASE(failed_switch_keeps_the_old_tracker),
		CASE(vm_that_goes_ends_its_session),
		CASE(pass_does_not_block_others),
		CASE(detach_during_a_pass),
		CASE(broken_ring_ends_the_session),
		CASE(many_sessions_stay_bounded),
		CASE(environment_is_told),
		CASE(large_replies_arrive),
		CASE(pml_is_refused_where_there_is_none),
		CASE(dirty_ring_is_refused_with_the_reason),
		CASE_WITH(a_module_of_another_version_is_named, setup_old_module),
		CASE_WITH(a_module_of_this_version_is_not, setup_own_module),
		CASE(yields_are_seen_and_counted),
		CASE(short_yields_are_told_too),
		CASE(leaving_the_log_is_charged_to_its_window),
		CASE(vm_that_goes_while_yielded),
		CASE(migrated_away_is_the_reason),
		CASE(selftest_stands_in_every_report),
		CASE(a_switch_that_blocks_keeps_nobody_waiting),
		CASE(the_daemon_stops_in_a_switch),
		CASE(stats_are_the_reports_figures),
		CASE(priming_is_told),
		CASE(the_ring_goes_with_the_vm),
		CASE(second_daemon_is_refused),
		CASE(stale_socket_is_replaced),
		CASE(a_user_has_so_many_connections),
		CASE(other_user_is_refused),
		CASE(one_measures_a_vm_at_a_time),
	};

	if (argc == 3 && !strcmp(argv[1], "--client"))
		return client(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "--crowd"))
		return crowd(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "--listen"))
		return killed_listener(argv[2]);
	g_log_set_writer_func(count_warnings, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
