// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.h"

#include <gio/gunixfdlist.h>

#include <kvm-ext/version.h>

#include "base/error.h"
#include "base/log.h"
#include "base/names.h"
#include "control/holds.h"
#include "control/manager.h"
#include "kvmext1-dbus.h"
#include "vm/environment.h"

struct _KxService {
	KxDbusManager *skeleton;
	KxManager *manager;
	KxHolds *holds;
};

/* --- errors ------------------------------------------------------------------------------------------------------- */

static const char *const error_names[] = {
	[KX_ERROR_FAILED] = "org.kvmext1.Error.Failed",
	[KX_ERROR_NO_SUCH_VM] = "org.kvmext1.Error.NoSuchVm",
	[KX_ERROR_NOT_ATTACHED] = "org.kvmext1.Error.NotAttached",
	[KX_ERROR_ALREADY_ATTACHED] = "org.kvmext1.Error.AlreadyAttached",
	[KX_ERROR_BUSY] = "org.kvmext1.Error.Busy",
	[KX_ERROR_INVALID_OPTION] = "org.kvmext1.Error.InvalidOption",
	[KX_ERROR_NOT_SUPPORTED] = "org.kvmext1.Error.NotSupported",
	[KX_ERROR_VM_GONE] = "org.kvmext1.Error.VmGone",
	[KX_ERROR_NO_MODULE] = "org.kvmext1.Error.NoModule",
	[KX_ERROR_NO_LIBVIRT] = "org.kvmext1.Error.NoLibvirt",
	[KX_ERROR_ACCESS_DENIED] = "org.kvmext1.Error.AccessDenied",
};
G_STATIC_ASSERT(G_N_ELEMENTS(error_names) == KX_N_ERRORS);

static void answer_error(GDBusMethodInvocation *call, const GError *error)
{
	int code = KX_ERROR_FAILED;

	g_assert(error);
	if (error->domain == KX_ERROR)
		code = error->code;
	else if (error->domain == KX_OPTIONS_ERROR)
		code = KX_ERROR_INVALID_OPTION;
	g_dbus_method_invocation_return_dbus_error(call, error_names[code], error->message);
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static GHashTable *read_options(GVariant *dict, GError **error)
{
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GVariantIter it;
	const char *key;
	GVariant *value;

	g_variant_iter_init(&it, dict);
	while (g_variant_iter_loop(&it, "{&sv}", &key, &value)) {
		if (!g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
			g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
				    "option \"%s\" must be a string (type s, not %s)", key,
				    g_variant_get_type_string(value));
			g_variant_unref(value);
			return NULL;
		}
		g_hash_table_insert(options, g_strdup(key), g_variant_dup_string(value, NULL));
	}
	return g_steal_pointer(&options);
}

/* --- methods ------------------------------------------------------------------------------------------------------ */

static GVariant *entry_variant(const KxVmEntry *e)
{
	GVariantDict d;

	g_variant_dict_init(&d, NULL);
	g_variant_dict_insert(&d, "name", "s", e->ident.name);
	g_variant_dict_insert(&d, "uuid", "s", e->ident.uuid ? e->ident.uuid : "");
	g_variant_dict_insert(&d, "pid", "u", (guint32)e->ident.pid);
	if (e->id >= 0)
		g_variant_dict_insert(&d, "id", "i", e->id);
	g_variant_dict_insert(&d, "state", "s", e->state);
	g_variant_dict_insert(&d, "emulated_by", "s", e->emulated_by ? e->emulated_by : "");
	g_variant_dict_insert(&d, "attached", "b", e->attached);
	g_variant_dict_insert(&d, "tracker", "s", e->tracker ? e->tracker : "");
	g_variant_dict_insert(&d, "options", "s", e->options ? e->options : "");
	g_variant_dict_insert(&d, "mechanism", "s", e->mechanism ? e->mechanism : "");
	g_variant_dict_insert(&d, "yielded", "s", e->yielded ? e->yielded : "");
	g_variant_dict_insert(&d, "waiting", "s", e->waiting ? e->waiting : "");
	g_variant_dict_insert(&d, "progress", "s", e->progress ? e->progress : "");
	return g_variant_dict_end(&d);
}

static void listed(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) entries = kx_manager_list_finish(result, &error);
	GVariantBuilder b;
	guint i;

	if (!entries) {
		answer_error(call, error);
		return;
	}
	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	for (i = 0; i < entries->len; i++)
		g_variant_builder_add_value(&b, entry_variant(entries->pdata[i]));
	kx_dbus_manager_complete_list(NULL, call, g_variant_builder_end(&b));
}

