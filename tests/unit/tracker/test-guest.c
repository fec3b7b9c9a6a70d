// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trackers in the guest, from the manager's calls to the channel and back: a libvirt and a module in memory, a guest on a
 * thread of its own that claims the device as it is plugged in, and does as it is told unless the test says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/sigbus.h"
#include "cases.h"
#include "control/manager-internal.h"
#include "control/manager.h"
#include "fake-guest.h"
#include "fake-module.h"
#include "fake-root.h"

/* Of the domain that libvirt's test driver has. */
#define UUID	     "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define NOBODYS_UUID "00000000-edaf-9455-926a-d65c16db1809"
#define NAME	     "kvm-ext-" UUID

#define GUEST_EPOCH_US 5000

typedef struct {
	char *root, *file, *self;
	KxHost host;
	KxManager *m;
	GString *events;
	/* libvirt's */
	gint plugged, paused;
	guint attaches, detaches;
	gint stuck; /* a detach of the device hangs: 1: the next one will, 2: one does */
	/* the guest's */
	GThread *guest;
	gint refuses;		 /* errno */
	gint holds_back;	 /* its module is not loaded */
	gint deaf;		 /* its module takes no commands */
	gint idle;		 /* its epochs have no samples */
	gint declares, declared; /* which list of memory: to be, and written */
} State;

/* --- the guest ---------------------------------------------------------------------------------------------------- */

/* The records of a sampler's epoch: a process with a hot range, on four pages from 0x200 on. */
static void one_epoch(FakeGuest *g, guint64 number, gboolean idle)
{
	struct kvm_ext_channel_account *a = &g->status->account;
	const struct kvm_ext_channel_range range = { 0x7f0000000000, 4 << 12, 64, 3, 0 };

	fake_guest_puts_range(g, number, 211, "db", range);
	fake_guest_puts_pages(g, number, 211, range.start, 0x200, 4);
	if (!idle) {
		a->samples += 33;
		a->classified += 32;
		a->no_address++;
	}
	a->scan_ns += 1000;
	a->report_ns += 500;
	a->pages_scanned += 100;
	a->memory_bytes = 65536;
	__atomic_store_n(&a->epochs, a->epochs + 1, __ATOMIC_RELEASE);
}

/* Lists of memory that must stay mapped, as a guest may write them: in any order, and overlapping. */
static const struct kvm_ext_channel_span lists[][3] = {
	{ { 0 } },
	{ { 0x500, 2 }, { 0x100, 4 }, { 0x103, 5 } },
	{ { 0x800, 1 } },
};

static void declare(FakeGuest *g, gint which)
{
	struct kvm_ext_channel_declared *d = (void *)(g->map + KVM_EXT_CHANNEL_DECLARED_AT);
	guint32 nr = 0;

	while (nr < 3 && lists[which][nr].npages)
		nr++;
	if (d->nr == nr && d->span[0].gfn == lists[which][0].gfn)
		return;
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_SEQ_CST);
	memcpy(d->span, lists[which], sizeof(lists[which]));
	d->nr = nr;
	__atomic_store_n(&d->seq, d->seq + 1, __ATOMIC_SEQ_CST);
}

