// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system bus with packaging/org.kvmext1.conf: who may call, and who hears events. A bus of the test's own, as the system
 * bus's configuration has it; callers are processes of other users. Needs root, to become them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/names.h"
#include "cases.h"
#include "fake-root.h"

#define NOBODY 65534
#define GROUP  "daemon" /* a group that every system has, in place of the package's own */

typedef struct {
	char *root, *address;
	GSubprocess *bus;
} State;

/* What the system bus's own configuration has: calls are denied unless a policy allows them, signals pass. */
static void write_configuration(const State *s)
{
	g_autofree char *policy = NULL, *text = NULL;
	g_auto(GStrv) parts = NULL;

	assert_true(g_file_get_contents("packaging/org.kvmext1.conf", &policy, NULL, NULL));
	parts = g_strsplit(policy, "group=\"" KX_GROUP "\"", -1);
	assert_int_equal(g_strv_length(parts), 2);
	g_free(policy);
	policy = g_strjoinv("group=\"" GROUP "\"", parts);
	fake_write(s->root, "policy.conf", policy);
	text = g_strdup_printf(
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration "
		"1.0//EN\" "
		"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig>"
		"<type>system</type><auth>EXTERNAL</auth><listen>unix:path=%s/bus</listen>"
		"<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/>"
		"<deny send_type=\"method_call\"/><allow send_type=\"signal\"/>"
		"<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
		"<allow send_requested_reply=\"true\" send_type=\"error\"/>"
		"<allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>"
		"<allow receive_type=\"error\"/><allow receive_type=\"signal\"/>"
		"<allow send_destination=\"org.freedesktop.DBus\"/></policy>"
		"<include>%s/policy.conf</include></busconfig>",
		s->root, s->root);
	fake_write(s->root, "bus.conf", text);
}

static int setup(void **state)
{
	State *s = g_new0(State, 1);
	g_autofree char *config = NULL;
	g_autoptr(GDataInputStream) out = NULL;

	s->root = fake_root_new();
	assert_int_equal(g_chmod(s->root, 0755), 0);
	write_configuration(s);
	config = g_strdup_printf("--config-file=%s/bus.conf", s->root);
	s->bus = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, NULL, "dbus-daemon", config,
				  "--nofork", "--nopidfile", "--print-address", NULL);
	assert_non_null(s->bus);
	out = g_data_input_stream_new(g_subprocess_get_stdout_pipe(s->bus));
	s->address = g_data_input_stream_read_line(out, NULL, NULL, NULL);
	assert_non_null(s->address);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	g_subprocess_force_exit(s->bus);
	g_subprocess_wait(s->bus, NULL, NULL);
	g_object_unref(s->bus);
	fake_remove(s->root);
	g_free(s->root);
	g_free(s->address);
	g_free(s);
	return 0;
}

static GDBusConnection *connect_to(const char *address)
{
	return g_dbus_connection_new_for_address_sync(
		address,
		G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
			G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
		NULL, NULL, NULL);
}

static void on_signal(GDBusConnection *c, const char *sender, const char *path,
		      const char *interface, const char *signal, GVariant *params, gpointer data)
{
	++*(guint *)data;
}

/* The bus delivers in order: after its answer, all that was sent before has arrived, or never will. */
static gboolean ask_bus(GDBusConnection *c)
{
	g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
		c, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
		NULL, NULL, 0, 20000, NULL, NULL);

	return reply != NULL;
}