static gboolean on_list(KxDbusManager *skeleton, GDBusMethodInvocation *call, gpointer data)
{
	KxService *s = data;

	kx_manager_list_async(s->manager, listed, call);
	return TRUE;
}

/* The answer of Attach, SetTracker and Detach, which return nothing. */
static void done(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;

	if (kx_manager_done_finish(result, &error))
		g_dbus_method_invocation_return_value(call, NULL);
	else
		answer_error(call, error);
}

static void unwatch(gpointer id)
{
	g_bus_unwatch_name(GPOINTER_TO_UINT(id));
}

static void on_vanished(GDBusConnection *bus, const char *name, gpointer cancellable)
{
	g_cancellable_cancel(cancellable);
}

/* A cancellable that is cancelled when the caller disconnects, because nobody waits then. It watches as long as it exists. */
static GCancellable *caller_of(GDBusMethodInvocation *call)
{
	GDBusConnection *connection = g_dbus_method_invocation_get_connection(call);
	const char *sender = g_dbus_method_invocation_get_sender(call);
	GCancellable *cancellable = g_cancellable_new();

	g_signal_connect_object(connection, "closed", G_CALLBACK(g_cancellable_cancel), cancellable,
				G_CONNECT_SWAPPED);
	if (sender) /* NULL: peer to peer */
		g_object_set_data_full(G_OBJECT(cancellable), "name-watch",
				       GUINT_TO_POINTER(g_bus_watch_name_on_connection(
					       connection, sender, G_BUS_NAME_WATCHER_FLAGS_NONE,
					       NULL, on_vanished, cancellable, NULL)),
				       unwatch);
	return cancellable;
}

static gboolean on_attach(KxDbusManager *skeleton, GDBusMethodInvocation *call, const char *target,
			  GVariant *dict, gpointer data)
{
	KxService *s = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) options = read_options(dict, &error);
	g_autoptr(GCancellable) caller = caller_of(call);

	if (options)
		kx_manager_attach_async(s->manager, target, options, caller, done, call);
	else
		answer_error(call, error);
	return TRUE;
}

static gboolean on_set_tracker(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			       const char *target, GVariant *dict, gpointer data)
{
	KxService *s = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) options = read_options(dict, &error);
	g_autoptr(GCancellable) caller = caller_of(call);

	if (options)
		kx_manager_set_async(s->manager, target, options, caller, done, call);
	else
		answer_error(call, error);
	return TRUE;
}

static gboolean on_detach(KxDbusManager *skeleton, GDBusMethodInvocation *call, const char *target,
			  gpointer data)
{
	KxService *s = data;

	kx_manager_detach_async(s->manager, target, done, call);
	return TRUE;
}

static void pass_ran(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	guint64 pass;

	if (kx_manager_run_pass_finish(result, &pass, &error))
		kx_dbus_manager_complete_run_pass(NULL, call, pass);
	else
		answer_error(call, error);
}

static gboolean on_run_pass(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			    const char *target, gpointer data)
{
	KxService *s = data;

	kx_manager_run_pass_async(s->manager, target, pass_ran, call);
	return TRUE;
}

static void reported(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *json = kx_manager_report_finish(result, &error);

	if (json)
		kx_dbus_manager_complete_report(NULL, call, json);
	else
		answer_error(call, error);
}

static gboolean on_report(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			  const char *const *targets, gpointer data)
{
	KxService *s = data;

	kx_manager_report_async(s->manager, targets, reported, call);
	return TRUE;
}

static void stats_read(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) list = kx_manager_stats_finish(result, &error);
	GVariantBuilder b;

	if (!list) {
		answer_error(call, error);
		return;
	}
	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < list->len; i++)
		g_variant_builder_add_value(&b, kx_vm_to_variant(list->pdata[i]));
	kx_dbus_manager_complete_stats(NULL, call, g_variant_builder_end(&b));
}

static gboolean on_stats(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			 const char *const *targets, gpointer data)
{
	KxService *s = data;

	kx_manager_stats_async(s->manager, targets, stats_read, call);
	return TRUE;
}

static void found(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) runs = kx_manager_found_finish(result, &error);

	if (runs)
		kx_dbus_manager_complete_found(NULL, call,
					       g_variant_new_fixed_array(G_VARIANT_TYPE("(tt)"),
									 runs->data, runs->len,
									 sizeof(KxRun)));
	else
		answer_error(call, error);
}