static guint8 *map_device(State *s)
{
	int fd = open(s->file, O_RDWR);
	guint8 *map = mmap(NULL, KVM_EXT_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	g_assert_true(fd >= 0 && map != MAP_FAILED);
	close(fd);
	return map;
}

/* Claims the device when it is plugged in, and releases it when it is unplugged. */
static gpointer guest_thread(gpointer data)
{
	State *s = data;
	guint8 *map = map_device(s);
	/* A real guest is stopped if its memory is missing; this one runs in the test's process. */
	g_autoptr(KxGuard) guard = kx_guard_new(map, KVM_EXT_CHANNEL_SIZE);
	FakeGuest g;
	guint64 number = 0;

	fake_guest_at(&g, map);
	while (g_atomic_int_get(&s->holds_back) && g_atomic_int_get(&s->plugged))
		g_usleep(GUEST_EPOCH_US);
	fake_guest_claims(&g, 77);
	while (g_atomic_int_get(&s->plugged)) {
		gint which = g_atomic_int_get(&s->declares);

		g.refuses = (guint32)g_atomic_int_get(&s->refuses);
		if (g.status->host_instance != g.id->instance)
			fake_guest_claims(&g, 78 + number);
		if (g.command->seq % 2 == 0 && !g_atomic_int_get(&s->deaf))
			fake_guest_beats(&g, fake_now());
		declare(&g, which);
		g_atomic_int_set(&s->declared, which);
		if (g.status->state == KVM_EXT_GUEST_RUNNING)
			one_epoch(&g, number++, g_atomic_int_get(&s->idle));
		g_usleep(GUEST_EPOCH_US);
	}
	g_clear_pointer(&guard, kx_guard_free);
	munmap(map, KVM_EXT_CHANNEL_SIZE);
	return NULL;
}

/* --- libvirt ------------------------------------------------------------------------------------------------------ */

static char *domain_xml(gpointer domain, GError **error)
{
	return g_strdup_printf(
		"<domain><devices><controller type='pci' index='0' "
		"model='pci-root'/>%s</devices></domain>",
		g_atomic_int_get(&((State *)domain)->plugged) ? "<shmem name='" NAME "'/>" : "");
}

static const char *domain_state(gpointer domain)
{
	return g_atomic_int_get(&((State *)domain)->paused) ? "paused" : "running";
}

static gboolean domain_attach(gpointer domain, const char *xml, GError **error)
{
	State *s = domain;

	s->attaches++;
	g_atomic_int_set(&s->plugged, TRUE);
	s->guest = g_thread_new("guest", guest_thread, s);
	return TRUE;
}

static void guest_lets_go(State *s)
{
	g_atomic_int_set(&s->plugged, FALSE);
	if (s->guest)
		g_thread_join(g_steal_pointer(&s->guest));
}

static gboolean domain_detach(gpointer domain, const char *xml, GError **error)
{
	State *s = domain;

	s->detaches++;
	if (g_atomic_int_compare_and_exchange(&s->stuck, 1, 2)) {
		while (g_atomic_int_get(&s->stuck))
			g_usleep(1000);
	}
	guest_lets_go(s);
	return TRUE;
}

static const KxPlugSys domain_sys = {
	.xml = domain_xml, .state = domain_state, .attach = domain_attach, .detach = domain_detach
};

/* --- the daemon --------------------------------------------------------------------------------------------------- */

static void on_event(const KxEvent *e, gpointer data)
{
	g_string_append_printf(((State *)data)->events, "%s %s%s", e->event,
			       g_str_equal(e->event, "waiting") ? e->reason : "",
			       g_str_equal(e->event, "waiting") ? " " : "");
}

static void on_libvirt(gboolean connected, gpointer data)
{
}

static void make_qemu(State *s)
{
	static const char cmdline[] = "qemu\0-name\0guest=vm1\0-uuid\0" UUID;
	g_autofree char *path = g_strdup_printf("%d/cmdline", getpid());
	g_autofree char *status = g_strdup_printf("%d/status", getpid());
	g_autofree char *text = g_strdup_printf(
		"Name:\tqemu\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", getuid(), getuid(),
		getuid(), getuid(), getgid(), getgid(), getgid(), getgid());

	fake_write_len(s->root, path, cmdline, sizeof(cmdline));
	fake_write(s->root, status, text);
}

static GString *logged; /* the text of this case's */

static GLogWriterOutput on_log(GLogLevelFlags level, const GLogField *fields, gsize n,
			       gpointer data)
{
	static GMutex lock;

	for (gsize i = 0; i < n; i++) {
		if (!g_str_equal(fields[i].key, "MESSAGE"))
			continue;
		g_mutex_lock(&lock);
		g_string_append_printf(logged, "%s\n", (const char *)fields[i].value);
		g_mutex_unlock(&lock);
	}
	return g_log_writer_default(level, fields, n, NULL);
}

static int setup_with(void **state, const char *config)
{
	State *s = g_new0(State, 1);

	g_string_truncate(logged, 0);
	fake_reset();
	s->root = fake_root_new();
	s->file = g_build_filename(s->root, NAME, NULL);
	s->self = g_strdup_printf("pid:%d", getpid());
	s->events = g_string_new(NULL);
	make_qemu(s);
	fake_write(s->root, "kvm-ext-" NOBODYS_UUID, "left behind");
	s->host = fake_host;
	s->host.proc_root = s->root;
	s->host.plug_sys = &domain_sys;
	s->host.plug_domain = s;
	s->host.shm_dir = s->root;
	s->m = kx_manager_new(&s->host, kx_config_parse(config, strlen(config), "test", NULL),
			      on_event, on_libvirt, s);
	*state = s;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, "[daemon]\nlibvirt-uri=\n");
}

/* With a libvirt, which has a domain called test. */
static int setup_rules(void **state)
{
	return setup_with(state, "[daemon]\nlibvirt-uri=test:///default\n");
}

static int teardown(void **state)
{
	State *s = *state;

	kx_manager_shutdown(s->m);
	kx_manager_unref(s->m);
	while (g_main_context_iteration(NULL, FALSE))
		;
	guest_lets_go(s);
	fake_remove(s->root);
	g_string_free(s->events, TRUE);
	g_free(s->root);
	g_free(s->file);
	g_free(s->self);
	g_free(s);
	return 0;
}

typedef struct {
	GAsyncResult *result;
} Answer;

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
	((Answer *)data)->result = g_object_ref(result);
}

static GHashTable *options(const char *tracker, const char *key, const char *value)
{
	GHashTable *o = g_hash_table_new(g_str_hash, g_str_equal);

	g_hash_table_insert(o, (char *)"tracker", (char *)tracker);
	if (strstr(tracker, "guest"))
		g_hash_table_insert(o, (char *)"epoch", (char *)"10ms");
	if (key)
		g_hash_table_insert(o, (char *)key, (char *)value);
	return o;
}