/* In a process of its own: 10 × (may call) + signals heard; above 99: it went wrong. */
static int listener(const State *s, int ready, int go)
{
	g_autoptr(GDBusConnection) c = connect_to(s->address);
	g_autoptr(GVariant) reply = NULL;
	g_autoptr(GError) error = NULL;
	guint heard = 0;
	char byte;

	if (!c)
		return 100;
	g_dbus_connection_signal_subscribe(c, KX_DBUS_NAME, NULL, NULL, NULL, NULL, 0, on_signal,
					   &heard, NULL);
	if (!ask_bus(c) || write(ready, "r", 1) != 1 || read(go, &byte, 1) != 1 || !ask_bus(c))
		return 101;
	while (g_main_context_iteration(NULL, FALSE))
		;
	/* nobody serves the name: a caller who may call gets that error */
	reply = g_dbus_connection_call_sync(c, KX_DBUS_NAME, KX_DBUS_PATH, KX_DBUS_INTERFACE,
					    "List", NULL, NULL, 0, 20000, NULL, &error);
	return (int)heard +
	       (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED) ? 0 : 10);
}

static int own_name(GDBusConnection *c)
{
	g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
		c, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
		"RequestName", g_variant_new("(su)", KX_DBUS_NAME, 4), G_VARIANT_TYPE("(u)"), 0,
		20000, NULL, NULL);
	guint32 answer = 0;

	if (reply)
		g_variant_get(reply, "(u)", &answer);
	return (int)answer;
}

/* The process that plays the daemon: GLib has threads by then, so it is not the one that forks. */
static int emitter(const State *s, int ready, int go)
{
	g_autoptr(GDBusConnection) c = connect_to(s->address);
	char byte;

	if (!c || own_name(c) != 1 || write(ready, "r", 1) != 1 || read(go, &byte, 1) != 1)
		return 100;
	for (guint i = 0; i < 3; i++)
		g_dbus_connection_emit_signal(c, NULL, KX_DBUS_PATH, KX_DBUS_INTERFACE, "Event",
					      g_variant_new("(ssa{sv})", "vm", "attached", NULL),
					      NULL);
	/* The bus has the signals now; and it knows the name that the listener calls. */
	if (!ask_bus(c) || write(ready, "s", 1) != 1)
		return 101;
	return read(go, &byte, 1) >= 0 ? 0 : 102;
}

typedef struct {
	pid_t pid;
	int ready, go;
} Child;

static Child start(const State *s, int (*run)(const State *, int, int), uid_t uid, gid_t gid)
{
	int ready[2], go[2];
	Child c;

	assert_int_equal(pipe(ready) | pipe(go), 0);
	c.pid = fork();
	if (!c.pid) {
		if (uid && (setgroups(0, NULL) || setgid(gid) || setuid(uid)))
			_exit(103);
		close(go[1]);
		close(ready[0]);
		_exit(run(s, ready[1], go[0]));
	}
	close(ready[1]);
	close(go[0]);
	c.ready = ready[0];
	c.go = go[1];
	return c;
}

static void await(const Child *c)
{
	char byte;

	assert_int_equal(read(c->ready, &byte, 1), 1);
}

static int finish(Child *c)
{
	int status;

	close(c->go);
	close(c->ready);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void events_are_for_those_who_may_call(void **state)
{
	const State *s = *state;
	const struct group *group = getgrnam(GROUP);
	const struct {
		uid_t uid;
		gid_t gid;
		int want;
	} users[] = {
		{ 0, 0, 13 },
		{ NOBODY, group ? group->gr_gid : 1, 13 },
		{ NOBODY, NOBODY, 0 },
	};

	if (getuid()) {
		print_message("SKIPPED: not root, so there are no other users to be\n");
		skip();
	}
	for (guint i = 0; i < G_N_ELEMENTS(users); i++) {
		Child e = start(s, emitter, 0, 0), l;

		await(&e);
		l = start(s, listener, users[i].uid, users[i].gid);
		await(&l);
		assert_int_equal(write(e.go, "g", 1), 1);
		await(&e);
		assert_int_equal(write(l.go, "g", 1), 1);
		print_message("user %d of group %d\n", (int)users[i].uid, (int)users[i].gid);
		/* the process that plays the daemon answers no call: the error when its name goes is an answer, too */
		assert_int_equal(finish(&e), 0);
		assert_int_equal(finish(&l), users[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(events_are_for_those_who_may_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
