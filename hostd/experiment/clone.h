/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM of an experiment: the template's XML with a name, UUID and MAC addresses of its own, the point's size, the placement, and
 * a marker in its metadata. Only a domain with this marker is ever destroyed.
 */
#ifndef KX_CLONE_H
#define KX_CLONE_H

#include <glib.h>

#include "placing.h"
#include "plan.h"

/* Of a placeholder. */
#define KX_CLONE_NO_VALUE                                                                 \
	"nothing stands for the placeholder %s here; there are {name}, {uuid} and, with " \
	"[workload] working-set, {working-set}"

#define KX_CLONE_NAMESPACE "urn:kvm-ext:experiment"

typedef struct {
	const char *experiment; /* the id of this run of the experiment, in the marker */
	const char *name, *uuid;
	guint index; /* of the VM in its run, from 0 */
	const KxPoint *point;
	const KxPlacing *placement;
} KxCloneWish;

/**
 * kx_clone_xml() - the XML of a clone
 * @template: a domain's XML
 *
 * In all texts and attributes the placeholders {name}, {uuid} and {working-set} are replaced by the clone's values. Refused with
 * KX_PLAN_ERROR: text that is not a domain's XML, an unknown placeholder, and a template whose
 * clones would share what they may not share (sharing.h).
 *
 * Return: the XML; the caller frees it. NULL: @error is set.
 */
char *kx_clone_xml(const char *template, const KxCloneWish *w, GError **error);

/* Name and number of vCPUs that the template has. FALSE: @error is set. */
gboolean kx_clone_look(const char *template, char **name, guint *vcpus, GError **error);

/* Whether the domain with this XML is a clone of this run of the experiment. */
gboolean kx_clone_is_ours(const char *xml, const char *experiment);

/*
 * The file of UEFI variables of the running clone with this XML, if the file is named after the clone (name or UUID); else NULL. libvirt
 * keeps the file when the clone has ended, and the next clone of that name would begin with what this one wrote. The caller frees it.
 */
char *kx_clone_nvram(const char *xml, const char *name, const char *uuid);

/* @text with {name}, {uuid} and {working-set} replaced. The caller frees it. */
char *kx_clone_fill_in(const char *text, const KxCloneWish *w);
/*
 * The first placeholder in @text that has no value for @w, with its braces; NULL: all have a value. Braces around anything but small
 * letters, '_' and '-' are no placeholder, nor is "${" of a shell. The caller frees it.
 */
char *kx_clone_unknown(const char *text, const KxCloneWish *w);

#endif /* KX_CLONE_H */
