// SPDX-License-Identifier: GPL-2.0-or-later
#include "firststep.h"

#include "base/error.h"

#define FIRST_US (10 * G_USEC_PER_SEC)

/*
 * libvirt, or QEMU behind it, may never answer, and the caller must leave the session in limited time: so another thread asks.
 * Caller or thread, whichever ends last, frees this structure.
 */
typedef struct {
	GMutex lock;
	GCond told;
	KxFirstStep step;
	gpointer work;
	GError *why;
	gboolean done, ok;
	gboolean left; /* the caller no longer waits */
} First;

static void first_free(First *f)
{
	if (f->work)
		f->step.free(f->work);
	g_clear_error(&f->why);
	g_mutex_clear(&f->lock);
	g_cond_clear(&f->told);
	g_free(f);
}

static gpointer first_main(gpointer data)
{
	First *f = data;
	GError *why = NULL;
	gboolean ok = f->step.run(f->work, &why), left;

	g_mutex_lock(&f->lock);
	f->ok = ok;
	f->why = why;
	f->done = TRUE;
	left = f->left;
	g_cond_signal(&f->told);
	g_mutex_unlock(&f->lock);
	if (left)
		first_free(f);
	return NULL;
}

/* Whether the thread has answered in time. If not, the thread owns @f. */
static gboolean first_await(First *f)
{
	gint64 until = g_get_monotonic_time() + FIRST_US;
	gboolean done;

	g_mutex_lock(&f->lock);
	while (!f->done && g_cond_wait_until(&f->told, &f->lock, until))
		;
	done = f->done;
	f->left = !done;
	if (f->left && f->step.withdraw)
		f->step.withdraw(f->work);
	g_mutex_unlock(&f->lock);
	return done;
}

gpointer kx_first_step(const KxFirstStep *step, gpointer work, GError **error)
{
	First *f = g_new0(First, 1);
	gpointer done = NULL;
	GThread *thread;

	f->step = *step;
	f->work = work;
	g_mutex_init(&f->lock);
	g_cond_init(&f->told);
	thread = g_thread_try_new(step->thread, first_main, f, error);
	if (!thread) {
		first_free(f);
		return NULL;
	}
	g_thread_unref(thread);
	if (!first_await(f)) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "tracker %s: libvirt, or QEMU's monitor, does not answer",
			    step->tracker);
		return NULL;
	}
	if (f->ok)
		done = g_steal_pointer(&f->work);
	else
		g_propagate_error(error, g_steal_pointer(&f->why));
	first_free(f);
	return done;
}
