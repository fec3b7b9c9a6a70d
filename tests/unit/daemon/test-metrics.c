// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metrics over HTTP: what clients get, and what clients that mean harm do not get. With "--serve ADDRESS:PORT" this program serves
 * 300 VMs, whose trackers find something ten times a second, until its standard input ends: tests/metrics/run has Prometheus read
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gio/gunixinputstream.h>
#include <gio/gunixsocketaddress.h>

#include "cases.h"
#include "daemon/metrics.h"
#include "fake-world.h"

#define MANY 300u
#define ANSWER_MAX \
	2000000 /* us: another order of growth alone would miss it, on a busy machine with the sanitizers, too */

/* A pass of @samples that cost 8 us each. */
static void run_pass(Instance *i, guint64 samples)
{
	struct kvm_ext_rec_pass_end e = { .h = { KVM_EXT_REC_PASS_END, 0, sizeof(e) },
					  .pass = i->stats.passes + 1,
					  .time_ns = (guint64)g_get_monotonic_time() * 1000,
					  .cpu_ns = samples * 8000,
					  .samples = samples };

	begin_pass(i, 0);
	i->stats.passes++;
	i->stats.samples += samples;
	i->stats.cpu_ns += e.cpu_ns;
	put(i, &e, sizeof(e));
}

/* --- a client ----------------------------------------------------------------------------------------------------------- */

typedef struct {
	const char *listen, *request;
	char *answer;
	gint done;
} Fetch;

static GSocketConnection *dial(const char *listen)
{
	g_autoptr(GSocketAddress) address = kx_config_metrics_address(listen, NULL);
	g_autoptr(GSocketClient) client = g_socket_client_new();

	return g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
}

static gpointer fetch_thread(gpointer data)
{
	Fetch *f = data;
	g_autoptr(GSocketConnection) c = dial(f->listen);
	g_autoptr(GString) answer = g_string_new(NULL);
	char part[4096];
	gssize n;

	if (c) {
		g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(c)), f->request,
					  strlen(f->request), NULL, NULL, NULL);
		while ((n = g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(c)), part,
						sizeof(part), NULL, NULL)) > 0)
			g_string_append_len(answer, part, n);
	}
	f->answer = g_strdup(answer->str);
	g_atomic_int_set(&f->done, 1);
	g_main_context_wakeup(NULL);
	return NULL;
}

static char *fetch(const char *listen, const char *request)
{
	Fetch f = { .listen = listen, .request = request };
	GThread *thread = g_thread_new("client", fetch_thread, &f);

	while (!g_atomic_int_get(&f.done))
		g_main_context_iteration(NULL, TRUE);
	g_thread_join(thread);
	return f.answer;
}

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\n"

static void assert_begins(const char *answer, const char *status)
{
	if (!g_str_has_prefix(answer, status))
		fail_msg("not %s but %.200s", status, answer);
}

static void assert_contains(const char *answer, const char *what)
{
	if (!strstr(answer, what))
		fail_msg("no %s in %.3000s", what, answer);
}

/* A port that is free now. */
static char *free_port(void)
{
	g_autoptr(GSocketListener) l = g_socket_listener_new();
	guint16 port = g_socket_listener_add_any_inet_port(l, NULL, NULL);

	g_socket_listener_close(l);
	return g_strdup_printf("127.0.0.1:%u", port);
}

static KxMetrics *serve(State *s, const char *listen)
{
	g_autoptr(GError) error = NULL;
	KxMetrics *m = kx_metrics_new(s->on.service, listen, &error);

	if (!m)
		fail_msg("%s", error->message);
	return m;
}

/* --- cases -------------------------------------------------------------------------------------------------------------- */

static void each_format_on_request(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	static const struct {
		const char *accept, *type;
	} cases[] = {
		{ "", "application/openmetrics-text; version=1.0.0; charset=utf-8" },
		{ "Accept: */*\r\n", "application/openmetrics-text; version=1.0.0; charset=utf-8" },
		{ "Accept: "
		  "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n",
		  "application/openmetrics-text; version=1.0.0; charset=utf-8" },
		{ "Accept: text/plain\r\n", "text/plain; version=0.0.4; charset=utf-8" },
		{ "Accept: application/openmetrics-text;q=0.1, text/plain;q=0.9\r\n",
		  "text/plain; version=0.0.4; charset=utf-8" },
	};

	attach_named(s, 0, "a\"b\\c");
	run_pass(world.last, 100);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *request = g_strconcat(GET, cases[i].accept, "\r\n", NULL);
		g_autofree char *answer = fetch(port, request);
		gboolean open = g_str_has_prefix(cases[i].type, "app");

		assert_begins(answer, "HTTP/1.1 200 ");
		assert_contains(answer, cases[i].type);
		assert_contains(
			answer,
			"kvm_ext_tracker_passes_total{domain=\"a\\\"b\\\\c\",tracker=\"abit\"} 1");
		assert_true(g_str_has_suffix(answer, "\n# EOF\n") == open);
	}
}

