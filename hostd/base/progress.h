/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The progress of a pass that takes long, as text. */
#ifndef KX_PROGRESS_H
#define KX_PROGRESS_H

#include <glib.h>

#include <kvm-ext/uapi.h>

/* "priming, 23 % of memory, about 60 s to go"; NULL: no pass runs, or the pass does not take long. */
char *kx_progress_text(const struct kvm_ext_stats *st);

#endif /* KX_PROGRESS_H */