typedef void (*SetFn)(KxManager *m, const char *target, GHashTable *options,
		      GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);

/* 0: done; else the error's code. */
static int set(State *s, SetFn fn, const char *tracker, const char *key, const char *value)
{
	g_autoptr(GHashTable) o = options(tracker, key, value);
	g_autoptr(GError) error = NULL;
	Answer a = { NULL };

	fn(s->m, s->self, o, NULL, on_done, &a);
	while (!a.result)
		g_main_context_iteration(NULL, TRUE);
	kx_manager_done_finish(a.result, &error);
	g_object_unref(a.result);
	if (error)
		print_message("%s\n", error->message);
	return error ? error->code + 1 : 0;
}

/* Without a tracker's name. */
static int set_option(State *s, const char *key, const char *value)
{
	g_autoptr(GHashTable) o = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GError) error = NULL;
	Answer a = { NULL };

	g_hash_table_insert(o, (char *)key, (char *)value);
	kx_manager_set_async(s->m, s->self, o, NULL, on_done, &a);
	while (!a.result)
		g_main_context_iteration(NULL, TRUE);
	kx_manager_done_finish(a.result, &error);
	g_object_unref(a.result);
	return error ? error->code + 1 : 0;
}

static void detach(State *s)
{
	g_autoptr(GError) error = NULL;
	Answer a = { NULL };

	kx_manager_detach_async(s->m, s->self, on_done, &a);
	while (!a.result)
		g_main_context_iteration(NULL, TRUE);
	assert_true(kx_manager_done_finish(a.result, &error));
	g_object_unref(a.result);
}

static void finish(Answer *a, const char *words)
{
	g_autoptr(GError) error = NULL;

	while (!a->result)
		g_main_context_iteration(NULL, TRUE);
	kx_manager_done_finish(a->result, &error);
	g_object_unref(a->result);
	if (!words != !error || (words && !strstr(error->message, words)))
		fail_msg("%s, not: %s", error ? error->message : "it worked", words);
}

static KxReport *report(State *s)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *json = NULL;
	Answer a = { NULL };
	KxReport *r;

	kx_manager_report_async(s->m, NULL, on_done, &a);
	while (!a.result)
		g_main_context_iteration(NULL, TRUE);
	json = kx_manager_report_finish(a.result, &error);
	g_object_unref(a.result);
	assert_non_null(json);
	r = kx_report_from_json(json, &error);
	if (!r)
		fail_msg("%s", error->message);
	return r;
}

static const KxWindow *last_window(const KxReport *r)
{
	const KxVmReport *v = r->vms->pdata[0];

	return v->windows->pdata[v->windows->len - 1];
}

/* Waits until the open window has @passes passes; the test's own time limit ends a wait without a result. */
static KxReport *after_passes(State *s, guint64 passes)
{
	for (;;) {
		KxReport *r = report(s);

		if (last_window(r)->passes >= passes)
			return r;
		kx_report_free(r);
		g_main_context_iteration(NULL, FALSE);
		g_usleep(2000);
	}
}

