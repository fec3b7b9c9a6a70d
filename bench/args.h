/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arguments of benchmarks: a wrong argument is refused before anything is measured, with exit status 2. */
#ifndef BENCH_ARGS_H
#define BENCH_ARGS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_BAD 2

/* @wrong: the wrong argument; NULL: the number of arguments is wrong. */
static inline __attribute__((noreturn)) void args_refuse(const char *usage, const char *wrong)
{
	if (wrong)
		fprintf(stderr, "what is '%s'?\n", wrong);
	fprintf(stderr, "usage: %s\n", usage);
	exit(ARGS_BAD);
}

/* A whole decimal number from @min to @max, with nothing after it. */
static inline uint64_t args_number(const char *arg, uint64_t min, uint64_t max, const char *usage)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(arg, &end, 10);
	/* strtoull() would accept a sign, and blanks before it. */
	if (*arg < '0' || *arg > '9' || *end || errno || number < min || number > max)
		args_refuse(usage, arg);
	return number;
}

/* One of the two words; true: the first. */
static inline int args_is_first(const char *arg, const char *first, const char *second,
				const char *usage)
{
	if (strcmp(arg, first) && strcmp(arg, second))
		args_refuse(usage, arg);
	return !strcmp(arg, first);
}

#endif
