// SPDX-License-Identifier: GPL-2.0-or-later
#include "dirtytap.h"

#include <json-glib/json-glib.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>

#include "base/error.h"

#define ASKED "libvirt, asked to tap the dirty log"

/* @reply is {"return": …} or {"error": {"class": …, "desc": …}}. */
static gboolean check_reply(const char *reply, GError **error)
{
	g_autoptr(JsonNode) node = json_from_string(reply, NULL);
	JsonObject *o = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
	JsonNode *e = o ? json_object_get_member(o, "error") : NULL;
	const char *desc = "its answer is not understood", *class = "";

	if (o && json_object_has_member(o, "return"))
		return TRUE;
	if (e && JSON_NODE_HOLDS_OBJECT(e)) {
		o = json_node_get_object(e);
		desc = json_object_get_string_member_with_default(o, "desc", desc);
		class = json_object_get_string_member_with_default(o, "class", class);
	}
	g_set_error(error, KX_ERROR,
		    g_str_equal(class, "CommandNotFound") ? KX_ERROR_NOT_SUPPORTED : KX_ERROR_BUSY,
		    "QEMU, asked to tap the dirty log: %s", desc);
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

/* @command is getfd or closefd, which have the same argument. */
static gboolean ask_fd(KxLibvirt *l, virDomainPtr dom, const char *command, const char *name,
		       int fd, GError **error)
{
	g_autofree char *text = g_strdup_printf(
		"{\"execute\": \"%s\", \"arguments\": {\"fdname\": \"%s\"}}", command, name);

	return ask(l, dom, text, fd, error);
}

gboolean kx_dirty_tap_offered(KxLibvirt *l, const char *uuid, gboolean *offered, GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid);
	GError *why = NULL;

	if (!dom)
		return kx_libvirt_fail(l, KX_ERROR_BUSY, ASKED, error);
	*offered = ask(l, dom, "{\"execute\": \"x-query-dirty-tap\"}", -1, &why);
	virDomainFree(dom);
	if (!why)
		return TRUE;
	if (g_error_matches(why, KX_ERROR, KX_ERROR_NOT_SUPPORTED)) {
		g_error_free(why);
		return TRUE;
	}
	g_propagate_error(error, why);
	return FALSE;
}

/* The descriptors' names in QEMU, until x-dirty-tap-start takes them. No other command, of whoever, uses the same. */
typedef struct {
	char *memory, *socket;
} Names;

static gboolean start(KxLibvirt *l, virDomainPtr dom, const Names *n, int memory, int socket,
		      guint interval_ms, gboolean replace, GError **error)
{
	g_autofree char *command = g_strdup_printf(
		"{\"execute\": \"x-dirty-tap-start\", \"arguments\": {\"memory\": \"%s\", "
		"\"socket\": \"%s\", \"interval\": %u, \"replace\": %s}}",
		n->memory, n->socket, interval_ms, replace ? "true" : "false");

	return ask_fd(l, dom, "getfd", n->memory, memory, error) &&
	       ask_fd(l, dom, "getfd", n->socket, socket, error) && ask(l, dom, command, -1, error);
}

gboolean kx_dirty_tap_start(KxLibvirt *l, const char *uuid, int memory, int socket,
			    guint interval_ms, gboolean replace, GError **error)
{
	virDomainPtr dom = virDomainLookupByUUIDString(kx_libvirt_connection(l), uuid);
	g_autofree char *unique = g_uuid_string_random();
	g_autofree char *memory_name = g_strconcat("kvm-ext-memory-", unique, NULL);
	g_autofree char *socket_name = g_strconcat("kvm-ext-socket-", unique, NULL);
	const Names n = { memory_name, socket_name };
	gboolean ok;

	if (!dom)
		return kx_libvirt_fail(l, KX_ERROR_BUSY, ASKED, error);
	ok = start(l, dom, &n, memory, socket, interval_ms, replace, error);
	/* Some of these QEMU may not have, or no longer. */
	if (!ok) {
		(void)ask_fd(l, dom, "closefd", n.memory, -1, NULL);
		(void)ask_fd(l, dom, "closefd", n.socket, -1, NULL);
	}
	virDomainFree(dom);
	return ok;
}