static gboolean on_found(KxDbusManager *skeleton, GDBusMethodInvocation *call, const char *target,
			 guint64 window, gpointer data)
{
	KxService *s = data;

	kx_manager_found_async(s->manager, target, window, found, call);
	return TRUE;
}

static void heat_told(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *json = kx_manager_heat_finish(result, &error);

	if (json)
		kx_dbus_manager_complete_heat(NULL, call, json);
	else
		answer_error(call, error);
}

static gboolean on_heat(KxDbusManager *skeleton, GDBusMethodInvocation *call, const char *target,
			gpointer data)
{
	KxService *s = data;

	kx_manager_heat_async(s->manager, target, heat_told, call);
	return TRUE;
}

static void over_time_told(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *json = kx_manager_over_time_finish(result, &error);

	if (json)
		kx_dbus_manager_complete_over_time(NULL, call, json);
	else
		answer_error(call, error);
}

static gboolean on_over_time(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			     const char *target, gpointer data)
{
	KxService *s = data;

	kx_manager_over_time_async(s->manager, target, over_time_told, call);
	return TRUE;
}

static void recorded(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) summary = kx_manager_record_finish(result, &error);

	if (summary)
		kx_dbus_manager_complete_record(NULL, call, NULL, summary);
	else
		answer_error(call, error);
}

static gboolean on_record(KxDbusManager *skeleton, GDBusMethodInvocation *call, GUnixFDList *fds,
			  const char *target, GVariant *file, gpointer data)
{
	KxService *s = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GCancellable) caller = caller_of(call);
	int fd = fds ? g_unix_fd_list_get(fds, g_variant_get_handle(file), &error) : -1;

	if (fd >= 0) {
		kx_manager_record_async(s->manager, target, fd, caller, recorded, call);
		return TRUE;
	}
	if (!error)
		g_set_error_literal(&error, KX_ERROR, KX_ERROR_INVALID_OPTION,
				    "the message has no file descriptor");
	answer_error(call, error);
	return TRUE;
}

static gboolean on_stop_record(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			       const char *target, gpointer data)
{
	KxService *s = data;
	g_autoptr(GError) error = NULL;

	if (kx_manager_stop_record(s->manager, target, &error))
		kx_dbus_manager_complete_stop_record(NULL, call);
	else
		answer_error(call, error);
	return TRUE;
}

static void environment_told(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) facts = kx_manager_environment_finish(result, &error);

	if (facts)
		kx_dbus_manager_complete_environment(NULL, call, kx_environment_to_variant(facts));
	else
		answer_error(call, error);
}

static gboolean on_environment(KxDbusManager *skeleton, GDBusMethodInvocation *call, gpointer data)
{
	KxService *s = data;

	kx_manager_environment_async(s->manager, environment_told, call);
	return TRUE;
}

static void placement_told(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusMethodInvocation *call = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *json = kx_manager_placement_finish(result, &error);

	if (json)
		kx_dbus_manager_complete_placement(NULL, call, json);
	else
		answer_error(call, error);
}

static gboolean on_placement(KxDbusManager *skeleton, GDBusMethodInvocation *call,
			     const char *target, gpointer data)
{
	KxService *s = data;

	kx_manager_placement_async(s->manager, target, placement_told, call);
	return TRUE;
}

/* Distinguishes the callers. */
static char *name_of(GDBusMethodInvocation *call)
{
	const char *sender = g_dbus_method_invocation_get_sender(call);

	/* NULL: peer to peer, where each client has a connection of its own. */
	return sender ? g_strdup(sender)
		      : g_strdup_printf("%p",
					(void *)g_dbus_method_invocation_get_connection(call));
}

static gboolean on_hold(KxDbusManager *skeleton, GDBusMethodInvocation *call, guint pid,
			const char *who, gpointer data)
{
	KxService *s = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GCancellable) caller = caller_of(call);
	g_autofree char *client = name_of(call);

	if (kx_holds_take(s->holds, (pid_t)pid, client, who, caller, &error))
		kx_dbus_manager_complete_hold(NULL, call);
	else
		answer_error(call, error);
	return TRUE;
}