static gboolean exists(const State *s)
{
	return kx_plug_left_behind(s->root, UUID);
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

static void check_account(const KxReport *r)
{
	const KxWindow *w = last_window(r);

	assert_string_equal(w->tracker, "guest-abit");
	assert_true(w->has_guest && w->has_stats);
	assert_int_equal(w->samples % 33, 0);
	assert_int_equal(w->samples / 33 * 1000, w->guest_scan_ns);
	assert_int_equal(w->guest_cpu_ns, w->guest_scan_ns + w->guest_report_ns);
	assert_int_equal(w->cpu_ns, 0); /* of the host */
	assert_int_equal(w->found_pages, 4);
	assert_string_equal(w->guest_release, "6.1.0-guest");
	assert_null(w->guest_event);
	assert_null(w->guest_silent);
	assert_int_equal(w->guest_bad_records, 0);
	assert_int_equal(w->guest_empty_epochs, 0);
}

static void check_heat(const KxReport *r)
{
	const KxHeatReport *h = ((KxVmReport *)r->vms->pdata[0])->heat;
	const KxHeatMap *pages = h->maps->pdata[0], *process = h->maps->pdata[1];
	const KxHeatRange *own = &g_array_index(process->ranges, KxHeatRange, 0);

	assert_int_equal(h->maps->len, 2);
	assert_null(pages->process);
	assert_true(pages->running && pages->accesses > 0);
	assert_string_equal(process->process, "db");
	assert_int_equal(process->pid, 211);
	assert_int_equal(own->start, 0x7f0000000000);
	assert_int_equal(own->accesses, 64);
}

static void samples_in_the_guest(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	assert_int_equal(s->attaches, 1);
	r = after_passes(s, 5);
	check_account(r);
	check_heat(r);
	detach(s);
	assert_int_equal(s->detaches, 1);
	assert_false(exists(s));
}

/* As if somebody on the host used PEBS: the guest's epochs go on, without a sample. */
static void epochs_without_a_sample_are_counted(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	guint64 passes, empty;

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	r = after_passes(s, 3);
	assert_int_equal(last_window(r)->guest_empty_epochs, 0);
	g_atomic_int_set(&s->idle, 1);
	do {
		passes = last_window(r)->passes;
		g_clear_pointer(&r, kx_report_free);
		r = after_passes(s, passes + 1);
		empty = last_window(r)->guest_empty_epochs;
	} while (empty < 3);
	/* no upper bound by the passes: on a busy machine a look finds several epochs at once, as one pass */
	assert_true(last_window(r)->samples >= 33);
	assert_int_equal(last_window(r)->samples % 33, 0);
	detach(s);
}

/* One VM, one session, one device: trackers of host and guest follow each other, and each window has its own figures. */
static void switches_between_host_and_guest(void **state)
{
	State *s = *state;
	static const char *const order[] = { "guest-pebs", "abit", "guest-abit", "ept-walk" };
	g_autoptr(KxReport) r = NULL;
	const KxVmReport *v;

	for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
		gboolean events = g_str_equal(order[i], "guest-pebs");
		gboolean guest = g_str_has_prefix(order[i], "guest");

		assert_int_equal(set(s, i ? kx_manager_set_async : kx_manager_attach_async,
				     order[i], events ? "event" : NULL, "page-faults"),
				 0);
		if (!guest)
			fake_pass(0);
		g_clear_pointer(&r, kx_report_free);
		r = after_passes(s, guest ? 3 : 1);
		assert_string_equal(last_window(r)->tracker, order[i]);
	}
	assert_int_equal(s->attaches, 1);
	assert_int_equal(s->detaches, 0);
	v = r->vms->pdata[0];
	assert_int_equal(v->windows->len, 4);
	assert_string_equal(((KxWindow *)v->windows->pdata[0])->guest_event,
			    "sw:page-faults, surrogate");
	assert_false(((KxWindow *)v->windows->pdata[1])->has_guest);
	assert_int_equal(((KxWindow *)v->windows->pdata[1])->found_pages, 4);
	assert_true(((KxWindow *)v->windows->pdata[2])->passes >= 3);
	/* a map for each, and the guest's process as each of its trackers saw it last */
	assert_int_equal(v->heat->maps->len, 6);
	detach(s);
	assert_false(exists(s));
}

/* If the guest refuses a tracker, everything stays as it was: no device, or the tracker that ran. */
static void a_refusal_changes_nothing(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL, later = NULL;

	g_atomic_int_set(&s->refuses, EOPNOTSUPP);
	assert_int_equal(set(s, kx_manager_attach_async, "guest-pebs", NULL, NULL),
			 KX_ERROR_NOT_SUPPORTED + 1);
	assert_int_equal(s->detaches, s->attaches);
	assert_false(exists(s));
	assert_int_equal(s->events->len, 0);

	assert_int_equal(set(s, kx_manager_attach_async, "abit", NULL, NULL), 0);
	assert_int_equal(set(s, kx_manager_set_async, "guest-pebs", NULL, NULL),
			 KX_ERROR_NOT_SUPPORTED + 1);
	assert_int_equal(s->attaches, 2);
	assert_int_equal(s->detaches, 2);
	assert_false(exists(s));
	r = report(s);
	assert_string_equal(last_window(r)->tracker, "abit");
	assert_true(last_window(r)->open);

	/* one guest tracker runs and another is refused: the first one continues */
	g_atomic_int_set(&s->refuses, 0);
	assert_int_equal(set(s, kx_manager_set_async, "guest-abit", NULL, NULL), 0);
	g_atomic_int_set(&s->refuses, ESRCH);
	assert_int_equal(set(s, kx_manager_set_async, "guest-pebs", NULL, NULL),
			 KX_ERROR_NOT_SUPPORTED + 1);
	g_atomic_int_set(&s->refuses, 0);
	later = report(s);
	assert_string_equal(last_window(later)->tracker, "guest-abit");
	assert_true(exists(s));
}

/* Why PEBS cannot be sampled: what is missing, in the host or in the guest, and the alternative. */
static void a_refusal_says_what_is_missing(void **state)
{
	static const struct {
		gint error;
		const char *words[3];
	} cases[] = {
		{ ENODATA, { "bit 14", "KVM", "kvm-ext/kvm-patches" } },
		{ ENXIO, { "0x3f6", "kvm-ext/kvm-patches", "--event loads+stores" } },
		{ EPROTONOSUPPORT, { "kernel does not survive", "KVM", "--event loads+stores" } },
		{ ENODEV, { "QEMU", "migratable='off'", "surrogate" } },
		{ EOPNOTSUPP, { "QEMU", "migratable='off'", "surrogate" } },
	};
	State *s = *state;

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (guint k = 0; k < G_N_ELEMENTS(cases[i].words); k++) {
			g_autoptr(GHashTable) o = options("guest-pebs", NULL, NULL);
			Answer a = { NULL };

			g_atomic_int_set(&s->refuses, cases[i].error);
			kx_manager_attach_async(s->m, s->self, o, NULL, on_done, &a);
			finish(&a, cases[i].words[k]);
		}
	}
	assert_int_equal(s->events->len, 0);
}

