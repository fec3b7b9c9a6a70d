// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file: what it accepts, which rule wins, what it says about mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/names.h"
#include "control/config.h"

static KxConfig *parse(const char *text, GError **error)
{
	return kx_config_parse(text, strlen(text), "x.conf", error);
}

static void has_defaults(void **state)
{
	g_autoptr(KxConfig) none = kx_config_load(NULL, FALSE, NULL);
	g_autoptr(KxConfig) missing = kx_config_load("/nonexistent/x.conf", FALSE, NULL);
	g_autoptr(GError) error = NULL;

	assert_string_equal(none->libvirt_uri, "qemu:///system");
	assert_string_equal(missing->socket, KX_SOCKET_PATH);
	assert_int_equal(none->system_bus, KX_AUTO);
	assert_string_equal(none->slow_nodes, "auto");
	assert_int_equal(none->rules->len, 0);
	assert_null(kx_config_load("/nonexistent/x.conf", TRUE, &error));
	assert_true(g_error_matches(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_READ));
}

static void reads_everything(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxConfig) c = parse(
		"# comment\n[daemon]\nlibvirt-uri=qemu:///session\nsocket=/tmp/s\nsystem-bus=no\n"
		"log-format=json\nslow-nodes=0\n[domain web-*]\nflush-scope=batch\nbatch-pages=64\n"
		"tracker=abit-flush\ninterval=250ms\n[domain my vm α]\ntracker=abit\n[domain *]\n",
		&error);
	const KxRule *web, *odd, *rest;

	assert_null(error);
	assert_string_equal(c->libvirt_uri, "qemu:///session");
	assert_string_equal(c->socket, "/tmp/s");
	assert_int_equal(c->system_bus, KX_NO);
	assert_int_equal(c->log_format, KX_LOG_JSON);
	assert_string_equal(c->slow_nodes, "0");
	web = kx_config_match(c, "web-1");
	assert_string_equal(web->options.tracker->name, "abit-flush");
	assert_int_equal(web->options.interval_ns, 250000000);
	assert_int_equal(web->options.flush_scope, KVM_EXT_FLUSH_BATCH);
	assert_int_equal(web->options.batch_pages, 64);
	odd = kx_config_match(c, "my vm α");
	assert_string_equal(odd->options.tracker->name, "abit");
	rest = kx_config_match(c, "db");
	assert_string_equal(rest->glob, "*");
	assert_string_equal(rest->options.tracker->name, "off");
}

static void first_match_wins(void **state)
{
	g_autoptr(KxConfig) c =
		parse("[domain a*]\ntracker=abit\n[domain ab]\ntracker=abit-flush\n", NULL);

	assert_string_equal(kx_config_match(c, "ab")->options.tracker->name, "abit");
	assert_null(kx_config_match(c, "b"));
}

/* There is a warning, with its name, for each rule after a rule that matches all of its domains, and for no other rule. */
static void warns_of_sections_that_are_never_used(void **state)
{
	static const struct {
		const char *earlier, *later;
		gboolean never;
	} pairs[] = {
		{ "*", "web-*", TRUE },	     { "a*", "ab", TRUE },   { "*b*", "a?b*", TRUE },
		{ "a?", "ab", TRUE },	     { "a?", "a*", FALSE },  { "web-*", "*", FALSE },
		{ "web-1", "web-?", FALSE }, { "a*", "ba*", FALSE },
	};

	for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
		g_autofree char *text = g_strdup_printf("[domain %s]\n[domain %s]\n",
							pairs[i].earlier, pairs[i].later);
		g_autofree char *names = g_strdup_printf("[domain %s] is never used: [domain %s]",
							 pairs[i].later, pairs[i].earlier);
		g_autoptr(KxConfig) c = parse(text, NULL);

		assert_non_null(c);
		assert_int_equal(c->warnings->len, pairs[i].never);
		if (pairs[i].never)
			assert_non_null(strstr(c->warnings->pdata[0], names));
	}
}

