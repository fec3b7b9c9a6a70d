/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exitcode.h"

#include <gio/gio.h>

#include "tracker/options.h"

G_DEFINE_QUARK(kx_exit_error, kx_exit_error)

static const struct {
	const char *name;
	int code;
} remote[] = {
	{ "org.kvmext1.Error.Failed", KX_EXIT_FAILED },
	{ "org.kvmext1.Error.NoSuchVm", KX_EXIT_NO_SUCH_VM },
	{ "org.kvmext1.Error.NotAttached", KX_EXIT_STATE },
	{ "org.kvmext1.Error.AlreadyAttached", KX_EXIT_STATE },
	{ "org.kvmext1.Error.Busy", KX_EXIT_STATE },
	{ "org.kvmext1.Error.InvalidOption", KX_EXIT_USAGE },
	{ "org.kvmext1.Error.NotSupported", KX_EXIT_UNSUPPORTED },
	{ "org.kvmext1.Error.VmGone", KX_EXIT_VM_GONE },
	{ "org.kvmext1.Error.NoModule", KX_EXIT_UNSUPPORTED },
	{ "org.kvmext1.Error.NoLibvirt", KX_EXIT_UNREACHABLE },
	{ "org.kvmext1.Error.AccessDenied", KX_EXIT_DENIED },
	{ "org.freedesktop.DBus.Error.AccessDenied", KX_EXIT_DENIED },
	{ "org.freedesktop.DBus.Error.AuthFailed", KX_EXIT_DENIED },
	{ "org.freedesktop.DBus.Error.ServiceUnknown", KX_EXIT_UNREACHABLE },
	{ "org.freedesktop.DBus.Error.NameHasNoOwner", KX_EXIT_UNREACHABLE },
	{ "org.freedesktop.DBus.Error.NoReply", KX_EXIT_UNREACHABLE },
	{ "org.freedesktop.DBus.Error.NoServer", KX_EXIT_UNREACHABLE },
	{ "org.freedesktop.DBus.Error.Disconnected", KX_EXIT_UNREACHABLE },
	{ "org.freedesktop.DBus.Error.FileNotFound", KX_EXIT_UNREACHABLE },
	{ "org.freedesktop.DBus.Error.Spawn.ServiceNotFound", KX_EXIT_UNREACHABLE },
};

/* Errors of this program itself: the connection, and options that are checked before they are sent. */
static const struct {
	int io_error;
	int code;
} local[] = {
	{ G_IO_ERROR_NOT_FOUND, KX_EXIT_UNREACHABLE },
	{ G_IO_ERROR_CONNECTION_REFUSED, KX_EXIT_UNREACHABLE },
	{ G_IO_ERROR_CONNECTION_CLOSED, KX_EXIT_UNREACHABLE }, /* also BROKEN_PIPE */
	{ G_IO_ERROR_CLOSED, KX_EXIT_UNREACHABLE },
	{ G_IO_ERROR_TIMED_OUT, KX_EXIT_UNREACHABLE },
	{ G_IO_ERROR_PERMISSION_DENIED, KX_EXIT_DENIED },
};

int kx_exit_code(const GError *error)
{
	g_autofree char *name = g_dbus_error_get_remote_error(error);

	if (error->domain == KX_EXIT_ERROR)
		return error->code;
	for (guint i = 0; name && i < G_N_ELEMENTS(remote); i++) {
		if (g_str_equal(remote[i].name, name))
			return remote[i].code;
	}
	for (guint i = 0; i < G_N_ELEMENTS(local); i++) {
		if (g_error_matches(error, G_IO_ERROR, local[i].io_error))
			return local[i].code;
	}
	if (error->domain == KX_OPTIONS_ERROR || error->domain == G_OPTION_ERROR)
		return KX_EXIT_USAGE;
	return KX_EXIT_FAILED;
}
