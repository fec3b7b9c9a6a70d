// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What VMs are called: by libvirt (its test driver), by QEMU's command line in a directory that stands for /proc, by both or
 * by neither; and that a call acts on the VM that was meant, or on none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "cases.h"
#include "control/manager-internal.h"
#include "fake-module.h"
#include "fake-root.h"

#define DOMAIN_UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define OTHER_UUID  "c7a5fdbd-edaf-9455-926a-d65c16db180a"

/* Where libvirt's files with the numbers of processes are looked for, beside those of this machine. */
static char *runtime;

typedef struct {
	char *root;
	KxHost host;
	KxManager *m;
	gboolean connected;
	virConnectPtr conn;
} State;

static void on_event(const KxEvent *e, gpointer data)
{
}

static void on_libvirt(gboolean connected, gpointer data)
{
	((State *)data)->connected = connected;
}

/* A QEMU with this name and UUID on its command line. */
static void runs(const State *s, guint pid, const char *name, const char *uuid)
{
	g_autofree char *path = g_strdup_printf("%u/cmdline", pid);
	g_autofree char *text = g_strdup_printf("qemu -name guest=%s,debug-threads=on%s%s", name,
						uuid ? " -uuid " : "", uuid ? uuid : "");
	gsize len = strlen(text) + 1;

	g_strdelimit(text, " ", '\0');
	fake_write_len(s->root, path, text, (gssize)len);
}

static int setup(void **state)
{
	static const char config[] = "[daemon]\nlibvirt-uri=test:///default\n";
	State *s = g_new0(State, 1);

	fake_reset();
	s->root = fake_root_new();
	s->host = fake_host;
	s->host.proc_root = s->root;
	s->m = kx_manager_new(&s->host, kx_config_parse(config, strlen(config), "test", NULL),
			      on_event, on_libvirt, s);
	while (!s->connected)
		g_main_context_iteration(NULL, TRUE);
	s->conn = virConnectOpen("test:///default");
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	kx_manager_shutdown(s->m);
	kx_manager_unref(s->m);
	while (g_main_context_iteration(NULL, FALSE))
		;
	virConnectClose(s->conn);
	fake_remove(s->root);
	g_free(s->root);
	g_free(s);
	return 0;
}

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
	*(GAsyncResult **)data = g_object_ref(result);
}

static GAsyncResult *await(GAsyncResult **result)
{
	while (!*result)
		g_main_context_iteration(NULL, TRUE);
	return *result;
}

/* @words NULL: the call succeeds; else it fails with @code, and its message has all words. */
static void judge(GAsyncResult *result, int code, const char *const *words)
{
	g_autoptr(GError) error = NULL;

	kx_manager_done_finish(result, &error);
	g_object_unref(result);
	if (!words != !error || (error && error->code != code))
		fail_msg("%s", error ? error->message : "it worked");
	for (; words && *words; words++) {
		if (!strstr(error->message, *words))
			fail_msg("no \"%s\" in: %s", *words, error->message);
	}
}

#define WORDS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static void attach(State *s, const char *target, int code, const char *const *words)
{
	GAsyncResult *result = NULL;

	kx_manager_attach_async(s->m, target, NULL, NULL, on_done, &result);
	judge(await(&result), code, words);
}

static void set(State *s, const char *target, const char *tracker, int code,
		const char *const *words)
{
	g_autoptr(GHashTable) o = g_hash_table_new(g_str_hash, g_str_equal);
	GAsyncResult *result = NULL;

	g_hash_table_insert(o, (char *)"tracker", (char *)tracker);
	kx_manager_set_async(s->m, target, o, NULL, on_done, &result);
	judge(await(&result), code, words);
}

static void detach(State *s, const char *target)
{
	GAsyncResult *result = NULL;

	kx_manager_detach_async(s->m, target, on_done, &result);
	judge(await(&result), 0, NULL);
}

/* The tracker of the VM that process @pid runs; "none": it is not attached. */
static void has(State *s, guint pid, const char *tracker)
{
	g_autoptr(GPtrArray) entries = NULL;
	const char *found = "none";
	GAsyncResult *result = NULL;

	kx_manager_list_async(s->m, on_done, &result);
	entries = kx_manager_list_finish(await(&result), NULL);
	g_object_unref(result);
	for (guint i = 0; i < entries->len; i++) {
		const KxVmEntry *e = entries->pdata[i];

		if (e->attached && e->ident.pid == (pid_t)pid)
			found = e->tracker;
	}
	assert_string_equal(found, tracker);
}

static virDomainPtr domain(const State *s, const char *name)
{
	g_autofree char *xml =
		g_strdup_printf("<domain type='test'><name>%s</name><uuid>" DOMAIN_UUID
				"</uuid><memory>1024</memory><os><type>hvm</type></os></domain>",
				name);
	virDomainPtr dom = virDomainCreateXML(s->conn, xml, 0);

	assert_non_null(dom);
	return dom;
}

