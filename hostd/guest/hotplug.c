// SPDX-License-Identifier: GPL-2.0-or-later
#include "hotplug.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "vm/apparmor.h"

struct _KxPlug {
	gatomicrefcount refs;
	char *name;
	KxPlugFile file;
	gboolean was_there;
	/* nullable: AppArmor's profile, loaded with a rule for the file by us, or perhaps by an earlier daemon */
	char *allowed;
};

/* The user and group with which QEMU opens files. */
static gboolean qemu_user(const KxPlugVm *vm, uid_t *uid, gid_t *gid, GError **error)
{
	g_autofree char *path =
		g_strdup_printf("%s/%d/status", vm->proc_root ? vm->proc_root : "/proc", vm->pid);
	g_autofree char *text = NULL;
	const char *u, *g;
	guint fsuid, fsgid;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	u = strstr(text, "\nUid:");
	g = strstr(text, "\nGid:");
	/* real, effective, saved, file system */
	if (!u || !g || sscanf(u, "\nUid: %*u %*u %*u %u", &fsuid) != 1 ||
	    sscanf(g, "\nGid: %*u %*u %*u %u", &fsgid) != 1) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s does not name QEMU's user", path);
		return FALSE;
	}
	*uid = fsuid;
	*gid = fsgid;
	return TRUE;
}

/* --- libvirt ------------------------------------------------------------------------------------------------------ */

static gboolean libvirt_failed(GError **error)
{
	const char *message = virGetLastErrorMessage();
	int code = virGetLastErrorCode();
	gboolean denied = code == VIR_ERR_OPERATION_DENIED || code == VIR_ERR_AUTH_FAILED ||
			  code == VIR_ERR_ACCESS_DENIED || code == VIR_ERR_AUTH_UNAVAILABLE;

	g_set_error(error, KX_ERROR, denied ? KX_ERROR_ACCESS_DENIED : KX_ERROR_NOT_SUPPORTED,
		    "%s%s", message ? message : "no reason given",
		    denied ? " (the daemon's connection may not change domains: it needs libvirt's "
			     "full access, libvirt-uri in kvm-extd.conf)"
			   : "");
	return FALSE;
}

static char *libvirt_xml(gpointer domain, GError **error)
{
	char *raw = virDomainGetXMLDesc(domain, 0);
	char *xml = g_strdup(raw);

	free(raw);
	if (!xml)
		libvirt_failed(error);
	return xml;
}

static const char *libvirt_state(gpointer domain)
{
	int state = VIR_DOMAIN_SHUTOFF;

	/* A lost connection gives no information on the domain. */
	if (domain && virDomainGetState(domain, &state, NULL, 0) < 0 &&
	    virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
		return "out of libvirt's reach";
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return "running";
	case VIR_DOMAIN_PAUSED:
		return "paused";
	case VIR_DOMAIN_PMSUSPENDED:
		return "suspended";
	default:
		return "shut off";
	}
}

static gboolean libvirt_attach(gpointer domain, const char *xml, GError **error)
{
	return virDomainAttachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
	       libvirt_failed(error);
}

static gboolean libvirt_detach(gpointer domain, const char *xml, GError **error)
{
	return virDomainDetachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
	       libvirt_failed(error);
}

const KxPlugSys kx_plug_libvirt = {
	libvirt_xml,	libvirt_state,	   libvirt_attach,
	libvirt_detach, kx_apparmor_allow, kx_apparmor_restore,
};

/* A domain, and the functions to work on it. */
typedef struct {
	const KxPlugSys *sys;
	gpointer domain;
	virDomainPtr own;
	gboolean unknown; /* libvirt answers that it has no such domain */
} Target;

