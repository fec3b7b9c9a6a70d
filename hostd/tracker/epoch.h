/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of settings. */
#ifndef KX_EPOCH_H
#define KX_EPOCH_H

#include <glib.h>

/*
 * A number for a new setting (stats.epoch, pass_begin.epoch): no two settings of a session have the same number, regardless of
 * their trackers. The module counts its settings itself, from 1 for each descriptor; numbers from here begin above all numbers
 * that the module can reach, and are never used twice. On any thread.
 */
guint64 kx_tracker_new_epoch(void);

#endif /* KX_EPOCH_H */
