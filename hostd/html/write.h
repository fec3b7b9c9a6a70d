/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a page. Any text that is passed to these functions is text in the page, and no markup: names of VMs, options and reasons
 * come from users, files and guests. The page is also well-formed XML, so that programs can read it.
 */
#ifndef KX_HTML_WRITE_H
#define KX_HTML_WRITE_H

#include <glib.h>

typedef struct _KxHtml KxHtml;

/* A page without any element. */
KxHtml *kx_html_new(void);
/* Ends the page, whose elements are all closed; the caller frees the text. */
char *kx_html_finish(KxHtml *h);

/* Begins an element. @class: NULL for none. */
void kx_html_open(KxHtml *h, const char *name, const char *class);
/* Adds an attribute to the element that was just begun. */
void kx_html_attr(KxHtml *h, const char *name, const char *value);
void kx_html_attrf(KxHtml *h, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* A number with all its digits: reading it again gives the same number. If @value is NAN, no attribute is added. */
void kx_html_attr_number(KxHtml *h, const char *name, double value);
void kx_html_text(KxHtml *h, const char *text);
void kx_html_textf(KxHtml *h, const char *format, ...) G_GNUC_PRINTF(2, 3);
void kx_html_close(KxHtml *h);

/* A whole element with a text. */
void kx_html_element(KxHtml *h, const char *name, const char *class, const char *text);
/* The same for a text in an SVG picture; @x, @y: lengths such as "14" or "50%". */
void kx_html_svg_text(KxHtml *h, const char *class, const char *x, const char *y, const char *text);
/* An element in which a name is kept apart from the text around it, whatever the direction of its script. */
void kx_html_name(KxHtml *h, const char *name);

/* The contents of the open style or script element: only code of this program, no text of others. */
void kx_html_code(KxHtml *h, const char *code);
/* A script element with data: @json is JSON, in which any text may stand. */
void kx_html_data(KxHtml *h, const char *id, const char *json);

#endif /* KX_HTML_WRITE_H */
