/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first step of a tracker that asks libvirt, in limited time: libvirt, or QEMU behind it, may never answer. */
#ifndef KX_FIRSTSTEP_H
#define KX_FIRSTSTEP_H

#include <glib.h>

typedef struct {
	const char *thread;  /* the thread's name */
	const char *tracker; /* for the text of the error */
	gboolean (*run)(gpointer work, GError **error);
	/*
	 * The caller no longer waits: what @run has asked for and has no answer to shall not happen. Runs at the same time as @run.
	 * NULL: that does no harm.
	 */
	void (*withdraw)(gpointer work);
	GDestroyNotify free; /* of the work */
} KxFirstStep;

/*
 * Runs the step on a thread of its own, and waits at most 10 s for its end. Takes ownership of @work, and returns it if the step was
 * successful. NULL: @error of the step, or KX_ERROR_NO_LIBVIRT.
 */
gpointer kx_first_step(const KxFirstStep *step, gpointer work, GError **error);

#endif /* KX_FIRSTSTEP_H */
