// SPDX-License-Identifier: GPL-2.0-or-later
/* The scale is a line through Oklab, a space of colours in which equal distances look equal (B. Ottosson, 2020). */
#include "colour.h"

#include <math.h>

/* Lightness of the two ends; hue in degrees. */
#define DARK   0.26
#define LIGHT  0.93
#define VIOLET 305.0
#define YELLOW 105.0
/* Chroma at the ends, and between them. A few colours lie slightly outside of sRGB: their negative parts are cut to 0. */
#define CHROMA_ENDS   0.105
#define CHROMA_MIDDLE 0.115

/* A linear part of sRGB, 0 to 1, as screens take it. */
static double gamma_of(double linear)
{
	if (linear <= 0)
		return 0;
	return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
}

static guint8 part(double linear)
{
	return (guint8)lround(255 * CLAMP(gamma_of(linear), 0, 1));
}

static KxColour from_oklab(double lightness, double a, double b)
{
	double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
	double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
	double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);

	return (KxColour){
		.red = part(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
		.green = part(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
		.blue = part(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s),
	};
}

KxColour kx_colour_at(double place)
{
	double t = isnan(place) ? 0 : CLAMP(place, 0, 1);
	double hue = (VIOLET + t * (YELLOW - VIOLET)) * G_PI / 180;
	double chroma = CHROMA_ENDS + 4 * t * (1 - t) * (CHROMA_MIDDLE - CHROMA_ENDS);

	return from_oklab(DARK + t * (LIGHT - DARK), chroma * cos(hue), chroma * sin(hue));
}

gboolean kx_colour_is_light(KxColour c)
{
	return 299 * c.red + 587 * c.green + 114 * c.blue > 128 * 1000;
}
