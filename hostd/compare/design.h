/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which settings run. A round contains each setting once. Rounds are rows of Williams squares: over a full set of
 * rows each setting has each position of the round equally often, and comes directly after each other setting equally often,
 * so that changes with time, and carry-over from a setting to the next, affect all settings alike. The number of rows in a
 * set is the number of settings if that is even, and twice the number of settings if it is odd.
 *
 * The seed decides everything random (the assignment of settings to the square, and the order of rows, both drawn again for
 * each set); the result is the same on every machine. The last setting of a round precedes the first setting of the next
 * round: the order of rows is chosen so that these pairs differ, too, and that a setting follows itself as rarely as possible.
 * The first n rounds are as balanced as n allows, so a comparison may end early. More rounds with the same seed begin with
 * the same rounds.
 */
#ifndef KX_DESIGN_H
#define KX_DESIGN_H

#include <glib.h>

/* Means: there is no such setting. */
#define KX_NO_SETTING G_MAXUINT

typedef struct _KxDesign KxDesign;

/**
 * kx_design_new() - draw the order of all windows
 * @settings: number of settings, `off` included; at least 1
 * @rounds: at least 1
 * @seed: decides everything that is random
 *
 * Return: the design; never NULL.
 */
KxDesign *kx_design_new(guint settings, guint rounds, guint64 seed);
void kx_design_free(KxDesign *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDesign, kx_design_free)

guint kx_design_settings(const KxDesign *d);
guint kx_design_rounds(const KxDesign *d);

/**
 * kx_design_at() - the setting of a window
 * @round: from 0
 * @position: in the round, from 0
 *
 * If several VMs run the same setting at a time, this is the order of all of them.
 */
guint kx_design_at(const KxDesign *d, guint round, guint position);

/**
 * kx_design_for_vm() - the setting of a window of one VM, if VMs run different settings at a time
 * @vm: from 0; VM 0 has the order of kx_design_at()
 *
 * At each time each setting runs on the same number of VMs; if the number of VMs is no multiple of the number of settings, some
 * settings run on one VM more. The rounds of each VM are as balanced as those of VM 0; between two rounds of another VM a
 * setting may sometimes follow itself. The settings that run at the same time change from round to round.
 */
guint kx_design_for_vm(const KxDesign *d, guint vm, guint round, guint position);

/**
 * kx_design_before() - the setting that a VM ran directly before a window
 *
 * Return: that setting; for the very first window KX_NO_SETTING.
 */
guint kx_design_before(const KxDesign *d, guint vm, guint round, guint position);

#endif /* KX_DESIGN_H */