static void target_clear(Target *t)
{
	if (t->own)
		virDomainFree(t->own);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

static void target_of(const KxPlugVm *vm, Target *t)
{
	*t = (Target){ .sys = vm->sys ? vm->sys : &kx_plug_libvirt, .domain = vm->domain };
	if (vm->sys || !vm->libvirt)
		return;
	t->domain = t->own =
		virDomainLookupByUUIDString(kx_libvirt_connection(vm->libvirt), vm->uuid);
	t->unknown = !t->domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

/* --- for plugging in and out ---------------------------------------------------------------------------------------- */

static gboolean read_domain(const Target *t, const KxPlugVm *vm, KxPlugXml *x, GError **error)
{
	g_autofree char *xml = t->sys->xml(t->domain, error);

	return xml && kx_plug_read_xml(xml, vm->uuid, x, error);
}

typedef enum {
	PLUGGED_NOT,
	PLUGGED,
	PLUGGED_UNKNOWN, /* libvirt does not answer any more */
} Plugged;

static Plugged is_plugged(const Target *t, const KxPlugVm *vm, GError **error)
{
	g_auto(KxPlugXml) x = { 0 };

	if (!read_domain(t, vm, &x, error))
		return PLUGGED_UNKNOWN;
	return x.plugged ? PLUGGED : PLUGGED_NOT;
}

static gboolean say_it_stays(const Target *t, const KxPlugVm *vm, gint64 since_us,
			     const GError *refused, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
		    "VM \"%s\" does not release the channel's device (%s, waited %.1f s)%s%s: the "
		    "device stays plugged in; the next attach takes it over, and the next detach "
		    "tries again",
		    vm->name, t->sys->state(t->domain),
		    (double)(g_get_monotonic_time() - since_us) / 1e6, refused ? "; libvirt: " : "",
		    refused ? refused->message : "");
	return FALSE;
}

/* @profile NULL: no profile was changed. */
static void take_rule_back(const Target *t, const char *profile)
{
	if (profile && t->sys->restore)
		t->sys->restore(profile);
}

static gboolean unplug(const Target *t, const KxPlugVm *vm, gint64 wait_ns, GError **error)
{
	g_autofree char *name = kx_plug_name(vm->uuid);
	g_autofree char *device = kx_plug_device_xml(name, NULL);
	g_autoptr(KxPatience) patience = kx_patience_new(vm->proc_root, vm->pid, wait_ns, NULL);
	gint64 since_us = g_get_monotonic_time();
	g_autoptr(GError) refused = NULL;
	gboolean asked = FALSE;

	kx_patience_renew(patience, 0); /* the guest already has the device */
	for (;;) {
		g_autoptr(GError) over = NULL, untold = NULL;
		Plugged now = is_plugged(t, vm, &untold);

		if (now == PLUGGED_NOT)
			return TRUE;
		/* If an earlier request is still in progress, libvirt refuses a second one: then only wait. */
		if (!asked && now == PLUGGED)
			t->sys->detach(t->domain, device, &refused);
		asked |= now == PLUGGED;
		if (kx_patience_rest(patience, "the guest does not release the device", &over))
			continue;
		/* The request may have taken all of the time. */
		return g_error_matches(over, KX_ERROR, KX_ERROR_VM_GONE) ||
		       is_plugged(t, vm, NULL) == PLUGGED_NOT ||
		       say_it_stays(t, vm, since_us, untold ? untold : refused, error);
	}
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* QEMU opens the file by itself. Only its attempt shows whether it may: another rule may permit it. */
static void let_open(KxPlug *p, const Target *t, const KxPlugXml *x, GError **refused)
{
	if (x->apparmor && t->sys->allow && t->sys->allow(x->apparmor, p->file.path, refused))
		p->allowed = g_strdup(x->apparmor);
}

static gboolean attach_device(KxPlug *p, const Target *t, const KxPlugVm *vm, const KxPlugXml *x,
			      GError **error)
{
	g_autofree char *device = kx_plug_device_xml(p->name, x);
	g_autoptr(GError) refused = NULL;
	const char *why = kx_plug_why_no_place(x);

	let_open(p, t, x, &refused);
	if (t->sys->attach(t->domain, device, error))
		return TRUE;
	kx_plug_file_remove(&p->file, NULL);
	take_rule_back(t, p->allowed);
	if (!why && refused)
		why = refused->message;
	g_prefix_error(error, "VM \"%s\": the channel's device cannot be plugged in: %s%s",
		       vm->name, why ? why : "", why ? "; libvirt: " : "");
	return FALSE;
}

static gboolean check_state(const Target *t, const KxPlugVm *vm, GError **error)
{
	const char *state;

	if (!t->domain) {
		g_set_error(error, KX_ERROR,
			    t->unknown ? KX_ERROR_NOT_SUPPORTED : KX_ERROR_NO_LIBVIRT,
			    "VM \"%s\": trackers in the guest need libvirt, which plugs their "
			    "channel into the VM; it %s",
			    vm->name, t->unknown ? "does not know this VM" : "cannot be reached");
		return FALSE;
	}
	state = t->sys->state(t->domain);
	if (g_str_equal(state, "running"))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "VM \"%s\" is %s: its guest cannot take a device now; resume it first",
		    vm->name, state);
	return FALSE;
}

/* A plug whose file is neither made nor taken over yet. */
static KxPlug *plug_new(const KxPlugVm *vm)
{
	KxPlug *p = g_new0(KxPlug, 1);

	g_atomic_ref_count_init(&p->refs);
	p->name = kx_plug_name(vm->uuid);
	p->file.path = kx_plug_file_path(vm->dir, vm->uuid);
	return p;
}

/*
 * Takes over the device that an earlier daemon left, or that came with a restored domain. A device whose memory cannot be
 * used is unplugged, because nobody can have listened to it. NULL: no device is plugged in any more, or (@error) the guest
 * does not release it, or another daemon uses it. It is not known whether the earlier daemon has changed the profile; loading libvirt's profile again is
 * correct in either case.
 */
static KxPlug *take_over(const KxPlugVm *vm, const Target *t, const KxPlugXml *x,
			 const KxPlugOwner *owner, GError **error)
{
	g_autoptr(KxPlug) p = plug_new(vm);
	g_autoptr(GError) unfit = NULL;

	p->was_there = TRUE;
	if (kx_plug_file_take(&p->file, owner, &unfit)) {
		p->allowed = g_strdup(x->apparmor);
		return g_steal_pointer(&p);
	}
	/* The device is in use, so it may not be unplugged either. */
	if (g_error_matches(unfit, KX_ERROR, KX_ERROR_BUSY)) {
		g_propagate_error(error, g_steal_pointer(&unfit));
		return NULL;
	}
	if (unplug(t, vm, KX_PATIENCE_AUTO, error))
		take_rule_back(t, x->apparmor);
	else
		g_prefix_error(error, "%s; ", unfit->message);
	return NULL;
}

KxPlug *kx_plug_in(const KxPlugVm *vm, GError **error)
{
	g_autoptr(KxPlug) p = NULL;
	g_auto(Target) t = { 0 };
	g_auto(KxPlugXml) x = { 0 };
	g_autoptr(GError) holds_on = NULL;
	KxPlugOwner owner = { 0 };

	if (!vm->uuid) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "VM \"%s\" has no UUID: trackers in the guest need a libvirt domain",
			    vm->name);
		return NULL;
	}
	target_of(vm, &t);
	if (!check_state(&t, vm, error) || !qemu_user(vm, &owner.uid, &owner.gid, error) ||
	    !read_domain(&t, vm, &x, error))
		return NULL;
	owner.selinux = x.selinux;
	if (x.plugged) {
		p = take_over(vm, &t, &x, &owner, &holds_on);
		if (p)
			return g_steal_pointer(&p);
	}
	if (holds_on) {
		g_propagate_error(error, g_steal_pointer(&holds_on));
		return NULL;
	}
	p = plug_new(vm);
	if (!kx_plug_file_make(&p->file, &owner, error) || !attach_device(p, &t, vm, &x, error))
		return NULL;
	return g_steal_pointer(&p);
}

