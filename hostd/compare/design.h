/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In which order settings run. A round holds each setting once. Rounds are rows of Williams squares: over a full set of rows
 * each setting stands at each place of the round equally often, and comes directly after each other setting equally often, so
 * that what changes with time, and what a setting leaves behind, hits all settings alike. A set has as many rows as there are
 * settings where their number is even, and twice as many where it is odd.
 *
 * What a seed gives is drawn at random (names of the settings and order of the rows, anew for each set) and the same on every
 * machine. The last setting of a round is the one before the first of the next round: rows are put in such an order that these
 * pairs, too, differ, and that a setting follows itself as seldom as possible. Any number of first rounds is as balanced as
 * that number allows, so a comparison may end early; and more rounds with the same seed begin with the same rounds.
 */
#ifndef KX_DESIGN_H
#define KX_DESIGN_H

#include <glib.h>

/* Where a setting is asked for that there is not. */
#define KX_NO_SETTING G_MAXUINT

typedef struct _KxDesign KxDesign;

/**
 * kx_design_new() - draw the order of all windows
 * @settings: how many there are, `off` among them; at least 1
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
 * Where several VMs run the same setting at a time, this is the order of all of them.
 */
guint kx_design_at(const KxDesign *d, guint round, guint position);

/**
 * kx_design_for_vm() - the setting of a window of one VM, where VMs run different settings at a time
 * @vm: from 0; VM 0 has the order of kx_design_at()
 *
 * At each moment each setting is run by equally many VMs, or by one more than others where the number of VMs is no multiple of
 * the number of settings. The rounds of each VM are as balanced as those of VM 0; between two rounds a setting of another VM may
 * follow itself now and then. Which settings run beside each other changes from round to round.
 */
guint kx_design_for_vm(const KxDesign *d, guint vm, guint round, guint position);

/**
 * kx_design_before() - the setting that a VM ran directly before a window
 *
 * Return: that setting; of the very first window KX_NO_SETTING.
 */
guint kx_design_before(const KxDesign *d, guint vm, guint round, guint position);

#endif /* KX_DESIGN_H */