static void twins_are_told_apart(void **state)
{
	State *s = *state;

	runs(s, 100001, "twin", NULL);
	runs(s, 100002, "twin", NULL);
	attach(s, "/proc/100001", 0, NULL);
	attach(s, "pid:100002", 0, NULL);
	set(s, "twin", "abit", KX_ERROR_NO_SUCH_VM, WORDS("100001, 100002", "--pid"));
	set(s, "/proc/100002", "abit", 0, NULL);
	set(s, "pid:100001", "ept-walk", 0, NULL);
	has(s, 100001, "ept-walk");
	has(s, 100002, "abit");
	detach(s, "/proc/100001");
	/* one of the two is left */
	set(s, "twin", "abit-flush", 0, NULL);
	has(s, 100002, "abit-flush");
}

/* A domain whose name is "pid:N", where N is the process of another VM. */
static void a_domain_may_be_called_pid(void **state)
{
	State *s = *state;
	virDomainPtr dom = domain(s, "pid:100001");

	runs(s, 100001, "other", NULL);
	runs(s, 100003, "pid:100001", DOMAIN_UUID);
	attach(s, "pid:100001", 0, NULL);
	has(s, 100003, "off");
	has(s, 100001, "none");
	attach(s, "/proc/100001", 0, NULL);
	has(s, 100001, "off");
	set(s, "pid:100001", "abit", 0, NULL);
	has(s, 100003, "abit");
	has(s, 100001, "off");
	attach(s, "pid:100001", KX_ERROR_ALREADY_ATTACHED, WORDS("tracker abit"));
	detach(s, "pid:100001");
	has(s, 100003, "none");
	has(s, 100001, "off");
	virDomainDestroy(dom);
	virDomainFree(dom);
}

static void a_domain_at_rest_is_no_process(void **state)
{
	State *s = *state;
	virDomainPtr dom = virDomainDefineXML(
		s->conn, "<domain type='test'><name>pid:100001</name><memory>1024</memory><os>"
			 "<type>hvm</type></os></domain>");

	assert_non_null(dom);
	runs(s, 100001, "other", NULL);
	attach(s, "pid:100001", KX_ERROR_NO_SUCH_VM, WORDS("is not running"));
	has(s, 100001, "none");
	virDomainUndefine(dom);
	virDomainFree(dom);
}

/* A domain of another libvirt, such as qemu:///session: the libvirt that is asked does not know it. */
static void domains_of_another_libvirt(void **state)
{
	State *s = *state;

	attach(s, "theirs", KX_ERROR_NO_SUCH_VM,
	       WORDS("test:///default", "qemu:///session", "--pid"));
	runs(s, 100001, "theirs", OTHER_UUID);
	attach(s, "theirs", KX_ERROR_NO_SUCH_VM,
	       WORDS("test:///default", "process 100001", "--pid", "UUID"));
	attach(s, OTHER_UUID, 0, NULL);
	has(s, 100001, "off");
	set(s, "theirs", "abit", 0, NULL);
	has(s, 100001, "abit");
}

/* The user of a VM without libvirt chooses its name: control characters must not reach logs and terminals of other users. */
static void a_name_is_no_terminal_command(void **state)
{
	static const char *const names[] = { "evil\x1b[2J", "two\nlines", "\xff\xfe" };
	State *s = *state;

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		KxSession *found;

		runs(s, 100001, names[i], NULL);
		attach(s, "/proc/100001", 0, NULL);
		found = kx_manager_find_alive(s->m, "/proc/100001", NULL);
		assert_string_equal(kx_session_ident(found)->name, "pid:100001");
		detach(s, "/proc/100001");
	}
}

static void is_named(State *s, const char *target, const char *name, const char *uuid)
{
	const KxSession *found = kx_manager_find_alive(s->m, target, NULL);

	assert_non_null(found);
	assert_string_equal(kx_session_ident(found)->name, name);
	assert_true(g_strcmp0(kx_session_ident(found)->uuid, uuid) == 0);
}

/* A process with the UUID of a domain that another process runs: what libvirt says of the domain is not about this process. */
static void a_uuid_belongs_to_one_process(void **state)
{
	State *s = *state;
	virDomainPtr dom = domain(s, "mine");

	fake_write(runtime, "libvirt/qemu/run/mine.pid", "100001\n");
	runs(s, 100001, "mine", DOMAIN_UUID);
	runs(s, 100002, "mine", DOMAIN_UUID);
	attach(s, "/proc/100002", 0, NULL);
	is_named(s, "/proc/100002", "pid:100002", NULL);
	attach(s, "mine", 0, NULL);
	has(s, 100001, "off");
	is_named(s, DOMAIN_UUID, "mine", DOMAIN_UUID);
	detach(s, "mine");
	has(s, 100002, "off");
	attach(s, "/proc/100001", 0, NULL);
	is_named(s, "/proc/100001", "mine", DOMAIN_UUID);
	virDomainDestroy(dom);
	virDomainFree(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(twins_are_told_apart),	      CASE(a_domain_may_be_called_pid),
		CASE(a_domain_at_rest_is_no_process), CASE(domains_of_another_libvirt),
		CASE(a_name_is_no_terminal_command),  CASE(a_uuid_belongs_to_one_process),
	};
	int failed;

	/* Before anything asks for it: GLib remembers the answer. */
	runtime = fake_root_new();
	g_setenv("XDG_RUNTIME_DIR", runtime, TRUE);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_remove(runtime);
	g_free(runtime);
	return failed;
}
