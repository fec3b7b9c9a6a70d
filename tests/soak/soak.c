// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attaches VMs, switches their trackers and detaches them at random, through the daemon's socket: one thread for each VM, so
 * that the daemon has as many calls as there are VMs. Each thread draws from its own random numbers, which depend on the seed
 * alone. The script that kills processes meanwhile (tests/soak/inside) says so in lines on stdin, each of which is answered
 * by a line on stdout:
 *
 *	go		the threads work
 *	disturb NAME	from now on calls for this VM may fail ("all": calls for any VM)
 *	calm		the disturbance is over: no call may fail any more, and every VM outside of it must be in the state in
 *			which its thread had left it
 *	calm daemon	the same, after the daemon was killed: no VM is attached
 *	rest		the threads stop, and all VMs are detached
 *	end		prints the numbers of operations and ends
 *
 * An answer is "ok N FAILURES": operations so far, and how many of them failed although nothing disturbed them. Failures are
 * explained on stderr.
 */
#include <errno.h>
#include <gio/gio.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"

/* No call takes as long on an emulated host, whatever else it does. */
#define CALL_MS 300000

/* Settings as on the command line; each tracker of the host is in the list, unless the kernel lacks it. */
static const char *settings[] = {
	"off",
	"abit interval=50ms",
	"abit interval=200ms staleness=yes",
	"abit-flush interval=100ms",
	"abit-flush interval=200ms flush-scope=page",
	"abit-flush interval=0",
	"ept-walk interval=50ms",
	"ept-walk interval=50ms regions=10:100 aggregation=1s",
	"dirty-log interval=100ms",
	"pml-abit interval=100ms",
	"trap interval=100ms pages=random:10%",
	"trap interval=50ms pages=all fault-budget=1000",
	"soft-dirty interval=200ms",
	"idle-page interval=200ms",
	"damon interval=50ms aggregation=500ms regions=10:100",
	"mglru interval=500ms",
	"qemu-dirty-rate",
};
static guint n_settings = G_N_ELEMENTS(settings);

typedef enum {
	ATTACH,
	SWITCH,
	DETACH,
	PASS,
	REPORT,
	HEAT,
	OVER_TIME,
	STATS,
	LIST,
	N_OPERATIONS
} Operation;

static const char *const operation_names[N_OPERATIONS] = {
	"attaches", "switches", "detaches", "passes", "reports", "heats", "maps", "stats", "lists",
};

typedef struct {
	const char *name;
	GThread *thread;
	GRand *random;
	gboolean attached, known; /* known: no call since the last sync may have failed half-way */
	const char *setting;	  /* the last one */
	gboolean idle;
} Vm;

static struct {
	GMutex lock;
	GCond changed;
	enum {
		AT_REST,
		AT_WORK,
		AT_END
	} mode;
	char *disturbed;    /* name of the VM, or "all"; NULL: none */
	guint disturbances; /* counts their beginnings */
	GDBusConnection *daemon;
	const char *socket;
	GPtrArray *vms; /* Vm */
	guint64 done[N_OPERATIONS], refused, failures;
} soak;

