/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scale of colours for numbers, which people who cannot tell some colours apart read as well. */
#ifndef KX_COLOUR_H
#define KX_COLOUR_H

#include <glib.h>

typedef struct {
	guint8 red, green, blue;
} KxColour;

/**
 * kx_colour_at() - the colour of a place on the scale
 * @place: 0 (dark violet) to 1 (light yellow); beyond these ends: that of the end
 *
 * The lightness, as eyes see it, grows evenly with @place: the order of two places shows in grey, too, and to everybody, however
 * they see colours. The hue goes from violet over blue and green to yellow, and only helps.
 */
KxColour kx_colour_at(double place);

/* Whether black is easier to read on the colour than white. */
gboolean kx_colour_is_light(KxColour c);

#endif /* KX_COLOUR_H */
