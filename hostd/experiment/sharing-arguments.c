// SPDX-License-Identifier: GPL-2.0-or-later
#include "sharing-arguments.h"

#include <string.h>

#include "plan-internal.h"
#include "xml.h"

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

gboolean kx_sharing_is_own(const char *text)
{
	return strstr(text, "{name}") || strstr(text, "{uuid}");
}

/* Options that share nothing, except by a file that they name. */
static const char *const alone[] = { "M",
				     "accel",
				     "action",
				     "boot",
				     "compat",
				     "cpu",
				     "cpu-pm",
				     "device",
				     "display",
				     "enable-kvm",
				     "global",
				     "m",
				     "machine",
				     "msg",
				     "name",
				     "no-hpet",
				     "no-acpi",
				     "no-reboot",
				     "no-user-config",
				     "nodefaults",
				     "nographic",
				     "numa",
				     "object",
				     "overcommit",
				     "rtc",
				     "run-with",
				     "sandbox",
				     "set",
				     "smp",
				     "uuid",
				     "vga",
				     NULL };

/* Options whose files QEMU only reads. */
static const char *const readers[] = { "L",	 "acpitable",  "append", "bios",
				       "dtb",	 "fw_cfg",     "initrd", "k",
				       "kernel", "option-rom", "smbios", NULL };

/* What makes a value a file's, a directory's or a socket's. */
static const char *const paths[] = { "/", "file=", "path=", "file:", "pipe:", "unix:", NULL };

/* A file that is opened so is not written. */
static const char *const unwritten[] = { "readonly=on",	       "read-only=on",
					 "\"read-only\":true", "\"read-only\": true",
					 "snapshot=on",	       NULL };

/* Properties, mostly of -device, that only one VM can have. */
static const char *const single[] = { "vfio-", "host=",	    "hostaddr=", "hostbus=", "guest-cid=",
				      "wwpn=", "sysfsdev=", "vnc=",	 NULL };

static gboolean has_any(const char *text, const char *const *parts)
{
	for (; *parts; parts++) {
		if (strstr(text, *parts))
			return TRUE;
	}
	return FALSE;
}

/* @value (nullable): the argument after @option. */
static gboolean check_option(const char *option, const char *value, guint vms, GError **error)
{
	const char *name = option + strspn(option, "-");
	gboolean known = g_strv_contains(alone, name);

	if (g_strv_contains(readers, name) ||
	    (value && (kx_sharing_is_own(value) || has_any(value, unwritten))))
		return TRUE;
	if (value && has_any(value, paths))
		return kx_plan_bad_template(
			error,
			"its <qemu:commandline> has %s %s, a file that every clone would use; make "
			"it read-only, or a file of each clone's own ({name})",
			option, value);
	if (vms == 1 || (known && !(value && has_any(value, single))))
		return TRUE;
	return kx_plan_bad_template(
		error,
		"its <qemu:commandline> has %s%s%s, which clones may have to share, and %u clones "
		"are to run at a time; leave it out, or let [vm] vms be 1",
		option, value ? " " : "", value ? value : "", vms);
}

/* The values of <arg>, in their order. */
static GPtrArray *arguments_of(xmlNode *commandline)
{
	GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);

	for (xmlNode *n = commandline->children; n; n = n->next) {
		char *value = n->type == XML_ELEMENT_NODE && !strcmp((const char *)n->name, "arg")
				      ? kx_xml_get(n, "value")
				      : NULL;

		if (value)
			g_ptr_array_add(arguments, value);
	}
	return arguments;
}

static gboolean check_commandline(xmlNode *commandline, guint vms, GError **error)
{
	g_autoptr(GPtrArray) arguments = arguments_of(commandline);

	for (guint i = 0; i < arguments->len; i++) {
		const char *option = arguments->pdata[i];
		const char *next = i + 1 < arguments->len ? arguments->pdata[i + 1] : NULL;

		if (next && *next != '-')
			i++;
		else
			next = NULL;
		if (!check_option(option, next, vms, error))
			return FALSE;
	}
	return TRUE;
}

gboolean kx_sharing_check_arguments(xmlNode *root, guint vms, GError **error)
{
	for (xmlNode *n = root->children; n; n = n->next) {
		if (n->type == XML_ELEMENT_NODE && n->ns &&
		    !strcmp((const char *)n->ns->href, QEMU_NAMESPACE) &&
		    !strcmp((const char *)n->name, "commandline") &&
		    !check_commandline(n, vms, error))
			return FALSE;
	}
	return TRUE;
}