static void names_the_mistake(void **state)
{
	static const struct {
		const char *text, *say[3];
	} bad[] = {
		{ "[daemon]\nsystem-bus=maybe\n",
		  { "x.conf", "[daemon] system-bus=maybe", "auto, yes, no" } },
		{ "[daemon]\nsocket=relative\n", { "x.conf", "socket=relative", "absolute" } },
		{ "[daemon]\ncolour=red\n",
		  { "[daemon] colour=red", "no such key", "libvirt-uri" } },
		{ "[daemon]\nlog-format=xml\n", { "log-format=xml", "text, json, journal", "" } },
		{ "[daemon]\nslow-nodes=4095\n", { "slow-nodes=4095", "auto", "1,3-4" } },
		{ "[daemon]\nslow-nodes=\n", { "slow-nodes=", "auto", "1,3-4" } },
		{ "[domain x]\ntracker=warp\n", { "[domain x] tracker=warp", "abit", "off" } },
		{ "[domain x]\ntracker=dirty-log\ngranularity=2M\n",
		  { "[domain x]", "dirty-log", "4 KiB" } },
		{ "[domain x]\ninterval=fast\n", { "[domain x] interval=fast", "", "" } },
		{ "[domain x]\nspeed=1\n", { "[domain x] speed=", "", "" } },
		{ "[domain x]\ntracker=abit\nflush-scope=page\n",
		  { "[domain x]", "abit", "flush" } },
		{ "[domain ]\ntracker=abit\n", { "missing", "", "" } },
		{ "[other]\n", { "[other]", "no such group", "[daemon]" } },
		{ "key=before any group\n", { "x.conf", "", "" } },
		{ "[domain x]\ntracker=abit\n[domain y]\n[domain x]\n",
		  { "x.conf", "[domain x]", "twice" } },
		{ "[domain x]\n[domain  x]\n", { "x.conf", "[domain  x]", "several" } },
		{ "[domain x]\ntracker=abit\n# tracker=off\n\n tracker = off\n",
		  { "x.conf", "[domain x] tracker", "twice" } },
		{ "[daemon]\nsocket=/a\nsocket=/b\n", { "x.conf", "[daemon] socket", "twice" } },
		{ "[daemon]\nlibvirt-uri=\xff\xfe\n", { "x.conf", "libvirt-uri", "" } },
	};
	guint i, j;

	for (i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(parse(bad[i].text, &error));
		assert_non_null(error);
		for (j = 0; j < 3; j++) {
			if (!strstr(error->message, bad[i].say[j]))
				fail_msg("\"%s\" does not say \"%s\"", error->message,
					 bad[i].say[j]);
		}
	}
}

/* The installed example must load, and must give the defaults. */
static void example_is_valid(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxConfig) c = kx_config_load("packaging/kvm-extd.conf", TRUE, &error);

	if (error)
		fail_msg("%s", error->message);
	assert_string_equal(c->libvirt_uri, KX_LIBVIRT_URI);
	assert_string_equal(c->socket, KX_SOCKET_PATH);
	assert_int_equal(c->rules->len, 0);
}

/* Every line of the example that is commented out is also valid without the comment mark. */
static void example_is_valid_uncommented(void **state)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(KxConfig) c = NULL;
	char **line;

	assert_true(g_file_get_contents("packaging/kvm-extd.conf", &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (line = lines; *line; line++) {
		/* "#key=value" and "#[group]"; prose has a space after the mark */
		g_string_append_printf(all, "%s\n",
				       (*line)[0] == '#' && (*line)[1] != ' ' ? *line + 1 : *line);
	}
	c = parse(all->str, &error);
	if (error)
		fail_msg("%s", error->message);
	assert_true(c->rules->len >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(reads_everything),
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(names_the_mistake),
		cmocka_unit_test(warns_of_sections_that_are_never_used),
		cmocka_unit_test(example_is_valid),
		cmocka_unit_test(example_is_valid_uncommented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