/* The file of a daemon that was killed between making the file and removing it. */
static void remove_left_behind(const KxPlugVm *vm, const Target *t, const KxPlugXml *x,
			       const KxPlugOwner *owner)
{
	g_autoptr(KxPlug) p = plug_new(vm);

	/* Another daemon plugs it in just now. */
	if (kx_plug_file_is_held(&p->file, owner))
		return;
	if (kx_plug_left_behind(vm->dir, vm->uuid))
		take_rule_back(t, x->apparmor);
	kx_plug_file_remove(&p->file, NULL);
}

KxPlug *kx_plug_find(const KxPlugVm *vm)
{
	g_auto(Target) t = { 0 };
	g_auto(KxPlugXml) x = { 0 };
	KxPlugOwner owner = { 0 };

	target_of(vm, &t);
	if (!t.domain || !qemu_user(vm, &owner.uid, &owner.gid, NULL) ||
	    !read_domain(&t, vm, &x, NULL))
		return NULL;
	owner.selinux = x.selinux;
	if (!x.plugged) {
		remove_left_behind(vm, &t, &x, &owner);
		return NULL;
	}
	return take_over(vm, &t, &x, &owner, NULL);
}

KxPlug *kx_plug_ref(KxPlug *p)
{
	g_atomic_ref_count_inc(&p->refs);
	return p;
}

KxChannel *kx_plug_channel(KxPlug *p)
{
	return p->file.channel;
}

gboolean kx_plug_was_there(const KxPlug *p)
{
	return p->was_there;
}

gboolean kx_plug_wait_claimed(KxPlug *p, KxPatience *patience, GError **error)
{
	KxChannelStatus st;

	while (!kx_channel_status(p->file.channel, &st)) {
		if (kx_channel_is_broken(p->file.channel)) {
			g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
					    kx_channel_state_text(KX_CHANNEL_BROKEN));
			return FALSE;
		}
		if (!kx_patience_rest(patience, kx_channel_state_text(KX_CHANNEL_UNCLAIMED), error))
			return FALSE;
	}
	return TRUE;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

gboolean kx_plug_out(KxPlug *p, const KxPlugVm *vm, gint64 wait_ns, GError **error)
{
	const struct kvm_ext_channel_command nothing = { 0 };
	g_auto(Target) t = { 0 };
	gboolean gone;

	kx_channel_command(p->file.channel, &nothing);
	target_of(vm, &t);
	gone = vm->gone || (kill(vm->pid, 0) && errno == ESRCH);
	if (!gone && !t.domain) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "VM \"%s\": libvirt cannot be reached, so the channel's device stays "
			    "plugged in; the next attach takes it over",
			    vm->name);
		return FALSE;
	}
	if (!gone && !g_str_equal(t.sys->state(t.domain), "shut off") &&
	    !unplug(&t, vm, wait_ns, error))
		return FALSE;
	if (!gone)
		take_rule_back(&t, p->allowed);
	return kx_plug_file_remove(&p->file, error);
}

void kx_plug_unref(KxPlug *p)
{
	if (!p || !g_atomic_ref_count_dec(&p->refs))
		return;
	kx_plug_file_clear(&p->file);
	g_free(p->allowed);
	g_free(p->name);
	g_free(p);
}
