// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of the daemon: sessions end, and their channels are unplugged. The main loop no longer runs, so each channel is
 * unplugged on a thread of its own. All threads together have a bounded time, because a stopped QEMU does not answer, and the
 * other channels must be unplugged before the service manager's timeout. A channel that is not unplugged in this time stays
 * plugged in for the next daemon.
 */
#include "manager-internal.h"

#include "base/log.h"

/* The time that a guest has to release its device, and some more for libvirt. */
#define STOP_US (KX_PLUG_SHUTDOWN_NS / 1000 + 2 * G_USEC_PER_SEC)

/* Shared by all channels. */
typedef struct {
	GMutex lock;
	GCond one_is_out;
	guint left; /* number of channels still plugged in; protected by @lock */
	gatomicrefcount refs;
} Leaving;

typedef struct {
	Leaving *all;
	KxPlug *plug;
	KxLibvirt *libvirt;
	KxVmIdent ident; /* a copy: the session may be freed before the thread ends */
	KxPlugVm vm;
} Channel;

static void leaving_unref(Leaving *all)
{
	if (!g_atomic_ref_count_dec(&all->refs))
		return;
	g_mutex_clear(&all->lock);
	g_cond_clear(&all->one_is_out);
	g_free(all);
}

static gpointer channel_thread(gpointer data)
{
	Channel *c = data;
	g_autoptr(GError) error = NULL;

	if (!kx_plug_out(c->plug, &c->vm, KX_PLUG_SHUTDOWN_NS, &error))
		kx_log(G_LOG_LEVEL_WARNING, "channel", c->ident.name, NULL, "%s", error->message);
	kx_plug_unref(c->plug);
	kx_libvirt_release(c->libvirt);
	kx_vm_ident_clear(&c->ident);
	g_mutex_lock(&c->all->lock);
	c->all->left--;
	g_cond_signal(&c->all->one_is_out);
	g_mutex_unlock(&c->all->lock);
	leaving_unref(c->all);
	g_free(c);
	return NULL;
}

/* The thread gets no pointer to the manager, because the manager may be freed before the thread ends. */
static void unplug(const KxManager *m, KxSession *s, Leaving *all)
{
	KxPlug *plug = kx_session_take_plug(s);
	Channel *c;

	if (!plug)
		return;
	c = g_new0(Channel, 1);
	c->all = all;
	c->plug = plug;
	c->libvirt = kx_domains_hold(m->domains, NULL);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->vm = (KxPlugVm){ .sys = m->host->plug_sys,
			    .domain = m->host->plug_domain,
			    .dir = m->host->shm_dir,
			    .proc_root = m->host->proc_root,
			    .libvirt = c->libvirt,
			    .name = c->ident.name,
			    .uuid = c->ident.uuid,
			    .pid = c->ident.pid };
	g_atomic_ref_count_inc(&all->refs);
	g_mutex_lock(&all->lock);
	all->left++;
	g_mutex_unlock(&all->lock);
	g_thread_unref(g_thread_new("unplug", channel_thread, c));
}

static void wait_for_all(Leaving *all)
{
	gint64 until = g_get_monotonic_time() + STOP_US;

	g_mutex_lock(&all->lock);
	while (all->left && g_cond_wait_until(&all->one_is_out, &all->lock, until))
		;
	if (all->left)
		kx_log(G_LOG_LEVEL_WARNING, "channel", NULL, NULL,
		       "%u channels to guests could not be unplugged in time: their devices stay "
		       "plugged in, and the next attach takes them over",
		       all->left);
	g_mutex_unlock(&all->lock);
}

void kx_manager_shutdown(KxManager *m)
{
	Leaving *all = g_new0(Leaving, 1);

	g_mutex_init(&all->lock);
	g_cond_init(&all->one_is_out);
	g_atomic_ref_count_init(&all->refs);
	g_hash_table_remove_all(m->retries);
	kx_manager_give_up(m, NULL, "the daemon is stopping");
	while (m->sessions->len) {
		g_autoptr(KxSession) s = kx_session_ref(m->sessions->pdata[0]);

		kx_session_end(s, "the daemon stopped");
		kx_manager_retire(m, s);
		kx_manager_tell(m, "detached", s, "the daemon stopped");
		unplug(m, s, all);
	}
	kx_manager_stop_recordings(m);
	wait_for_all(all);
	leaving_unref(all);
	m->callback = NULL;
	g_clear_pointer(&m->domains, kx_domains_free);
}