static void say_failure(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void say_failure(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	fprintf(stderr, "%s\n", text);
	g_mutex_lock(&soak.lock);
	soak.failures++;
	g_mutex_unlock(&soak.lock);
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static GDBusConnection *daemon_ref(void)
{
	GDBusConnection *c;

	g_mutex_lock(&soak.lock);
	c = soak.daemon ? g_object_ref(soak.daemon) : NULL;
	g_mutex_unlock(&soak.lock);
	return c;
}

static GVariant *call(const char *method, GVariant *arguments, GError **error)
{
	g_autoptr(GVariant) held = arguments ? g_variant_ref_sink(arguments) : NULL;
	g_autoptr(GDBusConnection) daemon = daemon_ref();

	if (!daemon) {
		g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED, "no daemon");
		return NULL;
	}
	return g_dbus_connection_call_sync(daemon, NULL, KX_DBUS_PATH, "org.kvmext1.Manager",
					   method, held, NULL, G_DBUS_CALL_FLAGS_NONE, CALL_MS,
					   NULL, error);
}

/* The options of @setting; "fresh": those of the setting before do not stay. */
static GVariant *options_of(const char *setting, gboolean fresh)
{
	g_auto(GStrv) words = g_strsplit(setting, " ", -1);
	GVariantDict options;

	g_variant_dict_init(&options, NULL);
	g_variant_dict_insert(&options, "tracker", "s", words[0]);
	if (fresh)
		g_variant_dict_insert(&options, "fresh", "s", "yes");
	for (char **w = words + 1; *w; w++) {
		g_auto(GStrv) pair = g_strsplit(*w, "=", 2);

		g_variant_dict_insert(&options, pair[0], "s", pair[1]);
	}
	return g_variant_dict_end(&options);
}

/* For Attach and SetTracker. */
static GVariant *set_of(const Vm *vm, const char *setting, gboolean fresh)
{
	return g_variant_new("(s@a{sv})", vm->name, options_of(setting, fresh));
}

static GVariant *names_of(const Vm *vm)
{
	const char *const names[] = { vm->name, NULL };

	return g_variant_new("(^as)", names);
}

static gboolean do_operation(Vm *vm, Operation operation, const char *setting, GError **error)
{
	g_autoptr(GVariant) reply = NULL;

	switch (operation) {
	case ATTACH:
		reply = call("Attach", set_of(vm, setting, FALSE), error);
		break;
	case SWITCH:
		reply = call("SetTracker", set_of(vm, setting, TRUE), error);
		break;
	case DETACH:
		reply = call("Detach", g_variant_new("(s)", vm->name), error);
		break;
	case PASS:
		reply = call("RunPass", g_variant_new("(s)", vm->name), error);
		break;
	case REPORT:
		reply = call("Report", names_of(vm), error);
		break;
	case HEAT:
		reply = call("Heat", g_variant_new("(s)", vm->name), error);
		break;
	case OVER_TIME:
		reply = call("OverTime", g_variant_new("(s)", vm->name), error);
		break;
	case STATS:
		reply = call("Stats", names_of(vm), error);
		break;
	default:
		reply = call("List", NULL, error);
	}
	return reply != NULL;
}

/* --- a thread --------------------------------------------------------------------------------------------------------- */

static Operation draw(Vm *vm)
{
	static const struct {
		Operation operation;
		int weight;
	} table[] = { { SWITCH, 60 }, { DETACH, 14 }, { PASS, 10 },	{ STATS, 6 },
		      { REPORT, 3 },  { HEAT, 3 },    { OVER_TIME, 2 }, { LIST, 2 } };
	int at = g_rand_int_range(vm->random, 0, 100);

	if (!vm->attached)
		return ATTACH;
	for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
		at -= table[i].weight;
		/* off has no passes */
		if (at < 0)
			return table[i].operation == PASS && g_str_equal(vm->setting, "off")
				       ? STATS
				       : table[i].operation;
	}
	g_assert_not_reached();
}

/* With the lock held: may a call for @vm fail that began when @disturbances had begun? */
static gboolean is_excused(const Vm *vm, guint disturbances, gboolean excused_before)
{
	gboolean now = soak.disturbed && (g_str_equal(soak.disturbed, "all") ||
					  g_str_equal(soak.disturbed, vm->name));

	return now || excused_before || soak.disturbances != disturbances;
}

static void one_operation(Vm *vm)
{
	Operation operation = draw(vm);
	const char *setting = settings[g_rand_int_range(vm->random, 0, (gint32)n_settings)];
	g_autoptr(GError) error = NULL;
	gboolean good, excused;
	guint disturbances;

	g_mutex_lock(&soak.lock);
	disturbances = soak.disturbances;
	excused = is_excused(vm, disturbances, FALSE);
	g_mutex_unlock(&soak.lock);
	good = do_operation(vm, operation, setting, &error);
	g_mutex_lock(&soak.lock);
	soak.done[operation] += good;
	excused = is_excused(vm, disturbances, excused);
	if (good) {
		if (operation == ATTACH || operation == SWITCH)
			vm->setting = setting;
		if (operation == ATTACH || operation == DETACH)
			vm->attached = operation == ATTACH;
	} else if (excused) {
		soak.refused++;
		vm->known = FALSE;
	}
	g_mutex_unlock(&soak.lock);
	if (!good && !excused) {
		say_failure("%s: %s (%s, after %s): %s", vm->name, operation_names[operation],
			    setting, vm->setting, error->message);
		vm->known = FALSE;
	}
	/* The guests need some of the CPUs, too. */
	g_usleep((gulong)g_rand_int_range(vm->random, 0, good ? 200000 : 1000000));
}