/* A CPU that is not online is named before the module is asked, because the module's error would not name it. */
static void a_cpu_that_is_not_online_is_named(void **state)
{
	State *s = *state;
	g_autoptr(GHashTable) o = options("abit", "cpu", "99");
	Answer a = { NULL }, b = { NULL };

	fake_write(s->root, "sys/devices/system/cpu/online", "0-1,4\n");
	s->host.root = s->root;
	kx_manager_attach_async(s->m, s->self, o, NULL, on_done, &a);
	finish(&a, "cpu 99 is not online; online are 0-1,4");
	assert_false(fake.attached);
	assert_int_equal(set(s, kx_manager_attach_async, "abit", "cpu", "1"), 0);
	kx_manager_set_async(s->m, s->self, o, NULL, on_done, &b);
	finish(&b, "cpu 99 is not online; online are 0-1,4");
	assert_int_equal(set(s, kx_manager_set_async, "ept-walk", "cpu", "2"),
			 KX_ERROR_INVALID_OPTION + 1);
	assert_int_equal(fake.tracker.cpu, 1);
	assert_int_equal(set(s, kx_manager_set_async, "ept-walk", "cpu", "4"), 0);
}

/* The text of the log line has the tracker, for readers who do not see the fields. */
static void the_log_names_the_tracker(void **state)
{
	State *s = *state;

	assert_int_equal(set(s, kx_manager_attach_async, "abit", NULL, NULL), 0);
	assert_int_equal(set(s, kx_manager_set_async, "ept-walk", NULL, NULL), 0);
	detach(s);
	assert_non_null(strstr(logged->str, "): attached, tracker abit, interval="));
	assert_non_null(strstr(logged->str, "): tracker ept-walk, interval="));
	assert_non_null(strstr(logged->str, "): detached, tracker ept-walk, interval="));
}

/* QEMU's user truncates the memory: the daemon continues and reports it; another attach makes a new channel. */
static void memory_that_is_cut_is_told(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	r = after_passes(s, 2);
	assert_int_equal(truncate(s->file, 0), 0);
	while (!last_window(r)->guest_silent) {
		g_clear_pointer(&r, kx_report_free);
		g_main_context_iteration(NULL, TRUE);
		r = report(s);
	}
	assert_non_null(strstr(last_window(r)->guest_silent, "cut short"));
	assert_int_equal(set(s, kx_manager_set_async, "guest-pebs", "event", "page-faults"),
			 KX_ERROR_NOT_SUPPORTED + 1);
	detach(s);
	assert_false(exists(s));
	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	g_clear_pointer(&r, kx_report_free);
	r = after_passes(s, 2);
	assert_null(last_window(r)->guest_silent);
}

/* The file of a running VM stays; files of other VMs are removed when the daemon starts. */
static void what_was_left_behind_is_removed(void **state)
{
	State *s = *state;

	fake_write(s->root, NAME, "a running VM's");
	while (kx_plug_left_behind(s->root, NOBODYS_UUID))
		g_main_context_iteration(NULL, TRUE);
	assert_true(exists(s));
}

static void a_vm_that_goes_leaves_no_file(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	r = after_passes(s, 2);
	fake_vm_goes();
	while (exists(s))
		g_main_context_iteration(NULL, TRUE);
	assert_non_null(strstr(s->events->str, "vm-gone"));
	assert_int_equal(s->detaches, 0); /* there is nothing to unplug from */
}

/* A daemon that stops unplugs its device; a daemon that was killed leaves it, and the next daemon takes it over. */
static void the_next_daemon_takes_over(void **state)
{
	State *s = *state;
	const KxPlugVm vm = { .sys = &domain_sys,
			      .domain = s,
			      .name = "vm1",
			      .uuid = UUID,
			      .pid = getpid(),
			      .dir = s->root,
			      .proc_root = s->root };
	g_autoptr(KxPlug) dead = kx_plug_in(&vm, NULL);
	g_autoptr(KxReport) r = NULL;

	assert_non_null(dead);
	/* The other daemon lives: its channel is left alone. */
	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL),
			 KX_ERROR_BUSY + 1);
	g_clear_pointer(&dead, kx_plug_unref);
	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	assert_int_equal(s->attaches, 1);
	r = after_passes(s, 2);
	kx_manager_shutdown(s->m);
	assert_int_equal(s->detaches, 1);
	assert_false(exists(s));
}

static void until_excluded(guint nr)
{
	while (fake.nr_excluded != nr)
		g_main_context_iteration(NULL, TRUE);
}

