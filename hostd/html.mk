# SPDX-License-Identifier: GPL-2.0-or-later
# The report as a page.

KX_LIB_SRCS += hostd/base/colour.c

KX_UNIT_TESTS += test-colour
