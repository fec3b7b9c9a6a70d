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

static bool result(bool good, const char *fmt, va_list args)
{
	line(good ? "ok" : "not ok", fmt, args);
	putchar('\n');
	/* If the program hangs, the last line shows where. */
	fflush(stdout);
	failed += !good;
	return good;
}

bool ok(bool good, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(good, fmt, args);
	va_end(args);
	return good;
}

bool tap_eq(long long got, long long want, const char *fmt, ...)
{
	bool good;
	va_list args;

	va_start(args, fmt);
	good = result(got == want, fmt, args);
	va_end(args);
	if (!good)
		note("got %lld (%#llx), want %lld (%#llx)", got, got, want, want);
	return good;
}

bool tap_errno(long ret, int want, const char *fmt, ...)
{
	int err = errno;
	bool good;
	va_list args;

	va_start(args, fmt);
	good = result(ret == -1 && err == want, fmt, args);
	va_end(args);
	if (!good)
		note("returned %ld (%s), want %s", ret, ret == -1 ? strerror(err) : "no error",
		     strerror(want));
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
	fflush(stdout);
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