static gboolean on_release(KxDbusManager *skeleton, GDBusMethodInvocation *call, guint pid,
			   gpointer data)
{
	KxService *s = data;
	g_autofree char *client = name_of(call);

	kx_holds_release(s->holds, (pid_t)pid, client);
	kx_dbus_manager_complete_release(NULL, call);
	return TRUE;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void add_string(GVariantDict *d, const char *key, const char *value)
{
	if (value)
		g_variant_dict_insert(d, key, "s", value);
}

static void on_event(const KxEvent *e, gpointer data)
{
	KxService *s = data;
	GVariantDict d;

	g_variant_dict_init(&d, NULL);
	add_string(&d, "uuid", e->uuid);
	add_string(&d, "tracker", e->tracker);
	add_string(&d, "options", e->options);
	add_string(&d, "reason", e->reason);
	if (e->pid)
		g_variant_dict_insert(&d, "pid", "u", (guint32)e->pid);
	kx_dbus_manager_emit_event(s->skeleton, e->vm ? e->vm : "", e->event,
				   g_variant_dict_end(&d));
}

static void on_libvirt(gboolean connected, gpointer data)
{
	KxService *s = data;

	kx_dbus_manager_set_libvirt_connected(s->skeleton, connected);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

KxService *kx_service_new(const KxHost *host, KxConfig *config)
{
	static const struct {
		const char *signal;
		GCallback handler;
	} handlers[] = {
		{ "handle-list", G_CALLBACK(on_list) },
		{ "handle-attach", G_CALLBACK(on_attach) },
		{ "handle-set-tracker", G_CALLBACK(on_set_tracker) },
		{ "handle-run-pass", G_CALLBACK(on_run_pass) },
		{ "handle-detach", G_CALLBACK(on_detach) },
		{ "handle-report", G_CALLBACK(on_report) },
		{ "handle-stats", G_CALLBACK(on_stats) },
		{ "handle-found", G_CALLBACK(on_found) },
		{ "handle-heat", G_CALLBACK(on_heat) },
		{ "handle-over-time", G_CALLBACK(on_over_time) },
		{ "handle-record", G_CALLBACK(on_record) },
		{ "handle-stop-record", G_CALLBACK(on_stop_record) },
		{ "handle-environment", G_CALLBACK(on_environment) },
		{ "handle-placement", G_CALLBACK(on_placement) },
		{ "handle-hold", G_CALLBACK(on_hold) },
		{ "handle-release", G_CALLBACK(on_release) },
	};
	KxService *s = g_new0(KxService, 1);
	guint i;

	s->skeleton = kx_dbus_manager_skeleton_new();
	kx_dbus_manager_set_version(s->skeleton, KVM_EXT_VERSION);
	kx_dbus_manager_set_libvirt_uri(s->skeleton, config->libvirt_uri);
	for (i = 0; i < G_N_ELEMENTS(handlers); i++)
		g_signal_connect(s->skeleton, handlers[i].signal, handlers[i].handler, s);
	s->holds = kx_holds_new(host->proc_root);
	s->manager = kx_manager_new(host, config, on_event, on_libvirt, s);
	return s;
}

void kx_service_free(KxService *s)
{
	GList *connections;

	if (!s)
		return;
	kx_manager_shutdown(s->manager);
	kx_manager_unref(s->manager);
	connections =
		g_dbus_interface_skeleton_get_connections(G_DBUS_INTERFACE_SKELETON(s->skeleton));
	if (connections)
		g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(s->skeleton));
	g_list_free_full(connections, g_object_unref);
	g_signal_handlers_disconnect_by_data(s->skeleton, s);
	g_object_unref(s->skeleton);
	kx_holds_free(s->holds);
	g_free(s);
}

static void on_closed(GDBusConnection *connection, gboolean remote, GError *error, gpointer data)
{
	GDBusInterfaceSkeleton *skeleton = data;

	g_signal_handlers_disconnect_by_func(connection, on_closed, data);
	if (g_dbus_interface_skeleton_has_connection(skeleton, connection))
		g_dbus_interface_skeleton_unexport_from_connection(skeleton, connection);
}

void kx_service_export(KxService *s, GDBusConnection *connection)
{
	g_autoptr(GError) error = NULL;

	if (!g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(s->skeleton), connection,
					      KX_DBUS_PATH, &error)) {
		kx_log(G_LOG_LEVEL_WARNING, "export", NULL, NULL,
		       "a connection cannot be served: %s", error->message);
		return;
	}
	g_signal_connect_object(connection, "closed", G_CALLBACK(on_closed), s->skeleton, 0);
}

void kx_service_reload(KxService *s, KxConfig *config)
{
	kx_manager_reload(s->manager, config);
}

KxManager *kx_service_manager(const KxService *s)
{
	return s->manager;
}

const KxConfig *kx_service_config(const KxService *s)
{
	return kx_manager_config(s->manager);
}
