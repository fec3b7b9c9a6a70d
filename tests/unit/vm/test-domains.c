// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's own test driver, which needs no libvirtd: look-ups, lists, events, names outside ASCII, lost connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "cases.h"
#include "fake-root.h"
#include "vm/domains.h"

#define ODD  "web \xce\xb1 1"
#define UUID "4a64cc71-19c4-2fd0-2323-3050941ea3c3"

/* Two running domains, one with a space and a Greek letter in its name. */
static const char node[] =
	"<node><domain type='test'><name>" ODD "</name><uuid>" UUID
	"</uuid><memory>1024</memory><os><type>hvm</type></os></domain>"
	"<domain "
	"type='test'><name>db</name><memory>1024</memory><os><type>hvm</type></os></domain></node>";

typedef struct {
	char *root, *uri;
	guint connected, started, stopped, paused, resumed;
	gint64 realtime_ns;
	char *last, *detail;
} State;

static int setup(void **state)
{
	State *s = g_new0(State, 1);

	s->root = fake_root_new();
	fake_write(s->root, "node.xml", node);
	s->uri = g_strdup_printf("test://%s/node.xml", s->root);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	fake_remove(s->root);
	g_free(s->root);
	g_free(s->uri);
	g_free(s->last);
	g_free(s->detail);
	g_free(s);
	return 0;
}

static void on_event(KxDomainsEvent event, const KxDomain *d, const char *detail,
		     gint64 realtime_ns, gpointer data)
{
	State *s = data;

	if (event == KX_DOMAINS_CONNECTED)
		s->connected++;
	if (event == KX_DOMAINS_CONNECTED || event == KX_DOMAINS_LOST)
		return;
	s->paused += event == KX_DOMAINS_PAUSED;
	s->resumed += event == KX_DOMAINS_RESUMED;
	s->realtime_ns = realtime_ns;
	s->started += event == KX_DOMAINS_STARTED;
	s->stopped += event == KX_DOMAINS_STOPPED;
	g_free(s->last);
	g_free(s->detail);
	s->last = g_strdup(d->name);
	s->detail = g_strdup(detail);
}

static gboolean on_timeout(gpointer data)
{
	*(gboolean *)data = TRUE;
	return G_SOURCE_REMOVE;
}

/* Runs the main loop until *@count is at least @want, or a minute. */
static void wait_for(const guint *count, guint want)
{
	gboolean late = FALSE;
	guint id = g_timeout_add(60000, on_timeout, &late);

	while (*count < want && !late)
		g_main_context_iteration(NULL, TRUE);
	if (late)
		fail_msg("nothing happened within a minute");
	g_source_remove(id);
}

static void run_for(guint ms)
{
	gboolean late = FALSE;

	g_timeout_add(ms, on_timeout, &late);
	while (!late)
		g_main_context_iteration(NULL, TRUE);
}

static void looks_up_and_lists(void **state)
{
	State *s = *state;
	KxDomains *d = kx_domains_new(s->uri, on_event, s);
	g_autoptr(KxLibvirt) l = NULL;
	g_autoptr(KxDomain) by_name = NULL, by_uuid = NULL;
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GError) early = NULL, none = NULL;

	assert_null(kx_domains_hold(d, &early));
	assert_true(g_error_matches(early, KX_ERROR, KX_ERROR_NO_LIBVIRT));
	wait_for(&s->connected, 1);
	l = kx_domains_hold(d, NULL);
	assert_non_null(l);
	by_name = kx_libvirt_lookup(l, ODD, NULL);
	assert_string_equal(by_name->uuid, UUID);
	assert_true(by_name->active);
	assert_string_equal(by_name->state, "running");
	by_uuid = kx_libvirt_lookup(l, UUID, NULL);
	assert_string_equal(by_uuid->name, ODD);
	assert_null(kx_libvirt_lookup(l, "none", &none));
	assert_true(g_error_matches(none, KX_ERROR, KX_ERROR_NO_SUCH_VM));
	list = kx_libvirt_list(l, NULL);
	assert_int_equal(list->len, 2);
	kx_domains_free(d);
	/* A held connection works after that. */
	g_clear_pointer(&list, g_ptr_array_unref);
	list = kx_libvirt_list(l, NULL);
	assert_int_equal(list->len, 2);
}

/* The test driver shares one state between all connections to test:///default. */
static void tells_of_starts_and_stops(void **state)
{
	State *s = *state;
	KxDomains *d = kx_domains_new("test:///default", on_event, s);
	virConnectPtr other;
	virDomainPtr dom;

	wait_for(&s->connected, 1);
	other = virConnectOpen("test:///default");
	dom = virDomainCreateXML(other,
				 "<domain type='test'><name>" ODD
				 "</name><memory>1024</memory><os><type>hvm</type></os></domain>",
				 0);
	assert_non_null(dom);
	wait_for(&s->started, 1);
	assert_string_equal(s->last, ODD);
	assert_int_equal(virDomainDestroy(dom), 0);
	wait_for(&s->stopped, 1);
	assert_string_equal(s->last, ODD);
	assert_string_equal(s->detail, "destroyed");
	virDomainFree(dom);
	virConnectClose(other);
	kx_domains_free(d);
}