/* The module excludes the memory that the guest declares, whichever tracker runs, as long as the guest declares it. */
static void declared_memory_is_left_alone(void **state)
{
	State *s = *state;
	g_autoptr(KxReport) r = NULL;
	guint exclusions;

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	g_atomic_int_set(&s->declares, 1);
	until_excluded(2);
	assert_int_equal(fake.excluded[0].gfn, 0x100);
	assert_int_equal(fake.excluded[0].npages, 8);
	assert_int_equal(fake.excluded[1].gfn, 0x500);
	assert_int_equal(set(s, kx_manager_set_async, "ept-walk", NULL, NULL), 0);
	r = report(s);
	assert_int_equal(((KxVmReport *)r->vms->pdata[0])->declared_pages, 10);
	assert_int_equal(fake.nr_excluded, 2);

	/* a list that the module refuses: the old list stays in effect, and the new one is not tried again and again */
	exclusions = fake.exclusions;
	fake.exclude_errno = E2BIG;
	g_atomic_int_set(&s->declares, 2);
	while (g_atomic_int_get(&s->declared) != 2)
		g_usleep(GUEST_EPOCH_US);
	assert_int_equal(set(s, kx_manager_set_async, "abit", NULL, NULL), 0);
	fake.exclude_errno = 0;
	assert_int_equal(set(s, kx_manager_set_async, "off", NULL, NULL), 0);
	assert_int_equal(fake.exclusions, exclusions);
	assert_int_equal(fake.nr_excluded, 2);
	g_atomic_int_set(&s->declares, 0);
	until_excluded(0);
	detach(s);
}

/* --- a guest that does not answer --------------------------------------------------------------------------------- */

/* The member "waiting" in List; "" if nothing is waited for. */
static char *waiting(State *s)
{
	g_autoptr(GPtrArray) entries = NULL;
	Answer a = { NULL };
	char *text = g_strdup("");

	kx_manager_list_async(s->m, on_done, &a);
	while (!a.result)
		g_main_context_iteration(NULL, TRUE);
	entries = kx_manager_list_finish(a.result, NULL);
	g_object_unref(a.result);
	for (guint i = 0; i < entries->len; i++) {
		const KxVmEntry *e = entries->pdata[i];

		if (e->waiting) {
			g_free(text);
			text = g_strdup(e->waiting);
		}
	}
	return text;
}

static void until_waiting_is(State *s, const char *words)
{
	for (;;) {
		g_autofree char *text = waiting(s);

		if (*words ? strstr(text, words) != NULL : !*text)
			return;
		g_usleep(GUEST_EPOCH_US);
	}
}

static void until_event(State *s, const char *event)
{
	while (!strstr(s->events->str, event))
		g_main_context_iteration(NULL, TRUE);
}

/* Starts an attach, and waits for the event that says that it waits for the guest. */
static void start_waiting(State *s, GCancellable *cancellable, Answer *a)
{
	g_autoptr(GHashTable) o = options("guest-abit", NULL, NULL);

	g_atomic_int_set(&s->holds_back, TRUE);
	kx_manager_attach_async(s->m, s->self, o, cancellable, on_done, a);
	until_event(s, "waiting");
	assert_null(a->result);
}

static void finish_busy(Answer *a, const char *words)
{
	g_autoptr(GError) error = NULL;

	while (!a->result)
		g_main_context_iteration(NULL, TRUE);
	assert_false(kx_manager_done_finish(a->result, &error));
	g_object_unref(a->result);
	assert_int_equal(error->code, KX_ERROR_BUSY);
	if (!strstr(error->message, words))
		fail_msg("%s, not: %s", error->message, words);
}