static gpointer vm_thread(gpointer data)
{
	Vm *vm = data;

	for (;;) {
		g_mutex_lock(&soak.lock);
		while (soak.mode == AT_REST) {
			vm->idle = TRUE;
			g_cond_broadcast(&soak.changed);
			g_cond_wait(&soak.changed, &soak.lock);
		}
		vm->idle = FALSE;
		if (soak.mode == AT_END) {
			g_mutex_unlock(&soak.lock);
			return NULL;
		}
		g_mutex_unlock(&soak.lock);
		one_operation(vm);
	}
}

/* --- the script's lines ----------------------------------------------------------------------------------------------- */

static void set_mode(int mode)
{
	g_mutex_lock(&soak.lock);
	soak.mode = mode;
	g_cond_broadcast(&soak.changed);
	for (guint i = 0; mode == AT_REST && i < soak.vms->len; i++) {
		while (!((Vm *)soak.vms->pdata[i])->idle)
			g_cond_wait(&soak.changed, &soak.lock);
	}
	g_mutex_unlock(&soak.lock);
}

static gboolean connect_daemon(void)
{
	g_autofree char *address = g_strdup_printf("unix:path=%s", soak.socket);
	g_autoptr(GError) error = NULL;

	if (soak.daemon && !g_dbus_connection_is_closed(soak.daemon))
		return TRUE;
	g_clear_object(&soak.daemon);
	soak.daemon = g_dbus_connection_new_for_address_sync(
		address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
	if (!soak.daemon)
		say_failure("the daemon cannot be reached: %s", error->message);
	return soak.daemon != NULL;
}

/* Which VMs are attached: a set of names; NULL: List fails. */
static GHashTable *list_attached(void)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GVariant) reply = NULL, vms = NULL;
	g_autoptr(GError) error = NULL;

	reply = call("List", NULL, &error);
	if (!reply) {
		say_failure("List: %s", error->message);
		return NULL;
	}
	vms = g_variant_get_child_value(reply, 0);
	for (gsize i = 0; i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(vms, i);
		gboolean attached = FALSE;
		const char *name = NULL;

		g_variant_lookup(entry, "attached", "b", &attached);
		if (attached && g_variant_lookup(entry, "name", "&s", &name))
			g_hash_table_add(names, g_strdup(name));
	}
	return g_steal_pointer(&names);
}

/* All threads rest. @lost: every session has ended with the daemon. */
static void sync_states(const char *victim, gboolean lost)
{
	g_autoptr(GHashTable) attached = connect_daemon() ? list_attached() : NULL;

	for (guint i = 0; attached && i < soak.vms->len; i++) {
		Vm *vm = soak.vms->pdata[i];
		gboolean is = g_hash_table_contains(attached, vm->name);
		gboolean must = lost ? FALSE : vm->attached;

		if (is != must && (lost || (vm->known && g_strcmp0(victim, vm->name))))
			say_failure("%s is %s, which it should not be", vm->name,
				    is ? "attached" : "not attached");
		vm->attached = is;
		vm->known = TRUE;
		vm->setting = "off";
	}
}

static void calm(gboolean lost)
{
	g_autofree char *victim = NULL;

	set_mode(AT_REST);
	g_mutex_lock(&soak.lock);
	victim = g_steal_pointer(&soak.disturbed);
	g_mutex_unlock(&soak.lock);
	sync_states(victim, lost);
	set_mode(AT_WORK);
}

