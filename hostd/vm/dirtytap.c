// SPDX-License-Identifier: GPL-2.0-or-later
#include "dirtytap.h"

#include <json-glib/json-glib.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>

#include "base/error.h"

/* The descriptors' names in QEMU, until x-dirty-tap-start takes them. */
#define MEMORY "kvm-ext-tap-memory"
#define SOCKET "kvm-ext-tap-socket"

#define ASKED "libvirt, asked to tap the dirty log"

/* @reply is {"return": …} or {"error": {"class": …, "desc": …}}. */
static gboolean check_reply(const char *reply, GError **error)
{
	g_autoptr(JsonNode) node = json_from_string(reply, NULL);
	JsonObject *o = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
	JsonNode *e = o ? json_object_get_member(o, "error") : NULL;
	const char *desc = "its answer is not understood";

	if (o && json_object_has_member(o, "return"))
		return TRUE;
	if (e && JSON_NODE_HOLDS_OBJECT(e))
		desc = json_object_get_string_member_with_default(json_node_get_object(e), "desc",
								  desc);
	g_set_error(error, KX_ERROR, KX_ERROR_BUSY, "QEMU, asked to tap the dirty log: %s", desc);
	return FALSE;
}

/* @fd is passed with the command; -1: none is. */
static gboolean ask(KxLibvirt *l, virDomainPtr dom, const char *command, int fd, GError **error)
{
	char *reply = NULL;
	int rc = fd < 0 ? virDomainQemuMonitorCommand(dom, command, &reply, 0)
			: virDomainQemuMonitorCommandWithFiles(dom, command, 1, &fd, NULL, NULL,
							       &reply, 0);
	gboolean ok = rc < 0 ? kx_libvirt_fail(l, KX_ERROR_BUSY, ASKED, error)
			     : check_reply(reply, error);

	free(reply);
	return ok;
}

static gboolean pass(KxLibvirt *l, virDomainPtr dom, const char *name, int fd, GError **error)
{
	g_autofree char *command = g_strdup_printf(
		"{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"%s\"}}", name);

	return ask(l, dom, command, fd, error);
}

gboolean kx_dirty_tap_offered(KxLibvirt *l, const char *uuid)
{
	virDomainPtr dom = virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid);
	gboolean ok = dom && ask(l, dom, "{\"execute\": \"x-query-dirty-tap\"}", -1, NULL);

	if (dom)
		virDomainFree(dom);
	return ok;
}

gboolean kx_dirty_tap_start(KxLibvirt *l, const char *uuid, int memory, int socket,
			    guint interval_ms, gboolean replace, GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid);
	g_autofree char *command = g_strdup_printf(
		"{\"execute\": \"x-dirty-tap-start\", \"arguments\": {\"memory\": \"" MEMORY
		"\", \"socket\": \"" SOCKET "\", \"interval\": %u, \"replace\": %s}}",
		interval_ms, replace ? "true" : "false");
	gboolean ok;

	if (!dom)
		return kx_libvirt_fail(l, KX_ERROR_BUSY, ASKED, error);
	ok = pass(l, dom, MEMORY, memory, error) && pass(l, dom, SOCKET, socket, error) &&
	     ask(l, dom, command, -1, error);
	virDomainFree(dom);
	return ok;
}