/* Calls that wait use no thread of the pool that other calls need. */
static gboolean has_thread(const char *name)
{
	GDir *dir = g_dir_open("/proc/self/task", 0, NULL);
	gboolean found = FALSE;
	const char *tid;

	while (!found && (tid = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename("/proc/self/task", tid, "comm", NULL);
		g_autofree char *comm = NULL;

		found = g_file_get_contents(path, &comm, NULL, NULL) &&
			g_str_equal(g_strchomp(comm), name);
	}
	g_dir_close(dir);
	return found;
}

static void a_module_that_comes_late_is_waited_for(void **state)
{
	State *s = *state;
	Answer a = { NULL };

	start_waiting(s, NULL, &a);
	assert_non_null(strstr(s->events->str, "the guest's module (kvm_ext_guest.ko), until "));
	assert_non_null(strstr(s->events->str, "--wait TIME limits it"));
	assert_true(has_thread(KX_CALL_APART));
	g_atomic_int_set(&s->holds_back, FALSE);
	finish(&a, NULL);
	assert_non_null(strstr(s->events->str, "attached"));
	detach(s);
}

/* A set that waits, on a VM that is tracked from the host. */
static void start_set(State *s, const char *tracker, Answer *a)
{
	g_autoptr(GHashTable) o = options(tracker, "wait", "3m");

	kx_manager_set_async(s->m, s->self, o, NULL, on_done, a);
	until_waiting_is(s, "waiting");
	assert_null(a->result);
}

static void tracker_is(State *s, const char *tracker)
{
	g_autoptr(KxReport) r = report(s);

	assert_string_equal(last_window(r)->tracker, tracker);
}

/* The last command counts: the waiting call ends, and has no effect if the guest's module is loaded later. */
static void a_set_that_waits_gives_way(void **state)
{
	State *s = *state;
	Answer a = { NULL };

	assert_int_equal(set(s, kx_manager_attach_async, "abit", NULL, NULL), 0);
	g_atomic_int_set(&s->holds_back, TRUE);
	start_set(s, "guest-abit", &a);
	assert_int_equal(set(s, kx_manager_set_async, "ept-walk", NULL, NULL), 0);
	until_waiting_is(s, "");
	finish_busy(&a, "another tracker, ept-walk, was set meanwhile");
	assert_false(exists(s));
	assert_int_equal(s->attaches, 1);
	assert_int_equal(s->detaches, 1);
	g_atomic_int_set(&s->holds_back, FALSE);
	tracker_is(s, "ept-walk");

	/* setting an option of the running tracker does not end the wait for another tracker */
	g_atomic_int_set(&s->holds_back, TRUE);
	a = (Answer){ NULL };
	start_set(s, "guest-abit", &a);
	assert_int_equal(set_option(s, "interval", "50ms"), 0);
	until_waiting_is(s, "waiting");
	g_atomic_int_set(&s->holds_back, FALSE);
	finish(&a, NULL);
	tracker_is(s, "guest-abit");
}

/* Of several calls for trackers in the guest the last one counts; a call that has not begun yet ends as well. */
static void sets_in_the_guest_give_way(void **state)
{
	State *s = *state;
	g_autoptr(GHashTable) second = options("guest-pebs", "event", "page-faults");
	g_autoptr(GHashTable) third = options("guest-abit", NULL, NULL);
	Answer a = { NULL }, b = { NULL }, c = { NULL };

	assert_int_equal(set(s, kx_manager_attach_async, "abit", NULL, NULL), 0);
	g_atomic_int_set(&s->holds_back, TRUE);
	start_set(s, "guest-abit", &a);
	kx_manager_set_async(s->m, s->self, second, NULL, on_done, &b);
	kx_manager_set_async(s->m, s->self, third, NULL, on_done, &c);
	finish_busy(&b, "another tracker, guest-abit, was set meanwhile");
	finish_busy(&a, "another tracker, guest-pebs, was set meanwhile");
	assert_null(c.result);
	g_atomic_int_set(&s->holds_back, FALSE);
	finish(&c, NULL);
	tracker_is(s, "guest-abit");
	detach(s);
	assert_false(exists(s));
	assert_int_equal(s->attaches, s->detaches);
}

/* The wait is on the session's own channel, which stays: the guest gets its earlier command again, and a detach unplugs after the set. */
static void a_set_on_the_sessions_channel_gives_way(void **state)
{
	State *s = *state;
	Answer a = { NULL }, b = { NULL };

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	assert_int_equal(set(s, kx_manager_set_async, "abit", NULL, NULL), 0);
	g_atomic_int_set(&s->deaf, TRUE);
	start_set(s, "guest-abit", &a);
	assert_int_equal(set(s, kx_manager_set_async, "ept-walk", NULL, NULL), 0);
	finish_busy(&a, "another tracker, ept-walk, was set meanwhile");
	assert_int_equal(s->detaches, 0);
	assert_true(exists(s));
	start_set(s, "guest-abit", &b);
	detach(s);
	finish(&b, "it was detached meanwhile");
	assert_false(exists(s));
	assert_int_equal(s->detaches, 1);
}

/* A wait ends by the caller, a detach, its own time limit, or the VM's end: nothing is left in the VM. */
static void a_wait_can_be_given_up(void **state)
{
	State *s = *state;
	g_autoptr(GCancellable) cancellable = g_cancellable_new();
	Answer a = { NULL }, b = { NULL }, c = { NULL };
	g_autofree char *proc = g_strdup_printf("%s/%d", s->root, getpid());

	start_waiting(s, cancellable, &a);
	g_cancellable_cancel(cancellable);
	finish(&a, "the caller has disconnected");
	assert_false(exists(s));

	g_string_truncate(s->events, 0);
	start_waiting(s, NULL, &b);
	detach(s);
	finish(&b, "it was detached meanwhile");
	assert_false(exists(s));

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", "wait", "60ms"),
			 KX_ERROR_NOT_SUPPORTED + 1);
	assert_false(exists(s));
	assert_int_equal(s->detaches, s->attaches);

	g_string_truncate(s->events, 0);
	start_waiting(s, NULL, &c);
	fake_remove(proc);
	finish(&c, "has ended");
}

static void a_daemon_that_stops_waits_no_more(void **state)
{
	State *s = *state;
	Answer a = { NULL };

	start_waiting(s, NULL, &a);
	kx_manager_shutdown(s->m);
	finish(&a, "the daemon is stopping");
}