static void disturb(const char *name)
{
	g_mutex_lock(&soak.lock);
	g_free(soak.disturbed);
	soak.disturbed = g_strdup(name);
	soak.disturbances++;
	g_mutex_unlock(&soak.lock);
}

static void rest(void)
{
	set_mode(AT_REST);
	for (guint i = 0; i < soak.vms->len; i++) {
		Vm *vm = soak.vms->pdata[i];
		g_autoptr(GError) error = NULL;

		if (!vm->attached)
			continue;
		if (!do_operation(vm, DETACH, NULL, &error))
			say_failure("%s: detaching at rest: %s", vm->name, error->message);
		soak.done[DETACH] += !error;
		vm->attached = FALSE;
	}
}

static void end(void)
{
	set_mode(AT_END);
	for (guint i = 0; i < soak.vms->len; i++)
		g_thread_join(((Vm *)soak.vms->pdata[i])->thread);
	for (guint i = 0; i < N_OPERATIONS; i++)
		printf("%" G_GUINT64_FORMAT " %s, ", soak.done[i], operation_names[i]);
	printf("%" G_GUINT64_FORMAT " calls that a kill made fail\n", soak.refused);
}

static gboolean obey(const char *line)
{
	guint64 all = 0;

	if (g_str_has_prefix(line, "disturb ")) {
		disturb(line + strlen("disturb "));
	} else if (g_str_equal(line, "go") || g_str_equal(line, "calm")) {
		calm(FALSE);
	} else if (g_str_equal(line, "calm daemon")) {
		calm(TRUE);
	} else if (g_str_equal(line, "rest")) {
		rest();
	} else if (g_str_equal(line, "end")) {
		end();
		return FALSE;
	} else {
		g_printerr("soak: what is '%s'?\n", line);
		exit(2);
	}
	g_mutex_lock(&soak.lock);
	for (guint i = 0; i < N_OPERATIONS; i++)
		all += soak.done[i];
	printf("ok %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", all, soak.failures);
	g_mutex_unlock(&soak.lock);
	return TRUE;
}

/* Removes the settings of trackers that this kernel lacks, and says why it lacks them. */
static void remove_unsupported(Vm *vm)
{
	guint kept = 0;

	if (!connect_daemon())
		exit(1);
	for (guint i = 0; i < n_settings; i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *name = NULL;

		if (do_operation(vm, i ? SWITCH : ATTACH, settings[i], &error)) {
			settings[kept++] = settings[i];
			continue;
		}
		name = g_dbus_error_get_remote_error(error);
		g_dbus_error_strip_remote_error(error);
		if (g_strcmp0(name, "org.kvmext1.Error.NotSupported"))
			say_failure("%s: %s", settings[i], error->message);
		else
			fprintf(stderr, "n/a: %s: %s\n", settings[i], error->message);
	}
	n_settings = kept;
	vm->attached = TRUE;
	rest();
}

int main(int argc, char **argv)
{
	char line[256];

	setlocale(LC_ALL, "");
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stderr, NULL, _IOLBF, 0);
	if (argc < 4) {
		fprintf(stderr, "usage: soak SOCKET SEED VM…\n");
		return 2;
	}
	soak.socket = argv[1];
	soak.vms = g_ptr_array_new();
	for (int i = 3; i < argc; i++) {
		const guint32 seeds[] = { (guint32)strtoul(argv[2], NULL, 10), (guint32)i };
		Vm *vm = g_new0(Vm, 1);

		vm->name = argv[i];
		vm->random = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
		vm->setting = "off";
		vm->idle = TRUE;
		g_ptr_array_add(soak.vms, vm);
	}
	remove_unsupported(soak.vms->pdata[0]);
	for (guint i = 0; i < soak.vms->len; i++) {
		Vm *vm = soak.vms->pdata[i];

		vm->thread = g_thread_new(vm->name, vm_thread, vm);
	}
	printf("%u settings\n", n_settings);
	while (fgets(line, sizeof(line), stdin)) {
		g_strchomp(line);
		if (!obey(line))
			break;
	}
	return soak.failures ? 1 : 0;
}
