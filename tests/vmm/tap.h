/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the Test Anything Protocol that the module's tests need. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

/* Prints a numbered line: a behaviour is as expected or not. Returns @good. */
bool ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints a line for a behaviour that cannot be tested here, with the reason. */
void skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program, because the environment does not permit the test. */
__attribute__((noreturn, format(printf, 1, 2))) void bail(const char *fmt, ...);
/* Prints the plan. Returns the exit status of the program. */
int tap_end(void);

/* ok() that prints both values after a failure. */
#define ok_eq(got, want, ...) tap_eq((long long)(got), (long long)(want), __VA_ARGS__)
/* ok() for a call that has to fail with this errno. */
#define ok_errno(call, want, ...) tap_errno((call), (want), __VA_ARGS__)
bool tap_eq(long long got, long long want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool tap_errno(long ret, int want, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif /* TAP_H */
