// SPDX-License-Identifier: GPL-2.0-or-later
#include "refusal.h"

#include <string.h>

#define BEGIN "ERROR kvm-extd refuses the connection: "
#define END   "."

char *kx_refusal_line(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return g_strconcat(BEGIN, text, END "\r\n", NULL);
}

char *kx_refusal_in(const char *message)
{
	const char *begin = strstr(message, BEGIN);
	const char *end = begin ? strstr(begin, END) : NULL;

	return end ? g_strndup(begin + strlen(BEGIN), (gsize)(end - begin) - strlen(BEGIN)) : NULL;
}
