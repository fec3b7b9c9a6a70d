/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test Anything Protocol, as much of it as the module's tests need. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

/* One behaviour held (or not): a numbered line. Returns @good. */
bool ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A behaviour that cannot be tested here, and why. */
void skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The environment, not what is tested, is broken: ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void bail(const char *fmt, ...);
/* Prints the plan; the exit status of the program. */
int tap_end(void);

/* ok() with the values that make a failure readable. */
#define ok_eq(got, want, ...) tap_eq((long long)(got), (long long)(want), __VA_ARGS__)
/* A call that must fail with this errno. */
#define ok_errno(call, want, ...) tap_errno((call), (want), __VA_ARGS__)
bool tap_eq(long long got, long long want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool tap_errno(long ret, int want, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif /* TAP_H */
