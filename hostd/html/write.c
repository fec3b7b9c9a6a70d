// SPDX-License-Identifier: GPL-2.0-or-later
#include "write.h"

#include <libxml/xmlwriter.h>
#include <math.h>
#include <string.h>

#include "base/textfmt.h"

struct _KxHtml {
	xmlBufferPtr buffer;
	xmlTextWriterPtr writer;
	GPtrArray *open; /* char *: names of the elements that are open, from outside */
};

#define X(text) ((const xmlChar *)(text))

/* Elements that have no end tag in HTML. */
static gboolean is_void(const char *name)
{
	static const char *const names[] = { "br", "hr", "link", "meta", NULL };

	return g_strv_contains(names, name);
}

/* Elements after which a newline is written, because it changes no text there. */
static gboolean is_block(const char *name)
{
	static const char *const names[] = {
		"body",	  "caption", "circle",	"details", "div",  "dl",     "dd",    "figure",
		"footer", "h1",	     "h2",	"h3",	   "head", "header", "html",  "li",
		"line",	  "link",    "main",	"meta",	   "nav",  "ol",     "p",     "path",
		"rect",	  "script",  "section", "style",   "svg",  "table",  "tbody", "thead",
		"title",  "tr",	     "ul",	NULL
	};

	return g_strv_contains(names, name);
}

KxHtml *kx_html_new(void)
{
	KxHtml *h = g_new0(KxHtml, 1);

	h->buffer = xmlBufferCreate();
	h->writer = xmlNewTextWriterMemory(h->buffer, 0);
	h->open = g_ptr_array_new_with_free_func(g_free);
	xmlTextWriterWriteRaw(h->writer, X("<!DOCTYPE html>\n"));
	return h;
}

char *kx_html_finish(KxHtml *h)
{
	char *text;

	g_assert(!h->open->len);
	xmlFreeTextWriter(h->writer); /* writes what is left */
	text = g_strdup((const char *)xmlBufferContent(h->buffer));
	xmlBufferFree(h->buffer);
	g_ptr_array_unref(h->open);
	g_free(h);
	return text;
}

/* Without characters that XML excludes; kx_text_clean() leaves two of them. */
static char *clean(const char *text)
{
	char *plain = kx_text_clean(text);

	for (char *p = plain; (p = strstr(p, "\xef\xbf")); p += 3) {
		if ((guchar)p[2] >= 0xbe) /* U+FFFE, U+FFFF */
			p[2] = (char)0xbd;
	}
	return plain;
}

void kx_html_open(KxHtml *h, const char *name, const char *class)
{
	xmlTextWriterStartElement(h->writer, X(name));
	g_ptr_array_add(h->open, g_strdup(name));
	if (class)
		kx_html_attr(h, "class", class);
}

void kx_html_attr(KxHtml *h, const char *name, const char *value)
{
	g_autofree char *plain = clean(value);

	xmlTextWriterWriteAttribute(h->writer, X(name), X(plain));
}

void kx_html_attrf(KxHtml *h, const char *name, const char *format, ...)
{
	g_autofree char *value = NULL;
	va_list args;

	va_start(args, format);
	value = g_strdup_vprintf(format, args);
	va_end(args);
	kx_html_attr(h, name, value);
}

void kx_html_attr_number(KxHtml *h, const char *name, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (isfinite(value))
		kx_html_attr(h, name, g_ascii_dtostr(text, sizeof(text), value));
}

void kx_html_text(KxHtml *h, const char *text)
{
	g_autofree char *plain = clean(text);

	xmlTextWriterWriteString(h->writer, X(plain));
}

void kx_html_textf(KxHtml *h, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	kx_html_text(h, text);
}

void kx_html_close(KxHtml *h)
{
	g_autofree char *name = g_ptr_array_steal_index(h->open, h->open->len - 1);

	if (is_void(name))
		xmlTextWriterEndElement(h->writer);
	else
		xmlTextWriterFullEndElement(h->writer);
	if (is_block(name))
		xmlTextWriterWriteRaw(h->writer, X("\n"));
}

void kx_html_element(KxHtml *h, const char *name, const char *class, const char *text)
{
	kx_html_open(h, name, class);
	kx_html_text(h, text);
	kx_html_close(h);
}

void kx_html_svg_text(KxHtml *h, const char *class, const char *x, const char *y, const char *text)
{
	kx_html_open(h, "text", class);
	kx_html_attr(h, "x", x);
	kx_html_attr(h, "y", y);
	kx_html_text(h, text);
	kx_html_close(h);
}

void kx_html_name(KxHtml *h, const char *name)
{
	kx_html_element(h, "bdi", NULL, name);
}

void kx_html_code(KxHtml *h, const char *code)
{
	g_assert(!strpbrk(code, "<&")); /* XML would take these for markup */
	xmlTextWriterWriteRaw(h->writer, X(code));
}

void kx_html_data(KxHtml *h, const char *id, const char *json)
{
	g_autoptr(GString) safe = g_string_new(json);

	/* In JSON these characters occur only in strings, where an escape can replace them. */
	g_string_replace(safe, "<", "\\u003c", 0);
	g_string_replace(safe, ">", "\\u003e", 0);
	g_string_replace(safe, "&", "\\u0026", 0);
	kx_html_open(h, "script", NULL);
	kx_html_attr(h, "type", "application/json");
	kx_html_attr(h, "id", id);
	xmlTextWriterWriteRaw(h->writer, X(safe->str));
	kx_html_close(h);
}
