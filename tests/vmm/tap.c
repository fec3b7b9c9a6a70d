// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static int count, failed;

static void line(const char *verdict, const char *fmt, va_list args)
{
	printf("%s %d - ", verdict, ++count);
	vprintf(fmt, args);
}

bool ok(bool good, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	line(good ? "ok" : "not ok", fmt, args);
	va_end(args);
	putchar('\n');
	failed += !good;
	return good;
}

bool tap_eq(long long got, long long want, const char *fmt, ...)
{
	bool good = got == want;
	va_list args;

	va_start(args, fmt);
	line(good ? "ok" : "not ok", fmt, args);
	va_end(args);
	putchar('\n');
	if (!good)
		note("got %lld (%#llx), want %lld (%#llx)", got, got, want, want);
	failed += !good;
	return good;
}

bool tap_errno(long ret, int want, const char *fmt, ...)
{
	int err = errno;
	bool good = ret == -1 && err == want;
	va_list args;

	va_start(args, fmt);
	line(good ? "ok" : "not ok", fmt, args);
	va_end(args);
	putchar('\n');
	if (!good)
		note("returned %ld (%s), want %s", ret, ret == -1 ? strerror(err) : "no error",
		     strerror(want));
	failed += !good;
	return good;
}

void skip(const char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	line("ok", fmt, args);
	va_end(args);
	printf(" # SKIP %s\n", why);
}

void note(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

void bail(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	printf("Bail out! ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" (%s)\n", strerror(err));
	exit(255);
}

int tap_end(void)
{
	printf("1..%d\n", count);
	return failed != 0;
}
