/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map of heat over time as a picture, with axes and a scale: PNG or SVG (cairo). */
#ifndef KX_CLI_PICTURE_H
#define KX_CLI_PICTURE_H

#include "model/vm.h"

typedef enum {
	PICTURE_PNG,
	PICTURE_SVG,
} PictureFormat;

/* The format, by the end of the file's name. FALSE: the name has another end. */
gboolean picture_format(const char *path, PictureFormat *format);
/* Whether the file's name ends as that of a picture, or of a page with pictures, of a kind that is not drawn. */
gboolean picture_unknown(const char *path);
/* NULL: @error says why. */
GByteArray *picture_draw(const KxVmReport *v, const KxAccessMap *m, PictureFormat format,
			 guint width, guint height, GError **error);

#endif /* KX_CLI_PICTURE_H */