static gpointer unstick_later(gpointer data)
{
	State *s = data;

	for (guint i = 0; i < 600 && g_atomic_int_get(&s->stuck); i++)
		g_usleep(100000);
	g_atomic_int_set(&s->stuck, 0);
	return NULL;
}

/* A stopped QEMU never answers libvirt: the daemon ends its sessions and exits nevertheless. */
static void a_stop_does_not_wait_for_a_vm_that_hangs(void **state)
{
	State *s = *state;
	GThread *end;

	assert_int_equal(set(s, kx_manager_attach_async, "guest-abit", NULL, NULL), 0);
	g_atomic_int_set(&s->stuck, 1);
	end = g_thread_new("unstick", unstick_later,
			   s); /* a stop that waits fails, and not the machine */
	kx_manager_shutdown(s->m);
	assert_int_equal(g_atomic_int_get(&s->stuck), 2);
	assert_non_null(strstr(s->events->str, "detached"));
	assert_true(exists(s)); /* the device uses it */
	g_atomic_int_set(&s->stuck, 0);
	while (exists(s))
		g_usleep(1000);
	g_thread_join(end);
}

/* The rule's first attempt fails, and this is reported and shown. */
static virDomainPtr rule_waits(State *s, virConnectPtr *conn)
{
	static const char config[] = "[daemon]\nlibvirt-uri=test:///default\n[domain test]\n"
				     "tracker=guest-abit\nepoch=10ms\n";
	g_autoptr(GError) error = NULL;
	KxConfig *c = kx_config_parse(config, strlen(config), "test", &error);
	virDomainPtr dom;

	assert_non_null(c);
	*conn = virConnectOpen("test:///default");
	dom = virDomainLookupByName(*conn, "test");
	assert_non_null(dom);
	g_atomic_int_set(&s->paused, TRUE);
	kx_manager_reload(s->m, c);
	until_waiting_is(s, "tried again every 10 s at most: VM \"test\" is paused");
	return dom;
}

static void a_rule_is_tried_again(void **state)
{
	State *s = *state;
	virConnectPtr conn;
	virDomainPtr dom = rule_waits(s, &conn);

	assert_null(strstr(s->events->str, "attached"));
	g_atomic_int_set(&s->paused, FALSE);
	assert_int_equal(virDomainSuspend(dom), 0);
	assert_int_equal(virDomainResume(dom), 0);
	until_event(s, "attached");
	until_waiting_is(s, "");
	virDomainFree(dom);
	virConnectClose(conn);
	detach(s);
}

static void a_detach_ends_the_trying(void **state)
{
	State *s = *state;
	virConnectPtr conn;
	virDomainPtr dom = rule_waits(s, &conn);

	detach(s);
	until_waiting_is(s, "");
	virDomainFree(dom);
	virConnectClose(conn);
}

/* The rule's wait ends for a command; the rule's next attempts find the VM attached. */
static void a_rule_that_waits_gives_way(void **state)
{
	State *s = *state;
	virConnectPtr conn;
	virDomainPtr dom = rule_waits(s, &conn);

	g_atomic_int_set(&s->holds_back, TRUE);
	g_atomic_int_set(&s->paused, FALSE);
	assert_int_equal(virDomainSuspend(dom), 0);
	assert_int_equal(virDomainResume(dom), 0);
	until_event(s, "waiting");
	assert_int_equal(set(s, kx_manager_attach_async, "ept-walk", NULL, NULL), 0);
	until_waiting_is(s, "");
	tracker_is(s, "ept-walk");
	assert_false(exists(s));
	virDomainFree(dom);
	virConnectClose(conn);
	detach(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(samples_in_the_guest),
		CASE(epochs_without_a_sample_are_counted),
		CASE(switches_between_host_and_guest),
		CASE(a_refusal_changes_nothing),
		CASE(a_refusal_says_what_is_missing),
		CASE(a_cpu_that_is_not_online_is_named),
		CASE(the_log_names_the_tracker),
		CASE(a_vm_that_goes_leaves_no_file),
		CASE(memory_that_is_cut_is_told),
		CASE(what_was_left_behind_is_removed),
		CASE(the_next_daemon_takes_over),
		CASE(declared_memory_is_left_alone),
		CASE(a_module_that_comes_late_is_waited_for),
		CASE(a_set_that_waits_gives_way),
		CASE(sets_in_the_guest_give_way),
		CASE(a_set_on_the_sessions_channel_gives_way),
		CASE(a_wait_can_be_given_up),
		CASE_WITH(a_rule_that_waits_gives_way, setup_rules),
		CASE(a_daemon_that_stops_waits_no_more),
		CASE(a_stop_does_not_wait_for_a_vm_that_hangs),
		CASE_WITH(a_rule_is_tried_again, setup_rules),
		CASE_WITH(a_detach_ends_the_trying, setup_rules),
	};

	logged = g_string_new(NULL);
	g_log_set_writer_func(on_log, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
