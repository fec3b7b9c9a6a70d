/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first step of a tracker that asks libvirt, in limited time: libvirt, or QEMU behind it, may never answer. */
#ifndef KX_FIRSTSTEP_H
#define KX_FIRSTSTEP_H

#include <glib.h>

/*
 * Runs @step on a thread of its own, named @thread, and waits at most 10 s for its end. Takes ownership of @work, and returns it if
 * the step was successful. NULL: @error of the step, or KX_ERROR_NO_LIBVIRT with @tracker in its text.
 */
gpointer kx_first_step(const char *thread, const char *tracker,
		       gboolean (*step)(gpointer work, GError **error), gpointer work,
		       GDestroyNotify work_free, GError **error);

#endif /* KX_FIRSTSTEP_H */