/* The test driver has no monitor: a pause begins when libvirt reports it. */
static void tells_of_pauses(void **state)
{
	State *s = *state;
	gint64 before = g_get_real_time() * 1000;
	KxDomains *d = kx_domains_new("test:///default", on_event, s);
	g_autoptr(KxLibvirt) l = NULL;
	g_autoptr(GError) error = NULL;
	char uuid[VIR_UUID_STRING_BUFLEN];
	const char *why = NULL;
	gboolean runs = FALSE;
	virConnectPtr other;
	virDomainPtr dom;

	wait_for(&s->connected, 1);
	l = kx_domains_hold(d, NULL);
	other = virConnectOpen("test:///default");
	dom = virDomainLookupByName(other, "test");
	assert_int_equal(virDomainGetUUIDString(dom, uuid), 0);
	assert_true(kx_libvirt_runs(l, uuid, &runs, &why, NULL) && runs && !why);
	assert_int_equal(virDomainSuspend(dom), 0);
	wait_for(&s->paused, 1);
	assert_string_equal(s->last, "test");
	assert_string_equal(s->detail, "suspended");
	assert_true(s->realtime_ns >= before && s->realtime_ns <= g_get_real_time() * 1000);
	assert_true(kx_libvirt_runs(l, uuid, &runs, &why, NULL) && !runs);
	assert_string_equal(why, "suspended");
	assert_int_equal(virDomainResume(dom), 0);
	wait_for(&s->resumed, 1);
	assert_int_equal(s->paused, 1);
	assert_false(
		kx_libvirt_runs(l, "00000000-0000-4000-8000-000000000000", &runs, &why, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_SUCH_VM));
	virDomainFree(dom);
	virConnectClose(other);
	kx_domains_free(d);
}

static void refuses_qmp_politely(void **state)
{
	State *s = *state;
	KxDomains *d = kx_domains_new(s->uri, on_event, s);
	g_autoptr(KxLibvirt) l = NULL;
	g_autoptr(GError) error = NULL;
	KxKvmStat st;

	wait_for(&s->connected, 1);
	l = kx_domains_hold(d, NULL);
	assert_false(kx_libvirt_kvmstat(l, UUID, &st, &error));
	assert_non_null(error);
	kx_domains_free(d);
}

/* The test driver has no jobs: nothing is guessed. */
static void knows_of_no_use_of_the_log(void **state)
{
	State *s = *state;
	KxDomains *d = kx_domains_new(s->uri, on_event, s);
	g_autoptr(KxLibvirt) l = NULL;

	wait_for(&s->connected, 1);
	l = kx_domains_hold(d, NULL);
	assert_null(kx_libvirt_uses_log(l, UUID));
	assert_null(kx_libvirt_uses_log(l, "00000000-0000-4000-8000-000000000000"));
	kx_domains_free(d);
}

/* libvirt cannot be reached at first: the connection is made by itself when it can. */
static void tries_again(void **state)
{
	State *s = *state;
	g_autofree char *late = g_strdup_printf("test://%s/late.xml", s->root);
	KxDomains *d = kx_domains_new(late, on_event, s);

	run_for(300);
	assert_int_equal(s->connected, 0);
	assert_false(kx_domains_connected(d));
	fake_write(s->root, "late.xml", node);
	wait_for(&s->connected, 1);
	assert_true(kx_domains_connected(d));
	kx_domains_free(d);
}

static void does_without_libvirt(void **state)
{
	State *s = *state;
	KxDomains *d = kx_domains_new("", on_event, s);
	g_autoptr(GError) error = NULL;

	run_for(50);
	assert_null(kx_domains_hold(d, &error));
	assert_non_null(strstr(error->message, "--pid"));
	kx_domains_free(d);
}

/* Freed while it is still connecting: no callback is called, and nothing leaks (ASan). */
static void may_be_freed_at_once(void **state)
{
	State *s = *state;
	int i;

	for (i = 0; i < 10; i++)
		kx_domains_free(kx_domains_new(s->uri, on_event, s));
	run_for(200);
	assert_int_equal(s->connected, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(looks_up_and_lists),   CASE(tells_of_starts_and_stops),  CASE(tells_of_pauses),
		CASE(refuses_qmp_politely), CASE(knows_of_no_use_of_the_log), CASE(tries_again),
		CASE(does_without_libvirt), CASE(may_be_freed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
