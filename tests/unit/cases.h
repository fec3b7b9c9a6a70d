/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cases of a test whose file has the functions setup() and teardown(). Include this file after cmocka.h. */
#ifndef CASES_H
#define CASES_H

/* A case that begins with setup() and ends with teardown(). */
#define CASE(function) CASE_WITH(function, setup)
/* A case that begins with another function than setup(). */
#define CASE_WITH(function, begin) cmocka_unit_test_setup_teardown(function, begin, teardown)

#endif /* CASES_H */