static void other_requests_are_refused(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	g_autofree char *other = fetch(port, "GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n");
	g_autofree char *post =
		fetch(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	g_autofree char *old = fetch(port, "GET /metrics HTTP/1.0\r\n\r\n");
	g_autofree char *head = fetch(port, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	g_autofree char *rubbish = fetch(port, "\x16\x03\x01 rubbish\r\n\r\n");

	assert_begins(other, "HTTP/1.1 404 ");
	assert_contains(other, "/metrics");
	assert_begins(post, "HTTP/1.1 405 ");
	assert_contains(post, "Allow: GET, HEAD");
	assert_contains(old, "kvm_ext_build_info");
	assert_begins(head, "HTTP/1.1 200 ");
	assert_null(strstr(head, "# TYPE"));
	assert_null(strstr(rubbish, "# TYPE"));
}

/* A socket file, of the group as the daemon's own. */
static void a_unix_socket(void **state)
{
	State *s = *state;
	g_autofree char *path = g_build_filename(s->on.root, "run", "metrics.sock", NULL);
	KxMetrics *m = serve(s, path);
	g_autofree char *answer = fetch(path, GET "\r\n");

	assert_contains(answer, "kvm_ext_attached_vms 0");
	kx_metrics_free(m);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_true(g_file_set_contents(path, "somebody's", -1, NULL));
	assert_null(kx_metrics_new(s->on.service, path, NULL));
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* Clients that send nothing, or only a part of a request, and then a client that wants the metrics. */
static void slow_clients_do_no_harm(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	g_autoptr(GPtrArray) slow = g_ptr_array_new_with_free_func(g_object_unref);

	for (guint i = 0; i < 300; i++) {
		GSocketConnection *c = dial(port);
		g_autofree char *answer = NULL;

		if (!c)
			fail_msg("connection %u is refused", i);
		g_ptr_array_add(slow, c);
		g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(c)), "GET /met",
					  8, NULL, NULL, NULL);
		if (i % 50 != 49) {
			while (g_main_context_iteration(NULL, FALSE))
				;
			continue;
		}
		answer = fetch(port, GET "\r\n");
		assert_begins(answer, "HTTP/1.1 200 ");
	}
}

/* Many requests at the same time get the same text. */
static void many_readers_share_a_text(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	Fetch f[20];
	GThread *threads[20];

	attach(s, 0);
	for (guint i = 0; i < G_N_ELEMENTS(f); i++) {
		f[i] = (Fetch){ .listen = port, .request = GET "\r\n" };
		threads[i] = g_thread_new("client", fetch_thread, &f[i]);
	}
	for (guint i = 0; i < G_N_ELEMENTS(f); i++) {
		while (!g_atomic_int_get(&f[i].done))
			g_main_context_iteration(NULL, TRUE);
		g_thread_join(threads[i]);
		assert_begins(f[i].answer, "HTTP/1.1 200 ");
		g_free(f[i].answer);
	}
}

static guint64 value_of(const char *answer, const char *series)
{
	const char *at = strstr(answer, series);

	if (!at)
		fail_msg("no %s in %.3000s", series, answer);
	return g_ascii_strtoull(at + strlen(series), NULL, 10);
}

/* Counters continue over switches of trackers; the ring is not read for a scrape. */
static void totals_outlast_windows(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	static const char abit[] = "kvm_ext_tracker_passes_total{domain=\"vm0\",tracker=\"abit\"} ";

	attach(s, 0);
	for (guint n = 1; n <= 3; n++) {
		static const char *const trackers[] = { "ept-walk", "abit" };
		g_autofree char *answer = NULL;

		run_pass(world.last, 100);
		answer = fetch(port, GET "\r\n");
		assert_int_equal(value_of(answer, abit), n);
		for (guint t = 0; t < 2; t++) {
			g_autofree char *target = target_of(0);
			g_autoptr(GVariant) reply = NULL;
			GVariantDict d;

			g_variant_dict_init(&d, NULL);
			g_variant_dict_insert(&d, "tracker", "s", trackers[t]);
			reply = call(s, "SetTracker",
				     g_variant_new("(s@a{sv})", target, g_variant_dict_end(&d)),
				     FALSE);
		}
	}
	detach(s, 0);
	{
		g_autofree char *answer = fetch(port, GET "\r\n");

		assert_null(strstr(answer, "domain="));
	}
}

static double age_of(const char *answer, const char *vm)
{
	g_autofree char *series =
		g_strdup_printf("kvm_ext_vm_figures_age_seconds{domain=\"%s\"} ", vm);
	const char *at = strstr(answer, series);

	if (!at)
		fail_msg("no %s in %.3000s", series, answer);
	return g_ascii_strtod(at + strlen(series), NULL);
}

/* A VM that cannot be read delays neither the answer nor the other VMs; its figures are those read last, with their age. */
static void slow_vms_hold_up_nobody(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	static const char passes[] =
		"kvm_ext_tracker_passes_total{domain=\"vm%u\",tracker=\"abit\"} ";
	Instance *slow = NULL;

	for (guint i = 0; i < 3; i++) {
		attach(s, i);
		run_pass(world.last, 100);
		if (i == 1)
			slow = world.last;
	}
	g_free(fetch(port, GET "\r\n"));
	run_pass(world.last, 100);
	run_pass(slow, 100);
	g_atomic_int_set(&slow->blocked, 1);
	for (guint n = 0; n < 2; n++) { /* the second scrape finds the VM busy */
		g_autofree char *answer = fetch(port, GET "\r\n");

		assert_begins(answer, "HTTP/1.1 200 ");
		assert_true(g_atomic_int_get(&slow->waits));
		for (guint i = 0; i < 3 - n; i++) {
			g_autofree char *series = g_strdup_printf(passes, i);
			g_autofree char *vm = g_strdup_printf("vm%u", i);
			double age = age_of(answer, vm);

			assert_true(value_of(answer, series) >= 1);
			if (i == 1) {
				assert_int_equal(value_of(answer, series), 1);
				assert_true(age > 1 || n); /* it waited from one tick to the next */
			}
			print_message("scrape %u: the figures of %s are %.3f s old\n", n, vm, age);
		}
		detach(s, n ? 0 : 2); /* these VMs are not kept busy */
	}
	g_atomic_int_set(&slow->blocked, 0);
	for (guint64 n = 0; n != 2;) { /* until the VM was read */
		g_autofree char *answer = fetch(port, GET "\r\n");

		n = value_of(answer,
			     "kvm_ext_tracker_passes_total{domain=\"vm1\",tracker=\"abit\"} ");
	}
	detach(s, 1);
}

static gint64 time_of_scrape(const char *port, gsize *bytes)
{
	gint64 best = G_MAXINT64;

	for (guint n = 0; n < 10; n++) {
		gint64 start = g_get_monotonic_time();
		g_autofree char *answer = fetch(port, GET "\r\n");

		best = MIN(best, g_get_monotonic_time() - start);
		assert_begins(answer, "HTTP/1.1 200 ");
		*bytes = strlen(answer);
	}
	return best;
}

/* The records of the pages that were found are not read, so the size of VMs and rings does not matter. */
static void many_vms(void **state)
{
	State *s = *state;
	g_autofree char *port = free_port();
	g_autoptr(KxMetrics) m = serve(s, port);
	gsize bytes, tail;
	gint64 us;

	for (guint i = 0; i < MANY; i++) {
		attach(s, i);
		run_pass(world.last, 100);
	}
	us = time_of_scrape(port, &bytes);
	print_message("scrape of %u VMs: %.1f ms, %" G_GSIZE_FORMAT " KiB\n", MANY,
		      (double)us / 1e3, bytes >> 10);
	assert_true(us < ANSWER_MAX);
	/* The lane is free now. */
	tail = world.last->ring->data_tail;
	run_pass(world.last, 100);
	us = time_of_scrape(port, &bytes);
	assert_int_equal(world.last->ring->data_tail, tail);
	assert_true(us < ANSWER_MAX);
}

/* --- for Prometheus ----------------------------------------------------------------------------------------------------- */

static gboolean on_tick(gpointer data)
{
	GHashTableIter it;
	gpointer i;

	g_mutex_lock(&world.lock);
	g_hash_table_iter_init(&it, world.by_fd);
	while (g_hash_table_iter_next(&it, NULL, &i)) {
		if (((Instance *)i)->ring)
			run_pass(i, 100);
	}
	g_mutex_unlock(&world.lock);
	return G_SOURCE_CONTINUE;
}

static void on_input(GObject *in, GAsyncResult *result, gpointer data)
{
	*(gboolean *)data = TRUE;
}

/* Reads the rings, as a request for figures does. */
static gboolean on_look(gpointer data)
{
	State *s = data;
	FakeAnswer *a = g_new0(FakeAnswer, 1); /* small, and few */

	fake_start_call(&s->on, "Stats", all(), G_MAXINT, a);
	return G_SOURCE_CONTINUE;
}

static int serve_until_input_ends(const char *listen)
{
	g_autoptr(GInputStream) in = g_unix_input_stream_new(0, FALSE);
	gboolean over = FALSE;
	void *state = NULL;
	KxMetrics *m;
	char byte;

	setup(&state);
	for (guint i = 0; i < MANY; i++)
		attach(state, i);
	m = serve(state, listen);
	g_timeout_add(100, on_tick, NULL);
	g_timeout_add(500, on_look, state);
	puts("ready");
	fflush(stdout);
	g_input_stream_read_async(in, &byte, 1, 0, NULL, on_input, &over);
	while (!over)
		g_main_context_iteration(NULL, TRUE);
	kx_metrics_free(m);
	_exit(0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(each_format_on_request),
		CASE(other_requests_are_refused),
		CASE(a_unix_socket),
		CASE(slow_clients_do_no_harm),
		CASE(many_readers_share_a_text),
		CASE(totals_outlast_windows),
		CASE(slow_vms_hold_up_nobody),
		CASE(many_vms),
	};

	if (argc == 3 && !strcmp(argv[1], "--serve"))
		return serve_until_input_ends(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
