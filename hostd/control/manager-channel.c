// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The channel to the guest. Attach and SetTracker plug it in for a tracker in the guest; after the session it is unplugged:
 *
 *	kx_call_unplug_after       waits until no other call changes the VM's channel
 *	unplug_now
 *	[kx_call_unplug_work]
 *	kx_call_unplug_then        the call is answered
 */
#include "manager-internal.h"

#include "base/log.h"
#include "vm/vmfd.h"

gboolean kx_manager_runs_in_guest(const KxOptions *o)
{
	return o->tracker->can & KX_CAN_GUEST;
}

static KxPlugVm plug_vm(const KxCall *c)
{
	const KxHost *h = c->m->host;

	return (KxPlugVm){
		.sys = h->plug_sys,
		.domain = h->plug_domain,
		.dir = h->shm_dir,
		.proc_root = h->proc_root,
		.libvirt = c->libvirt,
		.name = c->ident.name,
		.uuid = c->ident.uuid,
		.pid = c->ident.pid,
		.gone = c->channel.gone,
	};
}

gboolean kx_call_unplug_work(KxCall *c, GError **error)
{
	KxPlugVm vm = plug_vm(c);

	return kx_plug_out(c->channel.plug, &vm, KX_PATIENCE_AUTO, error);
}

/* If the call already has an error, the call returns that one, because it says more than an error of the cleanup. */
void kx_call_unplug_then(KxCall *c, GError *error)
{
	if (error && (c->error || !c->task))
		kx_log(G_LOG_LEVEL_WARNING, "channel", c->ident.name, NULL, "%s", error->message);
	if (c->error) {
		g_clear_error(&error);
		error = g_steal_pointer(&c->error);
	}
	kx_call_done(c, error);
}

/*
 * Plugs in a channel, waits until the guest's module drives it, and commands the guest. After an error a channel that was
 * plugged in here is not left behind.
 */
gboolean kx_call_plug_work(KxCall *c, GError **error)
{
	KxPlugVm vm = plug_vm(c);
	g_autoptr(KxPatience) patience = NULL;
	gboolean ours = !c->channel.plug;

	if (!kx_manager_runs_in_guest(&c->set.options)) {
		if (ours && vm.uuid && kx_plug_left_behind(vm.dir, vm.uuid))
			c->channel.plug = kx_plug_find(&vm);
		return TRUE;
	}
	if (ours)
		c->channel.plug = kx_plug_in(&vm, error);
	if (!c->channel.plug)
		return FALSE;
	patience =
		kx_patience_new(vm.proc_root, vm.pid, c->set.options.wait_ns, c->wait.cancellable);
	if (kx_plug_wait_claimed(c->channel.plug, patience, error) &&
	    kx_tracker_guest_propose(kx_plug_channel(c->channel.plug), &c->set.options, patience,
				     error))
		return TRUE;
	if (ours)
		kx_plug_out(c->channel.plug, &vm, KX_PATIENCE_AUTO, NULL);
	g_clear_pointer(&c->channel.plug, kx_plug_unref);
	return FALSE;
}

static void unplug_now(KxCall *c, GError *error)
{
	if (error || !c->channel.plug || !kx_call_begin_plugging(c, c->ident.uuid, &error)) {
		kx_call_done(c, error);
		return;
	}
	if (!c->libvirt)
		c->libvirt = kx_domains_hold(c->m->domains, NULL);
	kx_call_run_apart(c, kx_call_unplug_work, kx_call_unplug_then);
}

/* Called after a session, so that the VM's PCI slot is free again. A call that still uses the channel ends first. */
void kx_call_unplug_after(KxCall *c, KxSession *s, gboolean gone)
{
	c->channel.plug = kx_session_take_plug(s);
	kx_vm_ident_clear(&c->ident);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->channel.gone = gone;
	kx_call_after_plugging(c, c->ident.uuid, unplug_now);
}

/* --- files that a killed daemon has left ----------------------------------------------------------------------------- */

/*
 * Files of running domains are kept: their devices use these files, and the next attach uses the devices again. Any user can make
 * files of such names, so neither the reading of processes nor the log grows with the number of files.
 */
static gboolean sweep_work(KxCall *c, GError **error)
{
	const char *dir = c->m->host->shm_dir;
	g_auto(GStrv) uuids = kx_plug_all_left_behind(dir);
	g_autoptr(GHashTable) running = *uuids ? kx_vmfd_uuids(c->proc_root) : NULL;
	guint removed = 0;

	for (char **uuid = uuids; running && *uuid; uuid++) {
		KxPlugFile f = { .path = kx_plug_file_path(dir, *uuid) };
		g_autofree char *key = g_ascii_strdown(*uuid, -1);

		removed += !g_hash_table_contains(running, key) && kx_plug_file_remove(&f, NULL);
		kx_plug_file_clear(&f);
	}
	if (removed)
		kx_log(G_LOG_LEVEL_MESSAGE, "channel", NULL, NULL,
		       "channels left behind whose VMs do not run: %u, removed", removed);
	return TRUE;
}

static void sweep_then(KxCall *c, GError *error)
{
	kx_call_done(c, error);
}

void kx_manager_sweep_channels(KxManager *m)
{
	/* With fake processes (a unit test), only a fake directory of files may be swept, not the files of this machine. */
	if (m->host->shm_dir || g_str_equal(m->host->proc_root, "/proc"))
		kx_call_run(kx_call_new(m, NULL, NULL, NULL), sweep_work, sweep_then);
}
